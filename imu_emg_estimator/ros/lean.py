"""A lighter process: what the node imports, without what comes along and serves nothing in it."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

GENERATOR = "rosidl_generator_py"
OPENSSL = "_hashlib"  # Python's binding of its hashes
OWN_HASHES = ("_md5", "_sha1", "_sha3", "_blake2")  # of Python itself; a build may lack them
OWN_SHA_256 = ("_sha256", "_sha2")  # until Python 3.11, and since 3.12


def lighten() -> None:
    """To be called before anything else is imported."""
    _skip_interface_generator()
    _skip_openssl()


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


def _skip_openssl() -> None:
    """Let ``hashlib`` take Python's own hashes: OpenSSL's library is 4 MB, for the id of a bundle."""
    if "hashlib" in sys.modules or not all(map(find_spec, OWN_HASHES)) or not any(map(find_spec, OWN_SHA_256)):
        return
    sys.modules[OPENSSL] = None  # type: ignore[assignment]  # imports of it fail
    try:
        import_module("hashlib")
    finally:
        del sys.modules[OPENSSL]
