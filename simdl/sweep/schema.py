"""The tables of a store, and how older ones come to have them."""

from __future__ import annotations

APPLICATION = 0x73694464  # PRAGMA application_id: the file is ours
SCHEMA = 3  # PRAGMA user_version
# since schema 3: see `forms`; in older trials all numbers are arrays, too
_OF_A_FORM = ("form TEXT NOT NULL DEFAULT ''", "numbers BLOB NOT NULL DEFAULT x''")
_TABLES = (
    "CREATE TABLE trials (identity TEXT PRIMARY KEY, sweep TEXT NOT NULL,"
    " coordinates TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL,"
    " message TEXT NOT NULL, seconds REAL NOT NULL, created TEXT NOT NULL,"
    f" {', '.join(_OF_A_FORM)})",
    # role: "variable", or "coordinate" for labels along a variable's own dimension
    "CREATE TABLE arrays (identity TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,"
    " dtype TEXT NOT NULL, shape TEXT NOT NULL, dims TEXT NOT NULL, attrs TEXT NOT NULL,"
    " data BLOB NOT NULL, PRIMARY KEY (identity, role, name))",
)
_SWEEPS = (  # since schema 2: what a sweep asks for, its trials, and each time it ran
    "CREATE TABLE sweeps (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " description TEXT NOT NULL, created TEXT NOT NULL)",
    "CREATE TABLE members (sweep INTEGER NOT NULL, cell INTEGER NOT NULL, seed INTEGER NOT NULL,"
    " identity TEXT NOT NULL, PRIMARY KEY (sweep, cell, seed)) WITHOUT ROWID",
    "CREATE TABLE runs (sweep INTEGER NOT NULL, started TEXT NOT NULL, provenance TEXT NOT NULL,"
    " PRIMARY KEY (sweep, started)) WITHOUT ROWID",
)
_FORMS = (
    "CREATE TABLE forms (key TEXT PRIMARY KEY, text TEXT NOT NULL)",
    "INSERT INTO forms VALUES ('', '[]')",
)
_CURRENT = f"PRAGMA user_version = {SCHEMA}"


def created() -> list[str]:
    """Return what makes an empty database a store."""
    return [*_TABLES, *_SWEEPS, *_FORMS, f"PRAGMA application_id = {APPLICATION}", _CURRENT]


def lacking(version: int) -> list[str]:
    """Return what an older store lacks; its trials stay as they are."""
    columns = [f"ALTER TABLE trials ADD COLUMN {column}" for column in _OF_A_FORM]
    later = {2: _SWEEPS, 3: (*_FORMS, *columns)}
    return [one for since, many in later.items() if version < since for one in many] + [_CURRENT]


def journal(version: tuple[int, ...]) -> str:
    """Return the journal mode for a version of SQLite.

    3.7.0 to 3.51.2 may lose a committed page when a write-ahead log is reset while it is read.
    """
    return "DELETE" if (3, 7, 0) <= version <= (3, 51, 2) else "WAL"
