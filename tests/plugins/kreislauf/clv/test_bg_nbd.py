"""The BG/NBD fit: likelihood by hand, the optimum, known parameters found again, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import beta, gamma, hyp2f1

from kreislauf.clv import BgNbd, FitError, beta_nodes, dropout_nodes, fit_bg_nbd

TRUE = (0.6, 12.0, 0.8, 2.5)


def simulate(buyers: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequency, recency, age in weeks of people who behave as the model says, with TRUE parameters."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = TRUE
    rate, dropout, age = rng.gamma(r, 1 / alpha, buyers), rng.beta(a, b, buyers), rng.uniform(20, 80, buyers)
    frequency, recency, now = np.zeros(buyers), np.zeros(buyers), np.zeros(buyers)
    active = np.ones(buyers, dtype=bool)
    while active.any():
        now += rng.exponential(1, buyers) / rate
        active &= now <= age
        frequency[active] += 1
        recency[active] = now[active]
        active &= rng.random(buyers) >= dropout
    return frequency, recency, age


def log_likelihood(parameters, frequency, recency, age) -> float:
    """As the paper writes it: gamma and beta functions, no logarithms. Only for small numbers."""
    r, alpha, a, b = parameters
    total = 0.0
    for x, t_x, age_ in zip(frequency, recency, age, strict=True):
        rate = gamma(r + x) * alpha**r / gamma(r)
        likelihood = beta(a, b + x) / beta(a, b) * rate / (alpha + age_) ** (r + x)
        if x > 0:
            likelihood += beta(a + 1, b + x - 1) / beta(a, b) * rate / (alpha + t_x) ** (r + x)
        total += math.log(likelihood)
    return total


@pytest.fixture(scope="module")
def sample():
    return simulate(5000)


@pytest.fixture(scope="module")
def fit(sample) -> BgNbd:
    return fit_bg_nbd(*sample)


def test_known_parameters_are_found_again(fit):
    r, alpha, a, b = TRUE
    assert fit[:4] == pytest.approx(TRUE, rel=0.25)
    # The means of the two distributions are known better than their shapes.
    assert (fit.r / fit.alpha, fit.a / (fit.a + fit.b)) == pytest.approx((r / alpha, a / (a + b)), rel=0.06)


def test_log_likelihood_is_that_of_the_paper(sample, fit):
    assert fit.log_likelihood == pytest.approx(log_likelihood(fit[:4], *sample), rel=1e-11)


def test_likelihood_of_one_buyer_by_hand():
    # r = alpha = a = b = 1, bought once more at 1 of 3: B(1,2)/B(1,1) 4^-2 + B(2,1)/B(1,1) 2^-2.
    assert log_likelihood((1, 1, 1, 1), [1], [1], [3]) == pytest.approx(math.log(0.5 / 16 + 0.5 / 4))


@pytest.mark.parametrize("position", range(4))
def test_no_step_in_any_direction_is_better(sample, fit, position):
    best = log_likelihood(fit[:4], *sample)
    for factor in (0.97, 1.03):
        beside = list(fit[:4])
        beside[position] *= factor
        assert log_likelihood(beside, *sample) < best
    # The slope of a parabola through three points is flat at the top.
    step = 1e-4
    above, below = ([*fit[:4]] for _ in range(2))
    above[position] *= 1 + step
    below[position] *= 1 - step
    slope = (log_likelihood(above, *sample) - log_likelihood(below, *sample)) / (2 * step)
    assert abs(slope) < 1e-3


def test_unit_of_time_only_scales_alpha(sample, fit):
    frequency, recency, age = sample
    days = fit_bg_nbd(frequency, 7 * recency, 7 * age)
    assert days.alpha == pytest.approx(7 * fit.alpha, rel=1e-5)
    assert (days.r, days.a, days.b) == pytest.approx((fit.r, fit.a, fit.b), rel=1e-5)
    # A density in time: seven times the unit, a seventh of it for each purchase.
    assert days.log_likelihood == pytest.approx(fit.log_likelihood - frequency.sum() * math.log(7), rel=1e-9)


def test_weights_are_repetitions():
    frequency, recency, age = (np.round(column) for column in simulate(500, seed=3))
    times = np.arange(500) % 3
    repeated = fit_bg_nbd(*(np.repeat(column, times) for column in (frequency, recency, age)))
    assert fit_bg_nbd(frequency, recency, age, times) == pytest.approx(repeated, rel=1e-9)


def test_two_fits_are_the_same_to_the_last_digit_in_any_order(sample, fit):
    assert fit_bg_nbd(*sample) == fit
    assert fit_bg_nbd(*(column[::-1] for column in sample)) == fit


def test_recency_of_those_who_never_returned_says_nothing(sample, fit):
    frequency, recency, age = sample
    assert fit_bg_nbd(frequency, np.where(frequency == 0, 5.0, recency), age) == fit


def test_rates_too_small_for_a_number_have_logarithms():
    # (alpha + T) to the power of -(r + x) underflows here, its logarithm does not.
    found = fit_bg_nbd([400, 300, 500, 0], [4000, 3900, 4100, 0], [4300, 4300, 4300, 4300])
    assert all(math.isfinite(value) for value in found)


def test_whole_weeks_fit_as_well_as_exact_days(sample, fit):
    weeks = [np.floor(column + 0.5) for column in sample]
    assert fit_bg_nbd(*weeks)[:4] == pytest.approx(fit[:4], rel=0.02)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (([1], [2], [3, 4]), "age has the shape"),
        (([1, -1], [2, 2], [3, 3]), "frequency has values"),
        (([1], [math.nan], [3]), "recency has values"),
        (([1.5], [2], [3]), "whole numbers"),
        (([1], [4], [3]), "lies after now"),
    ],
)
def test_wrong_columns_are_named(columns, reason):
    with pytest.raises(ValueError, match=reason):
        fit_bg_nbd(*columns)


def test_nobody_came_back():
    with pytest.raises(FitError, match="second time"):
        fit_bg_nbd([0, 0], [0, 0], [10, 20])
    with pytest.raises(FitError, match="second time"):
        fit_bg_nbd([0, 3], [0, 9], [10, 20], weights=[1, 0])


@pytest.mark.parametrize(
    ("a", "b"), [(0.8, 2.4), (0.5, 0.5), (0.3, 0.7), (1, 1), (5, 1), (0.02, 40), (300, 900)]
)
def test_nodes_integrate_polynomials_exactly(a, b):
    nodes, weights = beta_nodes(a, b, 6)
    assert np.all((nodes > -1e-12) & (nodes < 1)) and np.all(np.diff(nodes) > 0)
    for power in range(12):
        moment = np.prod([(a + k) / (a + b + k) for k in range(power)])
        assert weights @ nodes**power == pytest.approx(moment, rel=1e-9)


def test_one_node_is_the_mean():
    nodes, weights = beta_nodes(2, 6, 1)
    assert (nodes.tolist(), weights.tolist()) == ([0.25], [1.0])


def expected_if_alive(fit: BgNbd, x: int, age: float, horizon: float) -> float:
    """Equation 10 of the paper, without its denominator."""
    r, alpha, a, b, _ = fit
    shrink = ((alpha + age) / (alpha + age + horizon)) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + age + horizon))
    return (a + b + x - 1) / (a - 1) * (1 - shrink * series)


@pytest.mark.parametrize(
    "parameters",
    [
        (0.243, 30.9, 0.793, 2.426),
        (1.2, 140, 0.5, 3),
        (3, 400, 1.5, 1.5),
        (0.4, 3, 0.9, 8),
        (1, 30, 30, 60),
    ],
)
@pytest.mark.parametrize("frequency", [0, 1, 7, 40, 300])
def test_orders_to_come_are_those_of_the_closed_form(parameters, frequency):
    fit = BgNbd(*parameters, log_likelihood=0)
    nodes, weights = dropout_nodes(fit, frequency, age=frequency, horizon=365)
    for age in (frequency, frequency + 30, 1500):
        for horizon in (30, 365):
            span = fit.alpha + age
            orders = weights @ ((1 - (span / (span + nodes * horizon)) ** (fit.r + frequency)) / nodes)
            assert orders == pytest.approx(
                expected_if_alive(fit, frequency, age, horizon), abs=1e-7, rel=1e-7
            )


def test_where_nobody_drops_out_orders_go_on_at_their_rate():
    fit = BgNbd(2.0, 50.0, 1e-8, 5.0, log_likelihood=0)
    nodes, weights = dropout_nodes(fit, 3, age=150, horizon=365)
    orders = weights @ ((1 - (200 / (200 + nodes * 365)) ** 5) / nodes)
    assert orders == pytest.approx(5 / 200 * 365, rel=1e-6)


def test_few_nodes_are_enough_for_usual_parameters():
    assert len(dropout_nodes(BgNbd(0.243, 30.9, 0.793, 2.426, 0), 2, 14, 365)[0]) <= 32
