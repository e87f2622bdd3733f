"""Maximum likelihood for models whose parameters are all positive: shared by the models here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

Floats = NDArray[np.float64]

_REACH = np.log(1e4)
"""How far from its start a parameter is looked for: four orders of magnitude either way."""

_FLAT = 1e-6
"""A slope, as a share of the log-likelihood, below which the top is reached."""


class FitError(ValueError):
    """No parameters can be found: the data say nothing about them, or the search did not end."""


Likelihood = Callable[[Floats], tuple[float, Floats]]
"""Mean log-likelihood of an observation by the parameters, and its slope by each of them."""


def maximise(mean_log_likelihood: Likelihood, starts: Iterable[Sequence[float]]) -> Floats:
    """The positive parameters with the highest likelihood, the best of several starts.

    The search goes over logarithms, so that no parameter can leave its range, and uses exact
    slopes. The same data give the same parameters, to the last digit.

    Args:
        starts: parameters to begin with, one set or more.

    Raises:
        FitError: no start leads to a point where the slope is zero.
    """

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logarithms)
        value, slope = mean_log_likelihood(parameters)
        return -value, -slope * parameters

    found = []
    for start in starts:
        lowest, highest = np.log(start) - _REACH, np.log(start) + _REACH
        result = optimize.minimize(
            loss,
            np.log(start),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(lowest, highest, strict=True)),
            options={"maxiter": 2000, "maxfun": 5000, "maxls": 50, "ftol": 1e-16, "gtol": 1e-10},
        )
        # At a bound the slope may point outwards: a parameter that grows without end is an answer.
        inwards = result.x - np.clip(result.x - result.jac, lowest, highest)
        if np.all(np.abs(inwards) < _FLAT * max(1.0, abs(result.fun))):
            found.append(result)
    if not found:
        raise FitError("the likelihood has no maximum that could be found; the data do not fit the model")
    return np.exp(min(found, key=lambda result: result.fun).x)


def average(shares: Floats, values: Floats) -> float:
    """The mean of values with shares that add up to 1.

    Not `shares @ values`: that is split over threads, and their number would change the last digits.
    """
    return float(np.sum(shares * values))


def observations(weights: ArrayLike | None, **columns: ArrayLike) -> tuple[Floats, ...]:
    """The columns and, last, the weights as arrays of one length.

    Raises:
        ValueError: names the column with a missing, infinite or negative value, or another length.
    """
    arrays = {name: np.asarray(column, dtype=float) for name, column in columns.items()}
    length = len(next(iter(arrays.values())))
    arrays["weights"] = np.ones(length) if weights is None else np.asarray(weights, dtype=float)
    for name, array in arrays.items():
        if array.shape != (length,):
            raise ValueError(f"{name} has the shape {array.shape}; {length} numbers in a row are wanted")
        if not np.all(np.isfinite(array) & (array >= 0)):
            raise ValueError(f"{name} has values that are missing, infinite or negative")
    return tuple(arrays.values())
