"""Diversity of the pictures of one prompt: drawing the same from every noise is a loss that no other metric sees."""

from __future__ import annotations

import numpy as np

from hypersd.evaluate.intervals import Floats

_TINY = 1e-12
"""Below this a feature vector has no direction."""


def distances(features: Floats) -> Floats:
    """Mean distance of each picture to the others of its prompt: the mean of 1 - cosine to each, `(N,)`.

    The mean of the result is the mean distance over all pairs (as LPIPS is averaged by Zhu et al. 2017, with another
    distance); so it can be kept a picture, and summed up like anything else that is known of one. It is 0 if all
    pictures are the same, and at most N / (N - 1).

    Args:
        features: of the pictures of one prompt under several seeds, `(N, D)`.

    Raises:
        ValueError: there are fewer than two pictures, or the features are no matrix.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"diversity needs the features of two pictures or more, (N, D), not {features.shape}")
    rows = features.astype(np.float64)
    directions = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    # The sum of all cosines of a row is its product with the sum of all rows; 1 of it is the picture with itself.
    cosines = (directions @ directions.sum(axis=0) - 1) / (len(rows) - 1)
    return np.maximum(0.0, 1 - cosines)
