"""Write the golden values of tests/golden: what PyTorch makes of fixed inputs.

Each file holds its inputs, PyTorch's answers and, as `made_by`, the command and the versions. The
command takes the kinds to write ("layers"); default all.
"""

from __future__ import annotations

import itertools
import json
import platform
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cases
import layer_cases
import numpy as np
import optimizer_cases
import schedule_cases
import torch
import torch_layers
import torch_side

COMMAND = "PYTHONPATH=tests .venv-oracle/bin/python tests/oracle/make_golden.py"
FOLDER = Path(__file__).resolve().parent.parent / "golden"
STEPS, KEPT = 200, 50  # optimizer steps; every fiftieth is kept
Arrays = dict[str, np.ndarray]


def activation_inputs(rng: np.random.Generator) -> Arrays:
    x = np.concatenate([rng.normal(scale=3, size=52), [0, 0.5, -0.5, 8, -8, 19.9, 20.1, 30, -30]])
    return {"x": x.round(6), "dy": rng.normal(size=x.size)}


def activation_answers(inputs: Arrays) -> Arrays:
    answers = {}
    for dtype in cases.DTYPES:
        x, dy = inputs["x"].astype(dtype), inputs["dy"].astype(dtype)
        for case in cases.ACTIVATIONS:
            y, dx = torch_side.activation(case, x, dy)
            answers |= {f"{case.name}.{dtype}.y": y, f"{case.name}.{dtype}.dx": dx}
    return answers


def loss_inputs(rng: np.random.Generator) -> Arrays:
    inputs = {}
    for case in cases.LOSSES:
        for n, k in ((1, 7), (12, 10)):
            inputs[f"{case.name}.{n}.y"] = rng.normal(scale=3, size=(n, k))
            inputs[f"{case.name}.{n}.t"] = cases.targets(case, n, k, rng)
    return inputs


def loss_answers(inputs: Arrays) -> Arrays:
    answers = {}
    for case in cases.LOSSES:
        for n in (1, 12):
            y, t = (inputs[f"{case.name}.{n}.{part}"] for part in "yt")
            for dtype in cases.DTYPES:
                value, dy = torch_side.loss(case, y.astype(dtype), t)
                answers |= {
                    f"{case.name}.{n}.{dtype}.loss": value,
                    f"{case.name}.{n}.{dtype}.dy": dy,
                }
    return answers


def network_inputs(rng: np.random.Generator) -> Arrays:
    inputs = {}
    for i, case in enumerate(cases.NETWORKS):
        loss = cases.LOSSES[i % len(cases.LOSSES)]
        net = cases.network(case, "float64")
        inputs[f"{case.name}.params"] = rng.normal(scale=0.5, size=net.n_parameters)
        inputs[f"{case.name}.x"] = rng.normal(size=(6, *case.input_shape))
        inputs[f"{case.name}.t"] = cases.targets(loss, 6, net.output_shape[0], rng)
    return inputs


def network_answers(inputs: Arrays) -> Arrays:
    answers = {}
    for i, case in enumerate(cases.NETWORKS):
        loss = cases.LOSSES[i % len(cases.LOSSES)]
        flat, x, t = (inputs[f"{case.name}.{part}"] for part in ("params", "x", "t"))
        for dtype in cases.DTYPES:
            params = cases.network(case, dtype).wrap(flat.astype(dtype))
            made = torch_side.network(case.layers, params, x.astype(dtype), t, loss)
            answers |= {f"{case.name}.{dtype}.{part}": value for part, value in made.items()}
    return answers


def optimizer_inputs(rng: np.random.Generator) -> Arrays:
    sizes = np.geomspace(1e-4, 10, 6)  # parameters whose gradients differ in size
    return {"w": rng.normal(size=6), "gradients": sizes * rng.normal(size=(STEPS, 6))}


def optimizer_answers(inputs: Arrays) -> Arrays:
    return {
        case.name: torch_side.optimizer(case.kind, case.options, **inputs, rates=case.rates(STEPS))[
            KEPT - 1 :: KEPT
        ]
        for case in optimizer_cases.OPTIMIZERS
        if case.torch
    }


def layer_inputs(rng: np.random.Generator) -> Arrays:
    """A row's numbers depend on its name alone, so that new rows leave the others as they are."""
    rows = layer_cases.GOLDEN_ROWS
    return {
        case.name: case.packed(np.random.default_rng(zlib.crc32(case.name.encode())), rows)
        for case in layer_cases.LAYERS
    }


def layer_answers(inputs: Arrays) -> Arrays:
    """In float64 only, which float32 is compared with, too; inference where it is another."""
    answers: Arrays = {}
    for case, training in itertools.product(layer_cases.LAYERS, layer_cases.MODES):
        drawn = case.unpacked(inputs[case.name], case.network("float64"))
        parts = torch_layers.pull_back(case.layer, *drawn, training)
        made = np.concatenate([part.ravel() for part in parts])
        if training or not np.array_equal(made, answers[f"{case.name}.training"]):
            answers[f"{case.name}.{'training' if training else 'inference'}"] = made
    return answers


def schedule_inputs(rng: np.random.Generator) -> Arrays:
    return {"size": np.array([schedule_cases.LR, schedule_cases.STEPS, schedule_cases.AN_EPOCH])}


def schedule_answers(inputs: Arrays) -> Arrays:
    lr, steps = float(inputs["size"][0]), int(inputs["size"][1])
    return {
        case.name: torch_side.schedule(case.chain, lr, steps) for case in schedule_cases.SCHEDULES
    }


KINDS: dict[str, tuple[Callable[..., Arrays], Callable[[Arrays], Arrays]]] = {
    "activations": (activation_inputs, activation_answers),
    "losses": (loss_inputs, loss_answers),
    "networks": (network_inputs, network_answers),
    "optimizers": (optimizer_inputs, optimizer_answers),
    "layers": (layer_inputs, layer_answers),
    "schedules": (schedule_inputs, schedule_answers),
}


def made_by() -> dict[str, Any]:
    """Return the command and the versions that the values depend on."""
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    return {"command": COMMAND, "python": platform.python_version(), **versions}


def main(kinds: Sequence[str] = ()) -> None:
    """Write the files of `kinds`, or all of them."""
    FOLDER.mkdir(exist_ok=True)
    for number, (kind, (draw, answer)) in enumerate(KINDS.items()):
        if kinds and kind not in kinds:
            continue
        inputs = draw(np.random.default_rng(number))
        arrays = {f"in.{name}": value for name, value in inputs.items()}
        arrays |= {f"out.{name}": value for name, value in answer(inputs).items()}
        np.savez_compressed(
            FOLDER / f"{kind}.npz", made_by=np.array(json.dumps(made_by())), **arrays
        )


if __name__ == "__main__":
    main(sys.argv[1:])
