"""What a store knows of sweeps: their descriptions, their trials, when they ran; and merging."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simdl.errors import InputError
from simdl.sweep.grid import Axis, Trial
from simdl.sweep.measures import canonical
from simdl.sweep.outcomes import FAILED
from simdl.sweep.store import Store, now_utc

MISSING = "missing"
_AT_ONCE = 500  # identities a statement


@dataclass(frozen=True)
class Entry:
    """A sweep as its store knows it.

    Attributes
    ----------
    key : digest of its description and its trials; the first eight digits are its short name
    description : kind, base, axes, seeds, record, and digests of code and data
    trials : how many of its trials are in which state, "missing" among them
    """

    number: int
    key: str
    name: str
    created: str
    description: Mapping[str, Any]
    trials: Mapping[str, int]

    @property
    def short(self) -> str:
        return self.key[:8]

    @property
    def axes(self) -> list[Axis]:
        """The axes, as the sweep had them."""
        return [
            Axis(name, tuple(keys), tuple(map(tuple, values)))
            for name, keys, values in self.description["axes"]
        ]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.description["seeds"])


@dataclass(frozen=True)
class Member:
    """One trial of a sweep and how it stands."""

    cell: int
    seed: int
    identity: str
    status: str
    message: str = ""
    seconds: float = 0.0


def key_of(name: str, description: Mapping[str, Any], trials: Sequence[Trial]) -> str:
    """Return what tells this state of a sweep from any other."""
    total = hashlib.sha256(canonical([name, description]).encode())
    for trial in trials:
        total.update(trial.identity.encode())
    return total.hexdigest()


def register(
    store: Store,
    name: str,
    description: Mapping[str, Any],
    trials: Sequence[Trial],
    provenance: Mapping[str, Any],
) -> None:
    """Write down a sweep, unless it is, and that it runs now."""
    key = key_of(name, description, trials)
    with store.writing() as connection:
        number = _number(connection, key)
        if number is None:
            connection.execute(
                "INSERT INTO sweeps (key, name, description, created) VALUES (?, ?, ?, ?)",
                (key, name, canonical(description), now_utc()),
            )
            number = _number(connection, key)
            connection.executemany(
                "INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?)",
                ((number, trial.cell, trial.seed, trial.identity) for trial in trials),
            )
        connection.execute(
            "INSERT OR IGNORE INTO runs VALUES (?, ?, ?)",
            (number, now_utc("microseconds"), canonical(provenance)),
        )


def is_registered(store: Store, key: str) -> bool:
    """Whether a sweep of this key is written down."""
    with store.reading() as connection:
        return _number(connection, key) is not None


def _number(connection: Any, key: str) -> int | None:
    row = connection.execute("SELECT id FROM sweeps WHERE key = ?", (key,)).fetchone()
    return None if row is None else int(row[0])


def entries(store: Store) -> list[Entry]:
    """Return the sweeps in a store, the oldest first."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT id, key, name, created, description FROM sweeps ORDER BY created, id"
        ).fetchall()
        states: dict[int, dict[str, int]] = {}
        for number, status, count in connection.execute(
            f"SELECT m.sweep, coalesce(t.status, '{MISSING}'), count(*) FROM members m"
            " LEFT JOIN trials t USING (identity) GROUP BY 1, 2"
        ):
            states.setdefault(number, {})[status] = count
    return [
        Entry(number, key, name, created, json.loads(text), states.get(number, {}))
        for number, key, name, created, text in rows
    ]


def unlisted(store: Store) -> dict[str, int]:
    """Return how many trials, by their sweep's name, belong to no sweep that is written down."""
    with store.reading() as connection:
        return dict(
            connection.execute(
                "SELECT sweep, count(*) FROM trials WHERE identity NOT IN"
                " (SELECT identity FROM members) GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )


def members(store: Store, entry: Entry) -> list[Member]:
    """Return the trials of a sweep, cell by cell, each with its state."""
    with store.reading() as connection:
        rows = connection.execute(
            f"SELECT m.cell, m.seed, m.identity, coalesce(t.status, '{MISSING}'),"
            " coalesce(t.message, ''), coalesce(t.seconds, 0) FROM members m"
            " LEFT JOIN trials t USING (identity) WHERE m.sweep = ?",
            (entry.number,),
        ).fetchall()
    order = {seed: i for i, seed in enumerate(entry.seeds)}
    return [Member(*row) for row in sorted(rows, key=lambda row: (row[0], order[row[1]]))]


def provenance(store: Store, entry: Entry) -> list[dict[str, Any]]:
    """Return what is known of each time that a sweep ran: when, where, with which versions."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT started, provenance FROM runs WHERE sweep = ? ORDER BY started", (entry.number,)
        ).fetchall()
    return [{"started": started} | json.loads(text) for started, text in rows]


def forget(store: Store, identities: Iterable[str]) -> None:
    """Remove trials with all that is stored of them."""
    wanted = list(identities)
    with store.writing() as connection:
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            connection.execute(f"DELETE FROM arrays WHERE identity IN ({marks})", part)
            connection.execute(f"DELETE FROM trials WHERE identity IN ({marks})", part)


# --- merging --------------------------------------------------------------------------------------

_MERGE = (
    # a result that is here stays; a failure gives way to a result
    "CREATE TEMP TABLE fresh AS SELECT o.identity FROM other.trials o LEFT JOIN main.trials m"
    f" USING (identity) WHERE m.identity IS NULL OR (m.status = '{FAILED}' AND"
    f" o.status != '{FAILED}')",
    "DELETE FROM main.trials WHERE identity IN (SELECT identity FROM fresh)",
    "INSERT OR IGNORE INTO main.forms SELECT * FROM other.forms",
    "INSERT OR IGNORE INTO main.trials SELECT * FROM other.trials"
    " WHERE identity IN (SELECT identity FROM fresh)",
    "INSERT OR IGNORE INTO main.arrays SELECT * FROM other.arrays"
    " WHERE identity IN (SELECT identity FROM fresh) ORDER BY rowid",
    "INSERT OR IGNORE INTO main.sweeps (key, name, description, created)"
    " SELECT key, name, description, created FROM other.sweeps ORDER BY id",
    "INSERT OR IGNORE INTO main.members SELECT s.id, m.cell, m.seed, m.identity"
    " FROM other.members m JOIN other.sweeps o ON o.id = m.sweep JOIN main.sweeps s USING (key)",
    "INSERT OR IGNORE INTO main.runs SELECT s.id, r.started, r.provenance"
    " FROM other.runs r JOIN other.sweeps o ON o.id = r.sweep JOIN main.sweeps s USING (key)",
)


def merge(
    store: Store, path: str | os.PathLike[str], open_other: Callable[[Any], Store] = Store
) -> int:
    """Take over what another store has and this one has not, all or none.

    Returns
    -------
    int
        How many trials came.

    Raises
    ------
    InputError, StorageError
        If there is no such store, it is this one, or one of them cannot be read or written.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"--merge {source}: no such file: name a store")
    if source.samefile(store.path):
        raise InputError(f"--merge {source}: is the store itself: name another")
    with closing(open_other(source)):  # rolls back what was left half written, migrates
        pass
    with store.reading() as connection:
        connection.execute("ATTACH ? AS other", (str(source),))
    try:
        with store.writing() as connection:
            for statement in _MERGE:
                connection.execute(statement)
            (came,) = connection.execute("SELECT count(*) FROM fresh").fetchone()
            connection.execute("DROP TABLE fresh")
    finally:
        with store.reading() as connection:
            connection.execute("DETACH other")
    return int(came)
