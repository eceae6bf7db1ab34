"""``python -m imu_emg_estimator``: the ``imu-emg`` command."""

import sys

from imu_emg_estimator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
