"""Several processes train as one does: they share each batch, and the first of them writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import write_hugadb
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.training import distributed_training
from imu_emg_estimator.training.distributed_training import check_share, own_share

TEST = Path(__file__).parents[1]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize(("units", "processes"), [(3, 2), (6, 4), (2, 2)])
def test_shares_make_up_the_batch_and_its_mean(monkeypatch: pytest.MonkeyPatch, units: int, processes: int) -> None:
    batch = [np.arange(12), 10 * np.arange(12)]
    monkeypatch.setattr(distributed_training, "processes", lambda: processes)
    parts, mean = [], 0.0
    for rank in range(processes):
        monkeypatch.setattr(distributed_training, "rank", lambda rank=rank: rank)
        (rows, tens), factor = own_share(batch, units)
        assert (tens == 10 * rows).all()
        assert all(len(set(rows // (12 // units)) & set(other // (12 // units))) == 0 for other in parts)
        parts.append(rows)
        mean += factor * (rows**2).mean() / processes
    assert sorted(np.concatenate(parts)) == list(range(12))
    assert mean == pytest.approx((np.arange(12) ** 2).mean())


def test_more_processes_than_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed_training, "processes", lambda: 4)
    with refusal("4 processes", "3 at most"):
        check_share(3)


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(make_recording: RecordingFactory, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for seed in range(2):
        write_hugadb(make_recording([("walking", 20.0)], seed=seed), data / f"HuGaDB_v1_various_0{seed + 1}_00.txt")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TEST), *sys.path]), "OMP_NUM_THREADS": "1"}
    for name, launcher in (("alone", ("-m",)), ("together", (*TORCHRUN, "-m"))):
        (tmp_path / name).mkdir()
        command = [sys.executable, *launcher, "fixtures.shared_training", str(data), str(tmp_path / name)]
        found = subprocess.run(command, env=environment, cwd=TEST, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        assert found.stdout.count("wrote ") == 1
    alone, first, second = (
        json.loads((tmp_path / name).read_text())
        for name in ("alone/losses_0.json", "together/losses_0.json", "together/losses_1.json")
    )
    assert first == second
    assert len(alone) == 12
    np.testing.assert_allclose(first, alone, rtol=0.02)
    bundles = [Bundle.load(tmp_path / name / "a.safetensors") for name in ("alone", "together")]
    for name, weight in bundles[0].weights.items():
        np.testing.assert_allclose(bundles[1].weights[name], weight, atol=0.01)
