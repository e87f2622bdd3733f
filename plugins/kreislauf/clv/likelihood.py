"""Maximum likelihood for models whose parameters are all positive: shared by the models here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

Floats = NDArray[np.float64]

_SMALLEST, _LARGEST = np.log(1e-8), np.log(1e8)
_FLAT = 1e-6
"""A slope, as a share of the log-likelihood, below which the top is reached."""


class FitError(ValueError):
    """No parameters can be found: the data say nothing about them, or the search did not end."""


def maximise(
    mean_log_likelihood: Callable[[Floats], tuple[float, Floats]], starts: Iterable[Sequence[float]]
) -> Floats:
    """The positive parameters with the highest likelihood, the best of several starts.

    The search goes over logarithms, so that no parameter can leave its range, and uses exact
    slopes. The same data give the same parameters, to the last digit.

    Args:
        mean_log_likelihood: of the parameters, an observation, with its slope by each parameter.
        starts: parameters to begin with.

    Raises:
        FitError: no start leads to a point where the slope is zero.
    """

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logarithms)
        value, slope = mean_log_likelihood(parameters)
        return -value, -slope * parameters

    found = []
    for start in starts:
        result = optimize.minimize(
            loss,
            np.clip(np.log(start), _SMALLEST, _LARGEST),
            jac=True,
            method="L-BFGS-B",
            bounds=[(_SMALLEST, _LARGEST)] * len(start),
            options={"maxiter": 2000, "maxfun": 5000, "maxls": 50, "ftol": 1e-16, "gtol": 1e-10},
        )
        # At a bound the slope may point outwards: a parameter that grows without end is an answer.
        inwards = result.x - np.clip(result.x - result.jac, _SMALLEST, _LARGEST)
        if np.all(np.abs(inwards) < _FLAT * max(1.0, abs(result.fun))):
            found.append(result)
    if not found:
        raise FitError("the likelihood has no maximum that could be found; the data do not fit the model")
    return np.exp(min(found, key=lambda result: result.fun).x)


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
