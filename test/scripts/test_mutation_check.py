"""The mutation check draws the same mutations again, changes one expression each, and finds the test that notices."""

import random
from pathlib import Path

import pytest

from scripts import mutation_check
from scripts.mutation_check import KINDS, Mutation, check_all, mutations_of, sample

SOURCE = """\
SPAN: float = 2.0  # s
NAME = "µ"


def is_inside(value: float, low: int = 3) -> bool:
    return "µ" != NAME or low <= value < low + SPAN


def half(value: float) -> float:
    return value / 2 if not value == 0 else f"{value + 1}"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a checkout of one module, one test and a stand-in for the environment."""
    files = {
        "imu_emg_estimator/rig.py": "LIMIT = 10\nSPARE = 10\n",
        "test/test_rig.py": "import rig\ndef test_limit(): assert rig.LIMIT == 10\ndef test_broken(): assert False\n",
        "scripts/run-in-env": '#!/bin/sh\nPYTHONPATH=imu_emg_estimator exec "$@"\n',
        "pyproject.toml": "[tool.pytest.ini_options]\nmarkers = ['ros', 'slow', 'hostile']\n",
    }
    for name, text in files.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setattr(mutation_check, "ROOT", tmp_path / "checkout")
    return tmp_path / "checkout"


@pytest.mark.slow
def test_sample_depends_on_the_seed_alone() -> None:
    first = sample(1, 8)
    assert sample(1, 8) == first
    assert sample(2, 8) != first
    assert [mutation.kind for mutation in first] == list(KINDS) * 2


def test_mutations_cover_conditions_logic_arithmetic_and_constants(project: Path) -> None:
    file = project / "imu_emg_estimator" / "rig.py"
    file.write_text(SOURCE)
    changes = {(found.kind, found.before): found.after for found in mutations_of(file, random.Random(0))}
    assert changes.pop(("condition", "low <= value < low + SPAN")) in (
        "low > value < low + SPAN",
        "low <= value >= low + SPAN",
    )
    assert changes.pop(("constant", "2.0")) in ("1.8", "2.2")
    assert changes.pop(("constant", "3")) in ("2", "4")
    assert changes.pop(("constant", "2")) in ("1", "3")
    assert changes.pop(("constant", "0")) in ("-1", "1")
    assert changes == {
        ("condition", '"µ" != NAME'): "'µ' == NAME",
        ("condition", "not value == 0"): "value == 0",
        ("condition", "value == 0"): "value != 0",
        ("logic", '"µ" != NAME or low <= value < low + SPAN'): "'µ' != NAME and low <= value < low + SPAN",
        ("arithmetic", "low + SPAN"): "low - SPAN",
        ("arithmetic", "value / 2"): "value * 2",
    }


def test_apply_replaces_one_expression(project: Path) -> None:
    file = project / "imu_emg_estimator" / "rig.py"
    file.write_text(SOURCE)
    added = next(found for found in mutations_of(file, random.Random(0)) if found.kind == "arithmetic")
    assert added.apply(SOURCE.encode()).decode() == SOURCE.replace("low + SPAN", "(low - SPAN)")


@pytest.mark.slow
def test_check_all_names_the_test_that_notices_and_what_none_notices(project: Path) -> None:
    """The test that fails without a mutation too does not count."""
    file = "imu_emg_estimator/rig.py"
    noticed, unnoticed = Mutation(file, 1, "constant", "10", "9", 8), Mutation(file, 2, "constant", "10", "9", 19)
    results = list(check_all([noticed, unnoticed], jobs=1))
    assert [result.noticed_by for result in results] == ["test/test_rig.py::test_limit", ""]


def test_check_all_ends_where_no_test_can_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation_check, "first_failure", lambda copy, tests, markers, unreliable: tests)
    with pytest.raises(SystemExit, match="fails without the mutation, too"):
        list(check_all([Mutation("imu_emg_estimator/rig.py", 1, "constant", "10", "9", 8)], jobs=1))
