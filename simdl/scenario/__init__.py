"""Scenarios: a question, an experiment, claims with verdicts, figures."""

from simdl.scenario.claims import Claim
from simdl.scenario.settings import Settings

__all__ = ["Claim", "Settings"]
