"""Units in the spellings of files."""

import pytest

from imu_emg_estimator.imports.channel_units import split_unit, unit_of


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [
        ("G", "g", 9.80665), ("[g]", "g", 9.80665), ("mG", "mg", 0.00980665), ("m/s^2", "m/s²", 1.0),
        ("m/s²", "m/s²", 1.0), ("ms^-2", "m/s²", 1.0), ("deg/s", "deg/s", 0.017453292519943295),
        ("°/s", "deg/s", 0.017453292519943295), ("dps", "deg/s", 0.017453292519943295), ("rad/s", "rad/s", 1.0),
        ("Volts", "V", 1.0), ("uV", "µV", 1.0), ("μV", "µV", 1.0), ("ms", "ms", 0.001),
    ],
)  # fmt: skip
def test_spellings_of_a_unit_are_known_with_its_si_size(text: str, name: str, size: float) -> None:
    unit = unit_of(text)
    assert unit is not None
    assert (unit.name, unit.size) == (name, pytest.approx(size, rel=1e-12))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("acc_x [g]", ("acc_x", "g")),
        ("ACC X (G)", ("ACC X", "G")),
        ("X[s]", ("X", "s")),
        ("time_ms", ("time", "ms")),
        ("acc_x_g", ("acc_x", "g")),
        ("emg_soleus", ("emg_soleus", "")),
        ("wrist (81457)", ("wrist (81457)", "")),
    ],
)
def test_units_are_split_from_names(name: str, parts: tuple[str, str]) -> None:
    assert split_unit(name) == parts


def test_unknown_units_are_none() -> None:
    assert unit_of("furlong") is None
    assert unit_of("") is None
