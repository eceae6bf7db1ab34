"""Steps of trainings in other processes arrive as one progress."""

from imu_emg_estimator.training.parallel_progress import joined_progress


def test_joined_progress_adds_up_the_steps_of_all_trainings() -> None:
    seen: list[tuple[int, int]] = []
    with joined_progress(2, 30, lambda done, total: seen.append((done, total))) as notes:
        first, second = notes
        assert first is not None
        assert second is not None
        first(20, 30, 0.5)
        second(30, 30, 0.5)
        second(7, 30, 0.5)  # is not noted: not every step is worth a write
    assert seen[-1] == (50, 60)


def test_joined_progress_without_listener_notes_nothing() -> None:
    with joined_progress(3, 30, None) as notes:
        assert list(notes) == [None] * 3
