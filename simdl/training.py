"""Training: from descriptions to one compiled call, for one seed or a chunk of them."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.data import Data
from simdl.engine.blas import single_thread
from simdl.engine.interrupt import interruptible
from simdl.errors import InputError, Problems, suggest
from simdl.instruments import Instruments
from simdl.losses import Loss
from simdl.losses import loss as make_loss
from simdl.network import Network, check_seed
from simdl.optimizers import Optimizer
from simdl.optimizers import optimizer as make_optimizer
from simdl.parameters import Parameters, check_finite, check_variances
from simdl.preparation import parts_of, plan_of, room_for
from simdl.probes import Probe
from simdl.probes import probes as make_probes
from simdl.result import Result
from simdl.schedules import Constant, Schedule
from simdl.schedules import schedule as make_schedule
from simdl.stopping import Stop, check_data, steps_between
from simdl.stopping import stop as make_stop

if TYPE_CHECKING:
    from simdl.diagnosis import Health

MOST_STEPS = 100_000_000  # each has a rate, of 8 bytes; more is a slip


@dataclass(frozen=True)
class Training:
    """Everything about a training but the data, the seed and the starting point, validated.

    Attributes
    ----------
    batch_size : samples a step, or "full"; the last short batch of an epoch is used
    epochs, steps : how long; exactly one of them
    schedule : what the learning rate becomes, step by step
    clip_norm, clip_value : 0 for none
    l1, l2 : factors of the penalties l1 |w| and (l2 / 2) |w|^2, 0 for none
    penalize_biases : whether penalties and weight decay act on more than dense and convolution
        weights; None: the optimizer's own do, l1 and l2 do not
    stop : None, or the rule that may end it early
    """

    net: Network
    loss: Loss
    optimizer: Optimizer
    batch_size: int | str = 32
    epochs: int | None = None
    steps: int | None = None
    schedule: Schedule = field(default_factory=Constant)
    clip_norm: float = 0.0
    clip_value: float = 0.0
    probes: tuple[Probe, ...] = ()
    l1: float = 0.0
    l2: float = 0.0
    penalize_biases: bool | None = None
    stop: Stop | None = None

    def length(self, samples: int) -> tuple[int, int, int]:
        """Return batch size, steps an epoch and steps in all for a training set of `samples`."""
        batch = samples if self.batch_size == "full" else int(self.batch_size)
        if batch > samples:
            raise InputError(
                f"batch_size: {batch}: must be at most {samples}, the training samples"
            )
        an_epoch = math.ceil(samples / batch)
        steps = self.steps or an_epoch * (self.epochs or 0)
        if steps > MOST_STEPS:
            key = f"steps: {steps}" if self.steps else f"epochs: {self.epochs}: {steps} steps"
            raise InputError(f"{key}: must be at most {MOST_STEPS:,} steps")
        return batch, an_epoch, steps

    def check(self, data: Data) -> None:
        """Raise InputError unless batch size, schedule and stop rule fit the data."""
        _, an_epoch, steps = self.length(data.sizes[0])
        self.schedule.rates(self.optimizer.lr, steps, an_epoch)
        if self.stop is not None:
            check_data(self.stop, data.validation is not None, data.n_classes is not None)
            every = steps_between(self.stop, an_epoch)
            if every > steps:
                raise InputError(
                    f"stop.every: {self.stop.every!r}, {every} steps: must be at most {steps}, all "
                    "steps of the training, or the rule is never asked"
                )


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
    l1: float = 0.0,
    l2: float = 0.0,
    penalize_biases: bool | None = None,
    stop: Any = None,
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
    for key, factor in (("l1", l1), ("l2", l2)):
        if isinstance(factor, bool) or not (factor == 0 or _is_between(0, factor, math.inf)):
            problems.append(f"{key}: {factor!r}: must be a number, 0 or more")
    if not (penalize_biases is None or isinstance(penalize_biases, bool)):
        problems.append(f"penalize_biases: {penalize_biases!r}: must be True, False or None")
    chosen_loss = problems.tried(make_loss, loss)
    chosen_optimizer = problems.tried(make_optimizer, optimizer)
    chosen_probes = problems.tried(make_probes, probes)
    chosen_schedule = problems.tried(make_schedule, schedule)
    chosen_stop = problems.tried(make_stop, stop)
    problems.report()
    chosen_loss.check(net.output_shape)
    batch = batch_size if isinstance(batch_size, str) else int(batch_size)
    epochs, steps = (None if length is None else int(length) for length in (epochs, steps))
    return Training(
        net, chosen_loss, chosen_optimizer, batch, epochs, steps, chosen_schedule,
        float(clip_norm or 0), float(clip_value or 0), chosen_probes, float(l1), float(l2),
        penalize_biases, chosen_stop,
    )  # fmt: skip


def _is_between(low: float, value: Any, high: float) -> bool:
    return isinstance(value, int | float | np.number) and bool(low < value < high)


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
        steps, schedule (a name, a table, an instance, or a rate for every step), clip_norm,
        clip_value, probes, stop (a rule of early stopping: a name, a table or an instance), and the
        penalties `l1`, `l2`, `penalize_biases`: (l2 / 2) |w|^2 joins the gradient before clipping,
        l1 |w| is a soft threshold by lr l1 behind the optimizer's update, so that weights become
        exactly 0. Both act on dense and convolution weights only, an optimizer's own weight_decay
        or l1 on every parameter, as in PyTorch; `penalize_biases` True or False says for all of
        them whether biases and normalisation parameters count. Losses and probes measure the
        data's loss, without penalties. Behind momentum or an adaptive rule, whose steps are no
        multiple of the gradient, the threshold does not weigh as the penalty would:
        `optimizers.ProximalSGD` rests where the penalized loss does, with momentum too.

    Returns
    -------
    Result
        With `history`, `params`, `status` ("completed", "stopped_early" or "diverged"), `reason`.

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
    start = None if params is None else [_checked_start(net, params)]
    return train_chunk(training, [data], [check_seed(seed)], start)[0]


def _checked_start(net: Network, params: Parameters) -> Parameters:
    if not isinstance(params, Parameters):
        raise InputError(f"params: {type(params).__name__}: must be parameters as net.init returns")
    copied = net.wrap(np.zeros(net.n_parameters, net.dtype))
    pairs = [("params", params, copied), ("params.buffers", params.buffers, copied.buffers)]
    for key, given, own in pairs:
        shapes, wanted = ({n: view.shape for n, view in m.items()} for m in (given, own))
        if shapes != wanted:
            raise InputError(f"{key}: {shapes}: must be {wanted}, as net.init returns")
        own.flat[:] = given.flat
        check_finite(own, key)
    check_variances(copied.buffers)
    return copied


def train_chunk(
    training: Training, data: Sequence[Data], seeds: Sequence[int], *given: Any, **named: Any
) -> list[Result]:
    """Return what `trained` yields, all at once."""
    return list(trained(training, data, seeds, *given, **named))


def trained(
    training: Training,
    data: Sequence[Data],
    seeds: Sequence[int],
    start: Sequence[Parameters] | None = None,
    control: np.ndarray | None = None,
    watch: Callable[[int], None] | None = None,
) -> Iterator[Result]:
    """Train one network for several seeds in one compiled call, here and now.

    Parameters
    ----------
    data : one for each seed, or one for all
    seeds : one a trial
    start : what each seed starts from, instead of drawn weights
    control : (3,) int64; another thread cancels by setting its first element
    watch : told the step every now and then, unless there is a `control`

    Returns
    -------
    iterator of Result
        Bit for bit what each seed gives alone. A result is put together when its turn comes: who
        keeps little of each has few objects alive at a time.
    """
    from simdl._jit import flush_subnormals, restore_subnormals
    from simdl.engine import loop, state

    net = training.net
    parts = parts_of(training, data)
    how, space = plan_of(training, parts)
    count, steps = len(seeds), int(how.plan[0].steps)
    records = room_for(training, parts, how, count)
    slots = np.zeros((count, training.optimizer.rule()[2], net.n_parameters), net.dtype)
    params, buffers = net.start(count)
    if start is not None:
        params[:] = [own.flat for own in start]
        buffers[:] = [own.buffers.flat for own in start]
    trials = state.Trials(np.array(seeds, np.int64), params, buffers, slots)
    draws = net.draws if start is None else net.draws[:0]
    watched = control is not None
    control = np.zeros(3, np.int64) if control is None else control
    loop.link(how, space, parts, trials, draws, records, control)

    def run() -> None:
        register = flush_subnormals()
        try:
            loop.train(how, space, parts, trials, draws, records, control)
        finally:  # an op of the user's may raise
            restore_subnormals(register)

    begin = time.perf_counter()
    with single_thread():
        run() if watched else interruptible(run, control, watch)
    seconds = (time.perf_counter() - begin) / count
    instruments = Instruments(training, parts.train.x.shape[1])
    found = instruments.found(training, data, parts, records, control)
    records = records._replace(probed=found)
    if data[0].n_classes is None:  # targets that are no classes have no accuracy
        records.evaluated[..., 1] = records.judged[..., 1] = records.returned[..., 1] = np.nan

    def result(s: int) -> Result:
        own, begun = data[s if len(data) > 1 else 0], None if start is None else start[s]
        examined = partial(_examined, own, begun)  # once it is asked for
        return Result.of(
            training, seeds[s], net.wrap(params[s], buffers[s]), steps, parts.train.x.shape[1],
            records, s, own, examined, seconds,
        )  # fmt: skip

    return map(result, range(count))


def _examined(data: Data, start: Parameters | None, result: Result) -> Health:
    from simdl.diagnosis import examine

    return examine(train_chunk, data, start, result)
