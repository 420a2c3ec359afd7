"""Parameters in PyTorch's layout, from and to plain arrays; tests/oracle runs PyTorch itself."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from cases import build
from state_cases import NETWORKS

import simdl
from simdl import layers as L
from simdl.state_dict import to_arrays


class Normalized(L.Layer):
    """Numbers for each channel, or for each element of a vector, as a normalization has them."""

    def __init__(self, groups: int = 1) -> None:
        self.groups = groups

    def lower(self, program: Any, path: str, x: Any) -> Any:
        for name in ("weight", "bias"):
            program.parameter(path, name, x.shape[-1:])
        for name in ("running_mean", "running_var"):
            program.buffer(path, name, x.shape[-1:], 0.0)
        return x


def network(name: str) -> simdl.Network:
    shape, layers = NETWORKS[name]
    return simdl.Network(shape, build(layers), dtype="float64")


def numbered(net: simdl.Network) -> simdl.Parameters:
    """Parameters and running statistics that are all different."""
    params = net.init(0)
    params.flat[:] = np.arange(params.flat.size)
    params.buffers.flat[:] = -np.arange(params.buffers.flat.size)
    return params


@pytest.mark.parametrize("name", NETWORKS)
def test_back_is_where_it_came_from(name: str) -> None:
    net = network(name)
    params = numbered(net)
    arrays = to_arrays(net, params)
    assert list(arrays) == [*params, *params.buffers]
    back = simdl.from_torch(net, arrays)
    assert np.array_equal(back.flat, params.flat)
    assert np.array_equal(back.buffers.flat, params.buffers.flat)


def test_axes_are_pytorchs() -> None:
    """Index by index: outputs first, then channels; a flattened image channel by channel."""
    net = network("cnn_2d")  # (8, 6, 2), at the Flatten (3, 2, 4)
    params = numbered(net)
    arrays = to_arrays(net, params)
    kernel, dense = arrays["0.weight"], arrays["5.weight"]
    assert kernel.shape == (4, 2, 3, 2) and dense.shape == (5, 24) and "5.bias" not in arrays
    for out, channel, row, column in np.ndindex(kernel.shape):
        assert kernel[out, channel, row, column] == params["0.weight"][row, column, channel, out]
    for out, channel, row, column in np.ndindex(5, 4, 3, 2):
        ours = params["5.weight"][(row * 2 + column) * 4 + channel, out]
        assert dense[out, (channel * 3 + row) * 2 + column] == ours
    assert np.array_equal(arrays["7.weight"], params["7.weight"].T)
    assert np.array_equal(arrays["0.bias"], params["0.bias"])


def test_a_sequences_axes_are_pytorchs() -> None:
    net = network("cnn_1d")
    params = numbered(net)
    kernel = to_arrays(net, params)["0.weight"]
    assert np.array_equal(kernel, params["0.weight"].transpose(2, 1, 0))


def test_what_normalizes_a_flattened_image_lies_in_its_order() -> None:
    """And what normalizes an image, or a vector, stays as it is."""
    layers = [Normalized(), L.Flatten(), Normalized(), L.Dense(3), Normalized()]
    net = simdl.Network((2, 3, 4), layers)
    params = numbered(net)
    arrays = to_arrays(net, params)
    for key in ("weight", "bias", "running_mean", "running_var"):
        source = params if key in ("weight", "bias") else params.buffers
        for layer in (0, 4):
            assert np.array_equal(arrays[f"{layer}.{key}"], source[f"{layer}.{key}"])
        turned = source[f"2.{key}"].reshape(6, 4).T.ravel()
        assert np.array_equal(arrays[f"2.{key}"], turned)
    counted = {f"{layer}.num_batches_tracked": np.array(7) for layer in (0, 2, 4)}
    taken = simdl.from_torch(net, arrays | counted)
    assert np.array_equal(taken.flat, params.flat)
    assert np.array_equal(taken.buffers.flat, params.buffers.flat)


def test_all_that_is_wrong_is_said_at_once() -> None:
    net = network("mlp")
    arrays = to_arrays(net, net.init(0))
    del arrays["0.bias"]
    arrays["0.wieght"] = arrays["0.weight"]
    arrays["0.num_batches_tracked"] = np.array(0)
    arrays["2.weight"] = arrays["2.weight"].T
    arrays["4.bias"] = np.full(3, "a")
    with pytest.raises(simdl.InputError) as caught:
        simdl.from_torch(net, arrays)
    assert caught.value.problems == (
        "state_dict: '0.wieght': no such parameter (did you mean '0.weight'?)",
        "state_dict: '0.num_batches_tracked': no such parameter (known: 0.bias, 0.weight, "
        "2.weight, 4.bias, 4.weight)",
        "state_dict: '0.bias': missing: of shape (9,)",
        "state_dict: '2.weight': shape (9, 4): must be (4, 9)",
        "state_dict: '4.bias': <U1: must hold real numbers",
    )


def test_what_is_no_network_or_no_parameters_is_refused() -> None:
    net, other = network("mlp"), network("cnn_1d")
    with pytest.raises(simdl.InputError, match="state_dict: list: must be a mapping"):
        simdl.from_torch(net, [])  # type: ignore[arg-type]
    with pytest.raises(simdl.InputError, match=r"net: list: must be a simdl\.Network"):
        simdl.from_torch([], {})  # type: ignore[arg-type]
    with pytest.raises(simdl.InputError, match=r"params: '0\.weight': shape .*must be \(6, 9\)"):
        to_arrays(net, other.init(0))


def test_groups_of_a_flattened_image_have_no_counterpart() -> None:
    before = simdl.Network((2, 3, 4), [Normalized(2), L.Flatten(), L.Dense(6), Normalized(2)])
    assert len(to_arrays(before, before.init(0))) == 10
    of_one_channel = simdl.Network((2, 4, 1), [L.Flatten(), Normalized(2)])
    assert len(to_arrays(of_one_channel, of_one_channel.init(0))) == 4
    behind = simdl.Network((2, 3, 4), [L.Flatten(), Normalized(2)])
    with pytest.raises(
        simdl.InputError, match=r"layers\.1: Normalized: its groups .*before Flatten"
    ):
        to_arrays(behind, behind.init(0))


def test_without_pytorch_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    net = network("mlp")
    with pytest.raises(simdl.InputError, match="to_torch: needs PyTorch: pip install torch"):
        simdl.to_torch(net, net.init(0))
