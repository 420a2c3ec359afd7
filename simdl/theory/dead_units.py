"""ReLU networks that are born dead: their output does not depend on the input.

No biases, independent symmetric weights with a density. A unit is off at an input with probability
1/2, a whole layer of N units with q = 2^-N. A network of L layers has L - 1 hidden ones.
"""

from __future__ import annotations

from collections.abc import Sequence


def dead_at_input(widths: Sequence[int]) -> float:
    """Return the chance that a network's hidden layers, of these widths, give 0 at one input.

    1 - prod (1 - 2^-N), exactly, whatever the input: each layer that is reached by something other
    than 0 falls silent by its own chance.

    Raises
    ------
    ValueError
        If a width is below 1.
    """
    alive = 1.0
    for width in widths:
        if width < 1:
            raise ValueError(f"widths: {list(widths)}: must be at least 1")
        alive *= 1 - 0.5**width
    return 1 - alive


def born_dead_bounds(width: int, layers: int) -> tuple[float, float]:
    """Return bounds of the chance that a network of one input is constant on the whole line.

    From 1 - a^(L-2) + (1-2q)(1-q) / (1+(N-1)q) (b^(L-2) - a^(L-2)), with a = 1-q and
    b = 1-2q-(N-1)q^2, to 1 - (1-q)^(L-1) (Lu et al. 2019, arXiv:1903.06733, theorem 3.3). For three
    layers the lower one is the chance itself.

    Raises
    ------
    ValueError
        If there is no hidden layer, or `width` is below 2: of one unit, one side is always off.
    """
    if width < 2 or layers < 2:
        raise ValueError(f"width: {width}, layers: {layers}: must be at least 2")
    q = 0.5**width
    one, both = (1 - q) ** (layers - 2), (1 - 2 * q - (width - 1) * q**2) ** (layers - 2)
    share = (1 - 2 * q) * (1 - q) / (1 + (width - 1) * q)
    return 1 - one + share * (both - one), 1 - (1 - q) ** (layers - 1)


def born_dead_three_layers(width: int) -> float:
    """Return the chance of two hidden layers of equal width: 3 q^2 - 2 q^3.

    The first layer sees both sides of the line, unless all its weights have one sign (2 q); then
    one side is left, which the second layer silences by q, else both sides, by q^2.
    """
    if width < 2:
        raise ValueError(f"width: {width}: must be at least 2")
    q = 0.5**width
    return 3 * q**2 - 2 * q**3
