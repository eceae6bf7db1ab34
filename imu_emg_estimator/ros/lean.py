"""A lighter start: what message packages import of the interface generator, without the generator.

Every message module takes one function, ``import_type_support``, from rosidl_generator_py, whose ``__init__`` loads the
code generator with its templates and parsers as well: a tenth of the node's start, for nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

GENERATOR = "rosidl_generator_py"


def skip_interface_generator() -> None:
    """Offer the one function under the package's name; does nothing where the package is not as expected."""
    spec = None if GENERATOR in sys.modules else find_spec(GENERATOR)
    if spec is None or spec.submodule_search_locations is None:
        return
    package: Any = ModuleType(GENERATOR)
    package.__spec__ = spec
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[GENERATOR] = package
    try:
        implementation = import_module(f"{GENERATOR}.import_type_support_impl")
        package.import_type_support = implementation.import_type_support
    except (ImportError, AttributeError):
        del sys.modules[GENERATOR]
