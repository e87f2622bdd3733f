"""The Gamma-Gamma fit: likelihood by hand, the optimum, known parameters found again, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import gamma

from kreislauf.clv import FitError, fit_gamma_gamma

TRUE = (6.25, 3.74, 15.44)


def simulate(buyers: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, q, v = TRUE
    frequency = rng.geometric(0.3, buyers).astype(float)
    scale = 1 / rng.gamma(q, 1 / v, buyers)
    return frequency, rng.gamma(p * frequency) * scale / frequency


def density(parameters, x: float, m: float) -> float:
    """Of a mean amount, as the paper writes it: gamma functions, no logarithms."""
    p, q, v = parameters
    return (
        gamma(p * x + q) / gamma(p * x) / gamma(q)
        * v**q * m ** (p * x - 1) * x ** (p * x) / (v + m * x) ** (p * x + q)
    )  # fmt: skip


def log_likelihood(parameters, frequency, mean_value) -> float:
    return sum(math.log(density(parameters, x, m)) for x, m in zip(frequency, mean_value, strict=True))


@pytest.fixture(scope="module")
def sample():
    return simulate(6000)


@pytest.fixture(scope="module")
def fit(sample):
    return fit_gamma_gamma(*sample)


def test_known_parameters_are_found_again(fit):
    p, q, v = fit
    assert (p, q, v) == pytest.approx(TRUE, rel=0.25)
    assert p * v / (q - 1) == pytest.approx(6.25 * 15.44 / 2.74, rel=0.02)


def test_density_is_a_mixture_of_gamma_amounts_over_all_scales():
    p, q, v = TRUE
    mixture, _ = quad(
        lambda nu: stats.gamma.pdf(30, p * 3, scale=1 / (nu * 3)) * stats.gamma.pdf(nu, q, scale=1 / v),
        0,
        np.inf,
    )
    assert density(TRUE, 3, 30) == pytest.approx(mixture)


@pytest.mark.parametrize("position", range(3))
def test_no_step_in_any_direction_is_better(position):
    frequency, mean = (column[:300] for column in simulate(1000, seed=5))
    few = frequency < 8  # as far as gamma functions are numbers
    frequency, mean = frequency[few], mean[few]
    best = fit_gamma_gamma(frequency, mean)
    for factor in (0.99, 1.01):
        beside = list(best)
        beside[position] *= factor
        assert log_likelihood(beside, frequency, mean) < log_likelihood(best, frequency, mean)


def test_currency_only_scales_v(sample, fit):
    frequency, mean = sample
    cents = fit_gamma_gamma(frequency, 100 * mean)
    assert (cents.p, cents.q, cents.v) == pytest.approx((fit.p, fit.q, 100 * fit.v), rel=1e-4)


def test_weights_are_repetitions():
    frequency, mean = simulate(600, seed=3)
    times = np.arange(600) % 3
    repeated = fit_gamma_gamma(np.repeat(frequency, times), np.repeat(mean, times))
    assert fit_gamma_gamma(frequency, mean, times) == pytest.approx(repeated, rel=1e-5)


def test_those_who_never_returned_say_nothing(sample, fit):
    frequency, mean = sample
    assert fit_gamma_gamma(np.append(frequency, 0), np.append(mean, 0)) == fit


def test_two_fits_are_the_same_to_the_last_digit(sample, fit):
    assert fit_gamma_gamma(*sample) == fit


def test_amounts_of_three_digits_fit_as_well_as_exact_ones(sample, fit):
    frequency, mean = sample
    step = 10 ** (np.floor(np.log10(mean)) - 2)
    assert fit_gamma_gamma(frequency, np.round(mean / step) * step) == pytest.approx(fit, rel=0.005)


def test_what_says_nothing_is_refused():
    with pytest.raises(FitError, match="second time"):
        fit_gamma_gamma([0], [0])
    with pytest.raises(ValueError, match="amounts are positive"):
        fit_gamma_gamma([2], [0])
    with pytest.raises(ValueError, match="mean_value has the shape"):
        fit_gamma_gamma([2], [3, 4])


def test_where_all_people_spend_alike_the_mean_still_holds():
    rng = np.random.default_rng(4)
    frequency = rng.geometric(0.3, 3000)
    p, q, v = fit_gamma_gamma(frequency, rng.gamma(2.0 * frequency, 15.0) / frequency)
    assert q > 100
    assert p * v / (q - 1) == pytest.approx(30, rel=0.03)
