"""`pip install .` without ROS: the library and the `imu-emg` command.

On a ROS installation colcon builds the package from CMakeLists.txt and does not read this file.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
NAME = "imu_emg_estimator"


def version() -> str:
    """package.xml holds the version; ROS tools read it there."""
    return re.search(r"<version>(.+)</version>", (ROOT / "package.xml").read_text())[1]


def shared_files() -> list[tuple[str, list[str]]]:
    """What colcon installs to share/ goes to the same place below the environment's prefix."""
    files = [file for top in ("config", "launch", "msg", "resource", "srv") for file in (ROOT / top).rglob("*")]
    files = sorted(file.relative_to(ROOT) for file in files if file.is_file() and file.suffix != ".pyc")
    folders = {file.parent for file in files}
    return [
        (f"share/{NAME}/{folder}", [str(file) for file in files if file.parent == folder]) for folder in sorted(folders)
    ]


setup(
    name=NAME,
    version=version(),
    description="Muscle activation, live, from body-worn IMUs alone",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[*shared_files(), (f"share/{NAME}", ["package.xml"])],
    install_requires=[
        'backports.zstd; python_version < "3.14"',
        "filelock>=3.8",
        "joblib>=1.3",
        "lz4>=3",
        "matplotlib>=3.5",
        "mcap>=1.1",
        "numpy>=1.23",
        "onnxruntime>=1.19",
        "pyyaml>=5.4",
        "rosbags>=0.10",
        "safetensors>=0.4",
        "scipy>=1.9",
        "threadpoolctl>=3.0",
        "torch>=2.2",
    ],
    extras_require={
        "ray": ["ray"],  # backends of `imu-emg benchmark`
        "dask": ["dask[distributed]"],
        "parquet": ["pyarrow"],  # tables as Parquet beside CSV
    },
    entry_points={"console_scripts": ["imu-emg = imu_emg_estimator.cli.main:main"]},
    zip_safe=False,
)
