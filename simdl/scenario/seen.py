"""What a unit of a convolutional network sees of its input, and how much each part counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray

from simdl.data import load
from simdl.fields import effective_receptive_field, receptive_field
from simdl.layers import AvgPool1D, Conv1D, Dense, GlobalAvgPool, Layer, ReLU
from simdl.network import Network
from simdl.optimizers import Adam
from simdl.probes import Probe
from simdl.scenario.published import VGG_POOLS, networks
from simdl.scenario.seeds import nth_seed
from simdl.theory.receptive_field import Field, Window, spread
from simdl.training import train

SIZE = 3  # of every convolution
KINDS = ("plain", "stride", "dilation", "pooling")
REACH = 45  # input positions to each side, of the maps that are kept


def published(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Fields behind the last window of published networks, by their name, and VGG-16's pools.

    Returns
    -------
    dict
        `field` (network, value), size, stride and padding along the first axis; `other`, the same
        along the second; `pools` (pool,), sizes behind the pools of VGG-16.
    """
    nets = networks()
    found = {name: receptive_field(net) for name, net in nets.items()}
    pools = [
        found["VGG-16"][i][0].size
        for i, layer in enumerate(nets["VGG-16"].layers)
        if type(layer).__name__ == "MaxPool2D"
    ]
    assert len(pools) == len(VGG_POOLS)
    names = {"network": list(found), "value": ["size", "stride", "padding"]}
    first, second = (
        [[f.size, f.stride, f.padding] for f in (each[-1][axis] for each in found.values())]
        for axis in (0, 1)
    )
    return {
        "field": xarray.DataArray(first, names),
        "other": xarray.DataArray(second, names),
        "pools": xarray.DataArray(pools, {"pool": np.arange(1, len(pools) + 1)}),
    }


def windows(kind: str, depth: int) -> list[Window]:
    """Convolutions of `SIZE`, one a layer, on one axis.

    "plain"; "stride", every second one moves by 2; "dilation", 1, 2, 4, 8, 1, ...; "pooling", a
    mean of 2 behind every second one but the last.
    """
    made = []
    for i in range(depth):
        odd = i % 2 == 1
        dilation = 2 ** (i % 4) if kind == "dilation" else 1
        made.append(Window(SIZE, 2 if kind == "stride" and odd else 1, 0, dilation))
        if kind == "pooling" and odd and i < depth - 1:
            made.append(Window(2, 2))
    return made


def stack(made: Sequence[Window], channels: int) -> tuple[Layer, ...]:
    """Linear layers of these windows; those of size 2 are means. The last one has one channel."""
    last = max((i for i, w in enumerate(made) if w.size != 2), default=None)
    return tuple(
        AvgPool1D(w.size, w.stride)
        if w.size == 2
        else Conv1D(1 if i == last else channels, w.size, w.stride, w.padding, dilation=w.dilation)
        for i, w in enumerate(made)
    )


def _last(net: Network) -> tuple[Field, int]:
    """The field behind the last layer, and the number of its middle unit."""
    return receptive_field(net)[-1][0], net.output_shape[0] // 2


def effective(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Mean squared gradient of a middle unit by input position, behind random linear convolutions.

    Parameters
    ----------
    settings : `kind`, of `windows`; `depth`, convolutions; `channels` of all but the last, and of
        the input; `nets` that are averaged

    Returns
    -------
    dict
        `weight` (position,), shares by distance from the field's centre, in input positions;
        `sigma`, their standard deviation about it; `kurtosis`, 3 of a Gaussian.
    """
    made = windows(settings["kind"], settings["depth"])
    layers, channels = stack(made, settings["channels"]), settings["channels"]
    deep = receptive_field(Network((10_000, 1), layers))[-1][0]
    net = Network((deep.size + 2 * deep.stride, channels), layers, "lecun_normal")
    field, unit = _last(net)
    total = np.zeros(net.input_shape[0])
    for k in range(settings["nets"]):
        params = net.init(nth_seed(seed, k))
        total += effective_receptive_field(net, params, unit=unit, samples=1)
    share = total / total.sum()
    place = np.arange(len(share)) - (field.centre + unit * field.stride)
    sigma = float(np.sqrt(share @ place**2))  # of few networks: their own mean is off the centre
    at = np.arange(-REACH, REACH + 1)
    return {
        "weight": xarray.DataArray(np.interp(at, place, share, 0, 0), {"position": at}),
        "sigma": sigma,
        "kurtosis": float(share @ place**4 / sigma**4),
    }


def support(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Where the gradients of a middle unit come from, behind random linear layers, 1-D.

    Two to six convolutions and means, sizes 1 to 5, strides 1 to 3, dilations 1 to 3, paddings 0 to
    2, all drawn; the union over two draws of weights.

    Returns
    -------
    dict
        `first`, `last`: first and last position whose gradient is not 0, less those of the
        formula; `size`, the formula's.
    """
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(rng.integers(2, 7)):
        size, stride, dilation = (int(rng.integers(1, most + 1)) for most in (5, 3, 3))
        if rng.integers(3) == 0:
            made.append(Window(2, stride))
        else:
            size += size == 2  # those are means
            made.append(Window(size, stride, int(rng.integers(3)), dilation))
    layers = stack(made, 2)
    deep = receptive_field(Network((1_000_000, 1), layers))[-1][0]
    length = 4 * deep.padding + 3 * deep.size + 4 * deep.stride
    net = Network((length, 1), layers, "lecun_normal", "float64")
    field, unit = _last(net)
    total = sum(
        effective_receptive_field(net, net.init(nth_seed(seed, k)), unit=unit, samples=1)
        for k in range(2)
    )
    seen, (first, last) = np.flatnonzero(total), field.interval(unit)
    assert first >= 0 and last < length
    return {
        "first": int(seen[0]) - first, "last": int(seen[-1]) - last, "size": field.size,
    }  # fmt: skip


def learned(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Effective field of a ReLU network's last convolution, before and after it learns MNIST-1D.

    Parameters
    ----------
    settings : `depth`, convolutions; `channels`; `lr` of Adam; `steps`; `samples` of the test set
        that gradients are averaged over

    Returns
    -------
    dict
        `weight` (stage, position), shares by position from the field's centre, "before" and
        "after"; `sigma` (stage,); `accuracy` on the test set, after.
    """
    block = (Conv1D(settings["channels"], SIZE, padding=1), ReLU())
    layers = (*block * settings["depth"], GlobalAvgPool(), Dense(10))
    data = load("mnist1d", split=(0.8, 0, 0.2), seed=seed)
    net = Network(data.input_shape, layers, "he_normal")
    run = train(
        net, data, optimizer=Adam(lr=settings["lr"]), batch_size=100, steps=settings["steps"],
        seed=seed, probes=[Probe("accuracy", every="end")],
    )  # fmt: skip
    assert data.test is not None
    x, last = data.test[0][: settings["samples"]], len(block) * settings["depth"] - 1
    maps = [
        effective_receptive_field(net, params, last, x=x) for params in (net.init(seed), run.params)
    ]
    at = np.arange(len(maps[0])) - len(maps[0]) // 2
    shares = [each / each.sum() for each in maps]
    stages = {"stage": ["before", "after"]}
    return {
        "weight": xarray.DataArray(shares, stages | {"position": at}),
        "sigma": xarray.DataArray([float(spread(each)[0]) for each in maps], stages),
        "accuracy": run.metrics["test_accuracy"],
    }
