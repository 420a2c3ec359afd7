"""The specification of the kernels: slow, obvious NumPy, straight from the formulas.

Nothing of ours is imported here. Random numbers are computed in Python's whole numbers. Everything
else works in float64, whatever the kernel's precision; inf and NaN go where NumPy takes them.
"""

import math

import numpy as np
from scipy.special import erf, expit

# --- random numbers: Philox4x32-10 (Salmon et al. 2011) -------------------------------------------

WEIGHTS = 0  # the stream of initial weights


def philox(counter, key):
    """Return four 32-bit words for a counter of four words and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def words(n, seed, stream, step, op):
    """Return n words: element j is word j % 4 of block j // 4."""
    blocks = range(-(-n // 4))
    flat = [word for block in blocks for word in philox((block, op, step, 0), (seed, stream))]
    return flat[:n]


def uniform(n, seed, stream, step, op):
    """Return n numbers on (0, 1)."""
    return np.array([(word + 0.5) / 2**32 for word in words(n, seed, stream, step, op)])


def normal(n, seed, stream, step, op):
    """Return n standard normals, two from two uniforms (Box and Muller 1958)."""
    u = uniform(n + (-n) % 4, seed, stream, step, op)
    radius, angle = np.sqrt(-2 * np.log(u[0::2])), 2 * np.pi * u[1::2]
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).ravel()[:n]


def bernoulli(n, p, seed, stream, step, op):
    """Return n times 1 (probability p) or 0."""
    return np.array([float(word < p * 2**32) for word in words(n, seed, stream, step, op)])


def permutation(n, seed, stream, step):
    """Return 0..n-1 in random order (Fisher and Yates, from the end)."""
    order = list(range(n))
    for word, i in zip(words(n - 1, seed, stream, step, 0), range(n - 1, 0, -1), strict=True):
        other = word * (i + 1) // 2**32
        order[i], order[other] = order[other], order[i]
    return order


# --- initial weights: f(fan_in, fan_out, scale, seed, op) -> weight, bias -------------------------


def draw_constant(n_in, n_out, scale, seed, op):
    return np.full((n_in, n_out), scale), np.zeros(n_out)


def draw_normal(n_in, n_out, scale, seed, op):
    flat = scale * normal(n_in * n_out, seed, WEIGHTS, 0, op)
    return flat.reshape(n_in, n_out), np.zeros(n_out)


def draw_uniform(n_in, n_out, scale, seed, op):
    flat = scale * (2 * uniform(n_in * n_out, seed, WEIGHTS, 0, op) - 1)
    return flat.reshape(n_in, n_out), np.zeros(n_out)


def draw_orthogonal(n_in, n_out, scale, seed, op):
    """QR of a tall normal matrix, R's diagonal made positive (Mezzadri 2007)."""
    tall, slim = max(n_in, n_out), min(n_in, n_out)
    q, r = np.linalg.qr(normal(tall * slim, seed, WEIGHTS, 0, op).reshape(tall, slim))
    q = scale * q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return (q if n_in >= n_out else q.T), np.zeros(n_out)


def draw_randomized_asymmetric(n_in, n_out, scale, seed, op, bias=True):
    """Normal rows (the last is the bias); in each column one entry becomes sqrt(U).

    Where there is no bias it is an entry above the last.
    """
    whole = scale * normal((n_in + 1) * n_out, seed, WEIGHTS, 0, op).reshape(n_in + 1, n_out)
    picks = uniform(2 * n_out, seed, WEIGHTS, 1, op).reshape(n_out, 2)
    for j, (place, u) in enumerate(picks):
        whole[int(place * (n_in + bias)), j] = math.sqrt(u)
    return whole[:-1], whole[-1]


# --- activations: name -> f(x, alpha), f'(x, alpha) -----------------------------------------------

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934


def _below(x):
    """The normal distribution function."""
    return (1 + erf(x / math.sqrt(2))) / 2


def _elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


def _elu_slope(x, alpha):
    return np.where(x > 0, 1, alpha * np.exp(np.where(x > 0, 0, x)))


ACTIVATIONS = {
    "sigmoid": (lambda x, a: expit(x), lambda x, a: expit(x) * expit(-x)),
    "tanh": (lambda x, a: np.tanh(x), lambda x, a: 1 - np.tanh(x) ** 2),
    "relu": (lambda x, a: np.where(x <= 0, 0, x), lambda x, a: np.where(x <= 0, 0, 1)),
    "leaky_relu": (
        lambda x, a: np.where(x > 0, x, a * x),
        lambda x, a: np.where(x > 0, 1, a),
    ),
    "elu": (_elu, _elu_slope),
    "selu": (
        lambda x, a: SELU_SCALE * _elu(x, SELU_ALPHA),
        lambda x, a: SELU_SCALE * _elu_slope(x, SELU_ALPHA),
    ),
    "gelu": (
        lambda x, a: x * _below(x),
        lambda x, a: _below(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
    "silu": (
        lambda x, a: x * expit(x),
        lambda x, a: expit(x) * (1 + x * expit(-x)),
    ),
    "softplus": (  # PyTorch's: beyond 20 it is x itself
        lambda x, a: np.where(x > 20, x, np.logaddexp(0, x)),
        lambda x, a: np.where(x > 20, 1, expit(x)),
    ),
    "softsign": (lambda x, a: x / (1 + np.abs(x)), lambda x, a: 1 / (1 + np.abs(x)) ** 2),
}


# --- losses: f(y, t, option) -> each sample's loss, gradient of their mean ------------------------


def softmax_cross_entropy(y, labels, smoothing=0.0):
    n, k = y.shape
    q = (1 - smoothing) * np.eye(k)[np.asarray(labels, int).ravel()] + smoothing / k
    u = y - y.max(axis=1, keepdims=True)
    e = np.exp(u)
    log_p = u - np.log(e.sum(axis=1, keepdims=True))
    terms = np.where(q > 0, q * log_p, 0 * np.isnan(log_p))  # 0 times -inf counts as 0 here
    terms = np.where(np.isnan(log_p), np.nan, terms)
    return -terms.sum(axis=1), (e / e.sum(axis=1, keepdims=True) - q) / n


def mean_squared_error(y, t, option=0.0):
    return ((y - t) ** 2).mean(axis=1), (y - t) * (2 / y.size)


def mean_absolute_error(y, t, option=0.0):
    return abs(y - t).mean(axis=1), np.sign(y - t) / y.size


def huber(y, t, delta):
    e = y - t
    values = np.where(abs(e) <= delta, e * e / 2, delta * (abs(e) - delta / 2))
    return values.mean(axis=1), e.clip(-delta, delta) / y.size


def binary_cross_entropy(y, t, option=0.0):
    """-t log p - (1 - t) log(1 - p), p = sigmoid(y)"""
    values = np.where(y > 0, 1 - t, -t) * y + np.log1p(np.exp(-abs(y)))
    return values.mean(axis=1), (expit(y) - t) / y.size


def count_correct(y, labels, threshold=0.0):
    """How many rows have their first maximum at the label; a row with NaN is wrong.

    With one output, how many are above the threshold where the label is 1, else not.
    """
    sound = ~np.isnan(y).any(axis=1)
    said = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0] > threshold
    return int((sound & (said == labels)).sum())


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "huber": huber,
}


# --- networks, described by plain tuples: ("Dense", 8), ("LeakyReLU", .3), ("Residual", (...)) ----

NAMES = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "SELU": "selu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
}
DEFAULTS = {"LeakyReLU": 0.01, "ELU": 1.0}


def forward(layers, params, x, path=""):
    """Return the output and what backward needs: for each layer its input, or a branch's notes."""
    notes = []
    for i, (kind, *arguments) in enumerate(layers):
        where, note = f"{path}{i}", x
        if kind == "Dense":
            x = x @ params[f"{where}.weight"] + params[f"{where}.bias"]
        elif kind == "Flatten":
            x = x.reshape(len(x), -1)
        elif kind == "Residual":
            branch, note = forward(arguments[0], params, x, f"{where}.")
            x = x + branch
        elif kind != "Identity":
            alpha = arguments[0] if arguments else DEFAULTS.get(kind, 0.0)
            x = ACTIVATIONS[NAMES[kind]][0](x, alpha)
        notes.append(note)
    return x, notes


def backward(layers, params, notes, dy, path=""):
    """Return the gradient at the input, by parameter name, and at each layer's output."""
    grads, at = {}, {}
    for i, (kind, *arguments) in reversed(list(enumerate(layers))):
        where, x = f"{path}{i}", notes[i]
        at[where] = dy
        if kind == "Dense":
            grads[f"{where}.weight"], grads[f"{where}.bias"] = x.T @ dy, dy.sum(axis=0)
            dy = dy @ params[f"{where}.weight"].T
        elif kind == "Flatten":
            dy = dy.reshape(x.shape)
        elif kind == "Residual":
            inside, inner_grads, inner_at = backward(arguments[0], params, x, dy, f"{where}.")
            grads |= inner_grads
            at |= inner_at
            dy = dy + inside
        elif kind != "Identity":
            alpha = arguments[0] if arguments else DEFAULTS.get(kind, 0.0)
            dy = dy * ACTIVATIONS[NAMES[kind]][1](x, alpha)
    return dy, grads, at
