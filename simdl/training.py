"""Training: from descriptions to one compiled call, for one seed or a chunk of them."""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.data import Data
from simdl.engine.blas import single_thread
from simdl.engine.interrupt import interruptible
from simdl.errors import InputError, Problems, suggest
from simdl.losses import Loss
from simdl.losses import loss as make_loss
from simdl.network import Network, check_seed
from simdl.optimizers import Optimizer, rates
from simdl.optimizers import optimizer as make_optimizer
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.probes import probes as make_probes
from simdl.result import Result


@dataclass(frozen=True)
class Training:
    """Everything about a training but the data, the seed and the starting point, validated.

    Attributes
    ----------
    batch_size : samples a step, or "full"; the last short batch of an epoch is used
    epochs, steps : how long; exactly one of them
    schedule : None, or a learning rate for every step
    clip_norm, clip_value : 0 for none
    """

    net: Network
    loss: Loss
    optimizer: Optimizer
    batch_size: int | str = 32
    epochs: int | None = None
    steps: int | None = None
    schedule: tuple[float, ...] | None = None
    clip_norm: float = 0.0
    clip_value: float = 0.0
    probes: tuple[Probe, ...] = ()

    def looks(self) -> list[tuple[Probe, int]]:
        """Which probe looks at which op, in the order of the recorded columns."""
        program = self.net.program
        return [
            (probe, op)
            for probe in self.probes
            if probe.layered
            for op in program.find(probe.compiled[1])
        ]

    def length(self, samples: int) -> tuple[int, int, int]:
        """Return batch size, steps an epoch and steps in all for a training set of `samples`."""
        batch = samples if self.batch_size == "full" else int(self.batch_size)
        if batch > samples:
            raise InputError(
                f"batch_size: {batch}: must be at most {samples}, the training samples"
            )
        an_epoch = math.ceil(samples / batch)
        return batch, an_epoch, self.steps or an_epoch * (self.epochs or 0)


def describe(
    net: Network,
    *,
    loss: Any = "softmax_cross_entropy",
    optimizer: Any = "Adam",
    batch_size: int | str = 32,
    epochs: int | None = None,
    steps: int | None = None,
    schedule: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    probes: Any = None,
) -> Training:
    """Check the arguments of `train` and return them as a `Training`; all problems at once."""
    problems = Problems()
    if not isinstance(net, Network):
        raise InputError(f"net: {net!r}: must be a simdl.Network")
    if epochs is None and steps is None:
        epochs = 20
    elif epochs is not None and steps is not None:
        problems.append(f"epochs: {epochs} and steps: {steps}: give one of them")
    for key, value in (("epochs", epochs), ("steps", steps), ("batch_size", batch_size)):
        if value is None or (key == "batch_size" and value == "full"):
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            wanted = "a whole number above 0" + (" or 'full'" if key == "batch_size" else "")
            problems.append(f"{key}: {value!r}: must be {wanted}")
    for key, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if limit is not None and (isinstance(limit, bool) or not _is_between(0, limit, math.inf)):
            problems.append(f"{key}: {limit!r}: must be a number above 0, or None")
    chosen_loss = problems.tried(make_loss, loss)
    chosen_optimizer = problems.tried(make_optimizer, optimizer)
    chosen_probes = problems.tried(make_probes, probes)
    fixed = problems.tried(_rates, schedule)
    problems.report()
    batch = batch_size if isinstance(batch_size, str) else int(batch_size)
    epochs, steps = (None if length is None else int(length) for length in (epochs, steps))
    return Training(
        net, chosen_loss, chosen_optimizer, batch, epochs, steps, fixed,
        float(clip_norm or 0), float(clip_value or 0), chosen_probes,
    )  # fmt: skip


def _is_between(low: float, value: Any, high: float) -> bool:
    return isinstance(value, int | float | np.number) and bool(low < value < high)


def _rates(schedule: Any) -> tuple[float, ...] | None:
    """Return the schedule as numbers; how many there must be is seen once the data are known."""
    if schedule is None:
        return None
    try:
        given = np.asarray(schedule, float)
    except (TypeError, ValueError):
        given = np.zeros(())
    if given.ndim != 1:
        raise InputError(
            f"schedule: {reprlib.repr(schedule)}: must be numbers in one row, a rate for every step"
        )
    return tuple(given.tolist())


def train(
    net: Network, data: Data, *, seed: int = 0, params: Parameters | None = None, **settings: Any
) -> Result:
    """Train a network on data, in compiled code.

    Parameters
    ----------
    net : the network
    data : training data and, optionally, validation and test data
    seed : draws initial weights and the order of the samples
    params : start from these instead; they are copied
    **settings : loss, optimizer (names, tables or instances), batch_size (or "full"), epochs or
        steps, schedule (a learning rate for every step), clip_norm, clip_value, probes

    Returns
    -------
    Result
        With `history`, `params`, `status` ("completed" or "diverged"), `reason`.

    Raises
    ------
    InputError
        If anything does not fit; the message names key, value and what would be right.
    KeyboardInterrupt
        On Ctrl-C, at the latest one step later.
    """
    known = list(inspect.signature(describe).parameters)[1:]
    unknown = [
        f"{key}: unknown setting{suggest(key, known)}" for key in settings if key not in known
    ]
    if unknown:
        raise InputError(*unknown)
    training = describe(net, **settings)
    start = None if params is None else _checked_start(net, params)[None]
    return train_chunk(training, [data], [check_seed(seed)], start)[0]


def _checked_start(net: Network, params: Parameters) -> np.ndarray:
    if not isinstance(params, Parameters):
        raise InputError(f"params: {type(params).__name__}: must be parameters as net.init returns")
    given = {name: view.shape for name, view in params.items()}
    wanted = {entry.name: entry.shape for entry in net.program.parameters}
    if given != wanted:
        raise InputError(f"params: {given}: must be {wanted}, as net.init returns")
    return params.flat.astype(net.dtype)


def train_chunk(
    training: Training,
    data: Sequence[Data],
    seeds: Sequence[int],
    start: np.ndarray | None = None,
    control: np.ndarray | None = None,
) -> list[Result]:
    """Train one network for several seeds in one compiled call.

    Parameters
    ----------
    data : one for each seed, or one for all
    seeds : one a trial
    start : (s, p) parameters to start from, instead of drawn ones
    control : (3,) int64; another thread cancels by setting its first element

    Returns
    -------
    list of Result
        Bit for bit what each seed gives alone.
    """
    from simdl._jit import flush_subnormals, restore_subnormals
    from simdl.engine import loop

    net = training.net
    parts = _parts(training, data)
    how, space = _plan(training, parts)
    count, size, steps = len(seeds), net.n_parameters, int(how.plan[0].steps)
    records = _records(training, how, count)
    slots = np.zeros((count, training.optimizer.rule()[2], size), net.dtype)
    params = np.zeros((count, size), net.dtype) if start is None else start.copy()
    buffers = np.zeros((count, net.program.n_buffers), net.dtype)
    trials = loop.Trials(np.array(seeds, np.int64), params, buffers, slots)
    draws = net.draws if start is None else net.draws[:0]
    watched = control is not None
    control = np.zeros(3, np.int64) if control is None else control

    def run() -> None:
        register = flush_subnormals()
        try:
            loop.train(how, space, parts, trials, draws, records, control)
        finally:  # an op of the user's may raise
            restore_subnormals(register)

    with single_thread():
        run() if watched else interruptible(run, control)
    if data[0].n_classes is None:  # targets that are no classes have no accuracy
        records.evaluated[..., 1] = np.nan
    return [
        Result.of(training, seed, params[s], steps, parts.train.x.shape[1], records, s)
        for s, seed in enumerate(seeds)
    ]


def _parts(training: Training, data: Sequence[Data]) -> Any:
    """Return the data as the loop takes it: each part x (d, n, inputs), t (d, n, targets)."""
    from simdl.engine.loop import Part, Parts

    net = training.net
    size = math.prod(net.input_shape)

    def part(name: str) -> Any:
        pairs = [getattr(item, name) for item in data]
        if pairs[0] is None:
            return Part(np.zeros((1, 0, size), net.dtype), np.zeros((1, 0, 1), net.dtype))
        x = np.stack([p[0].reshape(len(p[0]), -1).astype(net.dtype) for p in pairs])
        key = f"data.{name}"
        t = np.stack([training.loss.targets(p[1], net.output_shape, net.dtype, key) for p in pairs])
        return Part(x, t)

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
    return Parts(part("train"), part("validation"), part("test"))


def _plan(training: Training, parts: Any) -> tuple[Any, Any]:
    """Return how to train (addresses, layouts, rates) and the space to do it in."""
    from numba import types

    from simdl._jit import address
    from simdl.engine import loop
    from simdl.engine import records as r
    from simdl.engine.program import EVALUATION_ROWS

    net, program, dtype = training.net, training.net.program, training.net.dtype
    samples = parts.train.x.shape[1]
    batch, an_epoch, steps = training.length(samples)
    layout, evaluation = program.layout(batch), program.layout(EVALUATION_ROWS)
    loss, option = training.loss.rule()
    update, options, _ = training.optimizer.rule()

    def interval(layered: bool) -> int:
        every = [p.every for p in training.probes if p.layered == layered]
        return (
            0 if not every or every[0] == "end" else an_epoch if every[0] == "epoch" else every[0]
        )

    plan = r.records(r.PLAN, 1)
    p = plan[0]
    p.loss, p.loss_option = address(loss, r.loss_signature(dtype)), option
    p.update = address(update, r.update_signature(dtype))
    p.steps, p.batch, p.eval_rows = steps, batch, EVALUATION_ROWS
    p.n_input, p.n_output = program.input.size, program.output.size
    p.output = layout.offsets[program.output.slot]
    p.eval_output = evaluation.offsets[program.output.slot]
    p.first = layout.offsets[1] if len(layout.offsets) > 1 else layout.size
    p.probe_every, p.evaluate_every = interval(True), interval(False)
    p.evaluate_end = any(not probe.layered for probe in training.probes)
    p.clip_norm, p.clip_value = training.clip_norm, training.clip_value

    looks = training.looks()
    table = r.records(r.PROBE, len(looks))
    for record, (probe, op) in zip(table, looks, strict=True):
        signature = r.op_signature(dtype, types.float64)
        record["address"], record["op"] = address(probe.compiled[0], signature), op
    how = loop.How(
        plan, layout.ops, evaluation.ops, table,
        rates(training.schedule, training.optimizer.lr, steps), np.array(options, float),
    )  # fmt: skip
    params, grads = (r.aligned(net.n_parameters, dtype) for _ in range(2))
    buffers = np.zeros(program.n_buffers, dtype)
    width = parts.train.t.shape[2]
    space = loop.Space(
        r.records(r.RUN, 1),
        layout.tensors(params, grads, buffers),
        evaluation.tensors(params, grads, buffers),
        np.zeros(batch, dtype),
        np.zeros(EVALUATION_ROWS, dtype),
        np.zeros((batch, width), dtype),
        np.zeros((EVALUATION_ROWS, width), dtype),
        np.zeros(samples, np.int64),
    )
    return how, space


def _records(training: Training, how: Any, count: int) -> Any:
    """Return NaN-filled room for what will be measured."""
    from simdl.engine.loop import REPORT_SIZE, Records

    plan = how.plan[0]

    def rows(every: int) -> int:
        return -(-int(plan.steps) // int(every)) if every else 0

    probed = np.full((count, rows(plan.probe_every), how.probes.size), np.nan)
    evaluated = np.full((count, rows(plan.evaluate_every) + 1, 3, 2), np.nan)
    return Records(probed, evaluated, np.zeros((count, REPORT_SIZE), np.int64))
