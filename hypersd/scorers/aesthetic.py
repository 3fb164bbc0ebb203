"""LAION's improved aesthetic predictor (Schuhmann 2022): a head of linear layers on CLIP ViT-L/14's embedding."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from hypersd.utils.errors import gist


class AestheticHead(nn.Module):
    """Predictor of people's mean score of a picture, from 1 to 10, from its unit embedding.

    Args:
        widths: of the layers, from the embedding's to 1.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(widths)))
        self.requires_grad_(False).eval()

    @classmethod
    def published(cls, file: Path) -> AestheticHead:
        """Load the published weights; their layer numbers also count the dropout layers.

        Raises:
            OSError: the file is damaged, or is not these weights.
        """
        try:
            weights = torch.load(file, map_location="cpu", weights_only=True)
            numbers = sorted({int(name.split(".")[1]) for name in weights})
            matrices = [weights[f"layers.{number}.weight"] for number in numbers]
            head = cls((matrices[0].shape[1], *(matrix.shape[0] for matrix in matrices)))
            head.load_state_dict(
                {
                    f"layers.{place}.{kind}": weights[f"layers.{number}.{kind}"].float()
                    for place, number in enumerate(numbers)
                    for kind in ("weight", "bias")
                }
            )
        except Exception as error:  # errors of a damaged pickle have no common base class
            raise OSError(f"{file} is damaged, or not LAION's aesthetic predictor ({gist(error)})") from error
        return head

    def forward(self, embeddings: Tensor) -> Tensor:
        """Scores `(B,)` of embeddings `(B, D)`; differentiable."""
        return self.layers(embeddings)[:, 0]
