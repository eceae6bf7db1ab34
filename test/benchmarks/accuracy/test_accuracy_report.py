"""The report's figures are those of the jobs, and its comparisons are paired over subjects."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from benchmarks.__main__ import main
from benchmarks.accuracy import accuracy_command, protocols
from benchmarks.accuracy import adaptation_protocol as adaptation
from benchmarks.accuracy.accuracy_report import markdown, write_report
from benchmarks.accuracy.accuracy_summary import gather
from benchmarks.accuracy.paired_test import compare
from benchmarks.accuracy.protocol_run import manifest_path
from benchmarks.accuracy.protocols import Plan, make_plan
from benchmarks.accuracy.subject_scores import kept_values, made_worse, mean_over_subjects, subject_figures
from benchmarks.accuracy.within_subject_reference import WITHIN_SUBJECT
from imu_emg_estimator.cli.shared_options import BAD_INPUT
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Movement
from imu_emg_estimator.training.evaluation_report import read_scores, scores_table

pytestmark = pytest.mark.slow

MODELS = ["mean_profile", "ridge", "geglu_transformer"]
PICTURES = ["best_median_worst.png", "r_over_calibration.png", "r_per_subject.png"]
COMMON = ["accuracy", "--data", "nowhere", "--folds", "2", "--steps", "12", "--workers", "1"]
STREAMING = [*COMMON, "--models", ",".join(MODELS), "--calibration-seconds", "0,10"]
ADAPTATION = [*COMMON, "--protocol", "adaptation", "--methods", "none,affine,all_weights", "--meta", "none",
              "--calibration-seconds", "0,5,10"]  # fmt: skip


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    schedule = (("walking", 20.0), ("standing", 6.0), ("running", 12.0))
    return [make_recording(schedule, subject=str(number), seed=number) for number in (3, 1, 2)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, subjects: list[Recording]) -> Path:
    """Folder of the report of a small run of two protocols, whose run folder is beside it."""
    folder = tmp_path_factory.mktemp("benchmark")
    for options in (STREAMING, ADAPTATION):
        assert command(folder, subjects, options) == 0
    return folder / "accuracy"


def tiny(*arguments: Any, **options: Any) -> Plan:
    """A plan for networks and budgets that take seconds."""
    plan = make_plan(*arguments, **options)
    shape = {"width": 8, "layers": 1, "heads": 2, "band": 8, "dilation": 4, "feedforward": 8}
    budget = replace(plan.budget, batch=4, sequence=64, shape=shape)
    settings = (replace(each, steps=12, batch=2, sequence=64) for each in (plan.adaptation, plan.long, *plan.methods))
    adaptation, long, *methods = settings
    return replace(plan, budget=budget, adaptation=adaptation, long=long, methods=tuple(methods))


def command(folder: Path, subjects: list[Recording], options: list[str]) -> int:
    places = ["--run", str(folder / "run"), "--out", str(folder / "accuracy"), "--json", str(folder / "figures.json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy_command, "load_recordings", lambda _: subjects)
        patch.setattr(protocols, "make_plan", tiny)
        return main([*options, *places])


@pytest.fixture(scope="module")
def results(report: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((report / "results.json").read_text())
    return content


def test_command_writes_figures_table_and_pictures(report: Path, results: dict[str, Any]) -> None:
    assert sorted(path.name for path in report.iterdir()) == sorted(["results.json", "table.md", *PICTURES])
    assert json.loads((report.parent / "figures.json").read_text()) == results
    assert set(results) == {"streaming", "adaptation", "cost"}
    assert results["streaming"]["missing_jobs"] == 0
    assert results["streaming"]["setup"]["folds"] == [["3", "2"], ["1"]]


def test_summary_averages_over_subjects(results: dict[str, Any]) -> None:
    for name in MODELS:
        row = results["streaming"]["rows"][name]
        assert row["subjects"]["names"] == ["1", "2", "3"]
        for seconds in ("0", "10"):
            for condition in ("all", "locomotion", "walking", "running"):
                r = list(kept_values(row["subjects"], "r", seconds, condition).values())
                assert len(r) == 3
                assert row["mean"][seconds][condition]["r"]["mean"] == pytest.approx(np.mean(r), abs=1e-6)
                assert row["mean"][seconds][condition]["r"]["spread"] == pytest.approx(np.std(r, ddof=1), abs=1e-6)


def test_summary_has_within_subject_reference(results: dict[str, Any]) -> None:
    attainable = results["streaming"][WITHIN_SUBJECT]["mean"]["locomotion"]["r"]["mean"]
    entry = results["streaming"]["rows"]["ridge"]["mean"]["0"]["locomotion"]["r"]
    assert entry["share"] == pytest.approx(entry["mean"] / attainable)


def test_own_model_is_tested_against_every_other(results: dict[str, Any]) -> None:
    tests = results["streaming"]["tests"]
    assert {test["first"] for test in tests} == {"geglu_transformer"}
    assert {test["second"] for test in tests} == {"mean_profile", "ridge"}
    rows = results["streaming"]["rows"]
    for test in tests:
        for figure in ("r", "r2"):
            first, second = (
                list(kept_values(rows[test[place]]["subjects"], figure, test["seconds"], test["condition"]).values())
                for place in ("first", "second")
            )
            assert test[figure]["difference"] == pytest.approx(np.mean(first) - np.mean(second), abs=1e-6)
            assert test[figure]["subjects"] == 3


def test_adaptation_starts_from_the_same_network(results: dict[str, Any]) -> None:
    rows = results["adaptation"]["rows"]
    plain = [name for name in rows if name.endswith(adaptation.NO_EPISODES)]
    assert list(rows) == ["none", "affine", "all_weights", *plain]
    assert plain == [f"none{adaptation.NO_EPISODES}", f"all_weights{adaptation.NO_EPISODES}"]
    before = [row["mean"]["0"]["walking"]["r"]["mean"] for row in rows.values()]
    assert before[0] == before[1] == before[2] != before[3] == before[4]
    assert rows["none"]["mean"]["10"] == rows["none"]["mean"]["0"]
    assert rows["all_weights"]["adapting_s"]["10"] > rows["none"]["adapting_s"]["10"]


def test_read_scores_takes_the_results(report: Path, results: dict[str, Any]) -> None:
    scores = read_scores(report / "results.json")
    own = results["streaming"]["rows"]["geglu_transformer"]["mean"]
    assert scores["mean"]["10"]["walking"]["r"] == own["10"]["walking"]["r"]["mean"]
    assert scores["mean"]["0"]["locomotion"]["subjects"] == 3
    assert "recipe retrained" in scores["protocol"]
    assert "| 10 | walking | 3 |" in scores_table(scores)


def test_report_leaves_out_protocol_without_results(report: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(report.parent / "run", run)
    for path in (run / "jobs").glob("adaptation-*"):
        path.unlink()
    assert set(write_report(run, tmp_path / "accuracy")) == {"streaming", "cost"}


def test_report_states_effort_and_cost(results: dict[str, Any]) -> None:
    tasks = results["cost"]["tasks"]
    assert {name: task["jobs"] for name, task in tasks.items()} == {
        "train": 2 * (len(MODELS) + 1),  # and once more plainly, for transfer
        "streaming": 2 * len(MODELS),
        WITHIN_SUBJECT: 2,
        "adaptation": 2 * (3 + 2),
    }
    assert results["cost"]["worker_hours"] == pytest.approx(sum(task["seconds"] for task in tasks.values()) / 3600)
    own = results["streaming"]["rows"]["geglu_transformer"]
    assert own["weights"] > 500
    assert own["training_s"] > 0
    assert own["description"]


def test_table_holds_every_model_method_and_figure(report: Path, results: dict[str, Any]) -> None:
    table = (report / "table.md").read_text()
    for name in (*MODELS, "within-subject reference", "all_weights"):
        assert f"| {name} |" in table or f"| *{name}* |" in table
    entry = results["streaming"]["rows"]["ridge"]["mean"]["10"]["walking"]["r"]
    assert f"{entry['mean']:.2f} ± {entry['spread']:.2f}" in table
    assert "2 subject-disjoint folds" in table
    assert "hours of one worker" in table
    widths = {line.count("|") for line in table.splitlines() if line.startswith("| ridge | 0.")}
    assert len(widths) == 1


def test_report_holds_no_measured_signals(report: Path) -> None:
    """The data are not ours to hand on."""
    assert "measured" not in (report / "results.json").read_text()
    assert any("measured" in path.read_text() for path in (report.parent / "run" / "jobs").glob("streaming-*"))


def test_run_continues_and_adds_models(tmp_path: Path, report: Path, subjects: list[Recording]) -> None:
    shutil.copytree(report.parent, tmp_path, dirs_exist_ok=True)
    jobs = tmp_path / "run" / "jobs"
    before = {path: path.stat().st_mtime_ns for path in jobs.iterdir()}
    (lost,) = jobs.glob("streaming-ridge-fold1-*")
    lost.unlink()
    models = ["--models", "ridge,mean_profile"]
    assert command(tmp_path, subjects, [*STREAMING, *models]) == 0
    after = {path: path.stat().st_mtime_ns for path in jobs.iterdir()}
    assert [path for path in before if after[path] != before[path]] == [lost]
    assert set(after) == set(before)
    # What was run before under the same conditions stays in the report.
    results = json.loads((tmp_path / "accuracy" / "results.json").read_text())
    assert list(results["streaming"]["rows"]) == MODELS


def test_report_leaves_out_runs_of_unlike_conditions(tmp_path: Path, report: Path, subjects: list[Recording]) -> None:
    shutil.copytree(report.parent, tmp_path, dirs_exist_ok=True)
    assert command(tmp_path, subjects, [*COMMON, "--models", "mean_profile", "--calibration-seconds", "0"]) == 0
    results = json.loads((tmp_path / "accuracy" / "results.json").read_text())
    assert list(results["streaming"]["rows"]) == ["mean_profile"]


def test_report_without_data_names_what_is_missing(tmp_path: Path, report: Path) -> None:
    shutil.copytree(report.parent, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "run" / "jobs").glob("*-fold1-*"):
        path.unlink()
    places = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "accuracy")]
    assert main(["accuracy", "--report", *places]) == 0
    results = json.loads((tmp_path / "accuracy" / "results.json").read_text())
    assert results["streaming"]["missing_jobs"] == len(MODELS) + 1
    assert results["streaming"]["rows"]["ridge"]["subjects"]["names"] == ["2", "3"]
    assert "are missing" in (tmp_path / "accuracy" / "table.md").read_text()


def test_report_adds_section_for_named_part(tmp_path: Path, report: Path, subjects: list[Recording]) -> None:
    shutil.copytree(report.parent, tmp_path, dirs_exist_ok=True)
    options = [*COMMON, "--models", "mean_profile", "--calibration-seconds", "0", "--part", "profile"]
    assert command(tmp_path, subjects, options) == 0
    results = json.loads((tmp_path / "accuracy" / "results.json").read_text())
    assert list(results) == ["streaming", "profile", "adaptation", "cost"]
    assert list(results["streaming"]["rows"]) == MODELS
    assert list(results["profile"]["rows"]) == ["mean_profile"]
    assert results["profile"]["made"]["command"].endswith("--part profile --run PATH --out PATH --json PATH")
    assert "## Profile, streaming: causal" in (tmp_path / "accuracy" / "table.md").read_text()
    assert (tmp_path / "accuracy" / "profile_r_per_subject.png").is_file()


def test_report_of_another_rig_is_by_its_own_movements(tmp_path: Path, subjects: list[Recording]) -> None:
    rig = replace(subjects[0].rig, movements=(Movement("running"), Movement("walking")))
    lab = [replace(recording, rig=rig) for recording in subjects]
    assert command(tmp_path, lab, [*COMMON, "--models", "mean_profile", "--calibration-seconds", "0"]) == 0
    table = (tmp_path / "accuracy" / "table.md").read_text()
    assert "| model | r all | r movements | r running | r walking | R² movements | R² scaled movements |" in table
    assert "locomotion" not in table


# figures by hand


def record(**by_subject: Any) -> dict[str, Any]:
    return {"outcome": {"subjects": {subject: {"scores": scores} for subject, scores in by_subject.items()}}}


def r(*by_muscle: float | None) -> dict[str, Any]:
    return {"locomotion": {f"muscle_{index}": {"r": value} for index, value in enumerate(by_muscle)}}


def test_mean_over_muscles_then_seeds_then_subjects() -> None:
    figures = subject_figures([record(w10={"0": r(0.2, 0.4)}, w9={"0": r(0.9, None)}), record(w10={"0": r(0.5, 0.5)})])
    assert figures["w10"]["0", "locomotion"]["r"] == pytest.approx(0.4)
    assert figures["w9"]["0", "locomotion"]["r"] == pytest.approx(0.9)
    mean = mean_over_subjects(figures)["0", "locomotion"]["r"]
    assert mean["mean"] == pytest.approx(0.65)
    assert mean["subjects"] == 2


def test_share_of_reference_uses_same_subjects() -> None:
    figures = subject_figures([record(a={"0": r(0.4)}, b={"0": r(0.6)}, c={"0": r(0.9)})])
    reference = subject_figures([record(a={WITHIN_SUBJECT: r(0.8)}, b={WITHIN_SUBJECT: r(0.7)})])
    assert mean_over_subjects(figures, reference)["0", "locomotion"]["r"]["share"] == pytest.approx(1.0 / 1.5)


def test_summary_names_subjects_made_worse() -> None:
    figures = subject_figures(
        [record(a={"0": r(0.5), "30": r(0.48)}, b={"0": r(0.5), "30": r(0.495)}, c={"0": r(0.5), "30": r(0.7)})]
    )
    assert made_worse(figures) == {"30": {"locomotion": {"a": pytest.approx(-0.02)}}}


def test_paired_comparison() -> None:
    second = dict(zip("abcdefghij", np.linspace(0.2, 0.8, 10), strict=True))
    first = {name: value + 0.05 + 0.001 * index for index, (name, value) in enumerate(second.items())}
    test = compare(first | {"k": 0.9}, second)
    assert test is not None
    assert test["difference"] == pytest.approx(0.0545)
    assert test["interval"][0] > 0.05
    assert test["interval"][0] < test["difference"] < test["interval"][1]
    assert test["p"] == pytest.approx(2 / 2**10)  # all ten differences have one sign
    assert (test["subjects"], test["better"]) == (10, 10)
    reverse = compare(second, first)
    assert reverse is not None
    assert reverse["difference"] == pytest.approx(-test["difference"])
    assert reverse["p"] == pytest.approx(test["p"])
    even = compare(second, dict(second))
    assert even is not None
    assert even["p"] == 1.0
    assert compare({"a": 0.5}, {"a": 0.4}) is None
    assert compare({"a": 0.5, "b": float("nan")}, {"a": 0.4, "b": 0.1}) is None


def test_table_of_subjects_made_worse_has_row_per_model(report: Path, results: dict[str, Any]) -> None:
    table = (report / "table.md").read_text().split("### Subjects made worse")[1].splitlines()
    assert table[2] == "| subjects (change of r) | 10 s |"
    losses = results["streaming"]["rows"]["ridge"]["made_worse"]["10"]["locomotion"]
    expected = ", ".join(f"{subject} ({change:+.3f})" for subject, change in losses.items()) or "none"
    assert f"| ridge | {expected} |" in table


def confidence(crps: float) -> dict[str, Any]:
    """Outcome of an uncertainty job with one subject, whose published intervals are better than their rivals'."""
    figures = {rival: {"coverage": [c, 0.8, 0.9], "crps": crps} for rival, c in (("published", 0.5), ("network", 0.3))}
    areas = {"motion": [0.9, 0.7], "tokens": [0.4, 0.2]}
    return {
        "intervals": {"levels": [0.5, 0.8, 0.95], "subjects": {"1": {"uncalibrated": {"all": figures}}}},
        "alarm": {
            "auroc": {"rotated 30° about x: foot": areas, "rotated 30° about x: shank": areas},
            "raised": {"rotated 30° about x: foot": [0.2, 0.4], "rotated 30° about x: shank": [0.0, 0.2]},
            "false_alarms": {"1": {"share": 0.01}},
        },
    }


def test_uncertainty_table_has_row_per_condition_and_case(tmp_path: Path, results: dict[str, Any]) -> None:
    outcomes = [{"outcome": confidence(0.1)}, {"outcome": confidence(0.3)}]
    manifest = {
        "protocol": "uncertainty",
        "setup": results["streaming"]["setup"],
        "made": {"date": "2000-01-01"},
        "rows": {"net": ["a", "b"]},
        "jobs": [],
        "choices": {},
    }
    for name in ("jobs", "parts"):
        (tmp_path / name).mkdir()
    manifest_path(tmp_path, "uncertainty").write_text(json.dumps(manifest))
    for key, outcome in zip("ab", outcomes, strict=True):
        (tmp_path / "jobs" / f"{key}.json").write_text(json.dumps(outcome))
    table = markdown(gather(tmp_path)).splitlines()
    assert "| uncalibrated | all | 50.0 (30.0) | 80.0 (80.0) | 90.0 (90.0) | 0.200 (0.200) | 2 |" in table
    assert "| rotated 30° about x | 0.80 | 0.30 | 0.70 | 20 % | 8 |" in table
    assert "False alarms: 1.0 % of the time in locomotion." in table


def test_ill_posedness_is_a_protocol(tmp_path: Path, make_recording: RecordingFactory) -> None:
    subjects = [make_recording((("walking", 60.0),), subject=str(seed), seed=seed) for seed in (1, 2)]
    assert command(tmp_path, subjects, [*COMMON, "--protocol", "ill-posedness"]) == 0
    shares = json.loads((tmp_path / "figures.json").read_text())["ill-posedness"]["conditions"]["walking"]
    row = f"| walking | {shares['within']['share']:.2f} | {shares['across']['share']:.2f} | {shares['points']} |"
    assert row in (tmp_path / "accuracy" / "table.md").read_text().splitlines()
    assert (tmp_path / "accuracy" / "ill_posedness.png").stat().st_size > 0


# bad input


def test_report_refuses_empty_run(tmp_path: Path) -> None:
    from benchmarks.accuracy.accuracy_report import write_report

    with refusal(tmp_path, "--run"):
        write_report(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--data"),
        (["--data", "nowhere", "--models", "resnet"], "resnet"),
        (["--data", "nowhere", "--folds", "7"], "7 folds"),
        (["--data", "nowhere", "--cluster", "tcp://here:1", "--models", "ridge", "--folds", "2"], "--backend"),
    ],
)
def test_command_reports_bad_input_in_one_sentence(
    tmp_path: Path, subjects: list[Recording], capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert command(tmp_path, subjects, ["accuracy", *options]) == BAD_INPUT
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("benchmarks accuracy: ")
    assert words in message


@pytest.mark.parametrize("folds", ["1", "one", "0", "-3"])
def test_command_refuses_invalid_folds(folds: str) -> None:
    with pytest.raises(SystemExit):
        main(["accuracy", "--data", "nowhere", "--folds", folds])
