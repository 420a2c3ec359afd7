"""Gradients through batch normalisation in a random network at birth (Yang et al. 2019).

Wide layers; weights of any variance, which normalisation takes out again. Over a batch of B samples
one unit's normalised pre-activations are uniform on the sphere of radius sqrt(B) in the B - 1
dimensions that sum to 0: pairs have the correlation -1 / (B - 1). Activations are named as in
`gaussian`; `alpha` is leaky_relu's slope and else unused.
"""

from __future__ import annotations

import math

from simdl.theory import gaussian


def batch_norm_growth(activation: str, batch: float = math.inf, alpha: float = 0.01) -> float:
    """Return the factor a layer by which the squared gradient grows on its way back.

    The gradient by the pre-activations, summed over units and samples, batch normalisation standing
    between dense layer and activation. For large batches E[phi'(z)^2] / Var phi(z): pi / (pi - 1) =
    1.467 for ReLU (Yang et al. 2019), 1 for identity.

    A finite batch, of the ReLU family only (slope 1 above 0, a below), takes
    (s (B - 1) + r - A) / ((B - 3) A) with s = E[phi'^2], r = E[phi'_1 phi'_2] and
    A = E[phi^2] - E[phi_1 phi_2] of two samples: E[1 / chi^2_(B-1)] = 1 / (B - 3) is how far batch
    variances scatter, and what points along the mean and the normalised signal itself is lost.
    Identity: (B - 2) / (B - 3).

    Raises
    ------
    ValueError
        For a finite batch of 3 or less, where the mean is infinite, or of a smooth activation.
    """
    correlation = -1 / (batch - 1)
    if batch == math.inf:
        s = gaussian.derivative_moment(activation, 1.0, 2, alpha)
        return s / (
            gaussian.mean_square(activation, 1.0, alpha)
            - gaussian.product(activation, 0.0, 1.0, alpha)
        )
    if gaussian.negative_slope(activation, alpha) is None:
        raise ValueError(f"activation {activation!r}: a finite batch needs a piecewise linear one")
    if not batch > 3:
        raise ValueError(f"batch: {batch}: must be above 3: the mean of 1 / chi^2 is infinite")
    s = gaussian.derivative_moment(activation, 1.0, 2, alpha)
    r = gaussian.derivative_product(activation, correlation, 1.0, alpha)
    spread = gaussian.mean_square(activation, 1.0, alpha) - gaussian.product(
        activation, correlation, 1.0, alpha
    )
    return (s * (batch - 1) + r - spread) / ((batch - 3) * spread)
