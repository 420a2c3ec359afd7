"""Parts of a sweep for job arrays: ``I/N``, and stores on a disk that several machines share."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from simdl.errors import InputError, StorageError
from simdl.sweep.file_systems import network

_EVERY = 60.0  # seconds between copies to a network disk


def parse(text: str) -> tuple[int, int]:
    """Return (i, n) from ``I/N``.

    Raises
    ------
    InputError
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--shard {text}: must be I/N with I from 1 to N, such as 1/4")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def local(
    store: Path, is_network: Callable[[Path], str] = network
) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Lend a store that SQLite's locks hold on: `store`, or a copy on this machine's own disk.

    A copy goes to `store` when the block ends, however it ends, and by the lent function, which
    copies once a minute at most. Two machines must not share one `store` in this way.
    """
    if not is_network(store):
        yield store, lambda: None
        return
    with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
        own = Path(folder) / store.name
        if store.exists():
            copy(store, own)
        copied = time.monotonic()

        def refresh() -> None:
            nonlocal copied
            if time.monotonic() - copied > _EVERY:
                copy(own, store)
                copied = time.monotonic()

        try:
            yield own, refresh
        finally:
            if own.exists():
                copy(own, store)


def copy(source: Path, target: Path) -> None:
    """Copy a store in one piece: whoever reads `target` sees all of it or the one before.

    Raises
    ------
    StorageError
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
            ) as own,
            tempfile.TemporaryDirectory(prefix="simdl-") as folder,
        ):
            # SQLite writes on a local disk only; plain bytes go to the other
            whole = Path(folder) / "copy"
            with contextlib.closing(sqlite3.connect(whole)) as other:
                own.backup(other)
            with part.open("wb") as stream:
                stream.write(whole.read_bytes())
                stream.flush()
                os.fsync(stream.fileno())
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"{target}: cannot be copied from {source}: {reason}") from None
