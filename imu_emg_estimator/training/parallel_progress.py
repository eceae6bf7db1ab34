"""Progress of trainings in several processes, shown as one: each notes its steps in a file, a thread adds them up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from imu_emg_estimator.utils.progress import CountProgress

NOTED_EVERY = 10  # steps
SHOWN_EVERY_S = 0.5


@dataclass(frozen=True)
class StepNote:
    """Notes the steps of one training: a ``StepProgress`` that another process can be given."""

    path: Path

    def __call__(self, done: int, total: int, loss: float) -> None:
        """Note the steps done."""
        if done % NOTED_EVERY == 0 or done == total:
            with suppress(OSError):  # on another machine of a cluster
                self.path.write_text(str(done))


@contextmanager
def joined_progress(trainings: int, steps: int, progress: CountProgress | None) -> Iterator[Sequence[StepNote | None]]:
    """Give a note for each training of so many steps; call ``progress`` with the steps done and those of all."""
    if progress is None:
        yield [None] * trainings
        return
    with TemporaryDirectory() as folder:
        notes = [StepNote(Path(folder) / str(index)) for index in range(trainings)]
        ended = threading.Event()
        thread = threading.Thread(target=_show, args=(notes, steps * trainings, progress, ended), daemon=True)
        thread.start()
        try:
            yield notes
        finally:
            ended.set()
            thread.join()


def _show(notes: Sequence[StepNote], total: int, progress: CountProgress, ended: threading.Event) -> None:
    shown = -1
    while True:
        last = ended.wait(SHOWN_EVERY_S)
        done = sum(_steps(note.path) for note in notes)
        if done != shown:
            progress(done, total)
        shown = done
        if last:
            return


def _steps(path: Path) -> int:
    try:
        return int(path.read_text() or 0)  # empty while it is written
    except FileNotFoundError:
        return 0
