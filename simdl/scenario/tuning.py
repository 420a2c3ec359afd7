"""Tuned arms: a rate is chosen on pilot seeds, by validation loss, and judged on others."""

from __future__ import annotations

import numpy as np
import xarray

from simdl.scenario.settings import Settings

RATE = "optimizer.lr"
CAP = 100.0  # loss that a diverged run scores, nats: far above guessing


def tuned(arm: xarray.Dataset, settings: Settings) -> xarray.Dataset:
    """Return the replicates of an arm at the rate with the least validation loss on the pilots.

    Parameters
    ----------
    arm : over ``optimizer.lr`` and ``seed``, pilots and replicates; a loss that is not finite (a
        run that diverged) scores CAP
    """
    pilots = arm["validation_loss"].sel(seed=settings.pilots)
    finite = pilots.where(np.isfinite(pilots), CAP).clip(max=CAP)
    best = int(finite.mean("seed").argmin(RATE))
    return arm.isel({RATE: best}).sel(seed=settings.replicates)
