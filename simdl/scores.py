"""What a result's measurements are of, and a regression's errors in the units of its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.losses import Loss, MeanSquaredError
from simdl.probes import PARTS

if TYPE_CHECKING:
    from simdl.data import Data, Encoder

Spreads = Mapping[str, float | None]  # part -> variance of its targets as trained; None: classes


def spreads(data: Data) -> Spreads:
    """Return the parts that there are, each with its targets' variance, the mean over columns."""
    parts = {name: data.answers(name) for name, n in zip(PARTS, data.sizes, strict=True) if n}
    return {
        name: None if t.ndim == 1 else float(np.mean(np.var(t, axis=0)))
        for name, t in parts.items()
    }


def has(parts: Spreads, part: str, kind: str) -> bool:
    """Whether a part has the quantity: a loss wherever there are data, an accuracy of classes."""
    return part in parts and (kind == "loss" or parts[part] is None)


def errors_of(loss: Loss) -> tuple[str, ...]:
    """Return what a loss says of a regression besides, as `in_own_units` names it."""
    return ("rmse", "r2") if isinstance(loss, MeanSquaredError) else ()


def in_own_units(
    loss: Loss, encoder: Encoder, parts: Spreads, losses: Mapping[str, float]
) -> dict[str, float]:
    """Return RMSE and R^2 of each part, "test_rmse" and "test_r2", from its mean squared error.

    RMSE is in the units of the target before any scaling; R^2 = 1 - loss / variance, NaN where the
    targets do not vary. Nothing is said of other losses, of classes, and of several targets that
    were scaled differently.
    """
    scaler = encoder.target_scaler
    scales: Any = [1.0] if scaler is None else np.unique(scaler.scale)
    if not errors_of(loss) or len(scales) > 1 or not np.isfinite(scales).all():
        return {}
    found: dict[str, float] = {}
    for part, value in losses.items():
        spread = parts[part]
        if spread is not None:
            found[f"{part}_rmse"] = float(scales[0]) * value**0.5
            found[f"{part}_r2"] = 1 - value / spread if spread > 0 else float("nan")
    return found


def told(status: str, when: str, metrics: Mapping[str, float]) -> str:
    """Return a result in a line: how it ended, when, and its final numbers."""
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    return f"Result({status} after {when}{': ' * bool(numbers)}{numbers})"


def doubt(result: Any) -> str:
    """Say why a network is not asked: its training diverged, and no rule kept better parameters."""
    kept = result.best is not None and result.training.stop.keep == "best"
    if result.divergence is None or kept:
        return ""
    lower = "train again with a lower learning rate, or with scaled inputs and targets"
    return f"the training diverged: {result.reason}: {lower}"
