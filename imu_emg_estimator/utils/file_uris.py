"""Files named by a path or by a URI."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from imu_emg_estimator.errors import InputError


def path_of_uri(uri: str) -> Path:
    """Return the path of a URI: a path as it is, with ``~`` for the home directory, or a ``file://`` URI.

    Raises:
        InputError: the URI is not valid, of another scheme, or on another machine.
    """
    if "://" not in uri:
        try:
            return Path(uri).expanduser()
        except RuntimeError:
            raise InputError(f"'{uri}' names a home directory that is not known; give the whole path") from None
    try:
        parts = urlsplit(uri)
    except ValueError:  # brackets that enclose no address
        raise InputError(f"'{uri}' is not a valid URI; give the file's path") from None
    path = unquote(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "\0" in path:
        raise InputError(f"'{uri}' is not a file on this machine; give its path")
    return Path(path)
