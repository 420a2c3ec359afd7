"""Optimizers: one fused loop over the flat parameter vector.

One signature: ``update(params, grads, slots, options, lr, t)`` with params, grads (p,), slots
(s, p) the optimizer's state in the same layout (zeros before the first step), options (m,) float64
its numbers, lr this step's learning rate, t = 1, 2, ... the step. Definitions are PyTorch's.
"""

import numpy as np

from simdl._jit import njit


@njit
def sgd(params, grads, slots, options, lr, t):
    """w -= lr (g + weight_decay w).  options: (weight_decay,)"""
    rate, decay = params.dtype.type(lr), params.dtype.type(options[0])
    for i in range(params.size):
        params[i] -= rate * (grads[i] + decay * params[i])


@njit
def sgd_momentum(params, grads, slots, options, lr, t):
    """v = momentum v + (1 - dampening) g (v = g at t = 1);  w -= lr v

    options: (weight_decay, momentum, dampening); slots[0] = v. The factor 1 - momentum of the
    textbook form is absent, as in PyTorch.
    """
    real = params.dtype.type
    rate, decay, momentum = real(lr), real(options[0]), real(options[1])
    fresh = real(1.0) if t == 1 else real(1.0 - options[2])
    velocity = slots[0]
    for i in range(params.size):
        velocity[i] = momentum * velocity[i] + fresh * (grads[i] + decay * params[i])
        params[i] -= rate * velocity[i]


@njit
def sgd_nesterov(params, grads, slots, options, lr, t):
    """v = momentum v + g;  w -= lr (g + momentum v)  (Sutskever et al. 2013, PyTorch's form)"""
    real = params.dtype.type
    rate, decay, momentum = real(lr), real(options[0]), real(options[1])
    velocity = slots[0]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        velocity[i] = momentum * velocity[i] + g
        params[i] -= rate * (g + momentum * velocity[i])


@njit
def adam(params, grads, slots, options, lr, t):
    """m, v: moving averages of g and g^2;  w -= lr m^ / (sqrt(v^) + eps)  (Kingma and Ba 2015)

    options: (beta1, beta2, eps, weight_decay, bias_correction 0 or 1); slots = (m, v). eps stands
    outside the root; weight decay is added to the gradient (L2), not decoupled.
    """
    real = params.dtype.type
    beta1, beta2, eps, decay = (
        real(options[0]),
        real(options[1]),
        real(options[2]),
        real(options[3]),
    )
    fresh1, fresh2 = real(1.0 - options[0]), real(1.0 - options[1])
    correct1, correct2 = 1.0, 1.0
    if options[4] != 0.0:
        correct1 -= options[0] ** t
        correct2 -= options[1] ** t
    rate, root = real(lr / correct1), real(1.0 / np.sqrt(correct2))
    mean, square = slots[0], slots[1]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        mean[i] = beta1 * mean[i] + fresh1 * g
        square[i] = beta2 * square[i] + fresh2 * (g * g)
        params[i] -= rate * mean[i] / (np.sqrt(square[i]) * root + eps)
