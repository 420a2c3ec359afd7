"""How signals and gradients grow or shrink from layer to layer in a random network at birth.

Conventions: a layer's weights are independent with mean 0 and variance s_w2 / fan_in, its biases
with variance s_b2 (both numbers are dimensionless; a network of zero biases has s_b2 = 0). `q` is
the mean square of a layer's pre-activations, `chi` the factor by which the squared gradient with
respect to the pre-activations, *summed* over units, changes on the way back through one layer,
whatever the widths; per unit it changes by chi n_l / n_(l-1). Mean-field values hold for wide
layers. Activations are named as in `gaussian`; `alpha` is leaky_relu's slope and else unused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, erfc, gammaln, polygamma

from simdl.theory import gaussian


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where `function` crosses 0 between low and high, to float64's last digits."""
    from scipy.optimize import brentq  # a third of a second to import, and seldom needed

    return brentq(function, low, high, xtol=1e-15, rtol=1e-14)


def variance_factor(
    initializer: str,
    fan_in: int,
    fan_out: int,
    *,
    std: float | None = None,
    limit: float | None = None,
) -> float:
    """Return s_w2 = fan_in Var(w) of a weight matrix drawn by a named initializer.

    Parameters
    ----------
    initializer : str
        lecun (1), glorot or xavier (2 fan_in / (fan_in + fan_out)), he or kaiming (2), each with
        or without ``_normal`` or ``_uniform``; normal (fan_in std^2); uniform on +-limit
        (fan_in limit^2 / 3; 1/3 for limit 1/sqrt(fan_in)); orthogonal (fan_in / max(fan_in,
        fan_out), 1 if square); zeros (0).
    fan_in, fan_out : int
        Inputs and outputs of one unit.

    Raises
    ------
    ValueError
        If the name is unknown, or its argument is missing.
    """
    scaled = {"lecun": 1.0, "glorot": 2 * fan_in / (fan_in + fan_out), "he": 2.0}
    scaled["xavier"], scaled["kaiming"] = scaled["glorot"], scaled["he"]
    family = initializer.removesuffix("_normal").removesuffix("_uniform")
    if family in scaled:
        return scaled[family]
    if initializer == "normal" and std is not None:
        return fan_in * std**2
    if initializer == "uniform" and limit is not None:
        return fan_in * limit**2 / 3
    if initializer == "orthogonal":
        return fan_in / max(fan_in, fan_out)
    if initializer == "zeros":
        return 0.0
    known = ", ".join([*scaled, "normal (with std)", "uniform (with limit)", "orthogonal", "zeros"])
    raise ValueError(f"initializer {initializer!r}: must be one of {known}")


def length_map(
    activation: str, q: float, s_w2: float, s_b2: float = 0.0, alpha: float = 0.01
) -> float:
    """Return the next layer's q: s_w2 E[phi(sqrt(q) z)^2] + s_b2 (Poole et al. 2016).

    ReLU without bias: q s_w2 / 2; identity: q s_w2.
    """
    return s_w2 * gaussian.mean_square(activation, q, alpha) + s_b2


def fixed_length(
    activation: str, s_w2: float, s_b2: float = 0.0, alpha: float = 0.01, start: float = 1.0
) -> float:
    """Return q*, the limit of `length_map` from q = `start` > 0 (Poole et al. 2016).

    It may be 0, or inf in the ReLU family (slope s_w2 (1 + a^2) / 2 above 1, or 1 with a bias);
    `start` matters only in that family at slope 1 without bias, where every length stays.
    """
    slope = gaussian.negative_slope(activation, alpha)
    if slope is not None:
        rate = s_w2 * (1 + slope**2) / 2
        if rate < 1:
            return s_b2 / (1 - rate)
        return start if rate == 1 and s_b2 == 0 else math.inf
    # The map is concave, so one positive root. tanh(x)^2 >= x^2 - 2 x^4 / 3 bounds it from below,
    # |tanh| <= 1 from above; sigmoid's square averages between 1/4 and 1/2.
    if activation == "sigmoid":
        low, high = s_b2 + s_w2 / 4, s_b2 + s_w2 / 2
    else:
        low, high = max(s_b2, (1 - 1 / s_w2) / 2 if s_w2 > 1 else 0.0), s_b2 + s_w2
    if low == 0:
        return 0.0

    def excess(q: float) -> float:
        return length_map(activation, q, s_w2, s_b2) - q

    # Rounding can leave no sign change where a bound is the root itself.
    if excess(low) <= 0:
        return low
    return high if excess(high) >= 0 else root(excess, low, high)


def backward_gain(activation: str, q: float, s_w2: float, alpha: float = 0.01) -> float:
    """Return chi = s_w2 E[phi'(sqrt(q) z)^2], a layer's factor of the summed squared gradient.

    chi1 of Poole et al. (2016) and Schoenholz et al. (2017) where q = q*. ReLU: s_w2 / 2 (He et al.
    2015); identity: s_w2, hence 1/3 under U[+-1/sqrt(n)] (Glorot and Bengio 2010).
    """
    return s_w2 * gaussian.derivative_moment(activation, q, 2, alpha)


def backward_factor(activation: str, q: float, s_w2: float, alpha: float = 0.01) -> float:
    """Return sqrt(chi), a layer's factor of the gradient's root of summed squares."""
    return math.sqrt(backward_gain(activation, q, s_w2, alpha))


def backward_bound(weight: np.ndarray, activation: str = "sigmoid", alpha: float = 0.01) -> float:
    """Return max|phi'| times the spectral norm of `weight` (in, out): no gradient grows by more.

    A hard bound for one given network; .25 |W|_2 for sigmoid. With sqrt(s_w2) for the norm it
    bounds `backward_factor` only, which is an expectation.
    """
    slope = gaussian.negative_slope(activation, alpha)
    steepest = max(1.0, abs(slope or 0.0)) if activation != "sigmoid" else 0.25
    return steepest * float(np.linalg.norm(weight, 2))


def saturated_share(q: float, level: float = 0.9) -> float:
    """Return P(|tanh(sqrt(q) z)| > level) = erfc(artanh(level) / sqrt(2 q)), 0 < level < 1."""
    return float(erfc(math.atanh(level) / math.sqrt(2 * q))) if q > 0 else 0.0


class Propagation(NamedTuple):
    """What `propagate` returns for D weight layers, the last of them linear.

    Attributes
    ----------
    length : ndarray, shape (D,)
        q of the pre-activations of layers 1..D.
    inputs : ndarray, shape (D,)
        Mean square per unit of what enters layers 1..D (the first is the data's).
    gain : ndarray, shape (D - 1,)
        chi on the way back from layer l+1 to layer l, l = 1..D-1.
    gradient : ndarray, shape (D,)
        Summed squared pre-activation gradient of layers 1..D relative to that of the last.
    """

    length: np.ndarray
    inputs: np.ndarray
    gain: np.ndarray
    gradient: np.ndarray


def propagate(
    activation: str,
    s_w2: Sequence[float] | np.ndarray,
    s_b2: float = 0.0,
    mean_square: float = 1.0,
    alpha: float = 0.01,
) -> Propagation:
    """Follow signal and gradient through a network of finite depth, layer by layer.

    q_1 = s_w2[0] mean_square + s_b2, then `length_map`; chi_l = s_w2[l] E[phi'(sqrt(q_l) z)^2],
    of the weights that leave layer l. Wide layers, per sample, a fixed output cotangent.

    Parameters
    ----------
    s_w2 : array_like, shape (D,)
        fan_in Var(w) of each weight layer (see `variance_factor`).
    mean_square : float
        Mean square of the input's features.
    """
    factors = np.asarray(s_w2, dtype=np.float64)
    inputs = [float(mean_square)]
    length: list[float] = []
    gain: list[float] = []
    for layer, factor in enumerate(factors):
        if layer:
            inputs.append(gaussian.mean_square(activation, length[-1], alpha))
            gain.append(backward_gain(activation, length[-1], factor, alpha))
        length.append(factor * inputs[-1] + s_b2)
    gradient = np.cumprod([1.0, *gain[::-1]])[::-1]
    return Propagation(np.array(length), np.array(inputs), np.array(gain), gradient)


def weight_gradient(profile: Propagation, fan_in: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return |h_(l-1)|^2 |g_l|^2 of layers 1..D, shape (D,): squared weight gradients, per sample.

    Relative to the last layer's |g|^2; `fan_in`, shape (D,), are the units that enter each layer.
    In a ReLU or linear network without bias, of equal widths and one s_w2, it is the same in every
    hidden layer, whatever s_w2: what the signal gains going forward the gradient gains going back.
    The gradient of a batch's mean loss is another quantity and does drift.
    """
    return np.asarray(profile.inputs * profile.gradient * np.asarray(fan_in))


def gradient_scale(chi: float) -> float:
    """Return 1/|ln chi|, layers over which the squared gradient changes by e (inf at chi = 1)."""
    return 1 / abs(math.log(chi)) if chi != 1 else math.inf


def gain_second_moment(widths: Sequence[int] | np.ndarray) -> float:
    """Return E[M^2] = prod(1 + 5 / n_l) over the layers of a He-initialised ReLU network, exactly.

    M = (n_0 / n_L) |J u|^2 with J the Jacobian (n_L, n_0) and u a fixed unit vector; E[M] = 1. So
    one layer's variance is 5 / n. A ReLU follows every layer counted.
    """
    return float(np.prod(1 + 5 / np.asarray(widths, dtype=np.float64)))


def log_gain(width: int) -> tuple[float, float]:
    """Return mean and variance of ln M of one He-initialised ReLU layer, M as above, given M > 0.

    K ~ Bin(n, 1/2) given K >= 1 units are on, M = (2 / n) chi^2_K: the mean is ln(4 / n) +
    E psi(K/2), the variance E psi1(K/2) + Var psi(K/2), about 5 / n from n = 50. Both add up over
    layers (Hanin 2018).
    """
    on = np.arange(1, width + 1)
    # Binomial coefficients through logarithms: they overflow from width 1030. SciPy's own
    # distribution would cost .3 s of import.
    share = np.exp(-gammaln(on + 1) - gammaln(width - on + 1) + 2 * gammaln(width / 2 + 1))
    share /= share.sum()
    psi = digamma(on / 2)
    mean = share @ psi
    return math.log(4 / width) + float(mean), float(
        share @ polygamma(1, on / 2) + share @ (psi - mean) ** 2
    )


def overflow_layer(s_w2: float, width: int, values: int, largest: float) -> float:
    """Return the layer, from 1, in which a ReLU network's pre-activations first pass `largest`.

    Mean over networks of `width` units a layer, weights of variance s_w2 / fan_in with s_w2 well
    above 2, inputs of mean square 1. ln RMS is ln(s_w2) / 2 at layer 1 and rises by
    (ln(s_w2 / 2) + E ln M) / 2 a layer, with `log_gain`'s E ln M < 0; the largest of `values`
    numbers, units times samples, stands about sqrt(2 ln values) RMS out. It is passed between
    two layers and seen at the next whole one, half a layer later on average.

    Raises
    ------
    ValueError
        If a layer does not enlarge the signal.
    """
    rate = (math.log(s_w2 / 2) + log_gain(width)[0]) / 2
    if rate <= 0:
        raise ValueError(f"s_w2: {s_w2}: must enlarge the signal: above 2 in wide layers")
    start = math.log(s_w2) / 2 + math.log(2 * math.log(values)) / 2
    return 1 + (math.log(largest) - start) / rate + 0.5


def jacobian_spread(
    activation: str, depth: int, orthogonal: bool = False, q: float = 1.0, alpha: float = 0.01
) -> float:
    """Return Var / mean^2 of the eigenvalues of J J^T of one wide network (Pennington 2017).

    depth (mu2 / mu1^2 - 1 - s1), mu_k = E[phi'(sqrt(q) z)^(2k)], s1 = -1 for Gaussian and 0 for
    orthogonal weights. Linear: depth and 0; ReLU: 2 depth and depth. `q` is q* (tanh, sigmoid).
    """
    second = gaussian.derivative_moment(activation, q, 4, alpha)
    ratio = second / gaussian.derivative_moment(activation, q, 2, alpha) ** 2
    return depth * (ratio - 1 + (0.0 if orthogonal else 1.0))


def deep_linear_mode(time: np.ndarray | float, s: float, start: float) -> np.ndarray:
    """Return the mode strength u(t) = s e^(2st) / (e^(2st) - 1 + s / u0) (Saxe et al. 2013).

    A linear network of two layers, whitened inputs, balanced weights, loss half a *sum* of squares;
    `time` = steps times learning rate, `s` > 0 the mode's singular value, `start` = u0 > 0.
    """
    # Divided through by e^(2st), which overflows for long times.
    return s / (1 + (s / start - 1) * np.exp(-2 * s * np.asarray(time, dtype=np.float64)))
