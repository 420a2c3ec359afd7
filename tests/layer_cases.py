"""The table of layers: a row drives the naive reference, the gradient check, NaN and PyTorch alike.

A new layer is a row here, a function in `naive_layers` and one of the same arguments in
`oracle/torch_layers`. Layers are plain tuples, ``("Dense", 5)``, their options last,
``("Dense", 5, {"bias": False})``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from cases import build

import simdl
from simdl.parameters import Parameters

MODES = (True, False)  # training, inference
GOLDEN_ROWS = 3


@dataclass(frozen=True)
class LayerCase:
    """`kinks`: inputs at which the derivative jumps; inputs keep away from these and apart from
    each other, so that no maximum changes hands either. `floor`: differences are measured against
    the reference's norm, or against this where the exact answer is all but 0.
    """

    name: str
    input_shape: tuple[int, ...]
    layer: tuple[Any, ...]
    kinks: tuple[float, ...] = ()
    floor: float = 0.0

    def network(self, dtype: str) -> simdl.Network:
        return simdl.Network(self.input_shape, build((self.layer,)), dtype=dtype)

    def inputs(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        """Draw x (rows, *input_shape): evenly spaced numbers in random order, a little offset."""
        size = rows * int(np.prod(self.input_shape))
        spread = np.linspace(-1.7, 1.7, size) if size > 1 else np.array([0.4])
        x = rng.permutation(spread) + 0.1 / size * rng.uniform(-1, 1, size) + 0.02
        for kink in self.kinks:
            x = np.where(np.abs(x - kink) < 0.02, x + 0.05, x)
        return x.reshape(rows, *self.input_shape)

    def numbers(self, rng: np.random.Generator, net: simdl.Network) -> Parameters:
        """Draw parameters and running statistics, none of them where they start."""
        params = net.init(0)
        params.flat[:] = rng.normal(size=params.flat.size)
        for name, value in params.buffers.items():
            low, high = (0.5, 2.0) if name.endswith("running_var") else (-1.0, 1.0)
            value[...] = rng.uniform(low, high, value.shape)
        return params

    def packed(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        """Draw parameters, statistics, a batch and a cotangent, one after the other (float32)."""
        net = self.network("float32")
        params, x = self.numbers(rng, net), self.inputs(rng, rows)
        cotangent = rng.normal(size=rows * math.prod(net.output_shape))
        flat = np.concatenate([params.flat, params.buffers.flat, x.ravel(), cotangent])
        return flat.astype(np.float32)

    def unpacked(self, flat: np.ndarray, net: simdl.Network) -> tuple[Parameters, Any, Any]:
        """Return what `packed` drew, in the network's precision."""
        sizes = (net.n_parameters, net.program.n_buffers, math.prod(self.input_shape))
        rows = (flat.size - sum(sizes[:2])) // (sizes[2] + math.prod(net.output_shape))
        ends = np.cumsum([*sizes[:2], rows * sizes[2]])
        params, buffers, x, cotangent = np.split(flat.astype(net.dtype), ends)
        return (
            net.wrap(params, buffers),
            x.reshape(rows, *self.input_shape),
            cotangent.reshape(rows, *net.output_shape),
        )


CONVOLUTIONS = (
    LayerCase("conv2d", (4, 5, 2), ("Conv2D", 4, 3)),
    LayerCase("conv2d_no_bias", (4, 4, 2), ("Conv2D", 3, 2, {"bias": False})),
    LayerCase("conv2d_same", (3, 4, 3), ("Conv2D", 2, 3, {"padding": "same"})),
    LayerCase("conv2d_even_same", (4, 5, 1), ("Conv2D", 2, (2, 4), {"padding": "same"})),
    LayerCase("conv2d_same_by_2", (5, 4, 2), ("Conv2D", 2, 3, {"stride": 2, "padding": "same"})),
    LayerCase("conv2d_dilated", (5, 4, 2), ("Conv2D", 2, 3, {"dilation": 2, "padding": 2})),
    LayerCase(
        "conv2d_pairs", (4, 5, 2),
        ("Conv2D", 2, (2, 3), {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}),
    ),
    LayerCase("conv2d_left_over", (4, 3, 9), ("Conv2D", 2, 2, {"stride": (3, 2)})),
    LayerCase("conv2d_whole", (2, 3, 2), ("Conv2D", 3, (2, 3))),
    LayerCase("conv2d_pointwise", (3, 2, 3), ("Conv2D", 4, 1)),
    LayerCase("conv2d_pointwise_by_2", (4, 3, 3), ("Conv2D", 2, 1, {"stride": 2})),
    LayerCase("conv2d_pointwise_framed", (2, 1, 2), ("Conv2D", 2, 1, {"padding": 1})),
    LayerCase(
        "conv2d_far_outside", (2, 1, 2), ("Conv2D", 2, 1, {"padding": 3, "stride": 9}), floor=1e-3
    ),
    LayerCase("conv2d_narrow", (3, 4, 1), ("Conv2D", 1, 3, {"padding": 1})),
    # outputs of 50 pixels and more are made another way
    LayerCase("conv2d_large", (9, 10, 2), ("Conv2D", 3, 3)),
    LayerCase("conv2d_large_same", (8, 8, 1), ("Conv2D", 2, 3, {"padding": "same"})),
    LayerCase("conv2d_large_dilated", (10, 9, 2), ("Conv2D", 2, 3, {"dilation": 2, "padding": 2})),
    LayerCase("conv2d_large_by_2", (16, 15, 1), ("Conv2D", 2, 3, {"stride": 2, "padding": "same"})),
    LayerCase("conv2d_large_far_padding", (6, 5, 1), ("Conv2D", 2, (2, 3), {"padding": (3, 1)})),
    LayerCase("conv2d_large_cut", (8, 9, 2), ("Conv2D", 2, 2, {"dilation": (1, 2)})),
    LayerCase("conv1d_large", (60, 2), ("Conv1D", 3, 3, {"padding": 1})),
    LayerCase("conv1d", (9, 2), ("Conv1D", 3, 3)),
    LayerCase("conv1d_by_2", (10, 1), ("Conv1D", 4, 5, {"stride": 2})),
    LayerCase("conv1d_same", (7, 2), ("Conv1D", 3, 4, {"padding": "same", "stride": 3})),
    LayerCase("conv1d_dilated", (9, 2), ("Conv1D", 2, 3, {"padding": 4, "dilation": 3})),
    LayerCase("conv1d_narrow", (1, 1), ("Conv1D", 1, 1)),
)  # fmt: skip

POOLINGS = (
    LayerCase("max2d", (4, 2, 3), ("MaxPool2D", 2)),
    LayerCase("max2d_overlapping", (3, 4, 2), ("MaxPool2D", 3, {"stride": 1, "padding": 1})),
    LayerCase("max2d_pairs", (3, 5, 9), ("MaxPool2D", (2, 3), {"stride": (1, 2)})),
    LayerCase("max2d_same", (5, 4, 2), ("MaxPool2D", 3, {"stride": 2, "padding": "same"})),
    LayerCase("max2d_narrow", (4, 3, 1), ("MaxPool2D", 2)),
    LayerCase("max2d_left_over", (5, 4, 2), ("MaxPool2D", 2)),
    LayerCase("max1d", (8, 3), ("MaxPool1D", 2)),
    LayerCase("max1d_narrow", (7, 1), ("MaxPool1D", 3, {"stride": 2, "padding": 1})),
    LayerCase("average2d", (4, 2, 3), ("AvgPool2D", 2)),
    LayerCase("average2d_overlapping", (5, 4, 2), ("AvgPool2D", 3, {"stride": 2, "padding": 1})),
    LayerCase("average2d_pairs", (4, 3, 2), ("AvgPool2D", (2, 3), {"padding": (1, 0)})),
    LayerCase("average2d_same", (5, 4, 2), ("AvgPool2D", 3, {"stride": 2, "padding": "same"})),
    LayerCase("average2d_narrow", (4, 3, 1), ("AvgPool2D", 2)),
    LayerCase("average1d", (8, 3), ("AvgPool1D", 3)),
    LayerCase("average1d_narrow", (7, 1), ("AvgPool1D", 3, {"stride": 2, "padding": 1})),
    LayerCase("global_average", (3, 4, 2), ("GlobalAvgPool",)),
    LayerCase("global_average_narrow", (5, 1), ("GlobalAvgPool",)),
)

# `floor` where two samples, or a single channel, leave next to nothing to the gradient
NORMS = (
    LayerCase("batch_norm", (5,), ("BatchNorm",), floor=1.0),
    LayerCase("batch_norm_image", (3, 2, 9), ("BatchNorm",)),
    LayerCase("batch_norm_sequence", (6, 2), ("BatchNorm", {"eps": 0.1, "momentum": 0.3})),
    LayerCase("batch_norm_plain", (2, 2, 3), ("BatchNorm", {"affine": False})),
    LayerCase("batch_norm_narrow", (1,), ("BatchNorm",), floor=1.0),
    LayerCase("layer_norm", (7,), ("LayerNorm",)),
    LayerCase("layer_norm_image", (2, 3, 4), ("LayerNorm", {"eps": 0.01})),
    LayerCase("layer_norm_plain", (5,), ("LayerNorm", {"affine": False})),
    LayerCase("layer_norm_narrow", (3, 1), ("LayerNorm", {"eps": 0.1}), floor=1.0),
    LayerCase("rms_norm", (7,), ("RMSNorm",)),
    LayerCase("rms_norm_image", (2, 3, 4), ("RMSNorm", {"eps": 0.01})),
    LayerCase("rms_norm_plain", (5,), ("RMSNorm", {"affine": False})),
    LayerCase("rms_norm_narrow", (1,), ("RMSNorm", {"eps": 0.1})),
    LayerCase("group_norm", (3, 2, 6), ("GroupNorm", 3)),
    LayerCase("group_norm_flat", (8,), ("GroupNorm", 2, {"eps": 0.01})),
    LayerCase("group_norm_whole", (5, 3), ("GroupNorm", 1)),
    LayerCase("group_norm_each", (5, 3), ("GroupNorm", 3)),
    LayerCase("group_norm_plain", (2, 2, 4), ("GroupNorm", 2, {"affine": False})),
    LayerCase("group_norm_narrow", (6, 1), ("GroupNorm", 1)),
)

OTHERS = (
    LayerCase("dropout", (7,), ("Dropout",)),
    LayerCase("dropout_image", (2, 3, 2), ("Dropout", 0.2)),
    LayerCase("dropout_none", (5,), ("Dropout", 0)),
    LayerCase("dropout_narrow", (1,), ("Dropout", 0.3)),
    LayerCase("prelu", (2, 5), ("PReLU",), kinks=(0.0,)),
    LayerCase("prelu_channels", (3, 2, 4), ("PReLU", {"per_channel": True}), kinks=(0.0,)),
    LayerCase("prelu_narrow", (1,), ("PReLU", 0.5), kinks=(0.0,)),
    LayerCase("softmax", (6,), ("Softmax",)),
    LayerCase("softmax_image", (2, 2, 3), ("Softmax",)),
    LayerCase("softmax_narrow", (1,), ("Softmax",), floor=1e-3),
    LayerCase(
        "residual_batch_norm", (4, 3),
        ("Residual", (("BatchNorm",), ("Tanh",), ("Dropout", 0.3), ("Residual", (("Dropout",),)))),
    ),
    LayerCase("residual_norms", (6,), ("Residual", (("LayerNorm",), ("PReLU",), ("Softmax",)))),
)  # fmt: skip

LAYERS = (
    LayerCase("dense", (6,), ("Dense", 5)),
    LayerCase("dense_no_bias", (6,), ("Dense", 5, {"bias": False})),
    LayerCase("dense_narrow", (1,), ("Dense", 1)),
    LayerCase("relu", (4, 3), ("ReLU",), kinks=(0.0,)),
    LayerCase("tanh_narrow", (1,), ("Tanh",)),
    LayerCase("identity", (2, 3), ("Identity",)),
    LayerCase("flatten", (2, 3, 2), ("Flatten",)),
    LayerCase("residual", (4,), ("Residual", (("Dense", 4), ("Tanh",), ("Dense", 4)))),
    *CONVOLUTIONS,
    *POOLINGS,
    *NORMS,
    *OTHERS,
)

# layer, input shape, what the message must say
REFUSED = (
    (("Dense", 5), (4, 3), ("Dense", "(4, 3)", "Flatten")),
    (("Residual", (("Dense", 3),)), (4,), ("Residual", "(4,)", "(3,)", "keep the shape")),
    (("Conv2D", 4, 3), (64,), ("Conv2D", "(height, width, channels)", "(64,)", "(8, 8, 1)")),
    (("Conv2D", 4, 3), (8, 8), ("Conv2D", "(height, width, channels)", "(8, 8)")),
    (("Conv1D", 4, 3), (40,), ("Conv1D", "(length, channels)", "(40,)", "(40, 1)")),
    (("Conv1D", 4, 3), (8, 8, 1), ("Conv1D", "(length, channels)", "(8, 8, 1)")),
    (("Conv2D", 4, 5), (3, 8, 1), ("Conv2D.size", "5", "height 3", "at most 3")),
    (("Conv2D", 4, (1, 3), {"dilation": 2, "padding": 1}), (8, 2, 1), ("5", "width 2", "4")),
    (("Conv1D", 4, 6), (5, 1), ("Conv1D.size", "6", "length 5", "at most 5")),
    (("MaxPool2D", 2), (64,), ("MaxPool2D", "(height, width, channels)", "(64,)")),
    (("AvgPool1D", 5, {"padding": 1}), (2, 1), ("AvgPool1D.size", "5", "length 2", "at most 4")),
    (("GlobalAvgPool",), (16,), ("GlobalAvgPool", "(16,)", "Flatten")),
    (("GroupNorm", 4), (8, 8, 6), ("GroupNorm.groups", "4", "divide the 6 channels", "(8, 8, 6)")),
    (("GroupNorm", 8), (4,), ("GroupNorm.groups", "8", "divide the 4 channels")),
    (("Residual", (("Dropout",), ("GroupNorm", 2))), (3,), ("layers.1", "2", "the 3 channels")),
)
