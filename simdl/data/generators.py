"""Two-dimensional toys, drawn by seed: spirals, moons, circles, XOR. All have balanced classes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.sources import Source
from simdl.data.splitting import check_seed
from simdl.errors import InputError, suggest

Floats = NDArray[np.float64]

# Number of the draw within the stream: no two draws of one data set share random numbers.
FIRST, SECOND, NOISE = 0, 1, 2


def spirals(
    samples: int = 1000, classes: int = 2, turns: float = 1.0, noise: float = 0.02, *, seed: int = 0
) -> Source:
    """Return `classes` arms of radius 0 to 1 that wind `turns` times around the origin."""
    _check_count("classes", classes, 2)
    _check_number("turns", turns)
    t = _labels(samples, classes, noise, seed)
    radius = _uniform(samples, seed, FIRST)
    angle = 2 * np.pi * (turns * radius + t / classes)
    return _toy("spirals", _polar(radius, angle), t, noise, seed)


def moons(samples: int = 1000, noise: float = 0.1, *, seed: int = 0) -> Source:
    """Return two interleaved half circles of radius 1 (as scikit-learn's make_moons)."""
    t = _labels(samples, 2, noise, seed)
    angle = np.pi * _uniform(samples, seed, FIRST)
    upper = _polar(np.ones(samples), angle)
    lower = np.array([1.0, 0.5]) - upper
    return _toy("moons", np.where(t[:, None] == 0, upper, lower), t, noise, seed)


def circles(
    samples: int = 1000, noise: float = 0.1, factor: float = 0.5, *, seed: int = 0
) -> Source:
    """Return a circle of radius 1 (class 0) around one of radius `factor` (class 1)."""
    _check_number("factor", factor)
    if not 0 < factor < 1:
        raise InputError(f"data.factor: {factor!r}: must be between 0 and 1")
    t = _labels(samples, 2, noise, seed)
    radius = np.where(t == 0, 1.0, factor)
    points = _polar(radius, 2 * np.pi * _uniform(samples, seed, FIRST))
    return _toy("circles", points, t, noise, seed)


def xor(samples: int = 1000, noise: float = 0.0, *, seed: int = 0) -> Source:
    """Return the square from -1 to 1; class 1 where the signs of the coordinates differ."""
    t = _labels(samples, 2, noise, seed)
    x = np.column_stack([_uniform(samples, seed, FIRST), _uniform(samples, seed, SECOND)])
    right = np.arange(samples) // 2 % 2 == 1
    x[~right] *= -1
    x[t == 1, 1] *= -1
    return _toy("xor", x, t, noise, seed)


MOST = 10_000_000  # samples or classes: more is a slip, and would fill the memory
GENERATORS: dict[str, Callable[..., Source]] = {
    "spirals": spirals,
    "moons": moons,
    "circles": circles,
    "xor": xor,
}


def draw(name: str, seed: int, options: dict[str, Any]) -> Source:
    """Return the toy called `name`, of the options its function takes."""
    generator = GENERATORS[name]
    known = _options(name)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(
            *(f"data.{o}: unknown option of {name}{suggest(o, known)}" for o in unknown)
        )
    return generator(**options, seed=seed)


@functools.cache
def _options(name: str) -> list[str]:
    """The options of a toy; to ask takes as long as to draw it."""
    return [key for key in inspect.signature(GENERATORS[name]).parameters if key != "seed"]


def _check_count(key: str, value: Any, least: int) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise InputError(f"data.{key}: {value!r}: must be an integer of at least {least}")
    if value > MOST:
        raise InputError(f"data.{key}: {value}: must be at most {MOST:,}")


def _check_number(key: str, value: Any) -> None:
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not 0 <= value <= 1e6:
        raise InputError(f"data.{key}: {value!r}: must be a number from 0 to 1e6")


def _labels(samples: int, classes: int, noise: float, seed: int) -> NDArray[np.int64]:
    """Return labels 0, 1, ..., 0, 1, ... after checking what every toy takes."""
    _check_count("samples", samples, classes)
    _check_number("noise", noise)
    problems = check_seed(seed)
    if problems:
        raise InputError(*problems)
    return np.arange(samples, dtype=np.int64) % classes


def _uniform(n: int, seed: int, draw_number: int) -> Floats:
    from simdl.kernels import philox  # late: `import simdl` must not import numba

    out = np.empty(n)
    philox.uniform(out, int(seed), philox.STREAM_DATA, 0, draw_number)
    return out


def _polar(radius: Floats, angle: Floats) -> Floats:
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _toy(name: str, x: Floats, t: NDArray[np.int64], noise: float, seed: int) -> Source:
    """Return points `x` (N, 2) with normal noise of that standard deviation on both coordinates."""
    from simdl.kernels import philox

    shaken = np.empty(x.size)
    philox.normal(shaken, int(seed), philox.STREAM_DATA, 0, NOISE)
    classes = tuple(str(label) for label in range(int(t.max()) + 1))
    return Source(x + noise * shaken.reshape(x.shape), t, classes, ("x0", "x1"), name)
