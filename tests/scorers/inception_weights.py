"""Inception v3 with random weights, in PyTorch's cache under a name with its hash, as torch-fidelity publishes it."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


class _Shapes(FeatureExtractorInceptionV3):
    """The network before any weights are loaded."""

    def load_state_dict(self, *_arguments: object) -> None:
        """Keep the random ones."""


def random_inception() -> FeatureExtractorInceptionV3:
    """Inception v3 with random weights."""
    torch.manual_seed(0)
    empty = BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    return _Shapes("shapes", ["2048"], feature_extractor_weights_path=empty)


def write_inception(home: Path) -> str:
    """Write random weights to PyTorch's cache in `home`; returns the address that they would come from."""
    buffer = BytesIO()
    torch.save(random_inception().state_dict(), buffer)
    name = f"weights-inception-2015-12-05-{sha256(buffer.getvalue()).hexdigest()[:8]}.pth"
    file = home / "hub" / "checkpoints" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(buffer.getvalue())
    return f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{name}"


class TinyFeatures(FeatureExtractorBase):
    """A small random network of torch-fidelity's interface: means of 4 × 4 blocks, mixed."""

    def __init__(self) -> None:
        super().__init__("tiny", ["8"])
        torch.manual_seed(0)
        self.mix = nn.Linear(48, 8)

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """Features `(B, 8)` of pictures `(B, 3, H, W)` of 8 bits."""
        assert pictures.dtype == torch.uint8
        return (self.mix(nn.functional.adaptive_avg_pool2d(pictures.float() / 255, 4).flatten(1)),)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("8",)

    @staticmethod
    def get_default_feature_layer_for_metric(_metric: str) -> str:
        return "8"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    @staticmethod
    def get_dummy_input_for_compile() -> Tensor:
        return torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
