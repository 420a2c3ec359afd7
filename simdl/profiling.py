"""Where a step's time goes: every layer forward and backward, and what is around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from simdl.data import Data
from simdl.footprint import footprint
from simdl.preparation import parts_of, plan_of
from simdl.schedules import Constant

ROUNDS, SECONDS = 5, 0.02  # a part's clock: the median of so many, each so long
STEPS = 0.1  # seconds of the whole training
NAN = float("nan")


class Row(NamedTuple):
    """One layer in a step, in microseconds.

    Attributes
    ----------
    layer, kind : path ("0", "3.1") and name
    forward, backward : of a batch
    products : its matrix products alone, of the same shapes; NaN where it has none
    flops : of these products
    bytes : of all that it reads and writes once, forward and backward
    """

    layer: str
    kind: str
    forward: float
    backward: float
    products: float = NAN
    flops: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True, repr=False)
class Profile:
    """What `profile` returns; printed it is a table for people.

    Attributes
    ----------
    rows : one a layer that does something
    parts : what is around the layers in a step: microseconds by name
    step : microseconds of a whole step, within a training
    memory : bytes by name, see `simdl.footprint`
    """

    rows: tuple[Row, ...]
    parts: dict[str, float]
    step: float
    memory: dict[str, int]

    @property
    def rest(self) -> float:
        """Of a step, what no part accounts for (parts alone find their buffers warmer)."""
        layers = sum(row.forward + row.backward for row in self.rows)
        return self.step - layers - sum(self.parts.values())

    def table(self) -> dict[str, Any]:
        """Return it as plain tables, for a JSON file."""
        rows = [{k: v for k, v in row._asdict().items() if v == v} for row in self.rows]
        return {
            "layers": rows, "parts": self.parts, "rest": self.rest, "step": self.step,
            "memory": self.memory,
        }  # fmt: skip

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        head = ("layer", "kind", "forward", "backward", "share", "products", "GFLOP/s", "kB")
        lines: list[Sequence[str]] = [head]
        for row in self.rows:
            both = row.forward + row.backward
            known = row.products == row.products
            lines.append((
                row.layer, row.kind, f"{row.forward:.2f}", f"{row.backward:.2f}",
                f"{both / self.step:.0%}", f"{row.products / both:.0%}" if known else "-",
                f"{row.flops / both / 1e3:.1f}" if known else "-", f"{row.bytes / 1e3:,.1f}",
            ))  # fmt: skip
        for name, us in (self.parts | {"rest": self.rest}).items():
            lines.append(("", name, f"{us:.2f}", "", f"{us / self.step:.0%}", "", "", ""))
        lines.append(("", "step", f"{self.step:.2f}", "", "", "", "", ""))
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        made = [
            "  ".join(
                [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
                + [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
            ).rstrip()
            for line in lines
        ]
        held = ", ".join(f"{name} {size / 1e3:,.1f}" for name, size in self.memory.items())
        return "\n".join([
            *made, "",
            "forward, backward: microseconds a step. products: how much of these a layer's matrix",
            "products alone take. kB: all that it reads and writes, once.",
            f"memory {sum(self.memory.values()) / 1e3:,.1f} kB a training, data and records apart:",
            held,
        ])  # fmt: skip


def clocked(part: Callable[[int], Any], seconds: float = SECONDS) -> float:
    """Median microseconds of one call of a part, which takes how many calls to make."""

    def once(count: int) -> float:
        start = time.perf_counter()
        part(count)
        return time.perf_counter() - start

    once(1)  # compiles
    count = 1
    while (took := once(count)) < seconds / 4:
        count *= 4
    count = max(1, round(count * seconds / took))
    return 1e6 * median(once(count) / count for _ in range(ROUNDS))


def profile(training: Any, data: Data, seed: int = 0) -> Profile:
    """Time a step of a training part by part, in this thread.

    Parameters
    ----------
    training : `simdl.training.Training`, as `Configuration.build` or `describe` makes it
    data : what it is trained on
    seed : draws the weights
    """
    from threadpoolctl import threadpool_limits

    from simdl import timing
    from simdl.engine import passes

    alone = replace(training, probes=(), stop=None, schedule=Constant())
    parts = parts_of(alone, [data])
    how, space = plan_of(alone, parts)
    net, rows = alone.net, int(how.plan[0].batch)
    space.at.params[:] = net.init(seed).flat
    space.at.buffers[:] = net.start(1)[1][0]
    space.order[:] = np.arange(len(space.order))
    run = space.run[0]
    run.rows, run.training, run.seed = rows, 1, seed
    slots = np.zeros((alone.optimizer.rule()[2], net.n_parameters), net.dtype)
    still = how._replace(rates=np.zeros_like(how.rates))  # the weights keep their places

    def of(part: Any) -> float:
        return clocked(lambda count: part(count, still, space, parts, slots))

    with threadpool_limits(1):
        timing.repeat_gather(1, still, space, parts, slots)
        passes.forward(how.ops, run, space.at)
        timing.repeat_loss(1, still, space, parts, slots)
        passes.backward(how.ops, run, space.at)
        made = [_row(net, how.ops, i, run, space.at, rows) for i in range(how.ops.size)]
        around = {name: of(part) for name, part in timing.PARTS.items()}
    samples = parts.train.x.shape[1]
    around["order (an epoch's share)"] /= alone.length(samples)[1]
    return Profile(_joined(made), around, _step(alone, data, seed), footprint(alone, samples))


def _row(net: Any, ops: Any, i: int, run: Any, at: Any, rows: int) -> Row:
    from simdl import timing

    op, one = ops[i], ops[i : i + 1]
    path, kind = net.program.leaf(i)
    forward = clocked(lambda count: timing.repeat_forward(count, one, run, at))
    backward = clocked(lambda count: timing.repeat_backward(count, one, run, at))
    item, kept = at.params.itemsize, int(op.n_weight + op.n_bias)
    passing = rows * int(op.n_in * (2 + op.propagate) + op.n_out * 2)
    products, flops = _products(op, rows, at.params.dtype)
    return Row(path, kind, forward, backward, products, flops, item * (3.0 * kept + passing))


def _products(op: Any, rows: int, dtype: Any) -> tuple[float, float]:
    """Microseconds and operations of an op's matrix products: forward, weight's, input's."""
    from simdl import timing
    from simdl.engine.records import aligned
    from simdl.kernels.unfolding import TILE

    if not op.product:
        return NAN, 0.0
    m = int(op.out_channels)
    k = int(op.n_weight) // m
    pixels = max(1, int(op.out_height) * int(op.out_width))
    together = max(1, TILE // (pixels * k)) if pixels > 1 else rows  # as the convolution cuts it
    n = pixels * min(rows, together)
    y, x, w = (
        aligned(a * b, dtype).reshape(a, b) for a, b in ((n, m), (n, k), (k, m))
    )  # fmt: skip
    y[:], x[:], w[:] = 0.5, 0.25, 0.125
    address, kinds = int(op.product), range(3 if op.propagate else 2)

    def took(kind: int) -> float:
        return clocked(lambda count: timing.repeat_products(count, address, y, x, w, kind))

    each = [took(kind) for kind in kinds]
    tiles = rows * pixels / n
    return sum(each) * tiles, 2.0 * rows * pixels * k * m * len(each)


def _joined(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Ops of one layer as one row."""
    made: dict[str, Row] = {}
    for row in rows:
        known = made.get(row.layer)
        if known is not None:
            products = [p for p in (known.products, row.products) if p == p]
            row = row._replace(
                forward=known.forward + row.forward, backward=known.backward + row.backward,
                products=sum(products) if products else NAN, flops=known.flops + row.flops,
                bytes=known.bytes + row.bytes,
            )  # fmt: skip
        made[row.layer] = row
    return tuple(made.values())


def _step(training: Any, data: Data, seed: int) -> float:
    """Microseconds a step: what more steps take than fewer ones, without the set-up."""
    from simdl.training import train_chunk

    def took(steps: int) -> float:
        train_chunk(replace(training, epochs=None, steps=steps), [data], [seed])
        start = time.perf_counter()
        train_chunk(replace(training, epochs=None, steps=steps), [data], [seed])
        return time.perf_counter() - start

    few, steps = 8, 64
    while (whole := took(steps)) < STEPS:
        steps *= 2
    each = [took(steps) for _ in range(ROUNDS - 1)]
    return 1e6 * (median([whole, *each]) - min(took(few) for _ in range(ROUNDS))) / (steps - few)
