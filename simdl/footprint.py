"""The memory that one training takes, by the arrays that it makes."""

from __future__ import annotations

from typing import Any

import numpy as np


def footprint(training: Any, samples: int) -> dict[str, int]:
    """Return bytes of what a training of one seed holds, beside its data and its records.

    Parameters
    ----------
    training : `simdl.training.Training`
    samples : of the training set

    Returns
    -------
    dict
        "parameters" (those in work, and the last or best ones), "gradient", "optimizer",
        "activations" and "deltas" of a batch, "scratch" of the ops, "evaluation" (activations
        and scratch of its batches, the gradient at the output), "batch" (losses, targets, the
        samples' order), "update" (parameters before a step, and the step, for probes of updates).
    """
    from simdl.engine.ops.probes import BLOCK
    from simdl.engine.program import EVALUATION_ROWS

    net = training.net
    program, item = net.program, np.dtype(net.dtype).itemsize
    rows, _, _ = training.length(samples)
    batch, evaluation = program.layout(rows), program.layout(EVALUATION_ROWS)
    spare = 64  # bytes for an array to begin on a boundary
    compared = any(probe.when == "update" for probe in training.probes)
    last = EVALUATION_ROWS * program.output.size
    width = 1 if training.loss.labels else program.output.size
    return {
        "parameters": 2 * (net.n_parameters + program.n_buffers) * item,
        "gradient": net.n_parameters * item,
        "optimizer": training.optimizer.rule()[2] * net.n_parameters * item,
        "activations": batch.size * item + spare,
        "deltas": batch.size * item + spare,
        "scratch": max(batch.scratch, 2 * BLOCK) * item + spare,
        "evaluation": (evaluation.size + evaluation.scratch + last) * item + 3 * spare,
        "batch": (rows + EVALUATION_ROWS) * (1 + width) * item + 8 * samples,
        "update": 2 * net.n_parameters * item * compared,
    }
