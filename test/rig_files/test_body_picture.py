"""The picture of a rig on a body."""

from itertools import combinations

from imu_emg_estimator.rig import Sensor
from imu_emg_estimator.rig_files.body_picture import LABEL_HEIGHT, spots_of


def test_sensors_on_one_limb_and_their_labels_lie_apart() -> None:
    places = [("thigh", "right")] * 3 + [("pelvis", "centre")] * 2 + [("forearm", "right"), ("trunk", "centre")]
    spots = list(spots_of([Sensor(f"s{n}", *place) for n, place in enumerate(places)]))
    assert len(spots) == len(places)
    for (_, (x, y), label), (_, (other_x, other_y), other_label) in combinations(spots, 2):
        assert abs(x - other_x) + abs(y - other_y) > 0.03
        assert (x > 0) != (other_x > 0) or abs(label - other_label) > LABEL_HEIGHT - 1e-9
