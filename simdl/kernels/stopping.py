"""When to stop: rules over what was measured so far, (memory, seen, options) -> float64.

`seen` (n, 3, 2), float64, one record a judgement, n at least 1: train, validation, test by loss,
accuracy; a rule's own parts are filled, the rest is NaN. The answer is GO_ON, MET (the rule's
criterion) or STALLED (training no longer moves). A loss that is NaN is neither a rise nor a fall.

`memory` (MEMORY_SIZE,), float64, zeros before a training, is what a rule carries from question to
question, so that it reads each record once: how many records it has read, its lowest validation
loss, its count. The answer is the same whether it is asked after each record or once after all.

Prechelt (1998), "Early stopping - but when?", section 2.2; his E_opt is the lowest validation loss
so far. He measures the training error while an epoch runs, here it is measured behind it.
"""

import numpy as np

from simdl._jit import njit

GO_ON, MET, STALLED = 0.0, 1.0, 2.0
TRAIN, VALIDATION = 0, 1
LOSS, ACCURACY = 0, 1
READ, LOWEST, COUNT = 0, 1, 2
MEMORY_SIZE = 3


@njit
def news(memory, seen):
    """Return the first record that was not read yet; from now on all count as read."""
    first = int(memory[READ])
    if first == 0:
        memory[LOWEST], memory[COUNT] = np.inf, 0.0
    memory[READ] = seen.shape[0]
    return first


@njit
def generalization_loss(memory, seen):
    """GL = 100 (E_va / E_opt - 1), in percent; inf above an E_opt of 0."""
    for t in range(news(memory, seen), seen.shape[0]):
        if seen[t, VALIDATION, LOSS] < memory[LOWEST]:
            memory[LOWEST] = seen[t, VALIDATION, LOSS]
    best, last = memory[LOWEST], seen[-1, VALIDATION, LOSS]
    if 0.0 < best < np.inf:
        return 100.0 * (last / best - 1.0)
    return np.inf if last > best else 0.0


@njit
def training_progress(seen, k):
    """P_k = 1000 (mean E_tr / min E_tr - 1) over the last k records, in per mille."""
    total, low = 0.0, np.inf
    for t in range(seen.shape[0] - k, seen.shape[0]):
        total += seen[t, TRAIN, LOSS]
        if seen[t, TRAIN, LOSS] < low:
            low = seen[t, TRAIN, LOSS]
    if 0.0 < low < np.inf:
        return 1000.0 * (total / (k * low) - 1.0)
    return np.inf if total > 0.0 else total  # 0 where every loss is 0, else NaN


@njit
def is_stalled(seen, k, limit):
    """Whether P_k < limit at a strip's end; a limit of 0 is off."""
    return limit > 0.0 and seen.shape[0] % k == 0 and training_progress(seen, k) < limit


@njit
def patience(memory, seen, options):
    """MET once options[0] records in a row have not fallen below the lowest by more than
    options[1]."""
    for t in range(news(memory, seen), seen.shape[0]):
        if seen[t, VALIDATION, LOSS] < memory[LOWEST] - options[1]:
            memory[LOWEST], memory[COUNT] = seen[t, VALIDATION, LOSS], 0.0
        else:
            memory[COUNT] += 1.0
    return MET if memory[COUNT] >= options[0] else GO_ON


@njit
def gl(memory, seen, options):
    """MET where GL > alpha. Options: alpha, k, limit of P_k."""
    if generalization_loss(memory, seen) > options[0]:
        return MET
    return STALLED if is_stalled(seen, int(options[1]), options[2]) else GO_ON


@njit
def pq(memory, seen, options):
    """MET where GL / P_k > alpha at the end of a strip of k records. Options: as of `gl`."""
    k = int(options[1])
    if seen.shape[0] % k != 0:
        return GO_ON
    loss = generalization_loss(memory, seen)
    if loss > options[0] * training_progress(seen, k):  # 0 / 0 is no rise
        return MET
    return STALLED if is_stalled(seen, k, options[2]) else GO_ON


@njit
def up(memory, seen, options):
    """MET where E_va rose from strip end to strip end, s times in a row. Options: s, k, limit of
    P_k."""
    s, k, n = int(options[0]), int(options[1]), seen.shape[0]
    for t in range(news(memory, seen), n):
        if (t + 1) % k == 0:
            rose = t >= k and seen[t, VALIDATION, LOSS] > seen[t - k, VALIDATION, LOSS]
            memory[COUNT] = memory[COUNT] + 1.0 if rose else 0.0
    if n % k != 0:
        return GO_ON
    if memory[COUNT] >= s:
        return MET
    return STALLED if is_stalled(seen, k, options[2]) else GO_ON


@njit
def target(memory, seen, options):
    """MET where a loss is at most, an accuracy at least a value. Options: part, kind, value."""
    kind = int(options[1])
    value = seen[-1, int(options[0]), kind]
    reached = value <= options[2] if kind == LOSS else value >= options[2]
    return MET if reached else GO_ON
