"""Optimizers: one fused loop over the flat parameter vector; descent, signs and the proximal step.

One signature: ``update(params, grads, slots, options, lr, t)`` with params, grads (p,), slots
(s, p) the optimizer's state in the same layout (zeros before the first step, whatever it starts
from: a rule sets that itself at t = 1), options (m,) float64 its numbers, lr this step's learning
rate, t = 1, 2, ... the step. Definitions are PyTorch's.

options[0] is 1, or -1 to go uphill (`maximize`): every rule is odd in the gradient, so that going
uphill is lr and the decay in the gradient negated (averages of gradients then have the opposite
sign of PyTorch's). options[1] is what shrinks the weights, weight_decay or l1: the engine puts 0
there for parameters that are not to shrink. "..." below stands for these two.
"""

from simdl._jit import ROUNDED, njit
from simdl.kernels.penalties import soft


@njit(fastmath=ROUNDED)
def sgd(params, grads, slots, options, lr, t):
    """w -= lr (g + weight_decay w).  options: (...)"""
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    for i in range(params.size):
        params[i] -= rate * (grads[i] + decay * params[i])


@njit(fastmath=ROUNDED)
def sgd_momentum(params, grads, slots, options, lr, t):
    """v = momentum v + (1 - dampening) g (v = g at t = 1);  w -= lr v

    options: (..., momentum, dampening); slots[0] = v. The factor 1 - momentum of the textbook
    form is absent, as in PyTorch.
    """
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    momentum = real(options[2])
    fresh = real(1.0) if t == 1 else real(1.0 - options[3])
    velocity = slots[0]
    for i in range(params.size):
        velocity[i] = momentum * velocity[i] + fresh * (grads[i] + decay * params[i])
        params[i] -= rate * velocity[i]


@njit(fastmath=ROUNDED)
def sgd_nesterov(params, grads, slots, options, lr, t):
    """v = momentum v + g;  w -= lr (g + momentum v)  (Sutskever et al. 2013, PyTorch's form)"""
    real = params.dtype.type
    rate, decay = real(options[0] * lr), real(options[0] * options[1])
    momentum = real(options[2])
    velocity = slots[0]
    for i in range(params.size):
        g = grads[i] + decay * params[i]
        velocity[i] = momentum * velocity[i] + g
        params[i] -= rate * (g + momentum * velocity[i])


@njit(fastmath=ROUNDED)
def proximal_sgd(params, grads, slots, options, lr, t):
    """w = soft(w - lr g, lr l1)  (ISTA: Daubechies et al. 2004).  options: (1, l1)"""
    real = params.dtype.type
    rate, limit = real(lr), real(lr * options[1])
    for i in range(params.size):
        params[i] = soft(params[i] - rate * grads[i], limit)


@njit(fastmath=ROUNDED)
def proximal_sgd_momentum(params, grads, slots, options, lr, t):
    """w = soft(w - lr g + momentum d, lr l1), d how far w moved last  (iPiano: Ochs et al. 2014)

    options: (1, l1, momentum); slots[0] = d. A velocity of gradients, as in `sgd_momentum`, would
    weigh l1 by 1 - momentum; this rests where the penalized loss does.
    """
    real = params.dtype.type
    rate, momentum, limit = real(lr), real(options[2]), real(lr * options[1])
    moved = slots[0]
    for i in range(params.size):
        w = soft(params[i] - rate * grads[i] + momentum * moved[i], limit)
        moved[i] = w - params[i]
        params[i] = w


@njit(fastmath=ROUNDED)
def lion(params, grads, slots, options, lr, t):
    """w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w);  m = beta2 m + (1 - beta2) g

    options: (1, weight_decay, beta1, beta2); slots[0] = m. Chen et al. 2023, algorithm 2; weight
    decay is decoupled; sign(0) = 0, sign(NaN) = NaN.
    """
    real = params.dtype.type
    rate, shrink = real(lr), real(1.0 - lr * options[1])
    beta1, beta2 = real(options[2]), real(options[3])
    fresh1, fresh2 = real(1.0 - options[2]), real(1.0 - options[3])
    mean = slots[0]
    for i in range(params.size):
        c = beta1 * mean[i] + fresh1 * grads[i]
        mean[i] = beta2 * mean[i] + fresh2 * grads[i]
        params[i] = shrink * params[i] - (rate if c > 0 else (-rate if c < 0 else c))


@njit(fastmath=ROUNDED)
def rprop(params, grads, slots, options, lr, t):
    """s *= eta+ where g keeps its sign, eta- where it turns (then g = 0);  w -= sign(g) s

    options: (sign, 0, eta-, eta+, smallest s, largest s); slots = (g of the step before, s). s
    starts at the first step's lr; later rates do nothing, as in PyTorch. Riedmiller and Braun
    1993, in the form without weight-backtracking (iRprop-: Igel and Huesken 2000).
    """
    real = params.dtype.type
    shorter, longer = real(options[2]), real(options[3])
    least, most = real(options[4]), real(options[5])
    ahead, back, zero = real(options[0]), real(-options[0]), real(0.0)
    before, size = slots[0], slots[1]
    if t == 1:
        size[:] = real(lr)
    for i in range(params.size):
        g = grads[i]
        turn = g * before[i]
        s = size[i] * (longer if turn > 0 else (shorter if turn < 0 else real(1.0)))
        s = least if s < least else (most if s > most else s)
        g = zero if turn < 0 else g
        size[i], before[i] = s, g
        params[i] -= s * (ahead if g > 0 else (back if g < 0 else g))
