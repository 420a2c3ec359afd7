"""The gallery: small pictures, verdicts without timings, nothing left of the run before."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from PIL import Image

from simdl.scenario import catalogue, texts

RENEW = Path(__file__).resolve().parent.parent / "figures" / "gallery" / "renew.py"


def test_gallery_replaces_pictures_and_drops_seconds(tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    gallery.mkdir()
    (gallery / "old.png").write_bytes(b"of the run before")
    Image.new("RGBA", (1800, 1000), "white").save(tmp_path / "wide.png")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "small.png")
    verdicts = [{"id": "T03", "verdict": "holds", "seconds": 1.5}]
    (tmp_path / "verdicts.json").write_text(json.dumps(verdicts), encoding="utf-8")

    runpy.run_path(str(RENEW))["renew"](tmp_path, gallery)

    assert {path.name for path in gallery.glob("*.png")} == {"wide.png", "small.png"}
    with Image.open(gallery / "wide.png") as wide, Image.open(gallery / "small.png") as small:
        assert (wide.size, small.size) == ((900, 500), (300, 200))
    kept = json.loads((gallery / "verdicts.json").read_text(encoding="utf-8"))
    assert kept == [{"id": "T03", "verdict": "holds"}]


def test_counts_in_the_readme_are_those_of_the_gallery(tmp_path: Path) -> None:
    own = runpy.run_path(str(RENEW))
    kept = json.loads((RENEW.parent / "verdicts.json").read_text(encoding="utf-8"))
    line = own["counts"](kept)
    assert line.startswith(f"{len(kept)} claims in {len(catalogue.names())} scenarios")
    readme = (RENEW.parent.parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"{own['BEGIN']}\n\n{line}\n\n{own['END']}" in readme
    assert own["fill"](readme, line) == readme
    assert own["fill"](readme, "4 apples").count("4 apples") == 1


def test_gallery_shows_the_present_claims_and_figures() -> None:
    """`make gallery` follows a new claim, a figure's new name or another statement."""
    kept = json.loads((RENEW.parent / "verdicts.json").read_text(encoding="utf-8"))
    names = catalogue.names()
    present = [(n, c, texts.claim(n, c).statement) for n in names for c in texts.claims(n)]
    assert sorted((v["scenario"], v["id"], v["statement"]) for v in kept) == sorted(present)
    figures = set()
    for name in names:
        parts = list(texts.load()[name]["figures"])
        figures |= {name} if len(parts) == 1 else {f"{name}-{part}" for part in parts}
    assert {path.stem for path in RENEW.parent.glob("*.png")} == figures
