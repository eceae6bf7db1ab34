"""A lighter process: what the node imports, without what comes along and serves nothing in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

GENERATOR = "rosidl_generator_py"
# Modules that do without others where these are missing; together they are 4 MB of memory.
DISPENSABLE = {
    "hashlib": ("_hashlib",),  # OpenSSL, for the id of a bundle
    "shutil": ("bz2", "lzma"),  # to pack archives
}
OWN_HASHES = ("_md5", "_sha1", "_sha3", "_blake2")  # of Python itself; a build may lack them
OWN_SHA_256 = ("_sha256", "_sha2")  # until Python 3.11, and since 3.12


def lighten() -> None:
    """To be called before anything else is imported."""
    _skip_interface_generator()
    for module, dispensable in DISPENSABLE.items():
        if module != "hashlib" or _python_hashes():
            _import_without(module, dispensable)


def _skip_interface_generator() -> None:
    """Offer the one function that message modules take from the generator's package under its name.

    ``__init__`` of the package loads the code generator with its templates and parsers as well: a tenth of the node's
    start. Nothing is done where the package is not as expected.
    """
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


def _python_hashes() -> bool:
    return all(map(find_spec, OWN_HASHES)) and any(map(find_spec, OWN_SHA_256))


def _import_without(module: str, dispensable: Sequence[str]) -> None:
    """Import a module as if others were not there; whoever imports those later gets them."""
    if module in sys.modules:
        return
    hidden = [name for name in dispensable if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: an import of it fails
    try:
        import_module(module)
    finally:
        for name in hidden:
            del sys.modules[name]
