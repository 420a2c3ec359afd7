"""MNIST-1D: ten one-dimensional digits, moved, stretched, sheared and buried in noise.

Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D" (2020, arXiv:2011.14439). Package
`mnist1d` draws it; nothing is downloaded. The first four fifths are the published training set, the
rest the published test set.
"""

from __future__ import annotations

import functools
import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.sources import Source
from simdl.errors import InputError

SAMPLES, LENGTH, CLASSES = 5000, 40, 10
SHA256 = (
    "304f43cfcc9d8d052aa0fe586cd9ca9a08235417e6afd5858c522480472965a4"  # of the published arrays
)
MOST = 1_000_000  # samples: more is a slip, and would fill the memory
GRID = 1e-6  # of x in the digest: other processors may differ in the last bits

_ALONE = threading.Lock()  # the package draws from random states that threads share


def mnist1d(samples: int = SAMPLES) -> Source:
    """Return MNIST-1D, drawn once a process: x (samples, 40, 1) and t 0 to 9.

    Parameters
    ----------
    samples : int
        A multiple of 10: as many of each class, a fifth of all published as the test set. Another
        number is another draw, scaled to mean 0 and variance 1 over all of it, as published.

    Raises
    ------
    InputError
        If `samples` is no such number, the package is missing, or it draws other than the
        published arrays.
    """
    whole = isinstance(samples, (int, np.integer)) and not isinstance(samples, bool)
    if not whole or not 2 * CLASSES <= samples <= MOST or samples % CLASSES:
        raise InputError(
            f"data.samples: {samples!r}: must be a multiple of 10, at least 20, at most {MOST:,}"
        )
    return _source(int(samples))


@functools.lru_cache(maxsize=8)
def _source(samples: int) -> Source:
    drawn = _draw(samples)
    x, t = (np.concatenate([drawn[part], drawn[f"{part}_test"]]) for part in "xy")
    if samples == SAMPLES:
        check_published(x, t)
    return Source(
        x=x.reshape(samples, LENGTH, 1),
        t=t.astype(np.int64),
        classes=tuple("0123456789"),
        feature_names=tuple(f"point_{i}" for i in range(LENGTH)),
        name="mnist1d",
        tested=len(drawn["y_test"]),
    )


def check_published(x: NDArray[Any], t: NDArray[Any]) -> None:
    """Raise InputError unless x (5000, 40) and t (5000,) are the published arrays."""
    total = hashlib.sha256(np.rint(x / GRID).astype("<i8").tobytes())
    total.update(t.astype("<i8").tobytes())
    if total.hexdigest() != SHA256:
        raise InputError(
            "data.name: 'mnist1d': the package draws other arrays than the published ones"
            f" (sha256 {total.hexdigest()[:12]}..., must be {SHA256[:12]}...);"
            " reinstall it: pip install --force-reinstall mnist1d"
        )


def _draw(samples: int) -> dict[str, NDArray[Any]]:
    with _ALONE, _random_states_kept():
        try:
            from mnist1d import data as published
        except ImportError:
            raise InputError(
                "data.name: 'mnist1d': needs package mnist1d: pip install mnist1d"
            ) from None
        arguments = published.get_dataset_args()
        arguments.num_samples = samples
        return published.make_dataset(arguments)


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Put Python's and NumPy's global random states back: the package seeds both."""
    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002
