"""The specification of the optimizers: slow, obvious NumPy, straight from the papers.

f(w, gradients (steps, p), lr, options...) -> parameters after each step; lr is one number or one a
step. Nothing of ours is imported here.
"""

import numpy as np


def _steps(gradients, lr, maximize=False):
    """Yield t = 1, 2, ..., the gradient to go down, and this step's rate."""
    rates = np.broadcast_to(lr, len(gradients))
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        yield t, -g if maximize else g, rate


def sgd(
    w, gradients, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False
):
    """PyTorch's: the first step takes the whole gradient into the velocity."""
    v, path = None, []
    for _, g, rate in _steps(gradients, lr, maximize):
        g = g + weight_decay * w
        v = g if v is None else momentum * v + (1 - dampening) * g
        w = w - rate * (g + momentum * v if nesterov else v if momentum else g)
        path.append(w)
    return np.array(path)


def adagrad(
    w, gradients, lr, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10,
    maximize=False,
):  # fmt: skip
    """Duchi et al. 2011, figure 1 with a diagonal matrix; the decay of the rate is PyTorch's."""
    total, path = np.full_like(w, initial_accumulator_value), []
    for t, g, rate in _steps(gradients, lr, maximize):
        g = g + weight_decay * w
        total = total + g**2
        w = w - rate / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps)
        path.append(w)
    return np.array(path)


def adadelta(w, gradients, lr, rho=0.9, eps=1e-6, weight_decay=0.0, maximize=False):
    """Zeiler 2012, algorithm 1."""
    square, moved, path = np.zeros_like(w), np.zeros_like(w), []
    for _, g, rate in _steps(gradients, lr, maximize):
        g = g + weight_decay * w
        square = rho * square + (1 - rho) * g**2
        step = np.sqrt(moved + eps) / np.sqrt(square + eps) * g
        moved = rho * moved + (1 - rho) * step**2
        w = w - rate * step
        path.append(w)
    return np.array(path)


def rmsprop(
    w, gradients, lr, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False,
    maximize=False, bias_correction=False,
):  # fmt: skip
    """Tieleman and Hinton 2012, lecture 6.5; centered and with momentum: Graves 2013, eq. 38-45."""
    v, m, b, path = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w), []
    for t, g, rate in _steps(gradients, lr, maximize):
        g = g + weight_decay * w
        v = alpha * v + (1 - alpha) * g**2
        m = alpha * m + (1 - alpha) * g
        square = v / (1 - alpha**t) if bias_correction else v
        spread = square - m**2 if centered else square
        b = momentum * b + g / (np.sqrt(np.maximum(spread, 0)) + eps)
        w = w - rate * b
        path.append(w)
    return np.array(path)


def adam(
    w, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
    decoupled_weight_decay=False, bias_correction=True,
):  # fmt: skip
    """Kingma and Ba 2015, algorithm 1; eps outside the root. AMSGrad: Reddi et al. 2018."""
    m, v, largest, path = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w), []
    for t, g, rate in _steps(gradients, lr, maximize):
        if decoupled_weight_decay:
            w = w - rate * weight_decay * w
        else:
            g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = np.maximum(largest, v)
        below = largest if amsgrad else v
        mean = m / (1 - betas[0] ** t) if bias_correction else m
        square = below / (1 - betas[1] ** t) if bias_correction else below
        w = w - rate * mean / (np.sqrt(square) + eps)
        path.append(w)
    return np.array(path)


def adamw(w, gradients, lr, weight_decay=0.01, **options):
    """Loshchilov and Hutter 2019, algorithm 2, the rate within the decay as in PyTorch."""
    return adam(w, gradients, lr, weight_decay=weight_decay, decoupled_weight_decay=True, **options)


def adamax(w, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, maximize=False):
    """Kingma and Ba 2015, algorithm 2; PyTorch's eps."""
    m, u, path = np.zeros_like(w), np.zeros_like(w), []
    for t, g, rate in _steps(gradients, lr, maximize):
        g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, abs(g) + eps)
        w = w - rate / (1 - betas[0] ** t) * m / u
        path.append(w)
    return np.array(path)


def nadam(
    w, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3,
    decoupled_weight_decay=False, maximize=False,
):  # fmt: skip
    """Dozat 2016, algorithm 2 with section 3.2's schedule of momenta."""
    m, v, path = np.zeros_like(w), np.zeros_like(w), []

    def momentum(t):
        return betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    for t, g, rate in _steps(gradients, lr, maximize):
        if decoupled_weight_decay:
            w = w - rate * weight_decay * w
        else:
            g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        product = np.prod([momentum(i) for i in range(1, t + 1)])
        mean = momentum(t + 1) * m / (1 - product * momentum(t + 1))
        mean = mean + (1 - momentum(t)) * g / (1 - product)
        w = w - rate * mean / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        path.append(w)
    return np.array(path)


def radam(
    w, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False,
    maximize=False,
):  # fmt: skip
    """Liu et al. 2020, algorithm 2; PyTorch rectifies above 5 instead of 4, and adds eps."""
    m, v, path = np.zeros_like(w), np.zeros_like(w), []
    longest = 2 / (1 - betas[1]) - 1
    for t, g, rate in _steps(gradients, lr, maximize):
        if decoupled_weight_decay:
            w = w - rate * weight_decay * w
        else:
            g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        mean = m / (1 - betas[0] ** t)
        length = longest - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        if length > 5:
            up = (length - 4) * (length - 2) * longest
            down = (longest - 4) * (longest - 2) * length
            adaptive = np.sqrt(1 - betas[1] ** t) / (np.sqrt(v) + eps)
            w = w - rate * np.sqrt(up / down) * mean * adaptive
        else:
            w = w - rate * mean
        path.append(w)
    return np.array(path)


def rprop(w, gradients, lr, etas=(0.5, 1.2), step_sizes=(1e-6, 50), maximize=False):
    """Igel and Huesken 2000, iRprop-; the first step's rate is where every step begins."""
    size, before, path = np.full_like(w, np.ravel(lr)[0] if np.size(lr) else 0), 0 * w, []
    for _, g, _ in _steps(gradients, lr, maximize):
        turn = g * before
        size = size * np.where(turn > 0, etas[1], np.where(turn < 0, etas[0], 1))
        size = np.clip(size, *step_sizes)
        g = np.where(turn < 0, 0, g)
        w = w - np.sign(g) * size
        before = g
        path.append(w)
    return np.array(path)


def lion(w, gradients, lr, betas=(0.9, 0.99), weight_decay=0.0):
    """Chen et al. 2023, algorithm 2."""
    m, path = np.zeros_like(w), []
    for _, g, rate in _steps(gradients, lr):
        c = betas[0] * m + (1 - betas[0]) * g
        w = w - rate * (np.sign(c) + weight_decay * w)
        m = betas[1] * m + (1 - betas[1]) * g
        path.append(w)
    return np.array(path)


def soft_threshold(w, threshold):
    return np.sign(w) * np.maximum(abs(w) - threshold, 0)


def proximal_sgd(w, gradients, lr, l1=0.0, momentum=0.0):
    """Daubechies et al. 2004; with momentum Ochs et al. 2014, algorithm 1."""
    before, path = w, []
    for _, g, rate in _steps(gradients, lr):
        ahead = w + momentum * (w - before) if momentum else w
        before, w = w, soft_threshold(ahead - rate * g, rate * l1)
        path.append(w)
    return np.array(path)


OPTIMIZERS = {
    "SGD": sgd,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adamw,
    "Adamax": adamax,
    "NAdam": nadam,
    "RAdam": radam,
    "Rprop": rprop,
    "Lion": lion,
    "ProximalSGD": proximal_sgd,
}
