"""The report: pages of figures, verdicts and what the textbook gets wrong, from a run's files."""

from simdl.report.site import build

__all__ = ["build"]
