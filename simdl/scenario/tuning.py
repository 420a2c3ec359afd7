"""Tuned arms: a rate is chosen on pilot seeds, by validation loss, and judged on others."""

from __future__ import annotations

import numpy as np
import xarray

from simdl.scenario.settings import Settings

RATE = "optimizer.lr"


def tuned(arm: xarray.Dataset, settings: Settings) -> xarray.Dataset:
    """Return the replicates of an arm at the rate with the least validation loss on the pilots.

    Parameters
    ----------
    arm : over ``optimizer.lr`` and ``seed``, pilots and replicates; a loss that is not finite (a
        run that diverged) counts as worse than any other
    """
    pilots = arm["validation_loss"].sel(seed=settings.pilots)
    finite = pilots.where(np.isfinite(pilots), np.inf)
    best = int(finite.mean("seed").argmin(RATE))
    return arm.isel({RATE: best}).sel(seed=settings.replicates)
