"""Softmax: the closed forms, and the scenario's claims with planted faults."""

from __future__ import annotations

import numpy as np
import pytest
from scenario_faults import Change, Claims, moved, same, scaled

from simdl.scenario.runner import Run
from simdl.theory import outputs

NAME, FIGURES = "softmax", {"shares", "overflow", "learning"}
SMALL = {"seeds": 2, "samples": 50}


FAULTS: dict[str, tuple[str, Change]] = {
    "T13-range": ("probabilities", scaled("inside", 0.0)),
    "T13-sum": ("probabilities", moved("sum", 3e-12)),
    "T13-shift": ("probabilities", moved("shifted", 3e-12)),
    "T13-temperature": ("probabilities", scaled("entropy", -1.0)),
    "T13-order": ("probabilities", scaled("kept", 0.999)),
    "T13-gradient": ("probabilities", moved("gradient", 3e-7)),
    "T13-extreme": ("probabilities", moved("far", np.inf)),
    "P-squared-gradient": ("pull", same("loss", "entropy", "squared")),
    "P-slow-squared": ("neuron", same("loss", "entropy", "squared")),
    "P-slow-entropy": ("neuron", moved("output", 3e-4)),
}
TestClaims = Claims


def test_a_second_run_trains_and_draws_nothing_but_what_was_changed(run: Run) -> None:
    """And that byte for byte."""
    run.execute()
    assert all(missing == 0 for _, missing in run.trials().values())
    lines: list[str] = []
    run.execute(lines.append)
    assert not any("drawing" in line for line in lines)
    pictures = {p.name: p.read_bytes() for p in run.folder.iterdir() if p.is_file()}
    (spoilt_one, *_), made = run.folder.glob("*.png"), len(list(run.folder.glob("*.png")))
    assert made and len(pictures) == 3 * made + 1
    spoilt_one.write_bytes(b"another run's")
    run.execute(lines.append)
    assert any("drawing" in line for line in lines)
    assert pictures == {p.name: p.read_bytes() for p in run.folder.iterdir() if p.is_file()}


def test_a_softmax_that_overflows_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def typed(logits: np.ndarray, dtype: str = "float64") -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            powers = np.exp(logits.astype(dtype))
            return powers / powers.sum(axis=1, keepdims=True)

    monkeypatch.setattr(run.module, "softmax", typed)
    settings = {"samples": 20, "classes": 4, "temperatures": [1.0, 2.0]}
    assert run.module.probabilities(settings, 0)["far"] == np.inf


# the slow neuron of Nielsen 2015, chapter 3, to the digits there
@pytest.mark.parametrize(
    ("start", "loss", "first", "last"),
    [((0.6, 0.9), "squared", 0.82, 0.0940), ((0.6, 0.9), "entropy", 0.82, 0.0116),
     ((2.0, 2.0), "squared", 0.98, 0.20)],
)  # fmt: skip
def test_the_slow_neuron(start, loss, first, last):
    path = outputs.neuron(*start, loss)
    assert path.shape == (301,)
    assert path[0] == pytest.approx(first, abs=0.005)
    assert path[-1] == pytest.approx(last, abs=1e-4 if last < 0.1 else 0.005)


def test_temperature_spreads_as_its_slope_says():
    z = np.random.default_rng(0).normal(size=(50, 6))
    for t in (0.5, 1.0, 4.0):
        rise = (outputs.entropy(z, t + 1e-5) - outputs.entropy(z, t - 1e-5)) / 2e-5
        assert np.allclose(rise, outputs.entropy_slope(z, t), atol=1e-8)
    assert np.allclose(outputs.entropy(z, 1e9), np.log(6))
    assert np.allclose(outputs.entropy(z, 1e-4), 0)


def test_softmax_counts_what_a_sampler_draws():
    """Gumbel's trick: the largest of z + Gumbel noise is class k with probability p_k."""
    z, rng = np.array([0.3, -1.0, 1.2]), np.random.default_rng(0)
    drawn = np.argmax(z + rng.gumbel(size=(200_000, 3)), axis=1)
    assert np.allclose(np.bincount(drawn) / 200_000, outputs.softmax(z), atol=0.004)


def test_pull_is_the_slope_of_its_loss():
    z, y = np.linspace(-3, 3, 13), 0.3

    def a(z):
        return 1 / (1 + np.exp(-z))

    for loss, cost in [
        ("squared", lambda z: (y - a(z)) ** 2 / 2),
        ("entropy", lambda z: -y * np.log(a(z)) - (1 - y) * np.log(1 - a(z))),
    ]:
        slope = (cost(z + 1e-6) - cost(z - 1e-6)) / 2e-6
        assert np.allclose(outputs.pull(a(z), y, loss), slope, atol=1e-8)
    with pytest.raises(ValueError, match="must be 'squared' or 'entropy'"):
        outputs.pull(0.5, 0, "hinge")
