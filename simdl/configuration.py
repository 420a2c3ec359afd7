"""A training described by tables, as a TOML file or a dictionary gives it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pydantic
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from simdl import data as datasets
from simdl import keys
from simdl.data import Data, Source
from simdl.data.loading import read_once, state_of
from simdl.data.parted import Kept
from simdl.errors import InputError, Problems
from simdl.initializers import initializer
from simdl.layers import KINDS, Dense, Dropout, Layer, Residual
from simdl.layers.normalization import NORMS
from simdl.losses import loss as make_loss
from simdl.network import Network
from simdl.optimizers import optimizer as make_optimizer
from simdl.probes import Probe
from simdl.result import Result
from simdl.schedules import Schedule
from simdl.schedules import schedule as make_schedule
from simdl.spec import Count, NonNegative, Positive, Real, Share, describe, from_table
from simdl.stopping import Stop
from simdl.stopping import stop as make_stop
from simdl.training import Training, trained
from simdl.training import describe as describe_training


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(_Section):
    """Which data, how split, how scaled; further keys are options of the data set."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str | None = None
    path: str | None = None
    target: str | None = None
    split: tuple[Real, Real, Real] = (0.6, 0.2, 0.2)
    scale: Literal["standard", "minmax", "none"] = "standard"
    target_scale: Literal["standard", "minmax", "none"] = "none"

    @property
    def where(self) -> str:
        return self.path or self.name or "digits"

    @property
    def options(self) -> dict[str, Any]:
        """The further keys; lists as tuples, which can be compared and kept."""
        given = self.model_extra or {}
        wrong = [f"data.{k}: {v!r}: must be no table" for k, v in given.items() if type(v) is dict]
        if wrong:
            raise InputError(*wrong)
        return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}


class NetworkSection(_Section):
    """A multilayer perceptron by its numbers, or a list of layers."""

    kind: Literal["mlp", "layers"] = "mlp"
    depth: int = Field(10, ge=0, le=10_000, strict=True)  # hidden layers
    width: Count = 64
    activation: Any = "Tanh"
    init: Any = "glorot_normal"
    norm: Any = "none"  # before each activation
    dropout: Share = 0.0  # behind each activation
    residual: StrictBool = False  # from the second hidden layer on
    layers: tuple[Any, ...] = ()


class TrainingSection(_Section):
    """The loss, the batches and how long."""

    loss: Any = "softmax_cross_entropy"
    batch_size: Count | Literal["full"] = 32
    epochs: Count | None = None
    steps: Count | None = None


class RegularizationSection(_Section):
    """Clipping of the gradient, and penalties."""

    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    penalize_biases: StrictBool | None = None


class ProbesSection(_Section):
    """What is measured; layers on the batch in hand every so many steps."""

    every: Count | Literal["epoch"] = "epoch"
    names: tuple[Any, ...] = ()  # or tables, such as {name = "activation_histogram", bins = 20}


SECTIONS: dict[str, type[_Section]] = {
    "data": DataSection,
    "network": NetworkSection,
    "training": TrainingSection,
    "regularization": RegularizationSection,
    "probes": ProbesSection,
}
_PLAIN = ("name", "dtype", "optimizer", "schedule", "stop")
KEYS = (*SECTIONS, *_PLAIN)
_ACTIVATIONS = {"leaky_relu": "LeakyReLU"}


@dataclass(frozen=True)
class Configuration:
    """A validated description of a training; the seed is given when it runs."""

    name: str
    dtype: Literal["float32", "float64"]
    data_section: DataSection
    network: NetworkSection
    training: TrainingSection
    optimizer: Any
    schedule: Schedule
    regularization: RegularizationSection
    probes: tuple[Probe, ...]
    table: Mapping[str, Any]
    stop: Stop | None = None

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Configuration:
        """Check a table with the keys of the configuration file (without seeds and axes).

        Raises
        ------
        InputError
            With every problem, its full key path, and what would be right.
        """
        problems = Problems()
        for key in table:
            if key not in KEYS:
                problems.append(keys.unknown(key, SECTIONS, KEYS))
        made = {key: _section(kind, table, key, problems) for key, kind in SECTIONS.items()}
        dtype = table.get("dtype", "float32")
        if dtype not in ("float32", "float64"):
            problems.append(f"dtype: {dtype!r}: must be 'float32' or 'float64'")
        chosen = table.get("optimizer", {})
        if isinstance(chosen, Mapping):
            chosen = {"name": "Adam"} | dict(chosen)
        optimizer = problems.tried(make_optimizer, chosen)
        schedule = problems.tried(make_schedule, table.get("schedule"))
        stop = problems.tried(make_stop, table.get("stop"))
        if made["training"] is not None:
            problems.tried(make_loss, made["training"].loss, "training.loss")
        network = made["network"]
        if network is not None:
            problems.tried(_activation, network.activation)
            problems.tried(_norm, network.norm)
            problems.tried(initializer, network.init, "network.init")
            problems.tried(layers_from_tables, network.layers)
            if network.kind == "layers" and not network.layers:
                problems.append("network.layers: missing: give [[network.layers]] tables")
        probes = problems.tried(_probes, made["probes"]) if made["probes"] is not None else ()
        problems.report()
        name = str(table.get("name", "training"))
        return cls(
            name, dtype, made["data"], network, made["training"], optimizer, schedule,
            made["regularization"], probes, copy.deepcopy(dict(table)), stop,
        )  # fmt: skip

    def tables(self) -> dict[str, Any]:
        """Everything, defaults filled in, as plain tables: part of a trial's identity."""
        from simdl.spec import to_tables

        return {
            "dtype": self.dtype,
            "data": self.data_section.model_dump(mode="json"),
            "network": self.network.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "optimizer": to_tables(self.optimizer),
            "schedule": to_tables(self.schedule),
            "regularization": self.regularization.model_dump(mode="json"),
            "probes": [to_tables(probe) for probe in self.probes],
            "stop": to_tables(self.stop),
        }

    def source(self, seed: int) -> Source:
        """The data set before splitting; drawn by the seed where it is a generated one."""
        section = self.data_section
        if section.where in datasets.GENERATED:
            return datasets.source(
                section.where, target=section.target, seed=seed, **section.options
            )
        return self._read

    @cached_property
    def _read(self) -> Source:
        section = self.data_section
        options = section.options
        return read_once(
            section.where, state_of(section.where), section.target, tuple(options.items())
        )

    def reading(self, source: Source) -> Configuration:
        """The same training on a data set that was read already, perhaps elsewhere."""
        made = copy.copy(self)
        vars(made)["_read"] = source
        return made

    def data(self, seed: int) -> Data:
        """The data, split and scaled for a seed, read-only: cells of a sweep share what is kept."""
        drawn = self.data_section.where in datasets.GENERATED
        # the source itself: a path does not tell what was read there, perhaps by another process
        key = self.data_section.model_dump_json(), None if drawn else self._read, seed
        return _KEPT.get(key, lambda: self.prepared(seed))

    def prepared(self, seed: int) -> Data:
        """The same, made anew."""
        section = self.data_section
        return self.source(seed).parted(section.split, section.scale, seed, section.target_scale)

    def build(self, data: Data) -> Training:
        """The network that fits `data`, and how it is trained."""
        section = self.network
        size = int(np.prod(data.input_shape))
        if section.kind == "mlp":
            classes = data.n_classes
            chosen = make_loss(self.training.loss, "training.loss")
            outputs = chosen.outputs(classes) if classes else data.answers("train").shape[1]
            net = Network((size,), _mlp(section, outputs), section.init, self.dtype)
        else:
            given = layers_from_tables(section.layers)
            net = Network(data.input_shape, given, section.init, self.dtype)
        t = self.training
        return describe_training(
            net, loss=t.loss, optimizer=self.optimizer, batch_size=t.batch_size, epochs=t.epochs,
            steps=t.steps, schedule=self.schedule, probes=self.probes, stop=self.stop,
            **self.regularization.model_dump(),
        )  # fmt: skip

    def train(self, seeds: Sequence[int], control: np.ndarray | None = None) -> list[Result]:
        """Train for every seed in one compiled call; a seed draws split, weights and order."""
        return list(self.trained(seeds, control))

    def trained(self, seeds: Sequence[int], control: np.ndarray | None = None) -> Iterator[Result]:
        """The same, each result put together when its turn comes."""
        data = [self.data(seed) for seed in seeds]
        return trained(self.build(data[0]), data, list(seeds), control=control)


def with_values(table: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a table with values put at dotted keys, such as "network.depth"."""
    changed = copy.deepcopy(dict(table))
    for dotted, value in values.items():
        *sections, last = dotted.split(".")
        place: Any = changed
        for section in sections:
            inner = place.get(section, {})
            if not isinstance(inner, Mapping):
                inner = {"name": inner}  # optimizer = "Adam" with an axis optimizer.lr
            place[section] = dict(inner)
            place = place[section]
        place[last] = value
    return changed


def layers_from_tables(tables: Sequence[Any]) -> tuple[Layer, ...]:
    """Return layers from tables such as ``{type = "Dense", units = 10}``; all problems at once."""
    made: list[Layer] = []
    problems = keys.untyped(tables, "network.layers")
    if problems:
        raise InputError(*problems)
    for i, table in enumerate(tables):
        try:
            given = dict(table) if isinstance(table, Mapping) else table
            if isinstance(given, dict) and given.get("type") == "Residual":
                given["layers"] = layers_from_tables(given.get("layers", ()))
            made.append(from_table(KINDS, given, f"network.layers.{i}", "type"))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(*problems)
    return tuple(made)


def _activation(choice: Any) -> Layer:
    if isinstance(choice, str):
        choice = _ACTIVATIONS.get(choice.lower(), choice)
    elif isinstance(choice, Mapping) and isinstance(choice.get("name"), str):
        name = choice["name"]
        choice = dict(choice) | {"name": _ACTIVATIONS.get(name.lower(), name)}
    return from_table(KINDS, choice, "network.activation")


def _norm(choice: Any) -> tuple[Layer, ...]:
    """The normalisation of a hidden layer, if any."""
    return () if choice == "none" else (from_table(NORMS, choice, "network.norm"),)


def _mlp(section: NetworkSection, outputs: int) -> tuple[Layer, ...]:
    """Hidden layers of one width, each with its norm, activation, dropout, and a linear head."""
    layers: list[Layer] = []
    activation = _activation(section.activation)
    dropout = (Dropout(section.dropout),) if section.dropout else ()
    for i in range(section.depth):
        block = (Dense(section.width), *_norm(section.norm), activation, *dropout)
        layers += [Residual(block)] if section.residual and i > 0 else block
    return (*layers, Dense(outputs))


def _probes(section: ProbesSection) -> tuple[Probe, ...]:
    """Loss and accuracy at the end; those named, at their interval."""
    chosen: list[Probe] = []
    problems = Problems()
    for i, given in enumerate(section.names):
        table = dict(given) if isinstance(given, Mapping) else {"name": given}
        try:
            chosen.append(Probe(**({"every": section.every} | table)))
        except InputError as error:
            for problem in error.problems:
                said = problem.removeprefix("probes").removeprefix("Probe")
                problems.append(f"probes.names.{i}{said}")
    problems.report()
    whole = {probe.name for probe in chosen if probe.when == "parts"}
    if not whole:
        return (Probe("loss", "end"), Probe("accuracy", "end"), *chosen)
    return tuple(chosen)


def _section(kind: type[_Section], table: Mapping[str, Any], key: str, problems: list[str]) -> Any:
    given = table.get(key)
    if given is None:
        return kind()
    if not isinstance(given, Mapping):
        problems.append(f"{key}: {given!r}: must be a table")
        return None
    try:
        return kind(**given)
    except pydantic.ValidationError as error:
        problems.extend(describe(error, key, list(kind.model_fields)))
        return None


_KEPT = Kept(64e6)
