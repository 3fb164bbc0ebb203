"""What a reward model could do without understanding pictures: baselines that it must beat to have learned more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from hypersd.feedback.bradley_terry import ChoiceTable
from hypersd.feedback.preferences import Preference

Floats = NDArray[np.float64]
_RIDGE = 1e-2


def logistic(features: Floats, targets: Floats) -> Floats:
    """Weights `(F,)` of a logistic regression on `(N, F)`, with a small ridge.

    It has no intercept: swapping the sides turns the sign of all features.
    """

    def objective(weights: Floats) -> tuple[float, Floats]:
        margin = features @ weights
        loss = np.logaddexp(0, margin) - targets * margin
        residual = 1 / (1 + np.exp(-margin)) - targets
        ridge = _RIDGE * weights
        return float(loss.mean() + 0.5 * weights @ ridge), features.T @ residual / len(targets) + ridge

    return np.asarray(minimize(objective, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x)


def hits_by_statistics(train: ChoiceTable, test: ChoiceTable) -> NDArray[np.bool_]:
    """Of the test's decisive choices, which are predicted right from brightness, contrast, saturation, sharpness."""
    return _hits(_statistic_gaps(train), train.examples, _statistic_gaps(test), test.examples)


def hits_by_identity(train: Sequence[Preference], test: Sequence[Preference]) -> NDArray[np.bool_]:
    """The same from who drew the pictures, whatever they show: a Bradley–Terry model of the models."""
    names = sorted({name for one in (*train, *test) for name in one.models})
    return _hits(_identities(train, names), train, _identities(test, names), test)


def decisive(examples: Sequence[Preference]) -> NDArray[np.bool_]:
    """Which choices prefer one picture, `(N,)`."""
    return np.array([one.decisive for one in examples], dtype=bool)


def left_won(examples: Sequence[Preference]) -> NDArray[np.bool_]:
    """Which choices prefer the left picture, `(N,)`."""
    return np.array([one.target > 0.5 for one in examples], dtype=bool)


def _statistic_gaps(table: ChoiceTable) -> Floats:
    values = table.measured.double().numpy()
    return values[table.sides[:, 0]] - values[table.sides[:, 1]]


def _identities(examples: Sequence[Preference], names: Sequence[str]) -> Floats:
    place = {name: index for index, name in enumerate(names)}
    features = np.zeros((len(examples), len(names)))
    for row, one in enumerate(examples):
        features[row, place[one.models[0]]] += 1
        features[row, place[one.models[1]]] -= 1
    return features


def _hits(
    train: Floats, trained_on: Sequence[Preference], test: Floats, tested_on: Sequence[Preference]
) -> NDArray[np.bool_]:
    usable, asked = decisive(trained_on), decisive(tested_on)
    scale = train[usable].std(axis=0) + 1e-9
    weights = logistic(train[usable] / scale, left_won(trained_on)[usable].astype(float))
    return ((test[asked] / scale) @ weights > 0) == left_won(tested_on)[asked]
