"""One training: loss and accuracy of each part over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from simdl.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[str, np.ndarray, np.ndarray]  # name of the axis, where on it (n,), values (n,)
PARTS = {
    "train": (style.BLUE, "-"),
    "validation": (style.ORANGE, "--"),
    "test": (style.BLACK, ":"),
}
QUANTITIES = {"loss": "mean loss", "accuracy": "share correct"}


def curves(measured: Mapping[str, Curve]) -> Figure:
    """Return a figure of pyplot's with a panel a quantity and a line a part of the data.

    In a notebook it is shown, in a program `matplotlib.pyplot.show()` shows it.

    Parameters
    ----------
    measured : "train_loss", "test_accuracy", ... -> curve
    """
    import matplotlib.pyplot as plt

    shown = [q for q in QUANTITIES if any(name.endswith(f"_{q}") for name in measured)]
    with style.style():
        figure = plt.figure(figsize=(4.2 * len(shown) + 0.4, 3.4), layout="constrained")
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for panel, quantity in zip(panels, shown, strict=True):
            draw(panel, quantity, measured)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def draw(axes: Axes, quantity: str, measured: Mapping[str, Curve]) -> None:
    """Draw the curves of one quantity, "loss" or "accuracy"; a loss over decades gets a log axis.

    Parameters
    ----------
    measured : as for :func:`curves`
    """
    from matplotlib.ticker import MaxNLocator

    values = []
    for part, (colour, line) in PARTS.items():
        if f"{part}_{quantity}" in measured:
            axis, at, value = measured[f"{part}_{quantity}"]
            mark = "o" if len(at) == 1 else None
            axes.plot(at, value, color=colour, linestyle=line, marker=mark, label=part)
            axes.set_xlabel(axis)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            values.append(value[np.isfinite(value)])
    axes.set_title(quantity)
    axes.set_ylabel(QUANTITIES[quantity])
    every = np.concatenate(values)
    if quantity == "accuracy":
        axes.set_ylim(min(0.5, *every, 0.5) - 0.02 if every.size else 0, 1.02)
    elif every.size and every.min() > 0 and every.max() > 30 * every.min():
        axes.set_yscale("log")
