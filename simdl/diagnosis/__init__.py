"""Why a network does not train: a finished training, examined."""

from simdl.diagnosis.examination import examine
from simdl.diagnosis.health import Fault, Health, Row

__all__ = ["Fault", "Health", "Row", "examine"]
