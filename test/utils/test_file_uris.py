"""A file may be named by a path or by a URI."""

from pathlib import Path

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.utils.file_uris import path_of_uri


def test_uris(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert path_of_uri("/bags/a b") == Path("/bags/a b")
    assert path_of_uri("~/walk") == Path("/home/anna/walk")
    assert path_of_uri("file:///bags/a%20b") == Path("/bags/a b")
    for uri in ("http://lab/walk", "file://lab/walk", "ftp://x"):
        with refusal(uri, "is not a file on this machine"):
            path_of_uri(uri)
    with refusal("~nobody-of-this-name", "home directory"):
        path_of_uri("~nobody-of-this-name/walk")


@pytest.mark.parametrize(
    ("uri", "message"),
    [("file://[bags/walk", "is not a valid URI; give the file's path"), ("file:///bags/a%00b", "is not a file on")],
)
def test_path_of_uri_refuses_what_no_file_can_be(uri: str, message: str) -> None:
    with refusal(uri, message):
        path_of_uri(uri)
