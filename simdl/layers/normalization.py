"""Normalisation. Channels are the last axis; scale and shift are ``weight`` and ``bias``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from simdl.errors import InputError
from simdl.layers.base import Layer
from simdl.spec import Count, Flag, NonNegative, Real, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value

Weighting = Annotated[Real, Field(ge=0, le=1)]


class Normalization(Layer):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias; what the moments are over differs."""

    function: ClassVar[str] = ""  # its name in `simdl.engine.ops.normalization.PAIRS`
    shifted: ClassVar[bool] = True  # whether there is a bias
    affine: Flag

    def epsilon(self, dtype: str) -> float:
        """What is added to the variance."""
        return float(getattr(self, "eps", 0.0))

    def append(self, program: Program, path: str, x: Value, **fields: Any) -> Value:
        """Append weight, bias and the op; `fields` are further arguments of `program.op`."""
        from simdl.engine.ops import normalization

        y, channels = program.value(x.shape), x.shape[-1]
        forward, backward = normalization.PAIRS[self.function]
        weight = bias = None
        if self.affine:
            weight = program.parameter(path, "weight", (channels,), 1.0)
            bias = program.parameter(path, "bias", (channels,)) if self.shifted else None
        program.op(
            forward,
            backward,
            x,
            y,
            weight=weight,
            bias=bias,
            scratch=normalization.scratch_size(channels),
            channels=channels,
            epsilon=self.epsilon(program.dtype),
            **fields,
        )
        return y


@spec
class BatchNorm(Normalization):
    """Moments of each channel over the batch and all axes before the last (Ioffe and Szegedy 2015).

    As PyTorch's BatchNorm1d and BatchNorm2d. Training takes the batch's mean and variance (over m,
    their number of values) and moves ``running_mean`` and ``running_var`` (over m - 1), which
    inference takes: running = (1 - momentum) running + momentum now. One value a channel, which
    PyTorch refuses, may be an epoch's last short batch: then y = bias, nothing flows to x and
    weight, and running_var, for which one value says nothing, stays.

    Parameters
    ----------
    eps : added to the variance
    momentum : share of the batch in the running moments
    affine : whether there are a weight, which starts at 1, and a bias, which starts at 0
    """

    eps: NonNegative = 1e-5
    momentum: Weighting = 0.1
    affine: Flag = True
    function: ClassVar[str] = "batch"

    def lower(self, program: Program, path: str, x: Value) -> Value:
        channels = x.shape[-1:]
        first = program.buffer(path, "running_mean", channels, 0.0)
        program.buffer(path, "running_var", channels, 1.0)
        state = program.state(2 * channels[0])
        return self.append(
            program, path, x, buffer=first, buffers=2, state=state, momentum=self.momentum
        )


@spec
class LayerNorm(Normalization):
    """Moments over the last axis (Ba et al. 2016), of each pixel by itself where there are pixels.

    Parameters
    ----------
    eps : added to the variance
    affine : whether there are a weight, which starts at 1, and a bias, which starts at 0
    """

    eps: NonNegative = 1e-5
    affine: Flag = True
    function: ClassVar[str] = "layer"

    def lower(self, program: Program, path: str, x: Value) -> Value:
        return self.append(program, path, x, state=program.value((*x.shape[:-1], 2)))


@spec
class RMSNorm(Normalization):
    """y = x / sqrt(mean x^2 + eps) * weight, the mean over the last axis (Zhang and Sennrich 2019).

    Parameters
    ----------
    eps : added to the mean square; None is the machine epsilon of the precision, as in PyTorch
    affine : whether there is a weight, which starts at 1
    """

    eps: NonNegative | None = None
    affine: Flag = True
    function: ClassVar[str] = "rms"
    shifted: ClassVar[bool] = False

    def epsilon(self, dtype: str) -> float:
        return float(np.finfo(dtype).eps) if self.eps is None else self.eps

    def lower(self, program: Program, path: str, x: Value) -> Value:
        return self.append(program, path, x, state=program.value((*x.shape[:-1], 1)))


@spec
class GroupNorm(Normalization):
    """Moments of each sample over a group of channels and all axes before them (Wu and He 2018).

    Parameters
    ----------
    groups : number of groups, which must divide the channels
    eps : added to the variance
    affine : whether there are a weight, which starts at 1, and a bias, which starts at 0
    """

    groups: Count
    eps: NonNegative = 1e-5
    affine: Flag = True
    function: ClassVar[str] = "group"

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if shape[-1] % self.groups:
            raise InputError(
                f"GroupNorm.groups: {self.groups}: must divide the {shape[-1]} channels of shape "
                f"{shape}"
            )
        return shape

    def lower(self, program: Program, path: str, x: Value) -> Value:
        state = program.value((2, self.groups))
        return self.append(program, path, x, state=state, groups=self.groups)


NORMS: dict[str, type[Layer]] = {
    kind.__name__: kind for kind in (BatchNorm, LayerNorm, RMSNorm, GroupNorm)
}
