"""What probes need in the compiled loop, and what they found there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simdl.curvature import Curvature
from simdl.data import Data
from simdl.errors import InputError
from simdl.firing import flags, units_of
from simdl.probes import Probe

if TYPE_CHECKING:
    import xarray

    from simdl.training import Training

MOST_BYTES = 2**32  # of parameters that a chunk keeps to be measured
SATURATED = 0.04  # share of an activation's largest slope


class _Look(NamedTuple):
    """A probe at an op, every so many steps; its first column in the record of a step."""

    probe: Probe
    op: int
    every: int
    column: int


class _Survey(NamedTuple):
    """What is taken between two steps, every so many (0: at the end only); its rows."""

    dead: bool  # dead units; else a copy of the parameters
    every: int
    first: int
    rows: int


class Instruments:
    """The probes of a training, beside loss and accuracy: tables, room, and reading it.

    Parameters
    ----------
    samples : of the training set
    """

    def __init__(self, training: Training, samples: int) -> None:
        self.net, self.probes = training.net, training.probes
        _, self._an_epoch, self._steps = training.length(samples)
        self.looks: list[_Look] = []
        self.columns = 0
        for probe in self.probes:
            if probe.when in ("batch", "update"):
                for op in probe.ops(self.net.program):
                    self.looks.append(_Look(probe, op, self.every(probe), self.columns))
                    self.columns += probe.width
        asked = any(probe.name == "dead_units" for probe in self.probes)
        self.units = units_of(self.net.program, asked)[0]
        self.surveys: list[_Survey] = []
        self._rows = {True: 0, False: 0}  # of dead units, and of snapshots
        taken = [(p.name == "dead_units", self.every(p)) for p in self._surveying()]
        for dead, every in dict.fromkeys(taken):
            rows = 1 + (-(-self._steps // every) if every else 0)
            self.surveys.append(_Survey(dead, every, self._rows[dead], rows))
            self._rows[dead] += rows

    def _surveying(self) -> list[Probe]:
        return [probe for probe in self.probes if probe.when == "survey"]

    def every(self, probe: Probe) -> int:
        """The probe's interval in steps; 0 for the end only."""
        named = {"end": 0, "epoch": self._an_epoch}
        return named[probe.every] if isinstance(probe.every, str) else int(probe.every)

    # --- before ---------------------------------------------------------------------------------

    def enter(self, plan: Any) -> None:
        """Enter into the plan how often the loop must ask what is due."""
        for field, when in (("probe_every", "batch"), ("update_every", "update")):
            plan[field] = math.gcd(*(k.every for k in self.looks if k.probe.when == when))

    def tables(self) -> Any:
        """The tables by which compiled code looks."""
        from simdl._jit import address
        from simdl.engine import records as r
        from simdl.engine.state import Probes

        signature, options = r.probe_signature(self.net.dtype), np.zeros(0)
        made = {}
        for when in ("batch", "update"):
            looks = [look for look in self.looks if look.probe.when == when]
            made[when] = r.records(r.PROBE, len(looks))
            for record, look in zip(made[when], looks, strict=True):
                own = self._options(look)
                record["address"] = address(look.probe.compiled, signature)
                record["op"], record["every"] = look.op, look.every
                record["column"], record["width"] = look.column, look.probe.width
                record["option"], record["n_options"] = options.size, own.size
                options = np.append(options, own)
        surveys = r.records(r.SURVEY, len(self.surveys))
        for record, survey in zip(surveys, self.surveys, strict=True):
            record["dead"], record["every"], record["first"] = survey[:3]
        return Probes(made["batch"], made["update"], options, surveys, self.units)

    def _options(self, look: _Look) -> np.ndarray:
        """What the compiled probe must know beside the op."""
        from simdl.engine.curves import largest_slope

        if look.probe.name == "saturation":
            return np.array([SATURATED * largest_slope(self.net.program, look.op)])
        return look.probe.edges

    def watch(self, at: Any) -> tuple[Any, Any]:
        """Return the tensors `at` with room for probes, and the probes' own scratch."""
        from simdl.engine.ops.probes import BLOCK
        from simdl.engine.records import aligned
        from simdl.engine.state import Watch

        dtype = self.net.dtype
        at = at._replace(scratch=aligned(max(at.scratch.size, 2 * BLOCK), dtype))
        compared = any(probe.when == "update" for probe in self.probes)
        size = self.net.n_parameters if compared else 0
        params, grads = (aligned(size, dtype) for _ in range(2))
        return at, Watch(at._replace(params=params, grads=grads), flags(self.units))

    @property
    def records(self) -> int:
        """Steps at which something may be looked at."""
        return max((-(-self._steps // look.every) for look in self.looks), default=0)

    @property
    def copy_size(self) -> int:
        """Numbers in a copy of the parameters and the running statistics."""
        return self.net.n_parameters + self.net.program.n_buffers

    @property
    def bytes_a_trial(self) -> float:
        """What is found of one trial takes so much room."""
        numbers = self.records * self.columns + self._rows[True] * len(self.units)
        copies = self._rows[False] * self.copy_size * np.dtype(self.net.dtype).itemsize
        return 8.0 * numbers + copies

    def room(self, count: int) -> Any:
        """Return NaN-filled room for what will be found of `count` trials."""
        from simdl.engine.state import Probed

        copies = np.zeros((count, self._rows[False], self.copy_size), self.net.dtype)
        if copies.nbytes > MOST_BYTES:
            raise InputError(
                f"probes: {self._rows[False]} copies of the parameters, {count} times: "
                f"{copies.nbytes / 2**30:.1f} GiB: must be at most {MOST_BYTES / 2**30:.0f}: "
                "measure less often"
            )
        return Probed(
            np.full((count, self.records, self.columns), np.nan),
            np.full((count, self._rows[True], len(self.units)), np.nan),
            copies,
            np.zeros((count, len(self.surveys)), np.int64),
        )

    # --- afterwards -----------------------------------------------------------------------------

    def found(
        self, training: Training, data: Sequence[Data], parts: Any, records: Any, control: Any
    ) -> list[dict[str, np.ndarray]]:
        """Return of each trial what each probe found, (records, ...); measure the copies.

        Where `control` says so in between, the trial counts as cancelled.
        """
        from simdl.engine import state

        measures = Measures(training, data, parts)
        return [
            self._looked(records.probed.looks[s], int(report[state.PROBED]))
            | self._surveyed(records, s, measures, control)
            for s, report in enumerate(records.report)
        ]

    def _looked(self, looks: np.ndarray, steps: int) -> dict[str, np.ndarray]:
        """What was found of the batches of the first `steps` steps: (records, ops, bins)."""
        made = {}
        for probe in (p for p in self.probes if p.when in ("batch", "update")):
            own = [look.column for look in self.looks if look.probe == probe]
            columns = np.add.outer(np.array(own, int), np.arange(probe.width))
            values = looks[: -(-steps // self.every(probe)), columns]
            values = values if probe.edges.size else values[:, :, 0]
            made[probe.name] = values if probe.layered else values.sum(1)  # of its only look
        return made

    def _surveyed(
        self, records: Any, s: int, measures: Measures, control: Any
    ) -> dict[str, np.ndarray]:
        from simdl.engine import state

        made = {}
        for probe in self._surveying():
            key = (probe.name == "dead_units", self.every(probe))
            i = next(i for i, survey in enumerate(self.surveys) if survey[:2] == key)
            first = self.surveys[i].first
            rows = slice(first, first + int(records.probed.counts[s, i]))
            if self.surveys[i].dead:
                made[probe.name] = records.probed.dead[s, rows].copy()
                continue
            values = []
            for copy in records.probed.snapshots[s, rows]:
                if control[state.CANCEL] != 0:
                    records.report[s, state.STATUS] = state.CANCELLED
                    break
                values.append(measures.of(probe, s, copy))
            made[probe.name] = _stacked(probe, values)
        return made


class Measures:
    """What is measured in Python, on copies of the parameters."""

    def __init__(self, training: Training, data: Sequence[Data], parts: Any) -> None:
        self._training, self._data, self._parts = training, data, parts
        self._curvature: tuple[int, Curvature] | None = None  # of the data set last asked for

    def of(self, probe: Probe, s: int, copy: np.ndarray) -> np.ndarray:
        """Return what the probe finds of trial `s` at a copy of parameters and statistics."""
        net = self._training.net
        params = net.wrap(*(part.copy() for part in np.split(copy, [net.n_parameters])))
        own: dict[str, Callable[..., float]] = {
            "sharpness": Curvature.sharpness,
            "gradient_noise_scale": Curvature.noise_scale,
        }
        if probe.function is None:
            return np.array(own[probe.name](self._curvature_of(s), params))
        try:
            value = probe.function(net, params, self._data[s if len(self._data) > 1 else 0])
        except Exception as error:
            raise InputError(f"probes.{probe.name}: it raised {error!r}") from error
        try:
            return np.array(value, float)
        except (TypeError, ValueError):
            raise InputError(
                f"probes.{probe.name}: {type(value).__name__}: must return a number, or an array"
            ) from None

    def _curvature_of(self, s: int) -> Curvature:
        x, t = self._parts.train
        d = min(s, len(x) - 1)
        if self._curvature is None or self._curvature[0] != d:
            made = Curvature(self._training.net, self._training.loss, x[d], t[d])
            self._curvature = d, made
        return self._curvature[1]


def _stacked(probe: Probe, values: list[np.ndarray]) -> np.ndarray:
    shapes = {value.shape for value in values}
    if len(shapes) > 1:
        raise InputError(
            f"probes.{probe.name}: shapes {sorted(shapes)}: must return arrays of one shape"
        )
    return np.array(values, float)


def labelled(
    probe: Probe, program: Any, axis: dict[str, np.ndarray], values: np.ndarray
) -> xarray.DataArray:
    """Return what a probe found, (records, ...), with names for records, layers and bins."""
    import xarray

    coordinates: dict[str, Any] = dict(axis)
    dims = [*axis, *(f"{probe.name}_{i}" for i in range(values.ndim - 1))]
    if probe.layered:
        leaves = [leaf for leaf in program.leaves if leaf[1] not in ("Flatten", "Identity")]
        paths = [path for path, _ in leaves]
        own = [paths.index(program.leaf(op)[0]) for op in probe.ops(program)]
        by_layer = np.full((len(values), len(leaves), *values.shape[2:]), np.nan)
        by_layer[:, own] = values
        values, dims[1:] = by_layer, ["layer", "bin"][: values.ndim - 1]
        coordinates |= {"layer": paths, "layer_kind": ("layer", [kind for _, kind in leaves])}
    if probe.edges.size:
        left, right = probe.edges[:-1], probe.edges[1:]
        coordinates |= {"bin": (left + right) / 2}
        coordinates |= {"bin_left": ("bin", left), "bin_right": ("bin", right)}
    return xarray.DataArray(values, coordinates, dims=dims, attrs=probe.attributes)
