"""What `simdl train` is asked to do, as one configuration: from a file, or from the data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simdl.commands.settings import parse_settings, with_options
from simdl.errors import InputError

if TYPE_CHECKING:
    from simdl.configuration import Configuration
    from simdl.data import Source

DEPTH, WIDTH, EPOCHS, BATCH = 2, 64, 100, 32  # of the network that is trained unless one is given


@dataclass(frozen=True)
class Request:
    """What the command line says.

    Attributes
    ----------
    config : a TOML file; or None, with `data` instead
    data, target, task, missing, drop : of the section [data]
    header : False for a CSV without column names
    seed : default 0, or what the file says
    pairs : ``KEY=VALUE`` strings
    """

    config: Path | None = None
    data: str | None = None
    target: str | None = None
    task: str | None = None
    missing: str | None = None
    drop: Sequence[str] = ()
    header: bool | None = None
    seed: int | None = None
    pairs: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """A request made complete.

    Attributes
    ----------
    table : the configuration, which gives the same training again
    source : the data before splitting
    guessed : what was chosen because it was not given, a line each
    """

    configuration: Configuration
    table: Mapping[str, Any]
    seed: int
    source: Source
    guessed: tuple[str, ...]


def plan(request: Request) -> Plan:
    """Return what to train.

    Raises
    ------
    InputError
        With every problem of the files and the options.
    """
    from simdl.configuration import Configuration, with_values
    from simdl.data.loading import READERS
    from simdl.sweep.description import read_toml

    if (request.config is None) == (request.data is None):
        raise InputError("give a CONFIG.toml or --data FILE: one of them (simdl train --help)")
    if request.config is not None and request.config.suffix.lower() in READERS:
        raise InputError(
            f"{request.config}: is no TOML configuration: data are given by --data {request.config}"
        )
    own = request.config is None
    table: dict[str, Any] = {} if request.config is None else read_toml(request.config)
    pairs = with_options(parse_settings(request.pairs), seed=request.seed)
    seed = pairs.pop("seed", table.pop("seed", 0))
    table = with_values(table, _data_keys(request, pairs) | pairs)
    for key in ("seeds", "axes"):
        if key in table:
            raise InputError(
                f"{key}: belongs to a sweep: leave it out; one seed is given by --seed"
            )
    source = Configuration.parse(table).source(_checked(seed))
    task = "regression" if source.classes is None else "classification"
    given, table = table, _merged(_defaults(own, source, table), table)
    guessed = _guesses(given, table, source, task)
    whole = [name for name in ("loss", "accuracy") if name not in _probes(table)]
    table = with_values(table, {"probes.names": [*whole, *_probes(table)]})
    return Plan(Configuration.parse(table), table, seed, source, guessed)


def _data_keys(request: Request, pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the command line that are keys of [data]."""
    given = {
        "path": request.data,
        "target": request.target,
        "task": request.task,
        "missing": request.missing,
        "drop": list(request.drop) or None,
        "header": request.header,
    }
    found = {f"data.{key}": value for key, value in given.items() if value is not None}
    with_options(pairs, **{key: value for key, value in found.items() if key in pairs})
    return found


def _checked(seed: Any) -> int:
    from simdl.network import check_seed

    return check_seed(seed)


def _probes(table: Mapping[str, Any]) -> list[str]:
    return list(table.get("probes", {}).get("names", []))


def _defaults(own: bool, source: Source, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not given: the loss; and, for data alone, network, batches and scales."""
    regression = source.classes is None
    made: dict[str, Any] = {
        "training": {"loss": "mse" if regression else "softmax_cross_entropy"},
        "probes": {},
    }
    if not own:
        return made
    split = table["data"].get("split", (0.6, 0.2, 0.2))
    samples = len(source.indices(split, 0)[0])
    made["training"] |= {"batch_size": min(BATCH, samples)}
    if "steps" not in table.get("training", {}):
        made["training"] |= {"epochs": EPOCHS}
    made["network"] = {
        "kind": "mlp", "depth": DEPTH, "width": WIDTH, "activation": "ReLU", "init": "he_normal",
    }  # fmt: skip
    made["optimizer"] = {"name": "Adam", "lr": 1e-3}
    if regression:
        made["data"] = {"target_scale": "standard"}
    return made


def _merged(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table with defaults where it gives nothing; a named choice keeps its own."""
    made = dict(table)
    for key, section in defaults.items():
        given = table.get(key, {})
        if not isinstance(given, Mapping) or (key == "optimizer" and "name" in given):
            continue
        if key == "network" and given.get("kind", "mlp") != "mlp":
            continue
        made[key] = dict(given) | {k: v for k, v in section.items() if k not in given}
    return made


def _guesses(
    given: Mapping[str, Any], table: Mapping[str, Any], source: Source, task: str
) -> tuple[str, ...]:
    """Say what was chosen because `given` leaves it open and `table` has it now."""
    said = []
    if "task" not in given.get("data", {}) and source.t.size and "path" in given.get("data", {}):
        kind = "numbers" if source.classes is None else f"{len(source.classes)} classes"
        said.append(f"task: {task}, for the target holds {kind}; else say --task")
    if "network" in table and "network" not in given:
        net, how = table["network"], table["training"]
        length = f"{how['epochs']} epochs" if "epochs" in how else f"{how['steps']} steps"
        said.append(
            f"network: {net['depth']} hidden layers of {net['width']} ({net['activation']}); "
            f"{length}, batches of {how['batch_size']}; else --set network.width=... or CONFIG.toml"
        )
    return tuple(said)
