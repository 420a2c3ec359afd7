"""Sweep files with keys misspelt, mistyped and out of range: every problem is told, by its key.

SIMDL_FUZZ sets the number of cases.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simdl import cli
from simdl.commands.toml_text import toml_text
from simdl.errors import InputError
from simdl.sweep import Sweep

CASES = int(os.environ.get("SIMDL_FUZZ", "200"))
SOUND: dict[str, Any] = {
    "name": "fuzzed",
    "seeds": 3,
    "dtype": "float32",
    "record": ["metrics", "gradient_rms"],
    "data": {"name": "moons", "samples": 60, "split": [0.6, 0.2, 0.2], "scale": "standard"},
    "network": {
        "kind": "mlp", "depth": 2, "width": 8, "activation": "tanh", "init": "glorot_normal",
        "norm": "LayerNorm", "dropout": 0.1, "residual": False,
    },
    "training": {"loss": "softmax_cross_entropy", "batch_size": 16, "epochs": 2},
    "optimizer": {"name": "Adam", "lr": 1e-3, "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False},
    "schedule": {"name": "step", "step_size": 5, "gamma": 0.5},
    "regularization": {"l1": 0.0, "l2": 1e-4, "clip_norm": 1.0, "clip_value": 1.0},
    "stop": {"name": "patience", "epochs": 4},
    "probes": {"every": 2, "names": ["gradient_rms"]},
    "axes": {"network.depth": [1, 2], "optimizer.lr,training.batch_size": [[1e-3, 8], [1e-2, 16]]},
}  # fmt: skip
OPEN = ("data", "axes")  # their keys are a data set's, or dotted ones of the others
NONSENSE = [
    -1,
    0.5,
    float("nan"),
    float("inf"),
    10**9,
    "nonsense",
    "3",
    True,
    [],
    [1, "x"],
    {"a": 1},
]
PATHS = [
    (section, key)
    for section, table in SOUND.items()
    for key in (table if isinstance(table, dict) else [None])
]


def misspelt(key: str) -> str:
    """Swap two letters; what is too short gets one more."""
    return key[0] + key[2] + key[1] + key[3:] if len(key) > 3 and key[1] != key[2] else key + "q"


def spoilt(table: dict[str, Any], path: tuple[str, str | None], how: Any) -> str:
    """Spoil one place of a table; return the key that a message must name."""
    section, key = path
    place = table if key is None else table[section]
    last = section if key is None else key
    if how == "misspell":
        value = place.pop(last)
        last = misspelt(last)
        place[last] = value
    else:
        place[last] = how
    return last if key is None or section == "axes" else f"{section}.{last}"


@st.composite
def spoilings(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """A table with one to three places spoilt, and which keys these are."""
    table = copy.deepcopy(SOUND)
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True))
    done = []
    for path in paths:
        how = draw(st.one_of(st.just("misspell"), st.sampled_from(NONSENSE)))
        done.append((spoilt(table, path, how), how))
    return table, done


@settings(
    max_examples=CASES, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(case=spoilings())
def test_what_is_wrong_is_told(
    case: tuple[dict[str, Any], list[tuple[str, Any]]], tmp_path: Path
) -> None:
    table, done = case
    path = tmp_path / "sweep.toml"
    path.write_text(toml_text(table), encoding="utf-8")
    try:
        Sweep.from_toml(path)
    except InputError as error:
        assert all("\n" not in line and ": " in line for line in error.problems)
        said = "\n".join(error.problems)
    else:
        said = ""
    # what is of no known kind has no known keys
    unknown = [k.partition(".")[0] for k, _ in done if k.endswith((".name", ".nmae"))]
    for key, how in done:
        if key.partition(".")[0] in unknown and not key.endswith(".nmae"):
            continue
        if how == "misspell" and key.partition(".")[0] not in OPEN:
            assert key in said, said
            assert "did you mean" in said or "known:" in said, said


NUMBERS = [  # neither true nor a text is one
    (path, how)
    for path in PATHS
    for how in (True, "3")
    if path[1] is not None and path[0] != "axes" and type(SOUND[path[0]][path[1]]) in (int, float)
]
REPLACED = ("network.depth", "optimizer.lr", "training.batch_size")  # by the axes' values
ALONE = [
    (path, how)
    for path in PATHS
    for how in ("misspell", *NONSENSE)
    if how == "misspell"
    or (isinstance(how, dict | list) and ".".join(map(str, path)) not in REPLACED)
]
ALONE += [(path, how) for path, how in NUMBERS if ".".join(map(str, path)) not in REPLACED]
ALONE += [(("seeds", None), how) for how in (True, "3")]
ALONE += [(("axes", "network.depth"), [how, 2]) for how in (True, "3")]
ALONE += [(("data", "split"), [True, False, False]), (("schedule", "gamma"), "0.5")]
ALONE += [(("axes", "optimizer.lr,training.batch_size"), [[how, 8]]) for how in (True, "3")]
EMPTY = ("record", "probes.names")  # lists that may be


def test_one_spoilt_place_is_told_by_its_key(tmp_path: Path) -> None:
    """A misspelt key and a value of a wrong kind are refused, each by its full path."""
    untold = []
    for place, how in ALONE:
        table = copy.deepcopy(SOUND)
        key = spoilt(table, place, how)
        path = tmp_path / "sweep.toml"
        path.write_text(toml_text(table), encoding="utf-8")
        try:
            Sweep.from_toml(path)
        except InputError as error:
            told = [
                key.partition(",")[0],
                key.removesuffix(".name"),
                *(["record"] if key == "probes.names" else []),
            ]
            if not any(part in str(error) for part in told):
                untold.append((key, how, str(error)))
        else:
            if how != [] or key not in EMPTY:
                untold.append((key, how, "accepted"))
    assert not untold


def test_the_command_lists_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = copy.deepcopy(SOUND)
    spoilt(table, ("network", "width"), "misspell")
    spoilt(table, ("optimizer", "eps"), "nonsense")
    spoilt(table, ("seeds", None), "misspell")
    path = tmp_path / "sweep.toml"
    path.write_text(toml_text(table), encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        cli.main(["sweep", str(path), "--jobs", "0", "--shard", "3/2"])
    said = capsys.readouterr()
    assert end.value.code == 2 and not said.out and "Traceback" not in said.err
    wanted = ["network.wdith", "did you mean 'width'", "optimizer.eps: 'nonsense'", "seedsq",
              "did you mean 'seeds'", "jobs: 0", "--shard 3/2"]  # fmt: skip
    assert not [part for part in wanted if part not in said.err], said.err
    assert list(tmp_path.iterdir()) == [path]
