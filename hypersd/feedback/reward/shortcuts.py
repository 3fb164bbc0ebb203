"""Shortcuts of a reward model: baselines without understanding, which it must beat to have learned more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypersd.feedback.preferences.dataset import Preference
from hypersd.feedback.reward.bradley_terry import ChoiceTable, RewardConfig
from hypersd.feedback.reward.feature_selection import Comparisons, logistic, select
from hypersd.feedback.reward.image_statistics import NAMES
from hypersd.feedback.reward.reward_model import LOOKS

Float64Array = NDArray[np.float64]


def hits_by_statistics(train: ChoiceTable, test: ChoiceTable) -> NDArray[np.bool_]:
    """Of the test's decisive choices, which are predicted right from brightness, contrast, saturation, sharpness."""
    return _hits(_statistic_gaps(train), train.examples, _statistic_gaps(test), test.examples)


def hits_by_one(train: ChoiceTable, test: ChoiceTable, config: RewardConfig) -> tuple[int, NDArray[np.bool_]]:
    """The place of the one number that tells most of the choices to learn from, and which of the test's it predicts."""
    selected = select(Comparisons.of(train), replace(config, counts=(1,)))
    asked = decisive(test.examples)
    return selected.read[0], (test.gaps[asked] @ (selected.weights / selected.scale) > 0) == left_won(test.examples)[
        asked
    ]


def hits_by_identity(train: Sequence[Preference], test: Sequence[Preference]) -> NDArray[np.bool_]:
    """The same from who drew the pictures, whatever they show: a Bradley–Terry model of the models."""
    names = sorted({name for one in (*train, *test) for name in one.models})
    return _hits(_identities(train, names), train, _identities(test, names), test)


def decisive(examples: Sequence[Preference]) -> NDArray[np.bool_]:
    """Mask of choices that prefer one picture, `(N,)`."""
    return np.array([one.decisive for one in examples], dtype=bool)


def left_won(examples: Sequence[Preference]) -> NDArray[np.bool_]:
    """Mask of choices that prefer the left picture, `(N,)`."""
    return np.array([one.target > 0.5 for one in examples], dtype=bool)


def _statistic_gaps(table: ChoiceTable) -> Float64Array:
    return table.gaps[:, [LOOKS.index(name) for name in NAMES]]


def _identities(examples: Sequence[Preference], names: Sequence[str]) -> Float64Array:
    place = {name: index for index, name in enumerate(names)}
    features = np.zeros((len(examples), len(names)))
    for row, preference in enumerate(examples):
        features[row, place[preference.models[0]]] += 1
        features[row, place[preference.models[1]]] -= 1
    return features


def _hits(
    train: Float64Array, trained_on: Sequence[Preference], test: Float64Array, tested_on: Sequence[Preference]
) -> NDArray[np.bool_]:
    usable, asked = decisive(trained_on), decisive(tested_on)
    scale = train[usable].std(axis=0) + 1e-9
    weights = logistic(train[usable] / scale, left_won(trained_on)[usable].astype(float))
    return ((test[asked] / scale) @ weights > 0) == left_won(tested_on)[asked]
