"""`pip install .`: all metadata is in pyproject.toml; colcon builds from CMakeLists.txt and does not read this file."""

from setuptools import setup

setup()
