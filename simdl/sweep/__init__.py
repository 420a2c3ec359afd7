"""Sweeps: grids times seeds, executors, the store of results, resume."""

from simdl.sweep.progress import FailedTrials, Failure, Progress
from simdl.sweep.run import Sweep

__all__ = ["FailedTrials", "Failure", "Progress", "Sweep"]
