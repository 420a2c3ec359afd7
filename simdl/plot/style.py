"""One style for all figures: colours, sizes, and files that are the same bytes when drawn again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simdl.errors import StorageError
from simdl.plot import hover

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart under every common colour blindness
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#222222"
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
THEORY: dict[str, Any] = {"color": BLACK, "linestyle": (0, (5, 3)), "linewidth": 1.2, "zorder": 5}
FORMATS = ("png", "svg", "pdf")
MINOR_TICKS = 20  # on one axis: more, as on log axes of many decades, take half the time

_SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "figure.titlesize": 12,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "simdl",  # element names that do not change from run to run
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in our style; what was set before comes back."""
    import matplotlib

    with matplotlib.rc_context(rc=_SETTINGS):
        yield


def close(figure: Figure) -> None:
    """Let go of a figure that pyplot, where it is in use, keeps until told so."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(figure)


def save(figure: Figure, stem: Path, title: str) -> list[Path]:
    """Write a figure as PNG, SVG and PDF beside each other; the same figure gives the same bytes.

    Parameters
    ----------
    stem : path without suffix
    title : kept in the files' metadata

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    undated: dict[str, dict[str, Any]] = {
        "png": {"Title": title, "Software": "simdl"},
        "svg": {"Title": title, "Creator": "simdl", "Date": None},
        "pdf": {"Title": title, "Creator": "simdl", "Producer": "simdl", "CreationDate": None},
    }
    written = []
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        _lay_out(figure)
        for kind in FORMATS:
            path = stem.with_name(f"{stem.name}.{kind}")
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            named = hover.name(figure) if kind == "svg" else {}
            _print(figure, part, kind, undated[kind])
            if named:
                text = part.read_text(encoding="utf-8")
                text = hover.titled(text, named, 72 * figure.get_figheight())
                part.write_text(text, encoding="utf-8")
            part.replace(path)
            written.append(path)
    except OSError as error:
        raise StorageError(f"{stem}: cannot be written: {error.strerror or error}") from None
    return written


def _lay_out(figure: Figure) -> None:
    """Place everything once, not once a format; the PNG reuses what is measured for it."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.dpi = rcParams["savefig.dpi"]
    FigureCanvasAgg(figure)
    for axes in figure.axes:
        _lighten(axes)
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes._autotitlepos = False  # type: ignore[attr-defined]  # measured above, for every format


def _lighten(axes: Axes) -> None:
    """Draw the cells of a map as one picture, also in SVG and PDF, and no crowd of minor ticks."""
    from matplotlib.collections import QuadMesh
    from matplotlib.ticker import NullLocator

    for drawn in axes.collections:
        if isinstance(drawn, QuadMesh):
            drawn.set_rasterized(True)
    for axis in (axes.xaxis, axes.yaxis):
        if len(axis.get_minor_locator()()) > MINOR_TICKS:
            axis.set_minor_locator(NullLocator())


def _print(figure: Figure, path: Path, kind: str, metadata: dict[str, Any]) -> None:
    """Do as `figure.savefig`, which draws twice: once to measure what is laid out already."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvases: dict[str, Any] = {
        "png": FigureCanvasAgg, "svg": FigureCanvasSVG, "pdf": FigureCanvasPdf,
    }  # fmt: skip
    kept = figure.dpi
    fitting = isinstance(figure.canvas, canvases[kind])
    canvas: Any = figure.canvas if fitting else canvases[kind](figure)
    try:
        getattr(canvas, f"print_{kind}")(path, metadata=metadata)
    finally:
        figure.dpi = kept
