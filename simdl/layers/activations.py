"""Activation layers: any sample shape, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from simdl.errors import InputError
from simdl.layers.base import Layer
from simdl.spec import Finite, Flag, Positive, resolved, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value

AN_ACTIVATION = 0  # of a field by which probes know one; these have no pure kernel to call


class Elementwise(Layer):
    """A layer that applies one function to every element."""

    function: ClassVar[str] = ""  # its name in `simdl.kernels.activations.PAIRS`

    def kernels(self) -> tuple[Any, Any]:
        """The compiled pair ``forward(y, x, alpha)`` and ``backward(dx, dy, x, y, alpha)``."""
        from simdl.kernels.activations import PAIRS

        return PAIRS[self.function]

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import elementwise

        y = program.value(x.shape)
        alpha = getattr(self, "alpha", 0.0)
        pair = self.kernels()
        program.op(elementwise.forward, elementwise.backward, x, y, kernels=pair, alpha=alpha)
        return y


@spec
class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x))"""

    function: ClassVar[str] = "sigmoid"


@spec
class Tanh(Elementwise):
    """y = tanh(x)"""

    function: ClassVar[str] = "tanh"


@spec
class ReLU(Elementwise):
    """y = max(x, 0); its derivative at 0 is 0"""

    function: ClassVar[str] = "relu"


@spec
class LeakyReLU(Elementwise):
    """y = x where x > 0, else alpha x (Maas et al. 2013)"""

    alpha: Finite = 0.01
    function: ClassVar[str] = "leaky_relu"


@spec
class ELU(Elementwise):
    """y = x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2016)"""

    alpha: Positive = 1.0
    function: ClassVar[str] = "elu"


@spec
class SELU(Elementwise):
    """y = 1.0507 elu(x) with alpha 1.6733 (Klambauer et al. 2017)"""

    function: ClassVar[str] = "selu"


@spec
class GELU(Elementwise):
    """y = x Phi(x), exact (Hendrycks and Gimpel 2016)"""

    function: ClassVar[str] = "gelu"


@spec
class SiLU(Elementwise):
    """y = x sigmoid(x)"""

    function: ClassVar[str] = "silu"


@spec
class Softplus(Elementwise):
    """y = log(1 + exp(x)), x itself beyond 20"""

    function: ClassVar[str] = "softplus"


@spec
class Softsign(Elementwise):
    """y = x / (1 + |x|)"""

    function: ClassVar[str] = "softsign"


@spec
class PReLU(Layer):
    """y = x where x > 0, else weight x, with a learned weight (He et al. 2015).

    Parameters
    ----------
    alpha : what the weight starts at
    per_channel : one for each channel, which is the last axis, instead of one for all
    """

    alpha: Finite = 0.25
    per_channel: Flag = False

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import prelu

        y, slopes = program.value(x.shape), x.shape[-1] if self.per_channel else 1
        program.op(
            prelu.forward if self.per_channel else prelu.shared_forward,
            prelu.backward if self.per_channel else prelu.shared_backward,
            x,
            y,
            weight=program.parameter(path, "weight", (slopes,), self.alpha),
            kernel=AN_ACTIVATION,
            channels=x.shape[-1],
            scratch=2 * slopes,  # sums in float64
        )
        return y


@spec
class Softmax(Layer):
    """y = exp(x) / sum exp(x) over the last axis"""

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import softmax

        y, pair = program.value(x.shape), (softmax.forward, softmax.backward)
        program.op(*pair, x, y, kernel=AN_ACTIVATION, channels=x.shape[-1])
        return y


@spec
class Activation(Elementwise):
    """An activation of your own, run by the same compiled loop.

    Parameters
    ----------
    forward : a `simdl.njit` function ``forward(y, x, alpha)`` that fills y, or "module:function"
    backward : ``backward(dx, dy, x, y, alpha)`` that fills dx = dy * f'(x), or "module:function"
    alpha : handed to both
    check : whether backward is compared with the slope of forward at nine points when a network is
        built; False where it is to differ (a straight-through estimator). `simdl.check_gradients`
        checks a whole network

    Raises
    ------
    InputError
        If a name cannot be imported, a function does not compile for flat arrays of the network's
        precision, or backward is not the slope of forward.
    """

    forward: Any
    backward: Any
    alpha: Finite = 0.0
    check: Flag = True

    def __post_init__(self) -> None:
        for name in ("forward", "backward"):
            object.__setattr__(self, name, resolved(getattr(self, name), f"Activation.{name}"))

    def kernels(self) -> tuple[Any, Any]:
        return self.forward, self.backward

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.layers.slopes import check_slopes

        try:
            y = super().lower(program, path, x)
            if self.check:
                check_slopes(self.forward, self.backward, self.alpha, program.dtype)
            return y
        except InputError as error:
            raise InputError(*(f"layers.{path}: Activation: {p}" for p in error.problems)) from None
