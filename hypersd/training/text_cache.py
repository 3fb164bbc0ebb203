"""Text embeddings that are kept: those of known captions on disk, computed once; recent ones of others in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hypersd.training.row_shards import RowArray

MEMORY_BYTES = 1 << 30
"""Memory for embeddings of captions that are worded anew without end."""


@dataclass(frozen=True, eq=False)
class CaptionEmbeddings:
    """Embeddings on disk of captions that are known beforehand.

    Args:
        numbers: of each caption's row.
        rows: `(N, channels)`.
    """

    numbers: dict[str, int]
    rows: RowArray

    def read(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """The embeddings `(channels,)` of those captions that are known, in float32."""
        known = [caption for caption in dict.fromkeys(captions) if caption in self.numbers]
        if not known:
            return {}
        rows = self.rows[np.array([self.numbers[caption] for caption in known])]
        return dict(zip(known, torch.from_numpy(rows).float(), strict=True))


class RecentEmbeddings:
    """Embeddings in memory by caption; the one that was not asked for the longest goes when they take too much.

    Args:
        size: in bytes, of all together.
    """

    def __init__(self, size: int = MEMORY_BYTES) -> None:
        self.size = size
        self._rows: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, caption: str) -> Tensor | None:
        """The embedding of a caption; None if it is not there."""
        if caption in self._rows:
            self._rows.move_to_end(caption)
        return self._rows.get(caption)

    def add(self, caption: str, row: Tensor) -> None:
        """Keep the embedding of a caption that is not there yet."""
        self._rows[caption] = row
        self._bytes += row.nbytes
        while self._bytes > self.size and len(self._rows) > 1:
            self._bytes -= self._rows.popitem(last=False)[1].nbytes
