"""What an SVG figure says where the pointer rests: a mark's line and values, a bar's height."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_USE = re.compile(r'(<use xlink:href="[^"]*" x="([^"]*)" y="([^"]*)"[^/]*)/>')
POINTS = 72.0  # an inch has


def name(figure: Figure) -> dict[str, Any]:
    """Give lines and bars names that their elements will bear; return name -> (axes, artist)."""
    made: dict[str, Any] = {}
    for i, axes in enumerate(figure.axes):
        for j, artist in enumerate([*axes.lines, *axes.patches]):
            artist.set_gid(f"read-{i}-{j}")
            made[f"read-{i}-{j}"] = axes, artist
    return made


def titled(svg: str, named: dict[str, Any], height: float) -> str:
    """Return the SVG with a title in each mark, each line without marks, and each bar.

    Parameters
    ----------
    named : as `name` returns it
    height : of the figure, in points
    """
    made = []
    for part in re.split(r'(?=<g id="read-)', svg):
        found = re.match(r'<g id="(read-\d+-\d+)">', part)
        if found:
            axes, artist = named[found[1]]
            part = _titled(part, axes, artist, height)
        made.append(part)
    return "".join(made)


def _titled(part: str, axes: Axes, artist: Any, height: float) -> str:
    """One artist's elements: they end where its group does."""
    end = _end(part)
    own, rest = part[:end], part[end:]
    label = artist.get_label()
    label = "" if label.startswith("_") else " ".join(label.split())
    if hasattr(artist, "get_xydata"):
        lines = _Reader(axes, label, height)
        own, count = _USE.subn(lines.with_title, own)
        if not count and label:
            own = own.replace(">", f"><title>{escape(label)}</title>", 1)
    elif hasattr(artist, "get_height"):
        lines = _Reader(axes, label, height)
        told = lines.bar(artist)
        own = own.replace(">", f"><title>{escape(told)}</title>", 1)
    return own + rest


def _end(part: str) -> int:
    """Where the group that begins a text ends."""
    depth = 0
    for tag in re.finditer(r"<g[ >]|</g>", part):
        depth += 1 if tag[0] != "</g>" else -1
        if depth == 0:
            return tag.end()
    return len(part)


class _Reader:
    """From places in the picture back to the axes' values."""

    def __init__(self, axes: Axes, label: str, height: float) -> None:
        self.axes, self.label, self.height = axes, label, height
        self.back = axes.transData.inverted()
        self.scale = axes.figure.dpi / POINTS

    def with_title(self, found: re.Match[str]) -> str:
        place = np.array([float(found[2]), self.height - float(found[3])]) * self.scale
        x, y = self.back.transform(place)
        told = self.told((self.along(self.axes.xaxis, x), self.along(self.axes.yaxis, y)))
        return f"{found[1]}><title>{escape(told)}</title></use>"

    def bar(self, patch: Any) -> str:
        sizes = patch.get_width(), patch.get_height()
        wide = abs(sizes[0]) > abs(sizes[1]) and self.axes.yaxis.get_major_locator() is not None
        names = dict(self.names(self.axes.yaxis))
        sideways = wide and bool(names)
        start = patch.get_y() if sideways else patch.get_x()
        middle = start + (sizes[1] if sideways else sizes[0]) / 2
        axis = self.axes.yaxis if sideways else self.axes.xaxis
        value = sizes[0] if sideways else sizes[1]
        return self.told((self.along(axis, middle), f"{value:.4g}"))

    def told(self, values: tuple[str, str]) -> str:
        return ": ".join(part for part in (self.label, ", ".join(values)) if part)

    def names(self, axis: Any) -> Iterator[tuple[float, str]]:
        """Ticks whose labels are words: categories."""
        if type(axis.get_major_formatter()).__name__ in ("FixedFormatter", "FuncFormatter"):
            labels = axis.get_ticklabels()
            for at, text in zip(axis.get_ticklocs(), labels, strict=False):
                words = " ".join(text.get_text().split())
                if re.search(r"[A-Za-z]{2}", words) and "\\math" not in words:
                    yield float(at), words

    def along(self, axis: Any, value: float) -> str:
        for at, words in self.names(axis):
            if abs(at - value) < 0.3:
                return words
        low, high = axis.get_view_interval()
        return "0" if abs(value) < 1e-6 * abs(high - low) else f"{value:.4g}"
