"""Penalties on weights: the gradient of (l2 / 2) |w|^2, and the proximal step of l1 |w|."""

from simdl._jit import ROUNDED, njit


@njit(fastmath=ROUNDED)
def add_decay(grads, params, l2):
    """g += l2 w, for grads and params (p,)."""
    factor = params.dtype.type(l2)
    for i in range(params.size):
        grads[i] += factor * params[i]


@njit(fastmath=ROUNDED)
def soft(w, limit):
    """sign(w) max(|w| - limit, 0); NaN stays NaN."""
    return w - (limit if w > limit else (-limit if w < -limit else w))


@njit(fastmath=ROUNDED)
def soft_threshold(params, threshold):
    """w = sign(w) max(|w| - threshold, 0) for params (p,), in place; NaN stays NaN.

    Its zeros are exact (Parikh and Boyd 2014, section 6.5.2).
    """
    limit = params.dtype.type(threshold)
    for i in range(params.size):
        params[i] = soft(params[i], limit)
