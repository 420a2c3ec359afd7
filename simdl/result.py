"""What a training returns: parameters, history, and why it ended."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from simdl.data.answers import Encoder
from simdl.errors import InputError
from simdl.instruments import labelled
from simdl.parameters import Parameters
from simdl.probes import PARTS
from simdl.saved import DESCRIBED, archive, write
from simdl.scores import Spreads, doubt, has, in_own_units, spreads, told
from simdl.spec import from_tables, search_beside, to_tables
from simdl.stopping import best_of, moment, seen_by

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from simdl.data import Data
    from simdl.diagnosis.health import Health
    from simdl.prediction import Predictions

_CAUSES = ("", "activations", "loss", "gradient", "parameters", "running statistics")


@dataclass(frozen=True)
class Result:
    """One finished training.

    Attributes
    ----------
    training : what was trained, and how
    seed : the seed
    params : the parameters at the end or, with a stop rule that keeps them, the best ones
    status : "completed", "stopped_early" or "diverged" (or "cancelled", from a sweep that was
        stopped)
    reason : why, in a sentence; where it diverged: step, layer, and what left the finite numbers;
        with a stop rule: which rule, when, and which parameters are returned
    steps : steps done
    divergence : None, or {"step", "layer", "cause"}
    encoder : what was done to the data before, which `predict` does to new samples
    seconds : wall time without compiling, in a chunk of seeds the share of each
    best : None without a stop rule, or the best judgement: {"step", "epoch", and the metric that
        the rule watches, such as "validation_loss"}
    """

    training: Any
    seed: int
    params: Parameters
    status: str
    reason: str
    steps: int
    divergence: dict[str, Any] | None
    _evaluated: np.ndarray = field(repr=False)  # (records, parts, loss and accuracy)
    _probed: Mapping[str, np.ndarray] = field(repr=False)  # of each other probe, (records, ...)
    _an_epoch: int = field(repr=False)  # steps
    encoder: Encoder = field(default_factory=Encoder, repr=False)
    best: dict[str, Any] | None = None
    _judged: np.ndarray = field(default_factory=lambda: np.zeros((0, 3, 2)), repr=False)
    _returned: np.ndarray = field(default_factory=lambda: np.full((3, 2), np.nan), repr=False)
    _examine: Callable[[Result], Health] | Health | None = field(default=None, repr=False)
    _parts: Spreads = field(default_factory=dict, repr=False)
    seconds: float = 0.0

    def __repr__(self) -> str:
        when = moment(self.steps, self._an_epoch)
        return told(self.status, f"{when}, {self.seconds:.3g} s", self.metrics)

    @classmethod
    def of(
        cls, training: Any, seed: int, params: Parameters, planned: int, samples: int,
        records: Any, s: int, data: Data, examine: Callable[[Result], Health] | None = None,
        seconds: float = 0.0,
    ) -> Result:  # fmt: skip
        """Read trial `s` of a chunk's records."""
        from simdl.engine import state
        from simdl.kernels.stopping import STALLED

        report = records.report[s].tolist()
        program, divergence = training.net.program, None
        steps, an_epoch = report[state.STEPS_DONE], training.length(samples)[1]
        if report[state.STATUS] == state.DIVERGED:
            path, kind = program.leaf(report[state.WHERE])
            cause, step = _CAUSES[report[state.CAUSE]], report[state.AT_STEP]
            divergence = {"step": step, "layer": path, "cause": cause}
            status = "diverged"
            reason = f"at step {step} the {cause} of layer {path} ({kind}) left the finite numbers"
        elif report[state.STATUS] == state.CANCELLED:
            status, reason = "cancelled", f"stopped after {steps} of {planned} steps"
        elif report[state.STATUS] == state.STOPPED:
            status, reason = "stopped_early", f"stopped by {training.stop}"
            if report[state.VERDICT] == STALLED:
                reason += f", {training.stop.stalled},"
            reason += f" after {moment(steps, an_epoch)}"
            if report[state.BEST] < 0:
                reason += "; what it watches never was a finite number"
        else:
            status, reason = "completed", f"all {planned} steps done"
        judged = records.judged[s, : report[state.JUDGED]].copy()
        best = best_of(training.stop, judged, report[state.BEST], an_epoch)
        if best is not None and training.stop.keep == "best":
            reason += f"; the parameters are those after {moment(best['step'], an_epoch)}"
        return cls(
            training, seed, params, status, reason, steps, divergence,
            records.evaluated[s, : report[state.EVALUATED]].copy(),
            records.probed[s], an_epoch, data.encoder, best, judged, records.returned[s].copy(),
            examine, spreads(data), seconds,
        )  # fmt: skip

    @property
    def metrics(self) -> dict[str, float]:
        """Loss and accuracy of each part, such as "test_accuracy", of the returned parameters.

        The loss is that of the targets as they were trained on, which may be scaled. A regression
        by mse has "test_rmse", in the units of the target, and "test_r2" besides. And what is one
        number of the whole training set, such as "sharpness", at the end.
        """
        if self.status == "cancelled":
            return {}
        found = {
            probe.name: float(self._probed[probe.name][-1])
            for probe in self.training.probes
            if probe.when == "survey" and self._probed[probe.name].shape[1:] == ()
            if len(self._probed[probe.name])
        }
        wanted, last = {probe.name for probe in self.training.probes}, self._returned.tolist()
        for index, kind in ((0, "loss"), (1, "accuracy")):
            if kind in wanted:
                for part, values in zip(PARTS, last, strict=True):
                    if has(self._parts, part, kind):
                        found[f"{part}_{kind}"] = values[index]
        if "loss" not in wanted:
            return found
        losses = {part: found[f"{part}_loss"] for part in self._parts}
        return found | in_own_units(self.training.loss, self.encoder, self._parts, losses)

    @cached_property
    def history(self) -> xarray.Dataset:
        """All measurements: variables over ``epoch`` or ``step`` and, a layer each, ``layer``.

        A histogram also has ``bin``, named by its middle, with ``bin_left`` and ``bin_right``; an
        array that a function of your own returned has ``name_0`` and so on. Layers are named by
        path ("0", "3.1"), their kinds are in the coordinate ``layer_kind``. A layer without the
        quantity has NaN. After a divergence the last record is of that moment; of two records at
        one step it is the one that stays. It is of the parameters of that moment,
        whichever ones are returned.
        """
        import xarray

        arrays: dict[str, Any] = {}
        for probe in self.training.probes:
            if probe.every == "end":
                continue
            attributes = probe.attributes
            if probe.when != "parts":
                arrays[probe.name] = self._found(probe)
                continue
            index = 0 if probe.name == "loss" else 1
            axis, evaluated = self._at_steps(probe.every, self._evaluated)
            for part, name in enumerate(PARTS):
                if has(self._parts, name, probe.name):
                    arrays[f"{name}_{probe.name}"] = xarray.DataArray(
                        evaluated[:, part, index], axis, attrs=attributes | {"part": name}
                    )
        return xarray.Dataset(arrays, attrs={"seed": self.seed, "status": self.status})

    @cached_property
    def judged(self) -> xarray.Dataset:
        """What the stop rule saw, over ``step``: loss and accuracy of the parts that it measured.

        It is empty without a rule; the probes, and so `history`, know nothing of it.
        """
        return seen_by(self.training.stop, self._judged, self._an_epoch)

    def _at_steps(
        self, every: Any, records: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the axis of records that end with one at the end, and the records, one a step."""
        at = self._steps(every, len(records))
        if len(at):
            at[-1] = self.steps  # the last record is taken at the end
        last = np.append(at[1:] != at[:-1], np.ones(len(at[:1]), bool))
        return self._axis(every, at[last]), records[last]

    def _steps(self, every: Any, count: int) -> np.ndarray:
        return np.arange(count) * (self._an_epoch if every == "epoch" else every)

    def _axis(self, every: Any, at: np.ndarray) -> dict[str, np.ndarray]:
        if every != "epoch":
            return {"step": at}
        whole = (at % self._an_epoch == 0).all()
        return {"epoch": at // self._an_epoch if whole else at / self._an_epoch}

    def _found(self, probe: Any) -> xarray.DataArray:
        values = self._probed[probe.name]
        axis = self._axis(probe.every, self._steps(probe.every, len(values)))
        if probe.when == "survey":
            axis, values = self._at_steps(probe.every, values)
        return labelled(probe, self.training.net.program, axis, values)

    def predict(self, x: Any) -> Predictions:
        """Return what the network says of new samples, in the terms of the data.

        Parameters
        ----------
        x : (N, *input_shape) raw samples, as they were before any scaling

        Returns
        -------
        Predictions
            `outputs` (N, k), a regression's in the units of its target; of classes also `labels`
            (N,), `probabilities` (N, k) and `answers`, their names.

        Raises
        ------
        InputError
            If the samples do not fit the network, or it diverged in training.
        """
        from simdl.prediction import predict

        if why := doubt(self):
            raise InputError(f"predict: {why}")
        return predict(self.training.net, self.training.loss, self.params, self.encoder, x)

    @cached_property
    def _health(self) -> Health | None:
        return self._examine(self) if callable(self._examine) else self._examine

    def health(self) -> Health:
        """Return why it trains or does not: a row a layer, and warnings with remedies.

        It is measured when first asked for, on the data that the result still refers to, and saved
        with the result; the training has nothing to do with it.

        Raises
        ------
        InputError
            If the result was put together without its data.
        """
        if self._health is None:
            raise InputError("health: the result is without its data: train again")
        return self._health

    def plot(self) -> Figure:
        """Draw loss and accuracy of each part over the training; return pyplot's figure.

        Raises
        ------
        InputError
            If neither was measured.
        """
        from simdl.plot.training import curves

        measured = {
            str(name): (str(values.dims[0]), values[values.dims[0]].values, values.values)
            for name, values in self.history.items()
            if "part" in values.attrs
        }
        if not measured:
            raise InputError(
                "plot: nothing to draw: train with probes=['loss', 'accuracy'] at an interval"
            )
        return curves(measured)

    def save(self, folder: str | Path) -> None:
        """Write description, parameters and measurements to a folder, which `simdl.load` reads.

        Modules of the user's own that hold its functions are copied there, with what they import.

        Raises
        ------
        StorageError
            If the folder cannot be written.
        """
        about = {
            "training": to_tables(self.training), "seed": self.seed, "status": self.status,
            "reason": self.reason, "steps": self.steps, "divergence": self.divergence,
            "steps_an_epoch": self._an_epoch, "form": self.encoder.table(), "best": self.best,
            "health": None if self._health is None else self._health.table(),
            "parts": dict(self._parts), "seconds": self.seconds,
        }  # fmt: skip
        parameters = dict(self.params) | dict(self.params.buffers) | self.encoder.arrays()
        measured = {f"probed.{name}": values for name, values in self._probed.items()}
        measured |= {
            "evaluated": self._evaluated, "judged": self._judged, "returned": self._returned
        }  # fmt: skip
        write(Path(folder), about, {"parameters": parameters, "measured": measured})


def load(folder: str | Path) -> Result:
    """Read what `Result.save` wrote.

    Raises
    ------
    InputError
        If the folder or one of its files is missing or damaged.
    """
    from simdl.diagnosis.health import Health

    folder = Path(folder)
    try:
        about = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
        search_beside(folder / DESCRIBED)  # modules of the user's own may lie there
        training = from_tables(about["training"])
        params = training.net.wrap(np.zeros(training.net.n_parameters, training.net.dtype))
        with archive(folder / "parameters.npz") as stored:
            for own in (params, params.buffers):
                for name in own:
                    own[name] = stored[name]
            encoder = Encoder.read(about["form"], stored)
        with archive(folder / "measured.npz") as stored:
            own = [probe.name for probe in training.probes if probe.when != "parts"]
            evaluated, probed = stored["evaluated"], {n: stored[f"probed.{n}"] for n in own}
            judged, returned = stored["judged"], stored["returned"]
        health = None if about["health"] is None else Health.read(about["health"])
        if evaluated.shape[1:] != (len(PARTS), 2):
            raise ValueError(f"measurements of shape {evaluated.shape}")
        return Result(
            training, about["seed"], params, about["status"], about["reason"], about["steps"],
            about["divergence"], evaluated, probed, about["steps_an_epoch"],
            encoder, about["best"], judged, returned, health, about["parts"],
            about["seconds"],
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"{folder}: no saved result: {error.strerror or error}") from None
    except InputError:
        raise
    except (
        KeyError, TypeError, ValueError, AttributeError, ImportError, EOFError,
        BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise InputError(f"{folder}: damaged: {error!r}: save the result again") from None
