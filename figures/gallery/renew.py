"""Copy the figures of the last run into this folder, small, with the verdicts beside them.

``make gallery`` calls it after a run at default settings. It replaces what stood here, and the
counts of verdicts in the README.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- filled by make gallery -->", "<!-- to here -->"
WIDTH = 900  # pixels: a README's column shows no more
COLOURS = 256  # a palette: a quarter of the bytes; its method keeps the colours of thin lines


def shrink(source: Path, target: Path) -> None:
    """Write the picture `source` to `target`, at most WIDTH pixels wide, in a palette."""
    with Image.open(source) as picture:
        size = (WIDTH, round(picture.height * WIDTH / picture.width))
        small = picture.convert("RGB")
        if picture.width > WIDTH:
            small = small.resize(size, Image.Resampling.LANCZOS)
        small.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            target, optimize=True
        )


def renew(figures: Path, gallery: Path) -> None:
    """Fill `gallery` from `figures`: every picture, and the verdicts without their timings."""
    verdicts = json.loads((figures / "verdicts.json").read_text(encoding="utf-8"))
    for verdict in verdicts:
        verdict.pop("seconds", None)
    for old in gallery.glob("*.png"):
        old.unlink()
    for picture in sorted(figures.glob("*.png")):
        shrink(picture, gallery / picture.name)
    summary = json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n"
    (gallery / "verdicts.json").write_text(summary, encoding="utf-8")


def counts(verdicts: list[dict[str, Any]]) -> str:
    """Say in a sentence how many claims there are, and what became of them."""
    scenarios = len({v["scenario"] for v in verdicts})
    holding, refuted = (
        sum(v["verdict"] == name for v in verdicts) for name in ("holds", "refuted")
    )
    right = sum(v["verdict"] == v["expected"] for v in verdicts)
    return (
        f"{len(verdicts)} claims in {scenarios} scenarios: {holding} hold, {refuted} are refuted, "
        f"{len(verdicts) - holding - refuted} undecided; {right} as expected."
    )


def fill(text: str, line: str) -> str:
    """Return the README with another line between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{line}\n\n{END}{after}"


def main(figures: Path, gallery: Path, readme: Path) -> None:
    renew(figures, gallery)
    verdicts = json.loads((gallery / "verdicts.json").read_text(encoding="utf-8"))
    text = readme.read_text(encoding="utf-8")
    readme.write_text(fill(text, counts(verdicts)), encoding="utf-8")


if __name__ == "__main__":
    main(HERE.parent, HERE, HERE.parent.parent / "README.md")
