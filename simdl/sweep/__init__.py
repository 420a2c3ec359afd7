"""Sweeps: grids times seeds, executors, the store of results, resume."""

from simdl.sweep.run import FailedTrials, Failure, Progress, Sweep

__all__ = ["FailedTrials", "Failure", "Progress", "Sweep"]
