"""Rewrite the paths in the ROS wheels' CMake files to this environment.

The wheels of the message packages export the include directories of Python and NumPy of the machine
that built them; CMake refuses to import a target whose include directory does not exist.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy

PYTHON_INCLUDE = re.compile(r"/opt/python/cp3\d+-cp3\d+/include/python3\.\d+")
NUMPY_INCLUDE = re.compile(r"/opt/python/cp3\d+-cp3\d+/lib/python3\.\d+/site-packages/numpy/_?core/include")


def relocate(text: str) -> str:
    text = PYTHON_INCLUDE.sub(lambda _: sysconfig.get_path("include"), text)
    return NUMPY_INCLUDE.sub(lambda _: numpy.get_include(), text)


def main() -> None:
    for file in Path(sys.prefix, "share").glob("*/cmake/*.cmake"):
        text = file.read_text()
        relocated = relocate(text)
        if relocated != text:
            file.write_text(relocated)


if __name__ == "__main__":
    main()
