"""Folders and files that commands write; what fails is a StorageError that names the path."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simdl.errors import StorageError
from simdl.plot import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def folder_for(folder: Path) -> Iterator[None]:
    """Make a folder, and see that it can be written to; what fails inside leaves no empty one."""
    new = not folder.exists()
    if not new and not folder.is_dir():
        raise StorageError(f"{folder}: is a file, and no folder to write into")
    with _storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    try:
        yield
    except BaseException:
        if new:
            with suppress(OSError):  # somebody put something in
                folder.rmdir()
        raise


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as a picture, and close it."""
    with _storing(path):
        figure.savefig(path, dpi=150)
    style.close(figure)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with _storing(path):
        path.write_text(text, encoding="utf-8")


def write_csv(path: Path | None, header: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Write a CSV with a header line; to standard output where `path` is None."""
    if path is None:
        _write(sys.stdout, header, lines)
        return
    with _storing(path), path.open("w", encoding="utf-8", newline="") as stream:
        _write(stream, header, lines)


def _write(stream: Any, header: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
