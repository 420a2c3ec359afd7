"""What the compiled loop needs: data, addresses, buffers, and room for what it measures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.data import Data
from simdl.errors import InputError
from simdl.instruments import Instruments
from simdl.probes import PARTS
from simdl.stopping import place, steps_between

if TYPE_CHECKING:
    from simdl.training import Training


def parts_of(training: Training, data: Sequence[Data]) -> Any:
    """Return the data as the loop takes it: each part x (d, n, inputs), t (d, n, targets)."""
    from simdl.engine.state import Part, Parts

    net = training.net
    size = math.prod(net.input_shape)

    def part(name: str) -> Any:
        if not data[0].sizes[PARTS.index(name)]:
            return Part(np.zeros((1, 0, size), net.dtype), np.zeros((1, 0, 1), net.dtype))
        samples = [item.samples(name, net.dtype) for item in data]
        x = samples[0][None] if len(data) == 1 else np.stack(samples)  # alone it may be shared
        key, known = f"data.{name}", [item.answers(name) for item in data]
        try:
            t = training.loss.targets(np.concatenate(known), net.output_shape, net.dtype, key)
        except InputError:
            for own in known:  # the row that a message names is one of its own data
                training.loss.targets(own, net.output_shape, net.dtype, key)
            raise
        return Part(x, t.reshape(len(data), -1, t.shape[1]))

    for item in data:
        if not isinstance(item, Data):
            raise InputError(
                f"data: {type(item).__name__}: must be a simdl.Data, such as Data(train=(x, t))"
            )
        if item.input_shape != net.input_shape and net.input_shape != (
            math.prod(item.input_shape),
        ):
            raise InputError(
                f"data: samples of shape {item.input_shape}: must be {net.input_shape}, "
                "the network's input_shape"
            )
    parts = Parts(part("train"), part("validation"), part("test"))
    training.check(data[0])
    return parts


def _judging(training: Training, plan: Any, an_epoch: int) -> np.ndarray:
    """Enter the stop rule into the plan; return its options."""
    from simdl._jit import address
    from simdl.engine.records import stop_signature

    stop = training.stop
    if stop is None:
        return np.zeros(0)
    plan.judge_every = steps_between(stop, an_epoch)
    rule, options = stop.rule(an_epoch / plan.judge_every)
    plan.stop = address(rule, stop_signature())
    plan.judge_parts = sum(2**i for i, part in enumerate(PARTS) if part in stop.parts)
    plan.watched_part, plan.watched_kind = place(stop.watched)
    plan.keep_best = stop.keep == "best"
    return np.array(options, float)


def plan_of(training: Training, parts: Any) -> tuple[Any, Any]:
    """Return how to train (addresses, layouts, rates) and the space to do it in."""
    from simdl._jit import address
    from simdl.engine import records as r
    from simdl.engine import state
    from simdl.engine.program import EVALUATION_ROWS
    from simdl.kernels.stopping import MEMORY_SIZE

    net, program, dtype = training.net, training.net.program, training.net.dtype
    samples = parts.train.x.shape[1]
    batch, an_epoch, steps = training.length(samples)
    layout, evaluation = program.layout(batch), program.layout(EVALUATION_ROWS)
    loss, option = training.loss.rule()
    update, options, _ = training.optimizer.rule()

    instruments = Instruments(training, samples)
    of_parts = [probe for probe in training.probes if probe.when == "parts"]

    plan = r.records(r.PLAN, 1)
    p = plan[0]
    p.loss, p.loss_option = address(loss, r.loss_signature(dtype)), option
    p.threshold = training.loss.threshold
    p.update = address(update, r.update_signature(dtype))
    p.steps, p.batch, p.eval_rows = steps, batch, EVALUATION_ROWS
    p.n_input, p.n_output = program.input.size, program.output.size
    p.output = layout.offsets[program.output.slot]
    p.eval_output = evaluation.offsets[program.output.slot]
    p.first = layout.offsets[1] if len(layout.offsets) > 1 else layout.size
    instruments.enter(p)
    p.evaluate_every = instruments.every(of_parts[0]) if of_parts else 0
    p.evaluate_end, p.evaluate_parts = bool(of_parts), 2 ** len(PARTS) - 1
    p.clip_norm, p.clip_value = training.clip_norm, training.clip_value
    p.l1, p.l2 = training.l1, training.l2
    groups, penalized = _groups(training)

    how = state.How(
        plan, layout.ops, evaluation.ops, instruments.tables(),
        training.schedule.rates(training.optimizer.lr, steps, an_epoch),
        np.array([options] * 2, float), groups, penalized, _judging(training, p, an_epoch),
    )  # fmt: skip
    how.options[1, 1] = 0  # what shrinks the weights
    params, grads = (r.aligned(net.n_parameters, dtype) for _ in range(2))
    buffers = np.zeros(program.n_buffers, dtype)
    width = parts.train.t.shape[2]
    at, watch = instruments.watch(layout.tensors(params, grads, buffers))
    space = state.Space(
        r.records(r.RUN, 1),
        at,
        evaluation.tensors(params, grads, buffers, EVALUATION_ROWS * program.output.size),
        np.zeros(batch, dtype),
        np.zeros(EVALUATION_ROWS, dtype),
        np.zeros((batch, width), dtype),
        np.zeros((EVALUATION_ROWS, width), dtype),
        np.zeros(samples, np.int64),
        watch,
        np.zeros(MEMORY_SIZE),
    )
    return how, space


def _groups(training: Training) -> tuple[np.ndarray, np.ndarray]:
    """Return which parameters shrink in the optimizer (g, 3), and which are penalized (w, 2).

    Weights are those of dense and convolution layers; everything between is biases and the like.
    """
    weights, size = training.net.program.weights(), training.net.n_parameters
    whole = [(0, size)]
    penalized = whole if training.penalize_biases else weights
    if training.penalize_biases is not False:
        return np.array([(0, size, 0)]), np.array(penalized).reshape(-1, 2)
    ends = np.unique([0, *np.ravel(weights).astype(int), size])
    starts = {start for start, _ in weights}
    pieces = [(a, b, 0 if a in starts else 1) for a, b in itertools.pairwise(ends)]
    return np.array(pieces).reshape(-1, 3), np.array(penalized).reshape(-1, 2)


def room_for(training: Training, parts: Any, how: Any, count: int) -> Any:
    """Return NaN-filled room for what will be measured."""
    from simdl.engine.state import BEST, REPORT_SIZE, Records

    plan = how.plan[0]

    def rows(every: int) -> int:
        return -(-int(plan.steps) // int(every)) if every else 0

    probed = Instruments(training, parts.train.x.shape[1]).room(count)
    evaluated = np.full((count, rows(plan.evaluate_every) + 1, 3, 2), np.nan)
    report = np.zeros((count, REPORT_SIZE), np.int64)
    report[:, BEST] = -1
    judgements = int(plan.steps) // int(plan.judge_every) if plan.judge_every else 0
    judged = np.full((count, judgements, 3, 2), np.nan)
    return Records(probed, evaluated, report, judged, np.full((count, 3, 2), np.nan))
