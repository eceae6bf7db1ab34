"""A folder's files tell which kind of data set it is."""

from pathlib import Path

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.datasets.dataset_kind import kind_of


@pytest.mark.parametrize(
    ("file", "content", "kind"),
    [
        ("HuGaDB_v1_walking_01_00.txt.gz", "", "hugadb"),
        ("anna/walk.mcap", "", "bags"),
        ("anna/walk/metadata.yaml", "", "bags"),
        ("anna/walk.csv", "time,arm_acc_x,arm_acc_y,arm_acc_z,emg_biceps [mV]\n", "csv"),
        ("walk.csv", "subject,time,arm_acc_x\n", "csv"),
        ("anna/walk.csv", "X[s];ACC.X 1 [g]\n", "files"),
        ("anna/walk.csv", "\udcff\udcfet\0", "files"),
        ("anna/walk.c3d", "", "files"),
    ],
)
def test_kind_follows_files(tmp_path: Path, file: str, content: str, kind: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(content.encode(errors="surrogateescape"))
    assert kind_of(tmp_path) == kind


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with refusal("nowhere does not exist"):
        kind_of(tmp_path / "nowhere")
