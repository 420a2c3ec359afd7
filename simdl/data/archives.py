"""A user's NPZ: arrays `x` and `t`, looked over before anything is read."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from simdl.data.encoding import check_missing, check_task, encode
from simdl.data.memory import refuse_larger
from simdl.data.sources import Source
from simdl.errors import InputError

NAMES = ("x", "t")
FLOAT64 = 8
# What zipfile, zlib and NumPy raise on bytes that are no archive, cut off, altered or encrypted.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    ValueError,
    SyntaxError,
    KeyError,
    RuntimeError,
    NotImplementedError,
    OSError,
)


def read_npz(path: Path, task: str | None = None, missing: str | None = None) -> Source:
    """Return the data set in NPZ file `path`.

    Parameters
    ----------
    path : Path
        Holds `x` (N, ...), numbers, and `t`: strings, bools or integers (N,) are classes,
        floats (N,) or (N, k) are numbers to predict.
    task : "classification", "regression" or None
        Overrides what the type of `t` says.
    missing : None, "mean" or "drop"
        NaN in `x` is refused; becomes the training part's mean; or its samples are left out.

    Raises
    ------
    InputError
        Naming the path: unreadable, corrupt, without `x` or `t`, with Python objects (which would
        run code when loaded), or larger than the available memory. Sizes are checked from the
        archive's directory and the arrays' headers, before any array is read.
    """
    problems = check_task(task) + check_missing(missing)
    if problems:
        raise InputError(*problems)
    x, t = _arrays(path, NAMES)
    if x.ndim == 0 or t.ndim == 0 or len(x) != len(t):
        raise InputError(
            f"{path}: x has shape {x.shape} but t {t.shape}: must hold as many samples, (N, ...)"
        )
    if len(t) == 0:
        raise InputError(f"{path}: x has shape {x.shape}: holds no samples; at least 2 are needed")
    if t.dtype.kind not in "biufU":
        raise InputError(f"{path}: t has dtype {t.dtype}: must be strings, integers or floats")
    rows, total = None, len(x)
    if missing == "drop" and x.dtype.kind == "f":
        rows = np.flatnonzero(~np.isnan(x).reshape(total, -1).any(axis=1))
        x, t = x[rows], t[rows]
        if not rows.size:
            raise InputError(f"{path}: x: every sample holds NaN: none would be left")
    if missing is None:
        _refuse_missing(path, x)
    labels, classes = encode(t, task, f"{path}: t")
    try:
        return Source(
            x,
            labels,
            classes,
            (),
            str(path),
            missing=missing == "mean",
            rows=rows,
            left_out=total - len(x),
        )
    except InputError as error:
        raise InputError(*(f"{path}: {problem}" for problem in error.problems)) from None


def _refuse_missing(path: Path, x: NDArray[Any]) -> None:
    """Name the first NaN, which stands for a missing value."""
    if x.dtype.kind == "f" and np.isnan(x).any():
        row, *column = np.argwhere(np.isnan(x))[0].tolist()
        where = f", column {column[0] if len(column) == 1 else tuple(column)}" if column else ""
        raise InputError(
            f"{path}: x: nan in row {row}{where}: is missing; fill it in, leave out the sample, or"
            " choose missing='mean' or missing='drop'"
        )


def read_samples(path: Path) -> NDArray[Any]:
    """Return array `x` of NPZ file `path`, as it is; errors are those of :func:`read_npz`."""
    return _arrays(path, NAMES[:1])[0]


def _arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_larger(str(path), sum(_declared(path, archive, name) for name in names))
            return [_read(archive, name) for name in names]
    except InputError:
        raise
    except BROKEN as error:
        raise _unreadable(path, error) from None


def _declared(path: Path, archive: zipfile.ZipFile, name: str) -> int:
    """Return the bytes that array `name` will take, by directory and header; refuse objects."""
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError:
        found = ", ".join(entry.removesuffix(".npy") for entry in archive.namelist()[:10])
        raise InputError(
            f"{path}: holds no array {name!r} (found: {found or 'nothing'});"
            " write it with np.savez(path, x=..., t=...)"
        ) from None
    with archive.open(member) as stream:
        shape, dtype = _header(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise InputError(
            f"{path}: array {name!r} holds Python objects, which are not loaded (they could run"
            " code): convert it to numbers or fixed-length strings before saving"
        )
    size = math.prod(shape) * dtype.itemsize
    if member.file_size != start + size:
        raise ValueError(f"array {name!r} declares {size} bytes, has {member.file_size - start}")
    return size + math.prod(shape) * FLOAT64


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(stream)
    else:  # 3.0: only for field names beyond latin-1, which no plain array has
        raise ValueError(f"npy format {version} is not for plain arrays")
    return shape, dtype


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as stream:
        return np.asarray(npy.read_array(stream, allow_pickle=False))


def _unreadable(path: Path, error: BaseException) -> InputError:
    if isinstance(error, OSError) and error.strerror:
        return InputError(f"{path}: cannot be read: {error.strerror}")
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(
        f"{path}: is no NPZ archive, or a damaged one ({reason});"
        " write it again with np.savez(path, x=..., t=...)"
    )
