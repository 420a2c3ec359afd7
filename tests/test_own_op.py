"""A user's own activation: the README's example, its name in files, its gradient, its mistakes."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import planted
import pytest
from processes import ROOT, run

import simdl
from simdl import layers as L
from simdl.kernels.activations import PAIRS
from simdl.layers.slopes import POINTS, STEP

EXAMPLE = re.compile(r"With this as `(\w+)\.py`:\n\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the README's example under the name that it gives itself."""
    found = EXAMPLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, "README.md: the example of an own activation is gone"
    (tmp_path / f"{found[1]}.py").write_text(found[2], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(found[1])
    del sys.modules[found[1]]


def data(inputs: int = 64) -> simdl.Data:
    rng = np.random.default_rng(0)
    return simdl.Data(train=(rng.normal(size=(40, inputs)), rng.integers(0, 10, 40)))


def check_gradient(net: simdl.Network) -> None:
    """Compare all gradients with central differences along random directions."""
    rng = np.random.default_rng(1)
    params, (x, t) = net.init(2), data(net.input_shape[0]).train
    _, grads = simdl.value_and_grad(net, params, x, t)
    for _ in range(5):
        direction, step = rng.normal(size=params.flat.size), 1e-6
        ahead, behind = (
            simdl.value_and_grad(net, params.like(params.flat + sign * step * direction), x, t)[0]
            for sign in (1, -1)
        )
        slope = (ahead - behind) / (2 * step)
        assert slope == pytest.approx(float(grads.flat @ direction), rel=1e-7, abs=1e-9)


def test_readme_example_is_short(example: ModuleType) -> None:
    lines = Path(example.__file__).read_text(encoding="utf-8").splitlines()
    functions = [line for line in lines if line.strip() and "import" not in line]
    assert len(functions) <= 10


def test_readme_example_computes_what_it_says(example: ModuleType) -> None:
    x = np.linspace(-2, 2, 64)[None]
    net = simdl.Network((64,), [example.signed_square], dtype="float64")
    y = simdl.forward(net, net.init(0), x)
    np.testing.assert_allclose(y, x * abs(x) + 0.1 * x, rtol=1e-15)


def test_readme_example_has_the_right_gradient(example: ModuleType) -> None:
    check_gradient(simdl.Network((64,), example.net.layers, dtype="float64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_readme_example_trains_and_comes_back(
    example: ModuleType, tmp_path: Path, dtype: str
) -> None:
    net = simdl.Network((64,), example.net.layers, dtype=dtype)
    result = simdl.train(net, data(), epochs=30)
    assert result.status == "completed"
    assert result.metrics["train_loss"] < float(result.history.train_loss[0]) / 2
    result.save(tmp_path / "run")
    assert '"my_activations:forward"' in (tmp_path / "run" / "result.json").read_text()
    back = simdl.load(tmp_path / "run")
    assert back.training.net == net
    assert np.array_equal(
        simdl.forward(back.training.net, back.params, data().train[0]),
        simdl.forward(net, result.params, data().train[0]),
    )


def test_a_saved_result_holds_its_modules(tmp_path: Path) -> None:
    """With what they import from beside, and the packages that they lie in."""
    home, out = tmp_path / "home", tmp_path / "away" / "run"
    (home / "shapes").mkdir(parents=True)
    (home / "shapes" / "__init__.py").write_text("", encoding="utf-8")
    (home / "slope.py").write_text("SLOPE = 0.5\n", encoding="utf-8")
    lines = ["import simdl", "import slope", "from numba import njit", "SLOPE = slope.SLOPE"]
    for name, arguments in (("forward", "y, x, alpha"), ("backward", "dx, dy, x, y, alpha")):
        to, of = arguments.replace(" ", "").split(",")[:2]
        lines += ["@njit", f"def {name}({arguments}):", "    for i in range(x.size):"]
        lines += [f"        {to}[i] = SLOPE * {of}[i]"]
    (home / "shapes" / "half.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    train = f"""
import json, sys
sys.path.insert(0, {str(home)!r})
import numpy as np, simdl
from simdl import layers as L
half = L.Activation("shapes.half:forward", "shapes.half:backward")
net = simdl.Network((4,), [L.Dense(3), half])
x = np.random.default_rng(0).normal(size=(20, 4))
result = simdl.train(net, simdl.Data(train=(x, np.arange(20) % 3)), steps=3, batch_size=4)
result.save({str(out)!r})
result.save({str(out)!r})
print(json.dumps(simdl.forward(net, result.params, x).tolist()))
"""
    told = run(train)
    kept = {str(p.relative_to(out)) for p in out.rglob("*.py")}
    assert kept == {"shapes/__init__.py", "shapes/half.py", "slope.py"}
    shutil.rmtree(home)
    load = f"""
import json, numpy as np, simdl
back = simdl.load({str(out)!r})
x = np.random.default_rng(0).normal(size=(20, 4))
print(json.dumps(simdl.forward(back.training.net, back.params, x).tolist()))
"""
    assert run(load) == told


def test_missing_module_is_named(example: ModuleType, tmp_path: Path) -> None:
    simdl.train(example.net, data(), steps=1).save(tmp_path / "run")
    file = tmp_path / "run" / "result.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("my_activations:", "gone_away:"), encoding="utf-8")
    with pytest.raises(simdl.InputError, match=r"'gone_away:forward': module cannot be imported"):
        simdl.load(tmp_path / "run")


def test_an_own_relu_equals_ours() -> None:
    """The same formula through the user's door and through ours: the same bits."""

    def trained(activation: L.Layer) -> np.ndarray:
        net = simdl.Network((64,), [L.Dense(32), activation, L.Dense(10)])
        return simdl.train(net, data(), epochs=3).params.flat

    own = L.Activation("planted:blind", "planted:blind_backward")  # the identity, for such data
    assert trained(own).tobytes() == trained(L.LeakyReLU(alpha=1.0)).tobytes()


def test_numba_functions_and_names_are_one() -> None:
    named = L.Activation("planted:same", "planted:same_backward")
    assert named == L.Activation(planted.same, planted.same_backward)
    check_gradient(simdl.Network((8,), [L.Dense(6), named, L.Dense(10)], dtype="float64"))


def test_a_wrong_gradient_is_found() -> None:
    wrong = L.Activation("planted:halve", "planted:same_backward", alpha=2.0, check=False)
    with pytest.raises(AssertionError):
        check_gradient(simdl.Network((8,), [L.Dense(6), wrong, L.Dense(10)], dtype="float64"))


@numba.njit
def returns(y, x, alpha):
    return x[0]


@numba.njit
def too_few(y, x):
    y[:] = x


@numba.njit
def unknown_name(y, x, alpha):
    y[:] = nowhere_defined(x)  # noqa: F821


@numba.njit("void(float32[::1], float32[::1], float64)")
def single_only(y, x, alpha):
    y[:] = x


def plain(y, x, alpha):
    y[:] = x


REFUSED = {
    "not compiled": (plain, ["layers.1: Activation", "plain", "simdl.njit or numba.njit"]),
    "returns something": (returns, ["test_own_op:returns", "result none"]),
    "too few arguments": (too_few, ["test_own_op:too_few", "function takes 2 arguments"]),
    "unknown name inside": (unknown_name, ["test_own_op:unknown_name", "'nowhere_defined'"]),
    "compiled for float32": (single_only, ["test_own_op:single_only", "float64"]),
    "backward as forward": (planted.same_backward, ["same_backward", "takes 5 arguments"]),
    "no such module": ("gone_away:f", ["Activation.forward", "'gone_away:f'", "imported"]),
    "no such function": ("planted:gone", ["Activation.forward", "'planted'", "no 'gone'"]),
    "no function named": ("planted", ["Activation.forward", "'planted'", "'module:function'"]),
    "a number": (3, ["Activation.forward", "3", "must be a function"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_op_is_refused(name: str) -> None:
    function, parts = REFUSED[name]
    with pytest.raises(simdl.InputError) as refused:
        activation = L.Activation(function, planted.same_backward)
        simdl.Network((4,), [L.Dense(5), activation, L.Dense(3)], dtype="float64").init(0)
    for part in parts:
        assert part in str(refused.value)


@numba.njit
def root(y, x, alpha):
    for i in range(x.size):
        y[i] = np.sqrt(x[i])


@numba.njit
def root_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = 0.5 * dy[i] / y[i]


@numba.njit
def kinked(y, x, alpha):
    """Kinks at -alpha, 0 and alpha."""
    for i in range(x.size):
        y[i] = abs(abs(x[i]) - alpha)


@numba.njit
def kinked_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = dy[i] * np.sign(abs(x[i]) - alpha) * np.sign(x[i])


@numba.njit
def tanh(y, x, alpha):
    for i in range(x.size):
        y[i] = np.tanh(alpha * x[i])


@numba.njit
def tanh_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = dy[i] * alpha * (1 - y[i] * y[i])


@numba.njit
def tanh_without_alpha(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = dy[i] * (1 - y[i] * y[i])


@numba.njit
def tanh_added(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] += dy[i] * alpha * (1 - y[i] * y[i])


@numba.njit
def slope_alone(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = alpha * (1 - y[i] * y[i])


@numba.njit
def nan_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = np.nan


@numba.njit
def filled_above_0(dx, dy, x, y, alpha):
    for i in range(x.size):
        if x[i] > 0:
            dx[i] = dy[i]


WRONG_BACKWARD = {
    "sign": (planted.low, planted.same_backward, 0.0),
    "a factor is missing": (tanh, tanh_without_alpha, 1.1),
    "added, not filled": (tanh, tanh_added, 1.0),
    "dy is missing": (tanh, slope_alone, 1.0),
    "NaN": (tanh, nan_backward, 1.0),
    "not filled on one side": (planted.allocate, filled_above_0, 0.0),
}


def built(*given: Any, dtype: str, **more: Any) -> Any:
    return simdl.Network((4,), [L.Dense(5), L.Activation(*given, **more)], dtype=dtype).program


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WRONG_BACKWARD)
def test_a_wrong_backward_is_refused(name: str, dtype: str) -> None:
    forward, backward, alpha = WRONG_BACKWARD[name]
    said = rf"layers.1: Activation: .*:{backward.__name__}: dx / dy at x = .*check=False"
    with pytest.raises(simdl.InputError, match=said) as refused:
        built(forward, backward, alpha, dtype=dtype)
    assert f":{forward.__name__}" in str(refused.value) and "must be" in str(refused.value)
    built(forward, backward, alpha, dtype=dtype, check=False)


def test_the_refusal_says_what_is_and_what_must_be() -> None:
    with pytest.raises(simdl.InputError, match=r"at x = 0.13: is 1, must be 2,"):
        built(doubled, planted.same_backward, dtype="float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_backward_passes(dtype: str) -> None:
    for alpha in (*POINTS, 1.0, POINTS[5] + STEP / 2):  # kinks where it looks, and within a step
        built(kinked, kinked_backward, abs(alpha), dtype=dtype)
    for alpha in (0.0, 1e-3, 0.5, 1.0, 3.0, 40.0):
        built(tanh, tanh_backward, alpha, dtype=dtype)
    for pair in PAIRS.values():
        built(*pair, 0.3, dtype=dtype)
    built(root, root_backward, dtype=dtype)  # no number below 0
    built(refuses_below_0, planted.same_backward, dtype=dtype)


@numba.njit
def refuses_below_0(y, x, alpha):
    for i in range(x.size):
        if x[i] < 0:
            raise RuntimeError("below 0")
        y[i] = x[i]


@numba.njit
def doubled(y, x, alpha):
    for i in range(x.size):
        y[i] = 2 * x[i]


def test_an_op_that_raises_ends_the_training_with_its_error() -> None:
    net = simdl.Network(
        (64,), [L.Activation("planted:refuse", "planted:same_backward"), L.Dense(10)]
    )
    x, t = data().train
    with pytest.raises(RuntimeError, match="a marked value"):
        simdl.train(net, simdl.Data(train=(np.where(x > 2, 1e9, x), t)))
