"""Networks that see few digits for long, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.layers import BatchNorm, Dense, Dropout, Flatten, Layer, ReLU
from simdl.network import Network
from simdl.optimizers import Adam
from simdl.probes import Probe
from simdl.scenario.interpolation import mislabelled
from simdl.stopping import GL, PQ, UP, Patience, Stop
from simdl.training import train

LOOK = 2  # epochs from one record to the next
SMOOTH = 3  # records that a smoothed loss is the mean of
RULES: dict[str, Stop] = {
    "first rise": Patience(1), "GL 2": GL(2), "GL 5": GL(5), "PQ .02": PQ(0.02), "UP 2": UP(2),
    "patience 10": Patience(10),
}  # fmt: skip
STOP = "patience 10"
COPIES, SHAKE = 4, 0.5  # of each digit, beside itself; standard deviation of the noise on them
RATE, L1, L2 = 0.5, 0.3, 0.03  # of dropout; of the penalties


def course(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train on digits, some of whose labels are wrong, and record losses every `LOOK` epochs.

    Two hidden ReLU layers, Adam. The validation and the test part have right labels.

    Parameters
    ----------
    settings : `samples` trained on, at most 1,078; `wrong`, share of their labels; `width`;
        `optimizer`, a table with the `lr` of Adam; `batch`; `epochs`

    Returns
    -------
    dict
        `train_loss`, `validation_loss`, `test_loss`, `test_accuracy` (epoch,), from before training
        to the end, nats and shares.
    """
    steps = _steps(settings)
    every = LOOK * steps
    probes = [Probe("loss", every=every), Probe("accuracy", every=every)]
    run = _trained(settings, seed, probes, ())
    epochs = {"epoch": run.history["step"].values // steps}
    return {
        name: xarray.DataArray(run.history[name].values, epochs)
        for name in ("train_loss", "validation_loss", "test_loss", "test_accuracy")
    }


def outcome(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train as `course` does, with remedies, and return what comes of it.

    Parameters
    ----------
    settings : those of `course`; `rule`, a name of `RULES`, default none; `remedies`, names
        joined by " + ", default none: "shifts" and "noise" (`COPIES` changed copies of each digit),
        "dropout", "batch norm", "L1", "L2", "early stopping" (by the rule `STOP`), "more data" (all
        1,078). The steps are as many for all that do not stop.

    Returns
    -------
    dict
        `train_loss`, `validation_loss`, `test_loss`, nats, and `test_accuracy`, of the parameters
        that are kept; `epochs` trained, in passes over as many samples as there were.
    """
    chosen = tuple(name for name in settings.get("remedies", "").split(" + ") if name)
    probes = [Probe("loss", every="end"), Probe("accuracy", every="end")]
    run = _trained(settings, seed, probes, chosen)
    names = ("train_loss", "validation_loss", "test_loss", "test_accuracy")
    return {name: run.metrics[name] for name in names} | {"epochs": run.steps / _steps(settings)}


def _steps(settings: Mapping[str, Any]) -> int:
    """Steps an epoch, of samples without copies."""
    return -(-int(settings["samples"]) // int(settings["batch"]))


def _trained(
    settings: Mapping[str, Any], seed: int, probes: list[Probe], chosen: tuple[str, ...]
) -> Any:
    data = _digits(settings, seed, chosen)
    block: tuple[Layer, ...] = (
        Dense(settings["width"]),
        *((BatchNorm(),) if "batch norm" in chosen else ()),
        ReLU(),
        *((Dropout(RATE),) if "dropout" in chosen else ()),
    )
    net = Network(data.input_shape, (Flatten(), *block, *block, Dense(10)), "he_normal")
    rule = STOP if "early stopping" in chosen else settings.get("rule")
    return train(
        net, data, optimizer=Adam(**settings["optimizer"]), batch_size=settings["batch"],
        steps=settings["epochs"] * _steps(settings), l1=L1 if "L1" in chosen else 0.0,
        l2=L2 if "L2" in chosen else 0.0, stop=RULES[rule] if rule else None, seed=seed,
        probes=probes,
    )  # fmt: skip


def _digits(settings: Mapping[str, Any], seed: int, chosen: tuple[str, ...]) -> Data:
    """The digits of a replicate; whatever is done to them, the first ones are the same."""
    whole, rng = load("digits", seed=seed), np.random.default_rng(seed)
    t = mislabelled(whole.train[1], settings["wrong"], 10, rng)
    n = len(t) if "more data" in chosen else settings["samples"]
    x, t = whole.train[0][:n], t[:n]
    copies = [x]
    if "shifts" in chosen:
        assert whole.scaler is not None
        copies += [whole.scaler.apply(moved) for moved in shifted(whole.scaler.undo(x))]
    if "noise" in chosen:
        copies += [each + rng.normal(0, SHAKE, x.shape) for each in [x] * COPIES]
    return Data(
        train=(np.concatenate(copies), np.tile(t, len(copies))), validation=whole.validation,
        test=whole.test, classes=whole.classes,
    )  # fmt: skip


def shifted(images: np.ndarray) -> list[np.ndarray]:
    """Return images (N, rows, columns, channels) moved by a pixel up, down, left and right.

    What comes in is 0.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows, columns = images.shape[1:3]
    places = ((2, 1), (0, 1), (1, 2), (1, 0))
    return [padded[:, i : i + rows, j : j + columns] for i, j in places]


def smoothed(losses: xarray.DataArray) -> xarray.DataArray:
    """Return losses (..., epoch), each the mean of it and those before it, `SMOOTH` in all."""
    return losses.rolling(epoch=SMOOTH).mean().isel(epoch=slice(SMOOTH - 1, None))


def has_u_shape(found: xarray.Dataset, rise: float) -> xarray.DataArray:
    """Return of each course whether its validation loss fell and then rose by a share of `rise`.

    Smoothed losses; the training loss must be lower at the end than at that minimum.
    """
    validation, training = smoothed(found["validation_loss"]), smoothed(found["train_loss"])
    best = validation.argmin("epoch")
    fell = training.isel(epoch=-1) < training.isel(epoch=best)
    return (validation.isel(epoch=-1) > (1 + rise) * validation.isel(epoch=best)) & fell
