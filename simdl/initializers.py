"""Initial weights: distributions by name, with their fan-in and fan-out rules."""

from __future__ import annotations

import math
from typing import Any, Literal

from simdl.spec import Finite, Flag, NonNegative, Positive, from_table, spec


class Initializer:
    """How weights are drawn. Biases start at 0 (but see RandomizedAsymmetric)."""

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        """Return the compiled function that draws and its scale, for these fans."""
        raise TypeError(f"{type(self).__name__} must define rule")


@spec
class Constant(Initializer):
    """weight = value"""

    value: Finite

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import constant

        return constant, self.value


@spec
class Zeros(Initializer):
    """weight = 0"""

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import constant

        return constant, 0.0


@spec
class Normal(Initializer):
    """weight ~ N(0, std^2)"""

    std: NonNegative

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import draw_normal

        return draw_normal, self.std


@spec
class Uniform(Initializer):
    """weight ~ U(-limit, limit)"""

    limit: NonNegative

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import draw_uniform

        return draw_uniform, self.limit


@spec
class Scaled(Initializer):
    """Variance = gain / fan: fan_in, or the mean of fan_in and fan_out.

    Parameters
    ----------
    gain : 1 (LeCun, Glorot) or 2 (He); any positive number
    fan : "in" or "average"
    uniform : U(-limit, limit) of that variance instead of a normal distribution
    """

    gain: Positive = 1.0
    fan: Literal["in", "average"] = "in"
    uniform: Flag = False

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import draw_normal, draw_uniform

        fan = fan_in if self.fan == "in" else (fan_in + fan_out) / 2
        std = math.sqrt(self.gain / fan)
        return (draw_uniform, std * math.sqrt(3)) if self.uniform else (draw_normal, std)


@spec
class Orthogonal(Initializer):
    """weight = gain Q with orthonormal rows or columns (Saxe et al. 2014)"""

    gain: Positive = 1.0

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import orthogonal

        return orthogonal, self.gain


@spec
class RandomizedAsymmetric(Initializer):
    """One positive entry a unit, against units born dead (Lu et al. 2019): .6007 / sqrt(fan_in)"""

    def rule(self, fan_in: int, fan_out: int) -> tuple[Any, float]:
        from simdl.kernels.initialization import randomized_asymmetric

        return randomized_asymmetric, 0.6007 / math.sqrt(fan_in)


_RULES: tuple[tuple[str, float, Literal["in", "average"]], ...] = (
    ("lecun", 1.0, "in"),  # LeCun et al. 1998
    ("glorot", 1.0, "average"),  # Glorot and Bengio 2010
    ("xavier", 1.0, "average"),
    ("he", 2.0, "in"),  # He et al. 2015
    ("kaiming", 2.0, "in"),
)
_SCALED = {
    f"{name}_{shape}": Scaled(gain, fan, shape == "uniform")
    for name, gain, fan in _RULES
    for shape in ("normal", "uniform")
}
_KINDS: dict[str, Any] = {
    "zeros": Zeros,
    "constant": Constant,
    "normal": Normal,
    "uniform": Uniform,
    "scaled": Scaled,
    "orthogonal": Orthogonal,
    "randomized_asymmetric": RandomizedAsymmetric,
}


def initializer(choice: Any, key: str = "init") -> Initializer:
    """Return the initializer for a name, a table (``{name = "normal", std = .01}``) or itself.

    Names: zeros, constant, normal, uniform, lecun_, glorot_ (xavier_), he_ (kaiming_) followed by
    normal or uniform, orthogonal, randomized_asymmetric, scaled.
    """
    if isinstance(choice, str) and choice in _SCALED:
        return _SCALED[choice]
    if isinstance(choice, Initializer):
        return choice
    named = {name: (lambda value=value: value) for name, value in _SCALED.items()}
    return from_table(_KINDS | named, choice, key)
