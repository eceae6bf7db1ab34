"""What a bag's database may do while it is read."""

import sqlite3

import pytest

from imu_emg_estimator.bags.sqlite_storage import _authorise


@pytest.mark.parametrize(
    ("action", "first", "second", "allowed"),
    [
        (sqlite3.SQLITE_SELECT, None, None, True),
        (sqlite3.SQLITE_READ, "topics", "name", True),
        (sqlite3.SQLITE_READ, "messages", "data", True),
        (sqlite3.SQLITE_READ, "sqlite_master", "sql", False),
        (sqlite3.SQLITE_FUNCTION, None, "length", True),
        (sqlite3.SQLITE_FUNCTION, None, "zeroblob", False),
        (sqlite3.SQLITE_FUNCTION, None, "load_extension", False),
        (sqlite3.SQLITE_PRAGMA, "table_xinfo", "topics", True),
        (sqlite3.SQLITE_PRAGMA, "trusted_schema", "ON", False),
        (sqlite3.SQLITE_ATTACH, "file", "length", False),
        (sqlite3.SQLITE_INSERT, "messages", None, False),
    ],
)
def test_authorise_allows_selecting_from_a_bag_alone(
    action: int, first: str | None, second: str | None, allowed: bool
) -> None:
    assert (_authorise(action, first, second, "main", None) == sqlite3.SQLITE_OK) is allowed


def test_authorise_denies_views_and_triggers() -> None:
    assert _authorise(sqlite3.SQLITE_SELECT, None, None, "main", "a view") == sqlite3.SQLITE_DENY
