"""Inception v3 for FID (Heusel et al. 2017): TensorFlow's weights and resizing, from torch-fidelity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import constants
from numpy.typing import NDArray
from PIL import Image
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from hypersd.models.downloads import DownloadError
from hypersd.models.network import reachable
from hypersd.utils.errors import gist

POOL = "2048"
"""Name and width of the layer for FID: the last average pool."""

_BATCH = 32


def weights_file() -> Path:
    """Path of the weights in PyTorch's cache."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name


def check_inception() -> None:
    """Check before any work that the weights are in PyTorch's cache or can be downloaded.

    Raises:
        DownloadError: neither is the case.
    """
    if not weights_file().is_file() and (constants.HF_HUB_OFFLINE or not reachable(URL_INCEPTION_V3)):
        raise DownloadError(
            f"{weights_file()}, the network of FID, is not downloaded and the network is off; connect once, or put "
            f"{URL_INCEPTION_V3} there"
        )


class InceptionFeatures:
    """Features of pictures in a network of torch-fidelity's interface.

    Args:
        network: returns one kind of features.
        device: device of the computation.
    """

    def __init__(self, network: FeatureExtractorBase, device: str = "cpu") -> None:
        self._network, self._device = network.to(device), device

    @classmethod
    def published(cls, device: str = "cpu") -> InceptionFeatures:
        """Load the weights in PyTorch's cache, downloaded if necessary.

        Raises:
            OSError: the weights can be neither read nor downloaded.
        """
        check_inception()
        try:
            weights = torch.hub.load_state_dict_from_url(
                URL_INCEPTION_V3, map_location="cpu", check_hash=True, weights_only=True, progress=False
            )
            # torch-fidelity unpickles its file without checks, so it gets a file with tensors only.
            buffer = BytesIO()
            torch.save(weights, buffer)
            buffer.seek(0)
            network = FeatureExtractorInceptionV3("inception", [POOL], feature_extractor_weights_path=buffer)
        except Exception as error:  # errors of a damaged pickle or a broken download have no common base class
            raise OSError(f"{weights_file()} is damaged, or cannot be fetched ({gist(error)}); delete it") from error
        return cls(network, device)

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Features of RGB pictures of any size, in order, `(N, D)`; the network resizes them."""
        parts = [self._features(batch) for batch in _batches(images)]
        return np.concatenate(parts) if parts else np.empty((0, int(POOL)), dtype=np.float32)

    @torch.inference_mode()
    def _features(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
        features: Any = self._network(pixels.contiguous().to(self._device))
        return features[0].float().cpu().numpy()


def _batches(images: Sequence[Image.Image]) -> Iterator[list[Image.Image]]:
    """Batches of consecutive pictures of the same size, at most `_BATCH` each."""
    for _, group in groupby(images, key=lambda image: image.size):
        same = list(group)
        yield from (same[start : start + _BATCH] for start in range(0, len(same), _BATCH))
