"""Files named by a path or by a URI."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from imu_emg_estimator.errors import InputError


def path_of_uri(uri: str) -> Path:
    """Return the path of a URI: a path as it is, with ``~`` for the home directory, or a ``file://`` URI.

    Raises:
        InputError: the URI is of another scheme, or on another machine.
    """
    if "://" not in uri:
        try:
            return Path(uri).expanduser()
        except RuntimeError:
            raise InputError(f"'{uri}' names a home directory that is not known; give the whole path") from None
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise InputError(f"'{uri}' is not a file on this machine; give its path")
    return Path(unquote(parts.path))
