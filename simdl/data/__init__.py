"""Data sets: real digits, drawn toys, a user's own table or arrays; split and scaled by seed.

``load`` gives a :class:`Data` ready for training. ``source`` gives the whole data set before
splitting, for whoever splits it many times (a sweep splits one source once a seed).
"""

from simdl.data.answers import Encoder
from simdl.data.arrays import Data
from simdl.data.generators import GENERATORS
from simdl.data.loading import load, source
from simdl.data.scaling import Scaler
from simdl.data.sources import Source

GENERATED = tuple(GENERATORS)  # data sets that a seed draws

__all__ = ["GENERATED", "Data", "Encoder", "Scaler", "Source", "load", "source"]


def __dir__() -> list[str]:
    return sorted(__all__)
