"""The page in docs/ takes over the figures of a run."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from fixtures.latency_outcomes import complete, results_of

SCRIPT = Path(__file__).parents[3] / "scripts" / "realtime_page.py"


def test_figures_are_put_between_the_marks_and_replaced(tmp_path: Path) -> None:
    spec = spec_from_file_location("realtime_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    page = tmp_path / "realtime.md"
    page.write_text(script.PAGE.read_text())
    script.PAGE = page
    (tmp_path / "results.json").write_text(json.dumps(results_of(complete())))
    script.main(tmp_path / "results.json")
    once = page.read_text()
    script.main(tmp_path / "results.json")
    assert page.read_text() == once
    assert once.count("against torch eager on 200 samples") == 1
    assert "| 64 | 75 |" in once
    assert once.endswith(SCRIPT.parents[1].joinpath("docs", "realtime.md").read_text().partition(script.END)[2])
