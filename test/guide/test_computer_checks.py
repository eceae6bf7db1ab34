"""What `imu-emg doctor` says of installation, processor, engine and bundle."""

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from fixtures.bundle_files import SUBSET_FIGURES

from imu_emg_estimator.guide import computer_checks
from imu_emg_estimator.guide.computer_checks import bundle_findings, computer_findings, installation_findings
from imu_emg_estimator.guide.finding import Finding, Level
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming import engine
from imu_emg_estimator.utils.optional_packages import install_command, needs

WHOLE = (SUBSET_FIGURES.uncalibrated.whole,)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.about: finding for finding in findings}


def test_installation_names_versions() -> None:
    found = by_name(installation_findings())
    assert sys.executable in found["Python"].text
    assert found["numpy"] == Finding("numpy", Level.OK, metadata.version("numpy"))


def test_installation_says_what_brings_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer_checks, "find_spec", lambda name: None if name in ("torch", "ray") else object())
    found = by_name(installation_findings())
    assert found["torch"].level is Level.WARNING
    assert found["torch"].text.endswith(needs("torch"))
    assert "not installed: ray " in found["for some files"].text


def test_installation_tells_an_old_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.10.1")
    monkeypatch.setattr(computer_checks, "find_spec", lambda name: object())
    found = by_name(installation_findings())
    assert found["torch"].level is Level.WARNING
    assert found["torch"].text.endswith(f"needs at least 2.2: {install_command('torch')}")
    assert found["scipy"].level is Level.OK  # 1.10 is newer than 1.8


def test_computer_names_the_engine_and_those_that_fail(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "available_engines", lambda: ["onnx", "numpy"])
    monkeypatch.setattr(engine, "crash_of", lambda name, library: "SIGILL")
    monkeypatch.setattr(engine, "_skipped", {})
    used, skipped = [finding for finding in computer_findings(bundle) if finding.about == "engine"]
    assert used == Finding("engine", Level.OK, "numpy")
    assert skipped.level is Level.WARNING
    assert "onnxruntime does not work here (SIGILL)" in skipped.text


def test_bundle_that_is_unreadable_is_a_problem(tmp_path: Path) -> None:
    bundle, (found,) = bundle_findings(tmp_path / "none.safetensors")
    assert bundle is None
    assert found.level is Level.PROBLEM
    assert "none.safetensors" in found.text


def test_shipped_bundle_tells_its_rig_and_what_fewer_sensors_leave() -> None:
    bundle, findings = bundle_findings(None)
    found = by_name(findings)
    assert bundle is not None
    assert bundle.subsets is not None
    assert "rig 'hugadb' of 6 sensors" in found["bundle"].text
    least = found["fewer sensors"].text
    left = [name for name in bundle.rig.sensor_names if name in least]
    rows = [row for row in bundle.subsets.rows if bundle.subsets.meets_minimum(row)]
    assert 0 < len(left) == 6 - max(len(row.missing) for row in rows)


def test_bundle_tells_what_was_measured_of_fewer_sensors(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "unmeasured.safetensors")
    assert "not measured" in bundle_findings(tmp_path / "unmeasured.safetensors")[1][1].text
    figures = replace(SUBSET_FIGURES, uncalibrated=replace(SUBSET_FIGURES.uncalibrated, rows=WHOLE))
    replace(bundle, subset_figures=figures).save(tmp_path / "measured.safetensors")
    assert bundle_findings(tmp_path / "measured.safetensors")[1][1].text == "needs all of them"
