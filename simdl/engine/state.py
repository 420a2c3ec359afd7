"""What the loop shares with Python: the control block, the report, the tuples of buffers."""

from collections import namedtuple

# control block: Python sets CANCEL, the loop writes the others
CANCEL, SEED_INDEX, STEP = 0, 1, 2

# what a trial reports: one row of `report`
STATUS, STEPS_DONE, CAUSE, WHERE, AT_STEP, PROBED, EVALUATED = 0, 1, 2, 3, 4, 5, 6
REPORT_SIZE = 7
RUNNING, COMPLETED, DIVERGED, CANCELLED = 0, 1, 2, 3
ACTIVATIONS, LOSS, GRADIENT, PARAMETERS = 1, 2, 3, 4

Part = namedtuple("Part", "x t")  # (d, n, inputs), (d, n, targets); d = 1 where seeds share it
Parts = namedtuple("Parts", "train validation test")

# the trials of a chunk: seeds (s,), params (s, p), buffers (s, b), slots (s, k, p)
Trials = namedtuple("Trials", "seeds params buffers slots")

# what is measured: probed (s, records, probes), evaluated (s, records, 3 parts, loss and accuracy),
# report (s, REPORT_SIZE)
Records = namedtuple("Records", "probed evaluated report")

# scratch: one RUN record, tensors for training and for evaluation, a batch's losses and targets,
# order (n,)
Space = namedtuple("Space", "run at eval_at losses eval_losses targets eval_targets order")

# how: one PLAN record, ops for training and for evaluation, probes, rates (steps,), the optimizer's
# options (2, m), the second row for parameters that are not to shrink; groups (g, 3): start, stop
# and row of options; penalized (w, 2): start and stop of what the l1 and l2 penalties act on
How = namedtuple("How", "plan ops eval_ops probes rates options groups penalized")
