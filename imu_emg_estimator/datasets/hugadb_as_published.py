"""HuGaDB with its EMG columns as published, exchanged ones included: to see what putting them right changes."""

from functools import partial

from imu_emg_estimator.datasets import hugadb

RIG = hugadb.RIG
subjects = hugadb.subjects
load = partial(hugadb.load, exchanged=())
