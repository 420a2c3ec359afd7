"""Tuned arms: a rate is chosen on pilot seeds, by validation loss, and judged on others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray

from simdl.errors import InputError
from simdl.sweep import Progress, Sweep
from simdl.sweep.grid import Trial

RATE = "optimizer.lr"
CAP = 100.0  # loss that a diverged run scores, nats: far above guessing
SCORE = "validation_loss"
WIDENINGS = 4  # of the grid, in all
Score = str | Callable[[xarray.Dataset], xarray.DataArray]


class Tuned:
    """A sweep in two rounds: pilots choose each arm's learning rate, replicates run at it.

    All arms get one grid of rates and one budget. Where the best rate of an arm lies at the grid's
    edge, the grid grows there for all arms, by the ratio of its last two rates.

    Parameters
    ----------
    base, axes, record : as of a Sweep; each cell of the axes is an arm
    rates : the grid to begin with, rising: at least three, or a single one for all arms
    pilots, replicates : two lists of seeds that share none
    measure : a measurement in place of a training, as of a Sweep
    score : what is least at the best rate, a mean over the pilots, not finite or above CAP: CAP;
        a variable's name, or a function from a round's dataset to an array
    """

    def __init__(
        self,
        base: Mapping[str, Any],
        axes: Mapping[str, Sequence[Any]],
        rates: Sequence[float],
        pilots: Sequence[int],
        replicates: Sequence[int],
        record: Sequence[str] | None = None,
        measure: Callable[[dict[str, Any], int], Mapping[str, Any]] | None = None,
        score: Score = SCORE,
    ) -> None:
        self.measure, self.score = measure, score
        self.rates = [float(rate) for rate in rates]
        rising = sorted(set(self.rates)) == self.rates
        if len(self.rates) in (0, 2) or not rising or self.rates[0] <= 0:
            raise InputError(
                f"rates: {list(rates)}: must be above 0 and rising, at least three of them, or one"
            )
        if set(pilots) & set(replicates):
            raise InputError("pilots: must share no seed with the replicates")
        self.base, self.axes = base, dict(axes)
        self.pilots, self.replicates, self.record = list(pilots), list(replicates), record

    def _round(self, rates: Sequence[float]) -> Sweep:
        axes = self.axes | {RATE: list(rates)}
        return Sweep(self.base, axes, self.pilots, measure=self.measure, name="pilots")

    def _judged(self, found: xarray.Dataset) -> Sweep:
        """Return the sweep of the replicates, its arms in one dimension, each at its own rate."""
        best = np.ravel(found[RATE].values[_means(found, self.score).argmin(RATE)])
        arms = Sweep(self.base, self.axes, self.pilots[:1], measure=self.measure).cells
        keys = list(arms[0].coordinates)
        rows: list[Any] = [
            [*(arm.coordinates[key] for key in keys), float(rate)]
            for arm, rate in zip(arms, best, strict=True)
        ]
        if not keys:  # one arm: an axis of one key takes plain values
            (rows,) = rows
        return Sweep(
            self.base, {",".join([*keys, RATE]): rows}, self.replicates, self.record,
            self.measure, name="replicates",
        )  # fmt: skip

    @property
    def trials(self) -> list[Trial]:
        """The trials of both rounds if the grid need not grow; rates of the second are not known
        yet, and stand for themselves."""
        first = self._round(self.rates)
        second = Sweep(self.base, self.axes, self.replicates, self.record, self.measure)
        return [*first.trials, *second.trials]

    def missing(self, store: str | os.PathLike[str] | None = None) -> int:
        """Return how many trials `run` would have to run, as far as can be known before."""
        rates: list[float] = self.rates
        while True:
            sweep = self._round(rates)
            missing = sweep.missing(store)
            if missing:
                arms = len(sweep.cells) // len(rates)
                return missing + arms * len(self.replicates)
            found = sweep.run(store)
            wider = widened(rates, found, self.rates, self.score)
            if wider == rates:
                return self._judged(found).missing(store)
            rates = wider

    def run(
        self,
        store: str | os.PathLike[str] | None = None,
        jobs: int = -1,
        progress: Callable[[Progress], None] | None = None,
    ) -> xarray.Dataset:
        """Tune, then run the replicates; arguments and errors as of `Sweep.run`.

        Returns
        -------
        xarray.Dataset
            A dimension an axis, then seed (the replicates), then the variables' own. The
            coordinate ``optimizer.lr`` holds each arm's rate; the attribute "rates" the grid.
        """
        rates, trained = self.rates, 0
        while True:
            found = self._round(rates).run(store, jobs, progress=progress)
            trained += found.attrs["trained"]
            wider = widened(rates, found, self.rates, self.score)
            if wider == rates:
                break
            rates = wider
        judged = self._judged(found).run(store, jobs, progress=progress)
        runs = _unfolded(judged, _means(found, self.score).isel({RATE: 0}, drop=True))
        runs.attrs = judged.attrs | {
            "trials": found.attrs["trials"] + judged.attrs["trials"],
            "trained": trained + judged.attrs["trained"],
            "seconds": found.attrs["seconds"] + judged.attrs["seconds"],
            "rates": rates,
        }
        return runs


def _means(found: xarray.Dataset, score: Score) -> xarray.DataArray:
    """Mean score over the pilots; a loss that is not finite (a run that diverged) scores
    CAP."""
    loss = found[score] if isinstance(score, str) else score(found)
    return loss.where(np.isfinite(loss), CAP).clip(max=CAP).mean("seed")


def widened(
    rates: list[float], found: xarray.Dataset, first: Sequence[float], score: Score = SCORE
) -> list[float]:
    """Return the grid, longer on each side where an arm's best rate is its last one.

    It stays as it is once it has grown WIDENINGS times beyond `first`, or if that is one rate.
    """
    if len(first) == 1 or len(rates) - len(first) >= WIDENINGS:
        return rates
    best = np.ravel(_means(found, score).argmin(RATE))
    low = [rates[0] ** 2 / rates[1]] if (best == 0).any() else []
    high = [rates[-1] ** 2 / rates[-2]] if (best == len(rates) - 1).any() else []
    return [*low, *rates, *high]


def _unfolded(judged: xarray.Dataset, arms: xarray.DataArray) -> xarray.Dataset:
    """Give the one dimension of all arms its axes back, with the names and labels of `arms`."""
    (folded,) = (dim for dim in judged.dims if str(dim).endswith(f",{RATE}") or dim == RATE)
    axes = list(arms.dims)
    sizes = [arms.sizes[dim] for dim in axes]

    def unfold(array: Any) -> tuple[list[Any], np.ndarray]:
        rest = [dim for dim in array.dims if dim != folded]
        values = array.transpose(folded, *rest).values
        return [*axes, *rest], values.reshape((*sizes, *values.shape[1:]))

    coordinates: dict[Any, Any] = {
        name: array for name, array in judged.coords.items() if folded not in array.dims
    }
    coordinates |= {name: array for name, array in arms.coords.items() if array.dims}
    coordinates[RATE] = unfold(judged[RATE])
    variables = {
        name: (*unfold(array), array.attrs) if folded in array.dims else array
        for name, array in judged.data_vars.items()
    }
    return xarray.Dataset(variables, coordinates)
