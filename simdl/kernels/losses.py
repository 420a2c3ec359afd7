"""Losses: value and gradient together.

One signature: ``loss(losses, dy, y, t, option)`` with losses (n,) each sample's loss, dy (n, k) the
gradient of their *mean* by y, y (n, k) the network's output, t (n, m) the targets in the network's
precision, ``option`` the loss's one number (label smoothing, say). NaN in y comes out in both.
A sample's loss is the mean over its outputs, where there are several targets.
"""

from simdl._jit import njit
from simdl.kernels.mathematics import exp, log, log1p_exp_neg, sigmoid


@njit
def softmax_cross_entropy(losses, dy, y, t, option):
    """losses = -sum_k q_k log softmax(y)_k;  dy = (softmax(y) - q) / n

    t (n, 1) holds class indices (exact in float32 up to 2^24). q is 1 at the class, or with label
    smoothing s (Szegedy et al. 2016) 1 - s at the class plus s/k everywhere. With u = y - max(y):
    losses = log(sum exp u) - sum_k q_k u_k, for q sums to 1.
    """
    n, k = y.shape
    real = y.dtype.type
    share = real(option / k)
    for i in range(n):
        row, out = y[i], dy[i]
        highest = row[0]
        for j in range(1, k):
            highest = row[j] if row[j] > highest else highest
        linear = real(0)
        for j in range(k):
            out[j] = row[j] - highest
            linear += share * out[j]  # not the plain sum, which may overflow
        even = linear if option > 0.0 else real(0)  # 0 * inf would be NaN
        losses[i] = -real(1.0 - option) * out[int(t[i, 0])] - even
    flat = dy.reshape(n * k)
    for j in range(n * k):  # one long loop vectorises: .7 us against 2 us row by row at 32 x 10
        flat[j] = exp(flat[j])
    spread, top, scale = real(option / (k * n)), real((1.0 - option) / n), real(1.0 / n)
    for i in range(n):
        out = dy[i]
        total = real(0)
        for j in range(k):  # NaN is still here even if it lost the maximum
            total += out[j]
        losses[i] += log(total)
        inverse = scale / total
        for j in range(k):
            out[j] = out[j] * inverse - spread
        out[int(t[i, 0])] -= top


@njit
def mean_squared_error(losses, dy, y, t, option):
    """losses = mean_k (y - t)^2;  dy = 2 (y - t) / (n k).  t (n, k)"""
    n, k = y.shape
    share = y.dtype.type(1.0 / k)
    scale = y.dtype.type(2.0 / (n * k))
    for i in range(n):
        total = y.dtype.type(0)
        for j in range(k):
            error = y[i, j] - t[i, j]
            total += error * error
            dy[i, j] = scale * error
        losses[i] = total * share


@njit
def binary_cross_entropy(losses, dy, y, t, option):
    """losses = mean_k log(1 + exp(y)) - t y;  dy = (sigmoid(y) - t) / (n k).  y logits, t (n, k)

    Nothing overflows: with [y > 0] for 1 or 0 it is ([y > 0] - t) y + log(1 + exp(-|y|)).
    """
    n, k = y.shape
    real = y.dtype.type
    zero, one, share, scale = real(0), real(1), real(1.0 / k), real(1.0 / (n * k))
    logits, wanted, out = y.reshape(n * k), t.reshape(n * k), dy.reshape(n * k)
    for j in range(n * k):  # long loops without a sum vectorise
        side = (one if logits[j] > zero else zero) - wanted[j]
        out[j] = side * logits[j] + log1p_exp_neg(abs(logits[j]))
    for i in range(n):
        total = zero
        for j in range(k):
            total += dy[i, j]
        losses[i] = total * share
    for j in range(n * k):
        out[j] = scale * (sigmoid(logits[j]) - wanted[j])


@njit
def mean_absolute_error(losses, dy, y, t, option):
    """losses = mean_k |y - t|;  dy = sign(y - t) / (n k), 0 where they are equal.  t (n, k)"""
    n, k = y.shape
    real = y.dtype.type
    share, scale = real(1.0 / k), real(1.0 / (n * k))
    for i in range(n):
        total = real(0)
        for j in range(k):
            error = y[i, j] - t[i, j]
            total += abs(error)
            dy[i, j] = scale if error > 0 else (-scale if error < 0 else error)  # 0 or NaN
        losses[i] = total * share


@njit
def huber(losses, dy, y, t, option):
    """losses = mean_k e^2 / 2 where |e| <= d, d (|e| - d / 2) beyond;  dy = clip(e, d) / (n k)

    e = y - t, t (n, k), d = option (Huber 1964).
    """
    n, k = y.shape
    real = y.dtype.type
    half, delta = real(0.5), real(option)
    share, scale = real(1.0 / k), real(1.0 / (n * k))
    for i in range(n):
        total = real(0)
        for j in range(k):
            error = y[i, j] - t[i, j]
            size = abs(error)
            total += half * error * error if size <= delta else delta * (size - half * delta)
            slope = delta if error > delta else (-delta if error < -delta else error)
            dy[i, j] = scale * slope
        losses[i] = total * share


@njit
def count_correct(y, t, n, threshold):
    """How many of the first `n` rows of y (>=n, k) have their maximum at the target's class.

    t (>=n, 1) holds class indices, t (>=n, k) one target an output. A single output says class 1
    where it is above `threshold`, else class 0. A row with NaN is wrong.
    """
    correct = 0
    for i in range(n):
        best, label = 0, 0
        finite = y[i, 0] == y[i, 0]
        for j in range(1, y.shape[1]):
            best = j if y[i, j] > y[i, best] else best
            finite = finite and y[i, j] == y[i, j]
        if y.shape[1] == 1:
            best = 1 if y[i, 0] > threshold else 0
        if t.shape[1] == 1:
            label = int(t[i, 0])
        else:
            for j in range(1, t.shape[1]):
                label = j if t[i, j] > t[i, label] else label
        correct += 1 if finite and best == label else 0
    return correct
