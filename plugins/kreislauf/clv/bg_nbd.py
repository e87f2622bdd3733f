"""The BG/NBD model: people buy at a rate of their own and, after each purchase, may drop out.

P. S. Fader, B. G. S. Hardie, K. L. Lee (2005), "Counting Your Customers" the Easy Way: An
Alternative to the Pareto/NBD Model, Marketing Science 24(2). Purchase rates follow a gamma
distribution (r, alpha), dropout probabilities a beta distribution (a, b).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, digamma, expit, gammaln

from kreislauf.clv.likelihood import FitError, Floats, Likelihood, average, maximise, observations

_STARTS = ((0.3, 0.8, 2.5), (1.0, 1.0, 5.0), (3.0, 0.1, 1.0))
"""r, a and b to begin with; alpha follows from the data."""


class BgNbd(NamedTuple):
    """Parameters of the BG/NBD model; alpha is in the unit of time it was fitted in.

    `log_likelihood` is that of all buyers, in the same unit.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


def fit_bg_nbd(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, weights: ArrayLike | None = None
) -> BgNbd:
    """The parameters that make what was observed most likely; no penalty, no prior.

    Args:
        frequency: purchases after the first; several on one day are one.
        recency: time from the first purchase to the last; without meaning at frequency 0.
        age: time from the first purchase to now. Any unit: parameters in days come from days.
        weights: how many buyers each row stands for; one, if left out.

    Raises:
        ValueError: columns of different length, values that are negative, missing or no whole
            frequency, a last purchase that lies after now.
        FitError: nobody bought twice, or no maximum could be found.
    """
    x, t_x, age_, weight = observations(weights, frequency=frequency, recency=recency, age=age)
    if np.any(x != np.floor(x)):
        raise ValueError("frequency counts purchases; whole numbers are wanted")
    if np.any((x > 0) & (t_x > age_)):
        raise ValueError("recency is longer than age: a last purchase lies after now")
    rows = np.column_stack([x, np.where(x > 0, t_x, 0.0), age_])[weight > 0]
    rows, place = np.unique(rows, axis=0, return_inverse=True)
    weight = np.bincount(place.ravel(), weight[weight > 0], len(rows))
    x, t_x, age_ = rows.T
    repeats = weight @ x
    if repeats == 0:
        raise FitError("nobody bought a second time; there is nothing to learn a rate from")
    interval = weight @ age_ / repeats
    starts = [(r, r * interval, a, b) for r, a, b in _STARTS]
    likelihood = _likelihood(x, t_x, age_, weight)
    best = maximise(likelihood, starts)
    r, alpha, a, b = (float(parameter) for parameter in best)
    return BgNbd(r, alpha, a, b, log_likelihood=float(likelihood(best)[0] * weight.sum()))


def dropout_nodes(fit: BgNbd, frequency: int, age: float, horizon: float) -> tuple[Floats, Floats]:
    """Dropout probabilities and weights by which orders to come are a short sum, without 2F1.

    Somebody who is alive after `frequency` repeat purchases has a dropout probability p of a beta
    distribution (a, b + frequency), and will buy on average
    `(1 - ((alpha + age) / (alpha + age + p * horizon)) ** (r + frequency)) / p` times within the
    horizon. The mean of this over p is equation 10 of the paper divided by the probability to be
    alive. The nodes give it to nine digits for this age and horizon, and for any greater age or
    shorter horizon, where the function is smoother.

    Raises:
        FitError: more than 1,024 nodes would be needed.
    """
    span = fit.alpha + age
    found: list[tuple[Floats, Floats]] = []
    orders: list[float] = []
    for count in (8, 16, 32, 64, 128, 256, 512, 1024):
        nodes, weights = beta_nodes(fit.a, fit.b + frequency, count)
        # Below this, 1 - (...) has too few digits left; the function is flat there.
        nodes = np.maximum(nodes, 1e-9)
        found.append((nodes, weights))
        orders.append(weights @ ((1 - (span / (span + nodes * horizon)) ** (fit.r + frequency)) / nodes))
        if count > 8 and abs(orders[-1] - orders[-2]) <= 1e-9 * max(1.0, orders[-1]):
            return found[-2]
    raise FitError(f"orders to come after {frequency} purchases cannot be summed up; alpha is {fit.alpha:g}")


def beta_nodes(a: float, b: float, count: int) -> tuple[Floats, Floats]:
    """Nodes and weights that stand for a whole beta distribution (a, b).

    The mean of a smooth function is the sum of weight times function at the nodes, exactly for
    polynomials up to degree 2 * count - 1: Gauss-Jacobi quadrature on [0, 1] by the eigenvalues
    of the recurrence (Golub, Welsch 1969). Nodes ascend, weights add up to 1.
    """
    k = np.arange(1, count)
    total = 2 * k + a + b - 2
    diagonal = np.append((a - b) / (a + b), (a - b) * (a + b - 2) / (total * (total + 2)))
    # The first of them, written without the factor that is 0 / 0 when a + b = 1.
    first = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    k, total = k[1:], total[1:]
    rest = 4 * k * (k + a - 1) * (k + b - 1) * (k + a + b - 2) / (total**2 * (total + 1) * (total - 1))
    off_diagonal = np.sqrt(np.append(first, rest))[: count - 1]
    values, vectors = eigh_tridiagonal(diagonal, off_diagonal)
    return (1 + values) / 2, vectors[0] ** 2


def _likelihood(x: Floats, t_x: Floats, age: Floats, weight: Floats) -> Likelihood:
    """Of r, alpha, a, b. A buyer is either alive still or dropped out with the last purchase: two
    terms that are added by their logarithms, since each may be too small for a number.
    """
    share = weight / weight.sum()
    again = x > 0
    # What depends on the frequency alone: its few values are worth one gamma function each.
    n, place = np.unique(x, return_inverse=True)

    def mean(parameters: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = parameters
        log_age, log_recency = np.log(alpha + age), np.log(alpha + t_x)
        before = np.where(n > 0, b + n - 1, 1.0)
        drops = np.where(n > 0, np.log(a / before), -np.inf)
        # The logarithm of how much likelier gone is than alive, and of what both come to.
        odds = drops[place] + (r + x) * (log_age - log_recency)
        either = np.logaddexp(0.0, odds) - (r + x) * log_age
        p_gone = np.where(again, expit(odds), 0.0)
        p_alive = 1 - p_gone

        both = gammaln(r + n) - gammaln(r) + r * np.log(alpha) + betaln(a, b + n) - betaln(a, b)
        by_r = digamma(r + n) - digamma(r) + np.log(alpha)
        by_a = digamma(a + b) - digamma(a + b + n)
        by_b = by_a + digamma(b + n) - digamma(b)
        slopes = (
            by_r[place] - p_alive * log_age - p_gone * log_recency,
            r / alpha - (r + x) * (p_alive / (alpha + age) + p_gone / (alpha + t_x)),
            by_a[place] + p_gone / a,
            by_b[place] - p_gone / before[place],
        )
        return average(share, both[place] + either), np.array([average(share, slope) for slope in slopes])

    return mean
