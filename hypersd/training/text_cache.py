"""Precomputed text embeddings of captions, read from disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hypersd.training.row_shards import RowArray


@dataclass(frozen=True, eq=False)
class CaptionEmbeddings:
    """Precomputed embeddings of captions on disk.

    Args:
        numbers: the row of each caption.
        rows: `(N, channels)`.
    """

    numbers: dict[str, int]
    rows: RowArray

    def read(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """The embeddings `(channels,)` of the precomputed captions, in float32."""
        known = [caption for caption in dict.fromkeys(captions) if caption in self.numbers]
        if not known:
            return {}
        rows = self.rows[np.array([self.numbers[caption] for caption in known])]
        return dict(zip(known, torch.from_numpy(rows).float(), strict=True))
