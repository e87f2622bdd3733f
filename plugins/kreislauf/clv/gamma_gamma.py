"""The Gamma-Gamma model: what a person spends a purchase varies around a mean of its own.

P. S. Fader, B. G. S. Hardie (2013), The Gamma-Gamma Model of Monetary Value. Amounts follow a
gamma distribution (p, nu), its scale nu again a gamma distribution (q, v). The mean amount of
all people is p * v / (q - 1). It takes for granted that amounts do not depend on frequency.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from kreislauf.clv.likelihood import FitError, Floats, Likelihood, average, maximise, observations

_STARTS = ((1.0, 2.0), (5.0, 5.0), (0.3, 10.0))
"""p and q to begin with; v follows from the data."""


class GammaGamma(NamedTuple):
    """Parameters of the Gamma-Gamma model; v is in the currency of the amounts."""

    p: float
    q: float
    v: float


def fit_gamma_gamma(
    frequency: ArrayLike, mean_value: ArrayLike, weights: ArrayLike | None = None
) -> GammaGamma:
    """The parameters that make the mean amounts of repeat purchases most likely.

    Args:
        frequency: purchases after the first; rows with 0 say nothing and are left out.
        mean_value: mean amount of these purchases.
        weights: how many buyers each row stands for; one, if left out.

    Raises:
        ValueError: columns of different length, values that are negative or missing, or a mean of
            0 where something was bought.
        FitError: nobody bought twice, or no maximum could be found.
    """
    x, m, weight = observations(weights, frequency=frequency, mean_value=mean_value)
    counts = (x > 0) & (weight > 0)
    x, m, weight = x[counts], m[counts], weight[counts]
    if np.any(m == 0):
        raise ValueError("mean_value is 0 for somebody who bought again; amounts are positive")
    if len(x) == 0:
        raise FitError("nobody bought a second time; there are no amounts to learn from")
    mean = weight @ m / weight.sum()
    starts = [(p, q, mean * abs(q - 1) / p) for p, q in _STARTS]
    p, q, v = maximise(_likelihood(x, m, weight), starts)
    return GammaGamma(float(p), float(q), float(v))


def _likelihood(x: Floats, m: Floats, weight: Floats) -> Likelihood:
    """Of p, q, v."""
    share = weight / weight.sum()
    total = x * m
    log_total, log_mean = np.log(total), np.log(m)
    # What depends on the frequency alone: its few values are worth one gamma function each.
    n, place = np.unique(x, return_inverse=True)

    def mean(parameters: Floats) -> tuple[float, Floats]:
        p, q, v = parameters
        log_whole = np.log(total + v)
        known = gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(v)
        by_p = digamma(p * n + q) - digamma(p * n)
        by_q = digamma(p * n + q) - digamma(q) + np.log(v)
        value = known[place] + p * x * log_total - log_mean - (p * x + q) * log_whole
        slopes = (
            x * (by_p[place] + log_total - log_whole),
            by_q[place] - log_whole,
            q / v - (p * x + q) / (total + v),
        )
        return average(share, value), np.array([average(share, slope) for slope in slopes])

    return mean
