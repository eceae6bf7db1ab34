"""`imu-emg inspect`."""

from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.bundle_files import SUBSET_FIGURES
from fixtures.command_line import refused, run, strict_json
from fixtures.csv_tables import table, write_rows

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.bundle import Bundle


def test_inspect_prints_and_writes_what_a_bundle_holds(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", tiny, "--json", tmp_path / "a.json", "--card", tmp_path / "card.md") == 0
    described = strict_json(tmp_path / "a.json")
    assert described["model_id"] == Bundle.load(tiny).model_id
    assert described["muscles"] == list(RIG.muscle_names)
    assert described["model_id"] in capsys.readouterr().out
    assert described["model_id"] in (tmp_path / "card.md").read_text()


def test_inspect_refuses_to_replace_a_bundle_by_its_card(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tiny.read_bytes()
    with pytest.raises(SystemExit):
        run("inspect", "--card", tiny)
    assert ".md" in capsys.readouterr().err
    assert tiny.read_bytes() == content


def test_inspect_takes_the_shipped_bundle_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect") == 0
    assert "model_id: hugadb-" in capsys.readouterr().out


def test_inspect_prints_no_brackets_of_nested_values(capsys: pytest.CaptureFixture[str]) -> None:
    run("inspect")
    said = capsys.readouterr().out
    assert "sensors: right_foot, right_shank" in said
    assert "  settings:\n    steps: 1000\n" in said
    assert "      walking: r 0." in said
    assert not any(bracket in said for bracket in ("{", "}", "['", "[["))


def test_inspect_prints_what_is_left_without_some_sensors(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(bundle, subset_figures=SUBSET_FIGURES).save(tmp_path / "a.safetensors")
    assert run("inspect", tmp_path / "a.safetensors") == 0
    printed = capsys.readouterr().out.splitlines()
    assert "| all | 0.75 ± 0.10 | 81 → 81 | 1.00 | yes | 0.75 ± 0.10 | 81 → 81 | 1.00 | yes |" in printed
    assert "| both shanks, both thighs | 0.70 ± 0.10 | 60 → 70 | 2.25 | no | n/a | | | no |" in printed


def test_inspect_describes_a_bag(bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", bag, "--json", tmp_path / "a.json") == 0
    found = strict_json(tmp_path / "a.json")
    assert found["topics"]["/imu/right_foot"]["messages"] == round(found["seconds"] * 58.8) + 1
    assert found["topics"]["/imu/right_foot"]["rate_hz"] == pytest.approx(58.8, rel=0.01)
    assert found["emg_channels"] == list(RIG.muscle_names)
    assert "/emg: type imu_emg_estimator/msg/Emg" in capsys.readouterr().out


def test_inspect_describes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = table()
    path = write_rows(tmp_path / "a.csv", columns, zip(*columns.values(), strict=True))
    assert run("inspect", path) == 0
    said = capsys.readouterr().out
    assert "sensors_hz: shank 400, thigh 400" in said
    assert "emg: soleus, biceps" in said


def test_inspect_describes_an_onnx_file(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.onnx"
    assert run("export", "--bundle", tiny, "--out", path) == 0
    capsys.readouterr()
    assert run("inspect", path) == 0
    assert "inputs: imu tensor(float) [6, 6]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.onnx", "not a readable ONNX"),
        ("a.csv", "no column 'time'"),
        ("a.xdf", "imu-emg import"),
        ("a.yaml", "imu-emg rig show"),
    ],
)
def test_inspect_refuses_what_is_something_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    (tmp_path / name).write_text("a,b\n1,2\n")
    assert says in refused(capfd, "inspect", tmp_path / name)
    assert "no column" not in refused(capfd, "inspect", tmp_path / "none.onnx")


def test_inspect_writes_cards_of_bundles_only(bag: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "--card" in refused(capfd, "inspect", bag, "--card", tmp_path / "a.md")
