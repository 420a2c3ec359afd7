"""Probes: what a training measures, and when. A probe never changes the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from simdl.errors import InputError, suggest
from simdl.spec import Count, spec

# name -> (the compiled probe, which ops it looks at, what it is, unit); the ops are those that have
# the field: "weight", which norms have, too, "fans" (dense and convolution), "kernel" (activations)
_LAYERED = {
    "gradient_rms": ("weight_gradient_rms", "weight", "RMS of the weight gradient", "1"),
    "weight_rms": ("weight_rms", "weight", "RMS of the weights", "1"),
    "preactivation_gradient_rms": (
        "output_gradient_rms", "fans", "RMS of a sample's gradient by the pre-activation", "1",
    ),
    "preactivation_mean": ("output_mean", "fans", "mean pre-activation", "1"),
    "preactivation_std": ("output_std", "fans", "standard deviation of the pre-activation", "1"),
    "activation_mean": ("output_mean", "kernel", "mean activation", "1"),
    "activation_std": ("output_std", "kernel", "standard deviation of the activation", "1"),
    "zero_share": ("output_zero_share", "kernel", "share of activations that are exactly 0", "1"),
}  # fmt: skip
_WHOLE = {"loss": ("mean loss", "nats or squared units"), "accuracy": ("share correct", "1")}
PARTS = ("train", "validation", "test")
NAMES = (*_WHOLE, *_LAYERED)


@spec
class Probe:
    """One quantity and when it is measured.

    Parameters
    ----------
    name : loss, accuracy (of each part of the data), gradient_rms, weight_rms,
        preactivation_gradient_rms, preactivation_mean, preactivation_std, activation_mean,
        activation_std, zero_share (of each layer, on the batch in hand)
    every : steps between measurements, from step 0 on; "epoch"; or "end" (loss, accuracy)
    """

    name: str
    every: Count | Literal["epoch", "end"] = "epoch"

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InputError(f"probes: {self.name!r}: unknown{suggest(self.name, NAMES)}")
        if self.layered and self.every == "end":
            raise InputError(f"probes.{self.name}: 'end': must be 'epoch' or a number of steps")

    @property
    def layered(self) -> bool:
        """Whether it has a value a layer."""
        return self.name in _LAYERED

    @property
    def compiled(self) -> tuple[Any, str]:
        """The compiled function and the field of the ops it looks at."""
        from simdl.engine.ops import probes

        function, field, _, _ = _LAYERED[self.name]
        return getattr(probes, function), field

    @property
    def meaning(self) -> tuple[str, str]:
        """What it is, and its unit."""
        return _LAYERED[self.name][2:] if self.layered else _WHOLE[self.name]


DEFAULT = (Probe("loss"), Probe("accuracy"))
FINAL = (Probe("loss", "end"), Probe("accuracy", "end"))


def probes(choice: Any) -> tuple[Probe, ...]:
    """Return probes from names and `Probe`s; None is the default, loss and accuracy each epoch.

    Raises
    ------
    InputError
        If two probes of one kind (of layers; of the whole) have different intervals.
    """
    if choice is None:
        return DEFAULT
    if isinstance(choice, str | Probe) or not isinstance(choice, Iterable):
        raise InputError(f"probes: {choice!r}: must be a list, such as ['loss', 'gradient_rms']")
    made = tuple(item if isinstance(item, Probe) else Probe(item) for item in choice)
    names = [probe.name for probe in made]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise InputError(f"probes.{name}: given {names.count(name)} times: give it once")
    for layered in (False, True):
        intervals = {str(p.every) for p in made if p.layered == layered}
        if len(intervals) > 1:
            kind = "layers" if layered else "loss and accuracy"
            raise InputError(f"probes: {kind} every {' and '.join(sorted(intervals))}: choose one")
    return made
