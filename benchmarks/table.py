"""Fill the README's table of speeds, and draw it, from what the benchmarks wrote last.

python benchmarks/table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS, README = HERE / "results", HERE.parent / "README.md"
BEGIN, END = "<!-- filled by make bench -->", "<!-- to here -->"
EAGER = ("pytorch", "pytorch-last")
PEERS = {"PyTorch": EAGER, "torch.compile": ("pytorch-compiled",), "JAX": ("jax", "jax-flat")}
LOOKS = {"PyTorch": ("#D55E00", "s"), "torch.compile": ("#E69F00", "D"), "JAX": ("#0072B2", "o")}


def fastest(found: dict[str, Any], names: tuple[str, ...]) -> float | None:
    """How many times as long as simdl the fastest of some contenders takes."""
    ratios = [found[name]["ratio"]["median"] for name in names if name in found]
    return min(ratios, default=None)


def shown(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"


def lines(steps: dict[str, Any], many: dict[str, Any]) -> list[str]:
    """The table: a row a network, then 64 seeds of the first on all cores."""
    made = [
        "| network, batch | us a step | PyTorch | `torch.compile` | JAX | products alone |",
        "|---|---|---|---|---|---|",
    ]
    for shape in steps["shapes"]:
        found = shape["contenders"]
        own = found.get("products")
        products = "" if own is None else f"{own['ratio']['median']:.0%}"
        peers = " | ".join(shown(fastest(found, names)) for names in PEERS.values())
        us = found["simdl"]["median"]
        made.append(
            f"| {shape['shape']}, {shape['batch']} | {us:.{1 if us < 100 else 0}f} | {peers} "
            f"| {products} |"
        )
    found = many["contenders"]
    best = min(v["ratio"] for name, v in found.items() if name.startswith("jax"))
    us = 1e6 * found["simdl"]["median"] / (many["seeds"] * many["steps"])
    torch = shown(found["pytorch, 2 processes"]["ratio"])
    made.append(f"| {many['seeds']} seeds of the first, two cores | {us:.1f} | {torch} | | "
                f"{shown(best)} | |")  # fmt: skip
    versions = {k: v for shape in steps["shapes"] for k, v in shape["versions"].items()}
    kept = ", ".join(f"{k} {versions[k]}" for k in ("torch", "jax", "numba") if k in versions)
    made += [
        "",
        f"How many times as long others take, on one core (medians of {steps['rounds']} turns; "
        f"`make bench`); {steps['machine']['processor']}, {kept}. PyTorch eager in its fastest "
        "form, JAX as one jitted scan, or vmap over seeds in one process or two.",
    ]
    return made


def draw(steps: dict[str, Any]) -> None:
    """A row a network, a mark a peer, on a logarithmic axis."""
    import matplotlib.pyplot as plt

    shapes = steps["shapes"][::-1]
    figure, axes = plt.subplots(figsize=(7.5, 0.5 * len(shapes) + 1.4), layout="constrained")
    for label, names in PEERS.items():
        colour, marker = LOOKS[label]
        for row, shape in enumerate(shapes):
            ratio = fastest(shape["contenders"], names)
            if ratio is not None:
                axes.plot(ratio, row, marker, color=colour, label=label if row == 0 else None)
    axes.axvline(1, color="black", linewidth=1)
    axes.annotate("simdl", (1, len(shapes) - 0.45), xytext=(3, 0), textcoords="offset points")
    axes.set_yticks(range(len(shapes)), [f"{s['shape']}, batch {s['batch']}" for s in shapes])
    ticks = [0.5, 1, 2, 5, 10, 20, 50]
    axes.set(xscale="log", xlabel="time of a training step, in simdl's (one core)")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(-0.6, len(shapes) - 0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower center", ncols=3, bbox_to_anchor=(0.4, 1), frameon=False)
    figure.savefig(HERE / "speed.png", dpi=110)


def fill(text: str, table: list[str]) -> str:
    """Return the README with another table between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit(f"{README}: lacks the marks {BEGIN} and {END}")
    return before + "\n".join([BEGIN, "", *table, "", END]) + after


def main() -> None:
    steps, many = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("step_time", "peers")
    )
    text = fill(README.read_text(encoding="utf-8"), lines(steps, many))
    README.write_text(text, encoding="utf-8")
    draw(steps)


if __name__ == "__main__":
    main()
