"""Panels that several figures share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from simdl.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def band(
    axes: Axes,
    x: ArrayLike,
    values: ArrayLike,
    label: str,
    colour: str,
    *,
    log: bool = False,
    **line: Any,
) -> None:
    """Draw the mean over replicates and a band from the lowest to the highest of them.

    Parameters
    ----------
    x : (points,)
    values : (replicates, points); NaN is left out
    log : take the geometric mean, for positive values on a logarithmic axis
    """
    across = np.asarray(values, float)
    if log:
        across = np.where(across > 0, across, np.nan)
    known = ~np.isnan(across).all(axis=0)
    at, across = np.asarray(x)[known], across[:, known]
    if not at.size:
        return
    middle = np.exp(np.nanmean(np.log(across), axis=0)) if log else np.nanmean(across, axis=0)
    low, high = np.nanmin(across, axis=0), np.nanmax(across, axis=0)
    axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(at, middle, color=colour, label=label, **line)


def heat(
    axes: Axes, x: ArrayLike, y: ArrayLike, values: ArrayLike, *, low: float, high: float
) -> Any:
    """Draw values (y, x) as coloured cells, one a pair, and return the image for a colour bar."""
    grid = np.asarray(values, float)
    image = axes.pcolormesh(
        np.asarray(x), np.asarray(y), grid, cmap="cividis", vmin=low, vmax=high, shading="nearest"
    )
    axes.grid(False)
    return image


def grid(rows: int, columns: int, size: tuple[float, float], **shared: Any) -> tuple[Figure, Any]:
    """Return a figure of `size` (inches) and its axes (rows, columns), without overlaps.

    Rows share their y axis unless `shared` says otherwise.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **({"sharey": "row"} | shared))


def level(
    axes: Axes, y: float, label: str = "", *, above: bool = False, left: bool = False
) -> None:
    """Draw a dotted line across, such as that of guessing, named at its right end, below it."""
    from matplotlib.patheffects import withStroke

    axes.axhline(y, color=style.BLACK, linewidth=0.8, linestyle=":")
    if label:
        place: Any = {"xycoords": ("axes fraction", "data"), "ha": "left" if left else "right"}
        place["va"] = "bottom" if above else "top"
        halo = [withStroke(linewidth=2.5, foreground="white")]  # curves may end on the line
        where = (0.02 if left else 0.98, y)
        axes.annotate(label, where, fontsize=8, path_effects=halo, zorder=5, **place)


def legend(figure: Figure, axes: Axes, *, theory: bool = False, bands: int = 0) -> None:
    """Put the legend of one panel below the whole figure.

    Parameters
    ----------
    theory : add theory's dashed line
    bands : add what a band means, for that many replicates
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles, labels = axes.get_legend_handles_labels()
    if bands > 1:
        handles.append(Patch(color=style.BLACK, alpha=0.18, linewidth=0))
        labels.append(f"lowest to highest of {bands} seeds")
    if theory:
        handles, labels = [*handles, Line2D([], [], **style.THEORY)], [*labels, "theory"]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
