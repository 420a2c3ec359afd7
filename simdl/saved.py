"""A folder that holds a result: its files, written and read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from simdl._sources import own_files
from simdl.errors import StorageError

DESCRIBED = "result.json"  # written last: without it nothing is read


def write(
    folder: Path, about: Mapping[str, Any], arrays: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    """Write a description, NPZ files of arrays, and the user's own modules that it names.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    described = folder / DESCRIBED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        described.unlink(missing_ok=True)
        for name, held in arrays.items():
            np.savez(folder / f"{name}.npz", **held)  # type: ignore[arg-type]
        for place, file in own_files(about).items():
            _copy(file, folder / place)
        described.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error.strerror or error}") from None


def _copy(file: Path, to: Path) -> None:
    """Copy a file; one that lies there already stays."""
    if not (to.exists() and to.samefile(file)):
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)


@contextmanager
def archive(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Open an NPZ file; unlike `np.load` of a path it leaves no open file behind an error."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        yield stored
