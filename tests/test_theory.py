"""The closed forms of signal propagation: quadrature, printed values, limits."""

import math

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from simdl.theory import correlation, gaussian
from simdl.theory import propagation as theory

PHI = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.3 * x),
    "identity": lambda x: x,
}
SLOPE = {
    "sigmoid": lambda x: 1 / (2 + 2 * np.cosh(x)),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "relu": lambda x: 1.0 * (x > 0),
    "leaky_relu": lambda x: np.where(x > 0, 1.0, 0.3),
    "identity": lambda x: np.ones_like(x),
}


def density(z):
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def average(function, q):
    """E[function(sqrt(q) z)] by adaptive quadrature, split where activations bend."""
    cuts = [0.0, *(s * w / math.sqrt(q) for s in (-1, 1) for w in (1, 4) if w < 12 * math.sqrt(q))]
    integrand = lambda z: density(z) * float(function(np.float64(math.sqrt(q) * z)))  # noqa: E731
    return quad(integrand, -12, 12, points=cuts, epsabs=1e-13, epsrel=1e-12, limit=200)[0]


@pytest.mark.parametrize("name", gaussian.ACTIVATIONS)
@pytest.mark.parametrize("q", [1e-4, 0.5, 7.0, 900.0])
def test_averages_equal_adaptive_quadrature(name, q):
    square = gaussian.mean_square(name, q, alpha=0.3)
    assert square == pytest.approx(average(lambda x: PHI[name](x) ** 2, q), rel=1e-10)
    for power in (2, 4):
        moment = gaussian.derivative_moment(name, q, power, alpha=0.3)
        reference = average(lambda x, power=power: SLOPE[name](x) ** power, q)
        assert moment == pytest.approx(reference, rel=1e-10)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("c", [-0.6, 0.3, 0.95])
def test_pair_averages_equal_double_quadrature(name, c):
    q = 1.7
    r, rest = math.sqrt(q), math.sqrt(1 - c * c)
    kink = lambda y: -c * y / rest  # noqa: E731

    def both(f, lower, upper):
        def integrand(z, y):
            return density(z) * density(y) * f(r * y) * f(r * (c * y + rest * z))

        return sum(
            dblquad(integrand, a, b, lo, hi, epsabs=1e-9)[0]
            for a, b in ((-9, 0), (0, 9))
            for lo, hi in ((lower, kink), (kink, upper))
        )

    phi = {
        "tanh": math.tanh,
        "relu": lambda x: max(x, 0.0),
        "leaky_relu": lambda x: x if x > 0 else 0.3 * x,
    }[name]
    slope = {
        "tanh": lambda x: 1 - math.tanh(x) ** 2,
        "relu": lambda x: float(x > 0),
        "leaky_relu": lambda x: 1.0 if x > 0 else 0.3,
    }[name]
    product = gaussian.product(name, c, q, alpha=0.3)
    assert product == pytest.approx(both(phi, -30, 30), abs=1e-7)
    derivative = gaussian.derivative_product(name, c, q, alpha=0.3)
    assert derivative == pytest.approx(both(slope, -30, 30), abs=1e-7)


@pytest.mark.parametrize("name", gaussian.ACTIVATIONS)
def test_pair_averages_meet_single_ones_at_full_correlation(name):
    assert gaussian.product(name, 1.0, 2.3) == pytest.approx(gaussian.mean_square(name, 2.3))
    moment = gaussian.derivative_moment(name, 2.3)
    assert gaussian.derivative_product(name, 1.0, 2.3) == pytest.approx(moment)


def test_wrong_names_and_lengths_are_refused():
    with pytest.raises(ValueError, match="relu6"):
        gaussian.mean_square("relu6", 1.0)
    with pytest.raises(ValueError, match="q: -1"):
        gaussian.mean_square("tanh", -1.0)
    with pytest.raises(ValueError, match="normal"):
        theory.variance_factor("normal", 8, 8)
    with pytest.raises(ValueError, match="s_b2"):
        correlation.order_chaos_line(-0.1)
    with pytest.raises(ValueError, match=r"q\*"):
        correlation.fixed_correlation("relu", 2.5)


# --- printed values: each to its last printed digit ---


def printed(value, text):
    """Whether `value` rounds to the decimal number `text`."""
    return f"{value:.{len(text.partition('.')[2])}f}" == text


@pytest.mark.parametrize(("s_b2", "s_w2"), [(0.01, "1.4242"), (0.05, "1.7610"), (0.3, "2.5051")])
def test_order_chaos_line(s_b2, s_w2):
    critical, q = correlation.order_chaos_line(s_b2)
    assert printed(critical, s_w2)
    assert theory.fixed_length("tanh", critical, s_b2) == pytest.approx(q, rel=1e-9)
    assert theory.backward_gain("tanh", q, critical) == pytest.approx(1, rel=1e-12)


def test_critical_length():
    # The printed .5701 belongs to the rounded s_w2; on the line itself q* is .57005.
    assert printed(theory.fixed_length("tanh", 1.7610, 0.05), "0.5701")
    assert printed(correlation.order_chaos_line(0.05)[1], "0.57005")


def test_order_chaos_line_starts_at_one_and_relu_has_a_point():
    assert correlation.order_chaos_line(0.0) == (1.0, 0.0)
    assert theory.backward_gain("relu", 3.0, 2.0) == 1
    assert theory.fixed_length("relu", 2.0, 0.0, start=0.7) == 0.7
    assert theory.fixed_length("relu", 2.0, 0.1) == math.inf
    assert theory.fixed_length("relu", 1.0, 0.1) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("s_w2", "xi", "c"), [(1.7, "74.9", "1.000"), (2.0, "25.2", "0.744"), (2.5, "11.8", "0.447")]
)
def test_depth_scale(s_w2, xi, c):
    assert printed(correlation.correlation_scale("tanh", s_w2, 0.05), xi)
    star = correlation.fixed_correlation("tanh", s_w2, 0.05)
    assert printed(star, c)
    assert correlation.correlation_path("tanh", star, 3, s_w2, 0.05)[-1] == pytest.approx(star)


def test_correlations_of_usable_depth_are_not_yet_asymptotic():
    # The printed 19.0 belongs to an initial correlation near 1/4.
    path = correlation.correlation_path("tanh", 0.25, 40, 2.0, 0.05)
    gap = np.abs(path - correlation.fixed_correlation("tanh", 2.0, 0.05))[10:]
    fitted = -1 / np.polyfit(np.arange(31), np.log(gap), 1)[0]
    assert printed(fitted, "19.0")
    assert fitted < 0.8 * correlation.correlation_scale("tanh", 2.0, 0.05)


def test_correlations_decay_at_last_with_their_scale():
    path = correlation.correlation_path("tanh", 0.25, 400, 2.5, 0.05)[[60, 100]]
    rate = np.diff(np.log(np.abs(path - correlation.fixed_correlation("tanh", 2.5, 0.05))))[0]
    assert -40 / rate == pytest.approx(correlation.correlation_scale("tanh", 2.5, 0.05), rel=0.01)


def test_gradient_scale():
    assert theory.gradient_scale(math.e) == pytest.approx(1)
    assert theory.gradient_scale(1 / math.e) == pytest.approx(1)
    assert theory.gradient_scale(1.0) == math.inf


@pytest.mark.parametrize(("s_w2", "factor"), [(1 / 3, "0.1414"), (1.0, "0.2361")])
def test_sigmoid_factor_of_middle_layers(s_w2, factor):
    q = theory.fixed_length("sigmoid", s_w2)
    value = theory.backward_factor("sigmoid", q, s_w2)
    assert printed(value, factor)
    assert value < 0.25 * math.sqrt(s_w2)
    profile = theory.propagate("sigmoid", [s_w2] * 12)
    assert math.sqrt(profile.gain[-1]) == pytest.approx(value, rel=1e-9)
    assert profile.gain[0] < profile.gain[-1]


def test_first_hidden_sigmoid_layer_depends_on_the_data():
    # The factor of the first hidden layer takes the data's mean square.
    third = theory.propagate("sigmoid", [1 / 3, 1 / 3]).gain[0]
    assert printed(math.sqrt(third), "0.135")
    for mean_square, factor in ((1.0, "0.212"), (0.733, "0.219")):
        gain = theory.propagate("sigmoid", [1.0, 1.0], mean_square=mean_square).gain[0]
        assert printed(math.sqrt(gain), factor)


def test_large_weights_saturate_tanh_and_explode():
    q = theory.fixed_length("tanh", 25.0)
    assert printed(theory.backward_gain("tanh", q, 25.0), "2.90")
    assert printed(theory.saturated_share(q, 0.98), "0.61")
    exact = quad(density, math.atanh(0.98) / math.sqrt(q), 20)[0] * 2
    assert theory.saturated_share(q, 0.98) == pytest.approx(exact)


def test_fixed_length_is_the_limit_of_the_map():
    for name, s_w2, s_b2 in [("tanh", 1.3, 0.0), ("tanh", 4.0, 0.2), ("sigmoid", 9.0, 0.0)]:
        q = 1.0
        for _ in range(400):
            q = theory.length_map(name, q, s_w2, s_b2)
        assert theory.fixed_length(name, s_w2, s_b2) == pytest.approx(q, rel=1e-9)
    assert theory.fixed_length("tanh", 0.9) == 0
    assert theory.fixed_length("tanh", 0.0, 0.3) == pytest.approx(0.3)


@pytest.mark.parametrize("width", [50, 64, 100, 3000])
def test_log_variance_is_about_five_over_width(width):
    assert theory.log_gain(width)[1] == pytest.approx(5 / width, rel=0.1)


def test_second_moment_and_spectra():
    assert theory.gain_second_moment([5, 10]) == 3
    spread = theory.jacobian_spread
    for depth in (2, 5, 10):
        assert spread("identity", depth) == depth
        assert spread("identity", depth, orthogonal=True) == 0
        assert spread("relu", depth) == 2 * depth
        assert spread("relu", depth, orthogonal=True) == depth


def test_deep_linear_mode_solves_its_equation():
    s, lr, left = 1.5, 1e-4, math.sqrt(0.01)
    right, steps = left, 30_000
    path = np.empty(steps)
    for k in range(steps):
        path[k] = left * right
        error = s - left * right
        left, right = left + lr * error * right, right + lr * error * left
    exact = theory.deep_linear_mode(lr * np.arange(steps), s, 0.01)
    np.testing.assert_allclose(path, exact, rtol=0.01)
    assert theory.deep_linear_mode(1e6, s, 0.01) == s


def test_variance_factors():
    factor = theory.variance_factor
    assert factor("uniform", 64, 32, limit=1 / 8) == pytest.approx(1 / 3)
    assert factor("normal", 100, 7, std=0.01) == pytest.approx(0.01)
    assert factor("lecun_normal", 5, 9) == 1
    assert factor("glorot_uniform", 64, 64) == factor("xavier_normal", 8, 8) == 1
    assert factor("he_normal", 3, 5) == factor("kaiming_uniform", 9, 5) == 2
    assert factor("zeros", 3, 3) == 0
    for shape in ((40, 40), (40, 10), (10, 40)):
        u, _, v = np.linalg.svd(np.random.default_rng(1).normal(size=shape), full_matrices=False)
        assert factor("orthogonal", *shape) == pytest.approx(shape[0] * np.mean((u @ v) ** 2))
