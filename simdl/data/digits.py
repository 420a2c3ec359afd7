"""The digits: 1,797 real handwritten digits, 8 x 8 pixels of 0 to 16.

The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI Machine
Learning Repository), which scikit-learn ships.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import zlib
from pathlib import Path

import numpy as np

from simdl.data.sources import Source
from simdl.errors import InputError

SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"  # decompressed
SAMPLES, PIXELS = 1797, 64


def digits_path() -> Path:
    """Return where scikit-learn keeps the digits, without importing it (that takes two seconds)."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("data.name: 'digits': needs scikit-learn: pip install scikit-learn")
    return Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")


def parse_digits(path: Path) -> Source:
    """Return the digits in file `path`: x (1797, 8, 8, 1), numbers 0 to 16, and t 0 to 9."""
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: the digits cannot be read ({error}); reinstall scikit-learn"
        ) from None
    if hashlib.sha256(text).hexdigest() != SHA256:
        raise InputError(f"{path}: the digits are not the known ones; reinstall scikit-learn")
    cells = text.replace(b"\n", b",").rstrip(b",").split(b",")
    table = np.array(cells, dtype=np.float64).reshape(SAMPLES, PIXELS + 1)
    return Source(
        x=table[:, :PIXELS].reshape(SAMPLES, 8, 8, 1),
        t=table[:, PIXELS].astype(np.int64),
        classes=tuple("0123456789"),
        feature_names=tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        name="digits",
    )


@functools.cache
def digits() -> Source:
    """Return the digits, read once a process."""
    return parse_digits(digits_path())
