"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, same, scaled, swapped

from simdl.scenario import inputs
from simdl.theory import conditioning

NAME, FIGURES = "input_normalization", {"convergence", "condition"}
SMALL = {
    "seeds": 6, "steps": 400, "rates": [0.3], "pilot_seeds": 1, "survey_seeds": 1, "features": [5],
}  # fmt: skip


def steeper(found: xarray.Dataset) -> xarray.Dataset:
    return found.assign(steps=found["steps"] * found["condition"] ** 0.3)


FAULTS: dict[str, tuple[str, Change]] = {
    "T26-table": ("tuned", swapped("scale")),
    "T26-digits": ("tuned", swapped("scale")),
    "T27a-table": ("tuned", same("scale", "standard", "none")),
    "T27a-digits": ("tuned", same("scale", "standard", "none")),
    "T27b-table": ("tuned", same("scale", "none", "standard")),
    "T27b-digits": ("tuned", same("scale", "none", "standard")),
    "P-condition-plain": ("uniform", scaled("plain", 1.3)),
    "P-condition-bias": ("uniform", scaled("bias", 1.3)),
    "P-condition-standard": ("finite", scaled("standard", 1.3)),
    "P-steps-condition": ("slow", steeper),
}
TestClaims = Claims


def test_the_tables_are_real_and_badly_scaled() -> None:
    for name, shape in (("breast cancer", (569, 30)), ("wine", (178, 13))):
        x = inputs.table(name).x
        assert x.shape == shape
        spread = x.std(axis=0)
        assert spread.max() / spread.min() > 1000
    assert inputs.table("wine").split().n_classes == 3


def test_condition_numbers() -> None:
    """Against eigenvalues of the exact second moment, and the values printed."""
    for d in (1, 2, 10, 50):
        moment = np.eye(d) / 12 + 0.25
        assert conditioning.uniform_condition(d) == pytest.approx(np.linalg.cond(moment))
        whole = np.full((d + 1, d + 1), 0.5)
        whole[:d, :d], whole[d, d] = moment, 1.0
        found = conditioning.uniform_condition(d, bias=True)
        assert found == pytest.approx(np.linalg.cond(whole))
        assert d < 10 or found == pytest.approx((13 + 3 * d) ** 2 / 12, rel=0.02)
    assert conditioning.sampled_condition(0.0) == 1
    rows = np.random.default_rng(0).standard_normal((4000, 1000))
    assert inputs.condition(rows) == pytest.approx(conditioning.sampled_condition(0.25), rel=0.05)


def test_steps_needed() -> None:
    """By hand: the slowest coordinate alone."""
    for kappa, error in ((10.0, 1e-3), (500.0, 1e-2)):
        steps, left = 0, 1.0
        while left > error:
            left *= (kappa - 1) / (kappa + 1)
            steps += 1
        needed = conditioning.steps_needed(kappa, error)
        assert steps - 1 <= needed <= steps
        assert needed == pytest.approx(kappa / 2 * np.log(1 / error), rel=0.01)
    assert conditioning.steps_needed(1.0, 0.1) == 1


def test_what_has_no_answer_is_refused() -> None:
    for call in (
        lambda: conditioning.uniform_condition(0), lambda: conditioning.sampled_condition(1.0),
        lambda: conditioning.steps_needed(0.5, 0.1), lambda: conditioning.steps_needed(2.0, 1.0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="must be"):
            call()
