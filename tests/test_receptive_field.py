"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, moved, same, scaled

from simdl.scenario.seen import KINDS, windows
from simdl.theory.receptive_field import fields

NAME, FIGURES = "receptive_field", {"theoretical", "effective", "wider"}
SMALL = {
    "seeds": 6, "nets": 16, "channels": 32, "supports": 10, "trained": 2, "depth": 2, "steps": 20,
}  # fmt: skip
WIDE = (
    "T40b-five", "T40b-ten", "T40b-twenty", "T40b-forty", "T40b-shape", "T40b-stride",
    "T40b-dilation", "T40b-pooling", "T40b-share",
)  # fmt: skip


def straight(found: xarray.Dataset) -> xarray.Dataset:
    """An effective field that grows as the theoretical one does."""
    return found.assign(sigma=0.3 * found["depth"] + 0 * found["sigma"])


FAULTS: dict[str, tuple[str, Change]] = {
    "T40a-published": ("published", moved("field", 1)),
    "T40a-pools": ("published", moved("pools", 1)),
    "T40a-gradient": ("support", moved("last", -1)),
    "T40b-five": ("depth", scaled("sigma", 1.3)),
    "T40b-ten": ("depth", scaled("sigma", 1.3)),
    "T40b-twenty": ("depth", scaled("sigma", 1.3)),
    "T40b-forty": ("depth", scaled("sigma", 1.5)),
    "T40b-share": ("depth", straight),
    "T40b-shape": ("depth", scaled("kurtosis", 1.6)),  # of an exponential: 6
    "T40b-stride": ("kind", same("kind", "plain", "stride")),
    "T40b-dilation": ("kind", same("kind", "plain", "dilation")),
    "T40b-pooling": ("kind", same("kind", "plain", "pooling")),
}  # fmt: skip
TestClaims = Claims


@pytest.mark.parametrize(
    ("kind", "size", "stride"),
    [("plain", 17, 1), ("stride", 61, 16), ("dilation", 61, 1), ("pooling", 68, 8)],
)
def test_fields_of_each_kind(kind: str, size: int, stride: int) -> None:
    assert kind in KINDS
    found = fields(windows(kind, 8))[-1]
    assert (found.size, found.stride) == (size, stride)
    assert np.sum([w.size == 3 for w in windows(kind, 8)]) == 8
