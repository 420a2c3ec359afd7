"""Stop rules in the notation of Prechelt (1998), section 2.2: epochs from 1, lists, no shortcuts.

Nothing of ours is imported here. Each rule answers whether it stops after epoch t.
"""

MET, STALLED = "met", "stalled"


def generalization_loss(validation, t):
    """GL(t) = 100 (E_va(t) / E_opt(t) - 1)."""
    return 100 * (validation[t - 1] / min(validation[:t]) - 1)


def progress(train, t, k):
    """P_k(t) = 1000 (sum of the strip / (k min of the strip) - 1)."""
    strip = train[t - k : t]
    return 1000 * (sum(strip) / (k * min(strip)) - 1)


def gl(train, validation, t, alpha, k):
    return generalization_loss(validation, t) > alpha


def pq(train, validation, t, alpha, k):
    if t % k != 0:
        return False
    return generalization_loss(validation, t) / progress(train, t, k) > alpha


def up(train, validation, t, s, k):
    """UP_s stops after t if UP_(s-1) stops after t - k and E_va(t) > E_va(t - k)."""
    if s == 0:
        return True
    if t % k != 0 or t - k < 1 or not validation[t - 1] > validation[t - k - 1]:
        return False
    return up(train, validation, t - k, s - 1, k)


def patience(train, validation, t, epochs, min_delta=0.0):
    """The epoch of the last fall by more than min_delta is `epochs` ago."""
    lowest, fallen = float("inf"), 0
    for epoch in range(1, t + 1):
        if validation[epoch - 1] < lowest - min_delta:
            lowest, fallen = validation[epoch - 1], epoch
    return t - fallen >= epochs


RULES = {"GL": gl, "PQ": pq, "UP": up, "patience": patience}


def stop(name, train, validation, min_progress=0.0, **options):
    """The first epoch after which the rule stops, and why; (None, None) if none."""
    for t in range(1, len(validation) + 1):
        if RULES[name](train, validation, t, **options):
            return t, MET
        ended = min_progress > 0 and t % options["k"] == 0
        if ended and progress(train, t, options["k"]) < min_progress:
            return t, STALLED
    return None, None
