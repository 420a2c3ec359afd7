"""What the loop shares with Python: the control block, the report, the tuples of buffers."""

from collections import namedtuple

# control block: Python sets CANCEL, the loop writes the others
CANCEL, SEED_INDEX, STEP = 0, 1, 2

# what a trial reports: one row of `report`
STATUS, STEPS_DONE, CAUSE, WHERE, AT_STEP, PROBED, EVALUATED = 0, 1, 2, 3, 4, 5, 6
JUDGED, BEST, VERDICT = 7, 8, 9  # how often, which of them was the best (or -1), what the rule said
REPORT_SIZE = 10
RUNNING, COMPLETED, DIVERGED, CANCELLED, STOPPED = 0, 1, 2, 3, 4
ACTIVATIONS, LOSS, GRADIENT, PARAMETERS, STATISTICS = 1, 2, 3, 4, 5

Part = namedtuple("Part", "x t")  # (d, n, inputs), (d, n, targets); d = 1 where seeds share it
Parts = namedtuple("Parts", "train validation test")

# what probes look at: PROBE records for batches and for updates, their options (m,), SURVEY
# records, the UNITS that may be dead
Probes = namedtuple("Probes", "batch update options surveys units")

# what they find: looks (s, records, columns), dead (s, records, layers), snapshots of parameters
# and running statistics (s, records, p + b), counts (s, surveys)
Probed = namedtuple("Probed", "looks dead snapshots counts")

# their scratch: tensors of an update, whose `params` are those before the step and whose `grads`
# are what the step adds; flags of units that fire
Watch = namedtuple("Watch", "moved fired")

# the trials of a chunk: seeds (s,), params (s, p), buffers (s, b), slots (s, k, p)
Trials = namedtuple("Trials", "seeds params buffers slots")

# what is measured: Probed, evaluated (s, records, 3 parts, loss and accuracy),
# report (s, REPORT_SIZE), judged (s, judgements, 3, 2), what the parameters that are returned
# reach: returned (s, 3, 2)
Records = namedtuple("Records", "probed evaluated report judged returned")

# scratch: one RUN record, tensors for training and for evaluation, a batch's losses and targets,
# order (n,), a Watch, what the stop rule remembers
Space = namedtuple(
    "Space", "run at eval_at losses eval_losses targets eval_targets order watch memory"
)

# how: one PLAN record, ops for training and for evaluation, Probes, rates (steps,), the optimizer's
# options (2, m), the second row for parameters that are not to shrink; groups (g, 3): start, stop
# and row of options; penalized (w, 2): start and stop of what the l1 and l2 penalties act on;
# stopping (m,) the stop rule's options
How = namedtuple("How", "plan ops eval_ops probes rates options groups penalized stopping")
