"""What tests import: the kinds of the shared factories, and how bad input must be refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording

BundleFactory = Callable[..., Bundle]
RecordingFactory = Callable[..., Recording]


@contextmanager
def refusal(*parts: object) -> Iterator[None]:
    """An InputError of one sentence that holds all these parts must be raised in here."""
    with pytest.raises(InputError) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if str(part) not in message] == [], message
