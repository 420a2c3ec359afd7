"""Early stopping inside the loop: what the rule sees, what it says, which parameters are kept."""

import numpy as np

from simdl._jit import call, call_value, njit
from simdl.engine.state import BEST, CANCEL, CANCELLED, EVALUATED, JUDGED, STATUS, STOPPED, VERDICT
from simdl.kernels.copying import copy, copy_rows
from simdl.kernels.statistics import all_finite


@njit
def is_due(plan, step):
    """Whether the rule is asked after `step` updates."""
    return plan.judge_every > 0 and step > 0 and step % plan.judge_every == 0


@njit
def judge(how, space, parts, trials, s, fresh, records, control):
    """Measure, keep the best parameters, ask the rule: trial `s` ends here if its status changes.

    `fresh`: the newest evaluation is of now. The room of the trial's start, `trials.params` and
    `trials.buffers`, holds the best. Parameters that are no finite numbers are not judged: the
    step to come says what happened.
    """
    plan, at, report = how.plan[0], space.at, records.report[s]
    count = report[JUDGED]
    report[JUDGED] = count + 1
    if count == 0:
        space.memory[:] = 0.0  # of the trial before
    if not all_finite(at.params):
        return
    seen = records.judged[s]
    wanted = plan.judge_parts
    if fresh:
        known = records.evaluated[s, report[EVALUATED] - 1]
        for i in range(3):
            if wanted >> i & 1:
                copy(seen[count, i], known[i])
    else:
        call(plan.evaluate, how, space, parts, wanted, s, control, seen[count])
    if control[CANCEL] != 0:  # it may have been cut short
        report[STATUS] = CANCELLED
        return
    sign = 1.0 if plan.watched_kind == 0 else -1.0  # losses fall, accuracies rise
    value = sign * seen[count, plan.watched_part, plan.watched_kind]
    best = np.inf
    if report[BEST] >= 0:
        best = sign * seen[report[BEST], plan.watched_part, plan.watched_kind]
    if value < best:
        report[BEST] = count
        if plan.keep_best:
            copy(trials.params[s], at.params)
            copy(trials.buffers[s], at.buffers)
    verdict = call_value(plan.stop, space.memory, seen[: count + 1], how.stopping)
    if verdict != 0.0:
        report[STATUS], report[VERDICT] = STOPPED, int(verdict)


@njit
def finish(how, space, parts, trials, s, records, control):
    """Evaluate the end, leave in `trials` what is returned and evaluate that.

    The curve ends with the last parameters; `records.returned` is of those that are returned.
    """
    plan, at, report = how.plan[0], space.at, records.report[s]
    best = plan.keep_best and report[BEST] >= 0 and report[STATUS] != CANCELLED
    measured = plan.evaluate_end and report[STATUS] != CANCELLED
    if measured and (plan.evaluate_every > 0 or not best):
        now = records.evaluated[s, report[EVALUATED]]
        call(plan.evaluate, how, space, parts, plan.evaluate_parts, s, control, now)
        copy_rows(records.returned[s], now)
        report[EVALUATED] += 1
    if best:
        copy(at.params, trials.params[s])
        copy(at.buffers, trials.buffers[s])
        if measured:
            own = records.returned[s]
            call(plan.evaluate, how, space, parts, plan.evaluate_parts, s, control, own)
    else:
        copy(trials.params[s], at.params)
        copy(trials.buffers[s], at.buffers)
    if measured and control[CANCEL] != 0:  # it may have been cut short
        report[STATUS] = CANCELLED
