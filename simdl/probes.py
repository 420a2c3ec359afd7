"""Probes: what a training measures, and when. A probe never changes the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from simdl.errors import InputError, suggest
from simdl.spec import Count, Finite, resolved, spec


class _Kind(NamedTuple):
    """What a probe measures; `looks`: what ops must have that it looks at, "" for no op."""

    meaning: str
    unit: str
    when: Literal["parts", "batch", "update", "survey"]
    looks: str = ""
    compiled: str = ""


_KINDS = {
    "loss": _Kind("mean loss", "nats or squared units", "parts"),
    "accuracy": _Kind("share correct", "1", "parts"),
    "gradient_norm": _Kind("L2 norm of the gradient", "1", "batch", "", "gradient_norm"),
    "gradient_rms": _Kind(
        "RMS of the weight gradient", "1", "batch", "fans", "weight_gradient_rms"
    ),
    "weight_rms": _Kind("RMS of the weights", "1", "batch", "fans", "weight_rms"),
    "update_ratio": _Kind(
        "RMS of the update over RMS of the weights", "1", "update", "fans", "update_ratio"
    ),
    "preactivation_gradient_rms": _Kind(
        "RMS of a sample's gradient by the pre-activation", "1", "batch", "fans",
        "output_gradient_rms",
    ),
    "preactivation_mean": _Kind("mean pre-activation", "1", "batch", "fans", "output_mean"),
    "preactivation_std": _Kind(
        "standard deviation of the pre-activation", "1", "batch", "fans", "output_std"
    ),
    "activation_mean": _Kind("mean activation", "1", "batch", "kernel", "output_mean"),
    "activation_std": _Kind(
        "standard deviation of the activation", "1", "batch", "kernel", "output_std"
    ),
    "activation_histogram": _Kind(
        "share of activations in each bin", "1", "batch", "kernel", "output_histogram"
    ),
    "zero_share": _Kind(
        "share of activations that are exactly 0", "1", "batch", "kernel", "output_zero_share"
    ),
    "saturation": _Kind(
        "share of activations of small slope", "1", "batch", "curve", "saturation"
    ),
    "dead_units": _Kind(
        "share of units that fire for no training sample", "1", "survey", "can_die"
    ),
    "sharpness": _Kind("largest eigenvalue of the training loss's Hessian", "1", "survey"),
    "gradient_noise_scale": _Kind("gradient noise scale", "samples", "survey"),
}  # fmt: skip
_BINS, _RANGE = 32, (-4.0, 4.0)
PARTS = ("train", "validation", "test")
NAMES = tuple(_KINDS)


@spec
class Probe:
    """One quantity and when it is measured.

    Parameters
    ----------
    name : one of those below, or a function ``f(net, params, data)`` of your own that returns a
        number or an array, always of one shape; it is measured in Python once the training is
        done, on copies of the parameters, under the function's own name
    every : steps between measurements, from step 0 on, always before the step; "epoch"; or "end"
        (loss, accuracy, sharpness, gradient_noise_scale)
    bins, range : of activation_histogram: edges; or how many bins from where to where, as
        `numpy.histogram` takes them (default 32 from -4 to 4)

    Of each part of the data, in inference mode, at the interval and at the end:

    - loss : mean loss
    - accuracy : share of samples that are classified correctly

    Of the batch in hand, before the update:

    - gradient_norm : L2 norm of the whole gradient, before it is clipped
    - gradient_rms : of each dense and convolution layer, RMS of the weight's gradient
    - weight_rms : RMS of the weight
    - update_ratio : RMS of the step's change of the weight over RMS of the weight before it
    - preactivation_gradient_rms : RMS over samples and units of a sample's gradient at the output
    - preactivation_mean, preactivation_std : over samples and units, of the output
    - activation_mean, activation_std : the same of each activation layer
    - activation_histogram : share of activations in each bin; what lies outside is in none
    - zero_share : share of activations that are exactly 0
    - saturation : share of activations where the slope \\|f'(x)\\| is below 4 % of the function's
      largest for \\|x\\| <= 16 (tanh: \\|y\\| > .98; sigmoid: y < .01 or y > .99)

    Of the whole training set, in inference mode, at the interval and at the end:

    - dead_units : of each activation layer that can be 0 with slope 0 over a half-line (ReLU),
      share of units that are 0 for every sample; a unit of an image is a channel
    - sharpness : see `simdl.sharpness`
    - gradient_noise_scale : see `simdl.gradient_noise_scale`
    """

    name: Any
    every: Count | Literal["epoch", "end"] = "epoch"
    bins: Count | tuple[Finite, ...] | None = None
    range: tuple[Finite, Finite] | None = None
    function: Any = None

    def __post_init__(self) -> None:
        own = self.name if self.function is None else self.function
        if callable(own) or self.function is not None:
            own = resolved(own, "probes")
            object.__setattr__(self, "function", own)
            object.__setattr__(self, "name", getattr(own, "__name__", type(own).__name__))
        if self.function is None and self.name not in NAMES:
            raise InputError(f"probes: {self.name!r}: unknown{suggest(str(self.name), NAMES)}")
        if self.function is not None and self.name in NAMES:
            raise InputError(
                f"probes: {self.name!r}: is the name of a probe of ours: choose another"
            )
        key = f"probes.{self.name}"
        endless = self.when in ("batch", "update") or self.layered or self.function is not None
        if self.every == "end" and endless:
            raise InputError(f"{key}: 'end': must be 'epoch' or a number of steps")
        if self.name == "activation_histogram":
            _check_edges(self.edges, key)
        elif self.bins is not None or self.range is not None:
            raise InputError(f"{key}.bins: {self.bins!r}: only activation_histogram has bins")

    @property
    def _kind(self) -> _Kind:
        return _KINDS[self.name] if self.function is None else _Kind(self.name, "1", "survey")

    @property
    def when(self) -> str:
        """What it looks at: the "parts" of the data, a "batch", an "update", or a "survey"."""
        return self._kind.when

    @property
    def layered(self) -> bool:
        """Whether it has a value a layer."""
        return self._kind.looks != ""

    @property
    def compiled(self) -> Any:
        """The compiled function that looks at an op."""
        from simdl.engine.ops import probes

        return getattr(probes, self._kind.compiled)

    @property
    def attributes(self) -> dict[str, str]:
        """What it is, and its unit, as xarray has it."""
        return {"long_name": self._kind.meaning, "units": self._kind.unit}

    @property
    def edges(self) -> np.ndarray:
        """Edges of the histogram's bins (k + 1,); empty for what has no bins."""
        if self.name != "activation_histogram":
            return np.zeros(0)
        if isinstance(self.bins, tuple):
            return np.array(self.bins, float)
        return np.linspace(*(self.range or _RANGE), (self.bins or _BINS) + 1)

    @property
    def width(self) -> int:
        """How many numbers a look gives."""
        return max(1, len(self.edges) - 1)

    def ops(self, program: Any) -> list[int]:
        """Indices of the ops it looks at; what looks at the whole batch goes with the first."""
        looks = self._kind.looks
        if looks in ("curve", "can_die"):
            from simdl.engine import curves

            return [op for op in program.find("kernel") if getattr(curves, looks)(program, op)]
        return program.find(looks) if looks else program.find("forward")[:1]


def _check_edges(edges: np.ndarray, key: str) -> None:
    if len(edges) < 2 or not all(low < high for low, high in pairwise(edges)):
        raise InputError(f"{key}.bins: edges {edges.tolist()}: must be two or more, and increase")


DEFAULT = (Probe("loss"), Probe("accuracy"))
FINAL = (Probe("loss", "end"), Probe("accuracy", "end"))


def probes(choice: Any) -> tuple[Probe, ...]:
    """Return probes from names, tables, `Probe`s; None is the default, loss and accuracy by epoch.

    Raises
    ------
    InputError
        If a probe is given twice, or loss and accuracy have different intervals.
    """
    if choice is None:
        return DEFAULT
    if isinstance(choice, str | Probe) or not isinstance(choice, Iterable):
        raise InputError(f"probes: {choice!r}: must be a list, such as ['loss', 'gradient_rms']")
    made = tuple(_probe(item) for item in choice)
    names = [probe.name for probe in made]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise InputError(f"probes.{name}: given {names.count(name)} times: give it once")
    intervals = {str(p.every) for p in made if p.when == "parts"}
    if len(intervals) > 1:
        every = " and ".join(sorted(intervals))
        raise InputError(f"probes: loss and accuracy every {every}: choose one")
    return made


def _probe(item: Any) -> Probe:
    if isinstance(item, Probe):
        return item
    return Probe(**item) if isinstance(item, Mapping) else Probe(item)
