"""Networks whose parameters go to PyTorch and back: input shape, layers as tuples of `cases`."""

from __future__ import annotations

from typing import Any

import numpy as np

NETWORKS: dict[str, tuple[tuple[int, ...], tuple[Any, ...]]] = {
    "mlp": (
        (6,), (("Dense", 9), ("Tanh",), ("Dense", 4, {"bias": False}), ("ReLU",), ("Dense", 3)),
    ),
    "residual_mlp": (
        (5,), (("Residual", (("Dense", 7), ("ReLU",), ("Dense", 5))), ("Tanh",), ("Dense", 2)),
    ),
    "cnn_1d": (
        (12, 2),
        (("Conv1D", 4, 3, {"padding": 1}), ("ReLU",), ("MaxPool1D", 2), ("Conv1D", 5, 3),
         ("Flatten",), ("Dense", 6), ("Tanh",), ("Dense", 3)),
    ),
    "cnn_2d": (
        (8, 6, 2),
        (("Conv2D", 4, (3, 2), {"stride": (2, 1)}), ("Tanh",), ("AvgPool2D", (1, 2)),
         ("Identity",), ("Flatten",), ("Dense", 5, {"bias": False}), ("ReLU",), ("Dense", 3)),
    ),
    "residual_cnn": (
        (6, 5, 3),
        (("Residual", (("Conv2D", 2, 3, {"padding": 1}), ("Tanh",), ("Conv2D", 3, 1))),
         ("MaxPool2D", 2), ("Flatten",), ("Tanh",), ("Dense", 4)),
    ),
    "pooled": ((6, 5, 3), (("Conv2D", 4, 2), ("GlobalAvgPool",), ("Dense", 3))),
    "image_first": ((3, 4, 2), (("Flatten",), ("Dense", 7), ("Tanh",), ("Flatten",), ("Dense", 3))),
    # the branches add to a flattened image: what they give must lie in its order
    "residual_of_flat_image": (
        (2, 3, 2),
        (("Flatten",),
         ("Residual", (("Dense", 5), ("Tanh",), ("Dense", 12), ("Residual", (("Dense", 12),)))),
         ("Residual", (("Residual", (("Tanh",),)),)), ("Dense", 3)),
    ),
    "norms_mlp": (
        (6,),
        (("BatchNorm",), ("Dense", 8), ("LayerNorm", {"eps": 0.01}), ("PReLU",), ("Dense", 6),
         ("GroupNorm", 3), ("PReLU", {"per_channel": True}), ("RMSNorm", {"eps": 0.01}),
         ("BatchNorm", {"affine": False, "momentum": 0.3}), ("Dense", 3)),
    ),
    "norms_cnn": (
        (6, 5, 3),
        (("GroupNorm", 3, {"affine": False}), ("Conv2D", 4, 2, {"bias": False}), ("BatchNorm",),
         ("PReLU", {"per_channel": True}), ("GroupNorm", 2), ("LayerNorm",), ("RMSNorm",),
         ("Conv2D", 2, 3), ("PReLU",), ("GlobalAvgPool",), ("LayerNorm",), ("Dense", 3)),
    ),
    "norms_1d": (
        (9, 2), (("BatchNorm",), ("Conv1D", 4, 3), ("GroupNorm", 2), ("PReLU",), ("LayerNorm",),
                 ("Flatten",), ("Dense", 3)),
    ),
    "residual_norms": (
        (4, 3, 4),
        (("Residual", (("BatchNorm",), ("PReLU", {"per_channel": True}),
                       ("Conv2D", 4, 3, {"padding": 1}),
                       ("Residual", (("GroupNorm", 2), ("Tanh",), ("RMSNorm",))))),
         ("Flatten",), ("Dense", 5), ("Residual", (("LayerNorm",), ("Dense", 5), ("BatchNorm",))),
         ("Dense", 2)),
    ),
    # what stands for a pixel's channel stands elsewhere in PyTorch's order
    "norms_of_flat_image": (
        (2, 3, 2),
        (("Flatten",), ("BatchNorm",), ("PReLU", {"per_channel": True}), ("LayerNorm",),
         ("Residual", (("RMSNorm",), ("BatchNorm", {"affine": False}), ("GroupNorm", 1))),
         ("Dense", 4), ("BatchNorm",), ("Dense", 3)),
    ),
}  # fmt: skip


def odd_buffers(params: Any, rng: np.random.Generator) -> None:
    """Draw running statistics, none of them where they start."""
    for value in params.buffers.values():
        value[...] = rng.uniform(0.5, 2, value.shape)
