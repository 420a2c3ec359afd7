"""Memory of sweeps: large data is there once, forecasts are near what is taken."""

from __future__ import annotations

import gc
import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_cases import BASE, bits, child

from simdl import configuration
from simdl.configuration import Configuration
from simdl.data import Data, Source, parted, sources
from simdl.data.parted import PartedData
from simdl.errors import InputError
from simdl.sweep import Sweep, estimates
from simdl.sweep.executors import Chunk

PARTS = ("train", "validation", "test")
SPLIT = (0.6, 0.2, 0.2)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every source counts as large, a block as small."""
    monkeypatch.setattr(sources, "LARGE", 0)
    monkeypatch.setattr(parted, "BLOCK", 999 * 8)
    monkeypatch.setattr(configuration, "_KEPT", parted.Kept(1e6))


@pytest.mark.parametrize("shape", [(300, 7), (250, 5, 3), (900, 1), (90, 33)])
@pytest.mark.parametrize("scale", ["standard", "minmax", "none"])
@pytest.mark.parametrize("missing", [False, True])
def test_parts_of_a_large_source_are_the_same_to_the_bit(
    shape: tuple[int, ...], scale: str, missing: bool, large: None
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape) * rng.lognormal(size=shape[1:])
    x[rng.random(shape) < 0.1 * missing] = np.nan
    for t in (rng.integers(0, 3, len(x)), rng.normal(size=(len(x), 2))):
        source = Source(x, t, missing=missing)
        given = SPLIT, scale, 3, "standard" if t.ndim == 2 else "none"
        whole, shared = source.split(*given), source.parted(*given)
        assert isinstance(shared, PartedData) and source.parted(*given) is shared
        assert repr(shared) == repr(whole) and shared.sizes == whole.sizes
        assert shared.n_classes == whole.n_classes
        for part in PARTS:
            for one, other in zip(getattr(whole, part), getattr(shared, part), strict=True):
                assert one.tobytes() == other.tobytes() and one.dtype == other.dtype
                assert not other.flags.writeable
            for dtype in ("float32", "float64"):
                one, other = whole.samples(part, dtype), shared.samples(part, dtype)
                assert one.tobytes() == other.tobytes() and one.shape == other.shape
            assert whole.answers(part).tobytes() == shared.answers(part).tobytes()
        for key in ("shift", "scale", "fill"):
            one, other = getattr(whole.scaler, key), getattr(shared.scaler, key)
            assert (one is None and other is None) or one.tobytes() == other.tobytes()


def test_sources_travel_read_only_and_without_who_shares_them(large: None) -> None:
    source = Source(np.arange(60.0).reshape(30, 2), np.arange(30) % 2, missing=True)
    shared = source.parted(SPLIT)
    made = pickle.loads(pickle.dumps(source))
    assert made.digest == source.digest and made.missing
    assert not made.x.flags.writeable and made.parted(SPLIT) is not shared


def test_what_float32_cannot_hold_is_told_by_its_place(large: None) -> None:
    x = np.linspace(0, 1, 40).reshape(20, 2)
    source = Source(x, np.zeros(20, int))
    row = int(source.parted(SPLIT, "minmax").rows["test"][1])  # type: ignore[attr-defined]
    x[row, 1] = 1e38
    x[:, 1] *= 1e-38
    x[row, 1] = 3e38
    shared = Source(x, np.zeros(20, int)).parted(SPLIT, "minmax")
    for tried in (lambda: shared.samples("test", "float32"), lambda: shared.test):
        with pytest.raises(InputError, match=r"test\.x: .* in row 1, column 1: must be a finite"):
            tried()


def test_a_sweep_on_large_data_has_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    base = BASE | {"data": {"name": "digits"}, "training": {"steps": 5}}
    made = Sweep(base, {"optimizer.lr": [1e-3, 1e-2]}, 3, ["metrics", "gradient_rms"])
    usual = bits(made.run(jobs=1))
    monkeypatch.setattr(configuration, "_KEPT", parted.Kept(1e6))
    monkeypatch.setattr(sources, "LARGE", 0)
    monkeypatch.setattr(estimates, "CHUNK", 1.0)  # one seed a chunk
    again = Sweep(base, {"optimizer.lr": [1e-3, 1e-2]}, 3, ["metrics", "gradient_rms"])
    assert isinstance(again.configurations[0].data(0), PartedData)
    assert bits(again.run(jobs=2)) == usual


def test_who_uses_the_same_samples_shares_them(large: None) -> None:
    """Also across cells; nothing is held longer than it is used."""
    table = BASE | {"data": {"name": "digits"}}
    one, other = (
        Configuration.parse(table | {"optimizer": {"lr": lr}}).data(1) for lr in (1e-3, 1e-2)
    )
    samples = one.samples("train", "float32")
    assert other is one and other.samples("train", "float32") is samples
    assert one.samples("train", "float64") is not samples
    del samples
    gc.collect()
    assert not list(one.held)  # type: ignore[attr-defined]


def test_a_seed_takes_its_samples_and_little_more(tmp_path: Path) -> None:
    """NumPy's allocations while one trial runs on 16 MB of data: half of it, in float32."""
    x = np.random.default_rng(0).normal(size=(8000, 250))
    np.savez(tmp_path / "x.npz", x=x, t=np.arange(8000) % 2)
    base = BASE | {"data": {"path": str(tmp_path / "x.npz")}, "training": {"steps": 2}}
    made = Sweep(base, seeds=2)
    made.run_chunk(Chunk(0, (0,)), np.zeros(3, np.int64))
    tracemalloc.start(1)
    try:
        made.run_chunk(Chunk(0, (1,)), np.zeros(3, np.int64))
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert x.nbytes / 2 <= taken < x.nbytes / 2 + 5 * parted.BLOCK, taken / x.nbytes


FORECAST = """
import json
from simdl.sweep import Sweep, estimates
from simdl.errors import InputError
base = {"data": {"path": sys.argv[1]}, "network": {"depth": 1, "width": 16}}
base["training"] = {"steps": 20}
made = Sweep(base, {"optimizer.lr": [1e-3, 1e-2]}, seeds=2)
needed = made.forecast(jobs=2).memory
estimates.machine_memory, before = lambda: 0.99 * needed, estimates.machine_memory
try:
    made.run(jobs=2)
    said = ""
except InputError as error:
    said = str(error)
estimates.machine_memory = lambda: 1.01 * needed
made.run(jobs=2)
with open("/proc/self/status") as status:
    peak = [1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM")][0]
print(json.dumps([needed, said, peak]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is told by Linux")
def test_the_forecast_is_right_within_a_factor_of_two(tmp_path: Path) -> None:
    """100 MB of data: refused by a machine that has a little less than forecast, not by one with
    a little more; and the process takes more than half of it and not twice."""
    x = np.random.default_rng(0).random((50_000, 250))
    np.savez(tmp_path / "x.npz", x=x, t=np.arange(50_000) % 10)
    with child(FORECAST, tmp_path / "x.npz") as process:
        out, said = process.communicate()
    assert process.returncode == 0, said
    needed, refused, peak = json.loads(out.splitlines()[-1])
    assert "memory: " in refused and "must be at most" in refused
    assert peak / 2 < needed < 2 * peak, (needed, peak)


def test_data_files_count_once_in_a_forecast(large: None, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((500, 4))
    np.savez(tmp_path / "x.npz", x=x, t=np.arange(500) % 2)

    def needed(data: dict[str, Any]) -> tuple[float, float]:
        made = Sweep(BASE | {"data": data}, {"optimizer.lr": [1, 2, 3]}, seeds=1)
        found = estimates.sizes(made, range(3))
        return estimates.memory(made, found, 1), found[0].fixed + found[0].seed

    read, seed = needed({"path": str(tmp_path / "x.npz")})
    drawn, more = needed({"name": "moons", "samples": 500})
    assert read - seed == drawn - more + x.nbytes + 500 * 8


def test_cells_share_small_data_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(configuration, "_KEPT", parted.Kept(64e6))  # other tests fill the real one
    monkeypatch.setattr(Configuration, "prepared", counting(Configuration.prepared, made))
    base = BASE | {"data": {"name": "moons", "samples": 61}}
    Sweep(base, {"optimizer.lr": [1e-3, 1e-2, 1e-1]}, seeds=4).run(jobs=1)
    assert sorted(made) == [0, 1, 2, 3]
    data = Configuration.parse(base).data(3)
    assert not any(array.flags.writeable for array in (*data.train, *data.test))  # type: ignore[misc]


def test_a_file_that_was_edited_is_another_data_set(tmp_path: Path) -> None:
    """Also where what was read before is asked for once more."""
    file, x = tmp_path / "x.npz", np.arange(40.0).reshape(20, 2)
    table = BASE | {"data": {"path": str(file), "scale": "none"}}
    found = []
    for factor in (1.0, 2.0):
        np.savez(file, x=factor * x, t=np.arange(20) % 2)
        found.append(Configuration.parse(table))
        found[-1].source(0)
        first = found[0].data(0).train[0]
    assert (found[1].data(0).train[0] == 2 * first).all()
    elsewhere = found[1].reading(Source(3 * x, np.arange(20) % 2))
    assert (elsewhere.data(0).train[0] == 3 * first).all()


def counting(function: Any, made: list[int]) -> Any:
    def counts(self: Configuration, seed: int) -> Any:
        made.append(seed)
        return function(self, seed)

    return counts


def test_the_newest_are_kept_up_to_a_size() -> None:
    def data(value: float) -> Data:
        return Data(train=(np.full((100, 1), value), np.zeros(100, int)))  # 1,600 bytes

    kept = parted.Kept(3300)
    first = [kept.get(i, lambda i=i: data(i)) for i in (0, 1)]  # type: ignore[misc]
    assert kept.get(0, lambda: data(9)) is first[0]
    kept.get(2, lambda: data(2))  # 1 was not asked for as long
    assert (
        kept.get(0, lambda: data(9)) is first[0] and kept.get(2, lambda: data(9)).train[0][0] == 2
    )
    assert kept.get(1, lambda: data(9)).train[0][0] == 9
