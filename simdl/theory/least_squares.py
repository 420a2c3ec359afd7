"""Least squares without a penalty, on fewer features than samples and on more.

Samples x ~ N(0, I), targets x . w + noise. Where there are more features than samples, many weights
fit all of them; the shortest such w is taken, as gradient descent from 0 does. Errors are those of
predictions on new samples, noise left out: |w' - w|^2 for weights w' (the excess risk).
"""

from __future__ import annotations

import math


def excess_risk(samples: int, features: int, signal: float, noise: float) -> float:
    """Return the mean excess risk over draws of samples and noise.

    noise p / (n - p - 1) for p <= n - 2 features, signal (1 - n/p) + noise n / (p - n - 1) for
    p >= n + 2 (Hastie et al. 2019, Belkin et al. 2019); infinite between.

    Parameters
    ----------
    samples, features : n and p, at least 1
    signal : |w|^2
    noise : its variance
    """
    _check(samples, features, signal, noise)
    if abs(features - samples) < 2:
        return math.inf
    if features < samples:
        return noise * features / (samples - features - 1)
    return signal * (1 - samples / features) + noise * samples / (features - samples - 1)


def chosen_risk(samples: int, chosen: int, features: int, signal: float, noise: float) -> float:
    """Return the mean excess risk of a fit on some of the features, chosen at random.

    What the others say of the target is noise to the fit, of variance signal (1 - p/D) for p of D
    features, and is missing from its predictions (Belkin, Hsu and Xu 2019, theorem 1 and corollary
    1). With all of them chosen, `excess_risk`.

    Parameters
    ----------
    samples, chosen, features : n, p and D >= p, at least 1
    signal, noise : |w|^2 of all D weights, and the variance of the noise
    """
    if not chosen <= features:
        raise ValueError(f"chosen: {chosen}: must be at most {features}, the features")
    seen = signal * chosen / features
    return excess_risk(samples, chosen, seen, noise + signal - seen) + signal - seen


def _check(samples: int, features: int, signal: float, noise: float) -> None:
    if samples < 1 or features < 1:
        raise ValueError(f"samples: {samples}, features: {features}: must be at least 1")
    if not (signal >= 0 and noise >= 0):
        raise ValueError(f"signal: {signal}, noise: {noise}: must not be negative")
