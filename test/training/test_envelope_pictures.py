"""Pictures show estimated beside measured envelopes, by a bundle that was not trained on the subject."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory, refusal, subject_scores

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Movement
from imu_emg_estimator.training import envelope_pictures as pictures


def assert_is_picture(path: Path) -> None:
    import matplotlib.image

    pixels = matplotlib.image.imread(path)
    assert min(pixels.shape[:2]) > 100
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 10


def test_picture_shows_median_subject_by_bundle_without_it(
    make_bundle: BundleFactory,
    make_recording: RecordingFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "draw_conditions", lambda *arguments: drawn.extend(arguments))
    recordings = [make_recording(subject=name) for name in ("1", "2", "3", "2", "4")]
    folds = [replace(make_bundle(), training={"subjects": names}) for names in (["1", "2"], ["1", "3"], ["2", "3"])]
    scores = {
        "1": subject_scores(0.1),
        "2": subject_scores(0.5),
        "3": subject_scores(0.9),
        "4": subject_scores(0.7, "sitting"),
    }
    pictures.draw_median_subject(tmp_path / "a.png", folds, recordings, scores)
    _, bundle, own, title = drawn
    assert bundle is folds[1]
    assert own == [recordings[1], recordings[3]]
    assert "subject 2" in title
    assert "0.50" in title
    drawn.clear()
    pictures.draw_median_subject(tmp_path / "a.png", folds[:1], recordings, scores)  # of another data set
    assert drawn[1] is folds[0]


@pytest.mark.slow
def test_picture_is_drawn_of_whatever_there_is(
    bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    """Hours of training lie behind it: short bouts, and recordings without any movement, have to do."""
    sitting = make_recording([("sitting", 20.0)], subject="4")
    brief = make_recording([("walking", 7.0), ("standing", 1.0)], subject="4")
    for name, own, condition in (("a.png", sitting, "sitting"), ("b.png", brief, "locomotion")):
        pictures.draw_median_subject(tmp_path / name, [bundle], [own], {"4": subject_scores(0.5, condition)})
        assert_is_picture(tmp_path / name)


def test_picture_shows_the_movements_of_the_rig(
    bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = make_recording([("walking", 20.0), ("standing", 10.0)])
    lab = replace(recording.rig, movements=(Movement("curl"), Movement("rest")))
    named = replace(recording, rig=lab, condition=np.where(recording.condition == "walking", "curl", "pause"))
    titles: list[str] = []
    monkeypatch.setattr(pictures, "save_figure", lambda figure, *_: titles.extend(a.get_title() for a in figure.axes))
    pictures.draw_conditions(tmp_path / "a.png", bundle, [named], "title")
    assert [title for title in titles if title] == ["curl"]


@pytest.mark.slow
def test_picture_of_conditions(bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path) -> None:
    recordings = [make_recording([("walking", 9.0), ("running", 12.0), ("stairs_up", 3.0)]), make_recording()]
    doubted = [replace(recording, muscle_weight=np.array([0.0, 1.0])) for recording in recordings]
    for name, given in (("two.png", recordings), ("one.png", doubted)):
        pictures.draw_conditions(tmp_path / "new" / name, bundle, given, "title")
        assert_is_picture(tmp_path / "new" / name)


@pytest.mark.slow
def test_picture_before_and_after(tmp_path: Path) -> None:
    time = np.arange(100) / 50
    curves = np.sin(time)[:, None] + np.array([[0.0, 1.0]])
    pictures.draw_before_and_after(
        tmp_path / "a.png", "title", time, curves, curves + 0.1, curves * np.nan, ["a", "b_c"], "count"
    )
    assert_is_picture(tmp_path / "a.png")


def test_picture_names_unwritable_path(tmp_path: Path) -> None:
    time, curves = np.arange(10.0), np.zeros((10, 1))
    with refusal(tmp_path):
        pictures.draw_before_and_after(tmp_path, "title", time, curves, curves, curves, ["a"], "count")


def test_example_is_a_stretch_of_the_median_subject_as_json(
    make_bundle: BundleFactory, make_recording: RecordingFactory
) -> None:
    bouts = [("standing", 4.0), ("walking", 20.0), ("running", 6.0)]
    recordings = [make_recording(bouts, subject=name) for name in ("1", "2", "3")]
    bundle = make_bundle()
    scores = {"1": subject_scores(0.1), "2": subject_scores(0.5), "3": subject_scores(0.9)}
    example = pictures.example_of_median_subject([bundle], recordings, scores)
    assert (example["subject"], example["condition"]) == ("2", "walking")
    curves = example["curves"]["muscles"]["vastus_lateralis_right"]
    amplitude = max(recordings[1].envelope[:, 0])
    assert 0 < max(curves["measured"]) <= amplitude
    assert len(curves["estimate"]) == len(curves["measured"]) == round(12 * 58.8) // 2  # samples
