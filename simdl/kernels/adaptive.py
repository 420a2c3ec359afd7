"""Optimizers that scale each parameter's step by its own gradients: Adagrad to Adam and beyond.

Signature, slots, the first two options ("..." below) and the source of the definitions are those
of :mod:`simdl.kernels.optimizers`; eps stands outside the root unless a formula says otherwise.
"""

import numpy as np

from simdl._jit import ROUNDED, njit


@njit(fastmath=ROUNDED)
def adagrad(params, grads, slots, options, lr, t):
    """s += g^2;  w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)  (Duchi et al. 2011)

    options: (..., lr_decay, initial value of s, eps); slots[0] = s
    """
    real = params.dtype.type
    rate = real(options[0] * lr / (1.0 + (t - 1) * options[2]))
    decay, eps = real(options[0] * options[1]), real(options[4])
    squares = slots[0]
    if t == 1:
        squares[:] = real(options[3])
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        squares[i] += g * g
        params[i] -= rate * g / (np.sqrt(squares[i]) + eps)


@njit(fastmath=ROUNDED)
def adadelta(params, grads, slots, options, lr, t):
    """v = rho v + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) g;  w -= lr d

    and u = rho u + (1 - rho) d^2 (Zeiler 2012). options: (..., rho, eps); slots = (v, u)
    """
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    rho, fresh, eps = real(options[2]), real(1.0 - options[2]), real(options[3])
    square, moved = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        square[i] = rho * square[i] + fresh * (g * g)
        step = np.sqrt(moved[i] + eps) / np.sqrt(square[i] + eps) * g
        moved[i] = rho * moved[i] + fresh * (step * step)
        params[i] -= rate * step


@njit(fastmath=ROUNDED)
def _correction(beta, t, wanted):
    """1 - beta^t, by which an average that began at 0 is divided; 1 unless it is wanted."""
    return 1.0 - beta**t if wanted != 0.0 else 1.0


@njit(fastmath=ROUNDED)
def rmsprop(params, grads, slots, options, lr, t):
    """v = alpha v + (1 - alpha) g^2;  w -= lr g / (sqrt(v) + eps)  (Tieleman and Hinton 2012)

    options: (..., alpha, eps, momentum, bias_correction 0 or 1); slots[0] = v. With the correction
    v / (1 - alpha^t) stands for v; PyTorch has no such option.
    """
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    alpha, fresh, eps = real(options[2]), real(1.0 - options[2]), real(options[3])
    root = real(1.0 / np.sqrt(_correction(options[2], t, options[5])))
    square = slots[0]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        square[i] = alpha * square[i] + fresh * (g * g)
        params[i] -= rate * g / (np.sqrt(square[i]) * root + eps)


@njit(fastmath=ROUNDED)
def rmsprop_momentum(params, grads, slots, options, lr, t):
    """b = momentum b + g / (sqrt(v) + eps);  w -= lr b.  As `rmsprop`; slots = (v, b)"""
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    alpha, fresh, eps = real(options[2]), real(1.0 - options[2]), real(options[3])
    momentum = real(options[4])
    root = real(1.0 / np.sqrt(_correction(options[2], t, options[5])))
    square, velocity = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        square[i] = alpha * square[i] + fresh * (g * g)
        velocity[i] = momentum * velocity[i] + g / (np.sqrt(square[i]) * root + eps)
        params[i] -= rate * velocity[i]


@njit(fastmath=ROUNDED)
def rmsprop_centered(params, grads, slots, options, lr, t):
    """m = alpha m + (1 - alpha) g;  sqrt(v - m^2) for sqrt(v) in `rmsprop_momentum` (Graves 2013)

    slots = (v, b, m); no correction. A difference that rounding makes negative counts as 0, where
    PyTorch's step would be NaN.
    """
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    alpha, fresh, eps = real(options[2]), real(1.0 - options[2]), real(options[3])
    momentum = real(options[4])
    square, velocity, mean = slots[0], slots[1], slots[2]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        square[i] = alpha * square[i] + fresh * (g * g)
        mean[i] = alpha * mean[i] + fresh * g
        variance = square[i] - mean[i] * mean[i]
        variance = real(0.0) if variance < 0 else variance  # NaN stays
        velocity[i] = momentum * velocity[i] + g / (np.sqrt(variance) + eps)
        params[i] -= rate * velocity[i]


@njit(fastmath=ROUNDED)
def adam(params, grads, slots, options, lr, t):
    """m, v: moving averages of g and g^2;  w -= lr m^ / (sqrt(v^) + eps)  (Kingma and Ba 2015)

    options: (..., beta1, beta2, eps, bias_correction 0 or 1); slots = (m, v); weight decay is
    added to the gradient (L2), not decoupled.
    """
    real = params.dtype.type
    decay = real(options[0] * options[1])
    beta1, beta2, eps = real(options[2]), real(options[3]), real(options[4])
    fresh1, fresh2 = real(1.0 - options[2]), real(1.0 - options[3])
    rate = real(options[0] * lr / _correction(options[2], t, options[5]))
    root = real(1.0 / np.sqrt(_correction(options[3], t, options[5])))
    mean, square = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        mean[i] = beta1 * mean[i] + fresh1 * g
        square[i] = beta2 * square[i] + fresh2 * (g * g)
        params[i] -= rate * mean[i] / (np.sqrt(square[i]) * root + eps)


@njit(fastmath=ROUNDED)
def adamw(params, grads, slots, options, lr, t):
    """w = (1 - lr weight_decay) w, then Adam's step  (Loshchilov and Hutter 2019).  As `adam`"""
    real = params.dtype.type
    shrink = real(1.0 - lr * options[1])
    beta1, beta2, eps = real(options[2]), real(options[3]), real(options[4])
    fresh1, fresh2 = real(1.0 - options[2]), real(1.0 - options[3])
    rate = real(options[0] * lr / _correction(options[2], t, options[5]))
    root = real(1.0 / np.sqrt(_correction(options[3], t, options[5])))
    mean, square = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i]
        mean[i] = beta1 * mean[i] + fresh1 * g
        square[i] = beta2 * square[i] + fresh2 * (g * g)
        params[i] = shrink * params[i] - rate * mean[i] / (np.sqrt(square[i]) * root + eps)


@njit(fastmath=ROUNDED)
def _decays(options, lr, decoupled):
    """Weight decay as what is added to the gradient and as the factor that the weights take."""
    if decoupled != 0.0:
        return 0.0, 1.0 - lr * options[1]
    return options[0] * options[1], 1.0


@njit(fastmath=ROUNDED)
def amsgrad(params, grads, slots, options, lr, t):
    """x = max(x, v);  Adam's step with x for v, corrected as v is  (Reddi et al. 2018)

    options: `adam`'s, and 1 for decoupled weight decay; slots = (m, v, x)
    """
    real = params.dtype.type
    coupled, factor = _decays(options, lr, options[6])
    decay, shrink = real(coupled), real(factor)
    beta1, beta2, eps = real(options[2]), real(options[3]), real(options[4])
    fresh1, fresh2 = real(1.0 - options[2]), real(1.0 - options[3])
    rate = real(options[0] * lr / _correction(options[2], t, options[5]))
    root = real(1.0 / np.sqrt(_correction(options[3], t, options[5])))
    mean, square, largest = slots[0], slots[1], slots[2]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        mean[i] = beta1 * mean[i] + fresh1 * g
        square[i] = beta2 * square[i] + fresh2 * (g * g)
        x, v = largest[i], square[i]
        largest[i] = x if (x >= v or x != x) else v  # NaN stays
        params[i] = shrink * params[i] - rate * mean[i] / (np.sqrt(largest[i]) * root + eps)


@njit(fastmath=ROUNDED)
def adamax(params, grads, slots, options, lr, t):
    """u = max(beta2 u, |g| + eps);  w -= lr m / ((1 - beta1^t) u)  (Kingma and Ba 2015, sect. 7.1)

    options: (..., beta1, beta2, eps); slots = (m, u)
    """
    real = params.dtype.type
    decay = real(options[0] * options[1])
    beta1, beta2, eps = real(options[2]), real(options[3]), real(options[4])
    fresh1 = real(1.0 - options[2])
    rate = real(options[0] * lr / (1.0 - options[2] ** t))
    mean, largest = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        mean[i] = beta1 * mean[i] + fresh1 * g
        u, size = beta2 * largest[i], np.abs(g) + eps
        largest[i] = u if (u >= size or u != u) else size  # NaN stays
        params[i] -= rate * mean[i] / largest[i]


@njit(fastmath=ROUNDED)
def nadam(params, grads, slots, options, lr, t):
    """mu_t = beta1 (1 - .96^(t momentum_decay) / 2), M_t = mu_1 ... mu_t;  d = sqrt(v^) + eps;

    w -= lr ((1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_(t+1)) m) / d  (Dozat 2016)

    options: (..., beta1, beta2, eps, momentum_decay, 1 for decoupled weight decay); slots =
    (m, v, M), of the last only the first element.
    """
    if params.size == 0:
        return
    real = params.dtype.type
    coupled, factor = _decays(options, lr, options[6])
    decay, shrink = real(coupled), real(factor)
    beta1, beta2, eps = real(options[2]), real(options[3]), real(options[4])
    fresh1, fresh2 = real(1.0 - options[2]), real(1.0 - options[3])
    now = options[2] * (1.0 - 0.5 * 0.96 ** (t * options[5]))
    ahead = options[2] * (1.0 - 0.5 * 0.96 ** ((t + 1) * options[5]))
    product = now if t == 1 else now * slots[2, 0]
    slots[2, 0] = product
    rate = real(options[0] * lr * (1.0 - now) / (1.0 - product))
    rate_mean = real(options[0] * lr * ahead / (1.0 - product * ahead))
    root = real(1.0 / np.sqrt(1.0 - options[3] ** t))
    mean, square = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        mean[i] = beta1 * mean[i] + fresh1 * g
        square[i] = beta2 * square[i] + fresh2 * (g * g)
        step = (rate * g + rate_mean * mean[i]) / (np.sqrt(square[i]) * root + eps)
        params[i] = shrink * params[i] - step


@njit(fastmath=ROUNDED)
def radam(params, grads, slots, options, lr, t):
    """r_t = r - 2 t beta2^t / (1 - beta2^t), r = 2 / (1 - beta2) - 1;  where r_t > 5:

    w -= lr m^ sqrt(((r_t - 4)(r_t - 2) r) / ((r - 4)(r - 2) r_t) (1 - beta2^t)) / (sqrt(v) + eps)

    and w -= lr m^ elsewhere  (Liu et al. 2020). options: (..., beta1, beta2, eps, 1 for decoupled
    weight decay); slots = (m, v)
    """
    real = params.dtype.type
    coupled, factor = _decays(options, lr, options[5])
    decay, shrink = real(coupled), real(factor)
    beta1, beta2, eps = real(options[2]), real(options[3]), real(options[4])
    fresh1, fresh2 = real(1.0 - options[2]), real(1.0 - options[3])
    power = options[3] ** t
    longest = 2.0 / (1.0 - options[3]) - 1.0
    length = longest - 2.0 * t * power / (1.0 - power)
    step = options[0] * lr / (1.0 - options[2] ** t)
    mean, square = slots[0], slots[1]
    if length > 5.0:
        rectified = (length - 4.0) * (length - 2.0) * longest
        rectified /= (longest - 4.0) * (longest - 2.0) * length
        rate = real(step * np.sqrt(rectified * (1.0 - power)))
        for i in range(params.size):
            g = grads[i] + decay * params[i]
            mean[i] = beta1 * mean[i] + fresh1 * g
            square[i] = beta2 * square[i] + fresh2 * (g * g)
            params[i] = shrink * params[i] - rate * mean[i] / (np.sqrt(square[i]) + eps)
    else:
        rate = real(step)
        for i in range(params.size):
            g = grads[i] + decay * params[i]
            mean[i] = beta1 * mean[i] + fresh1 * g
            square[i] = beta2 * square[i] + fresh2 * (g * g)
            params[i] = shrink * params[i] - rate * mean[i]
