"""Published scoring models: check of their files on the Hub before any work, and download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

from hypersd.models.downloads import DownloadError, fetched
from hypersd.models.machine import Machine

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_CONFIG, _PICTURES = ("config.json",), ("preprocessor_config.json",)
_WORDS = (("tokenizer.json", "vocab.json"), ("tokenizer_config.json",))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """Files of a repository.

    Args:
        files: for each required file, its possible names; the first that exists is used.
    """

    repository: str
    files: tuple[tuple[str, ...], ...]

    def check(self, machine: Machine) -> None:
        """Check that every file is in the Hub's cache, or that downloads are possible.

        Raises:
            DownloadError: neither is the case.
        """
        if missing := [names for names in self.files if self._cached(names, machine) is None]:
            self._check_online(missing[0], machine)

    def paths(self, machine: Machine) -> list[Path]:
        """Paths of the files, in order, downloaded if necessary.

        Raises:
            DownloadError: a file cannot be downloaded.
        """
        return [self._cached(names, machine) or self._fetched(names, machine) for names in self.files]

    def folder(self, machine: Machine) -> Path:
        """The folder of the files, downloaded if necessary.

        Raises:
            DownloadError: a file cannot be downloaded.
        """
        return self.paths(machine)[0].parent

    def _cached(self, names: tuple[str, ...], machine: Machine) -> Path | None:
        for name in names:
            cached = try_to_load_from_cache(self.repository, name, cache_dir=machine.cache)
            if isinstance(cached, str):
                return Path(cached)
        return None

    def _fetched(self, names: tuple[str, ...], machine: Machine) -> Path:
        self._check_online(names, machine)

        def fetch() -> str:
            hub = HfApi(endpoint=machine.hub)
            name = next((name for name in names if hub.file_exists(self.repository, name)), names[-1])
            return hf_hub_download(self.repository, name, cache_dir=machine.cache, endpoint=machine.hub)

        return fetched(f"{names[0]} of {self.repository}", fetch)

    def _check_online(self, names: tuple[str, ...], machine: Machine) -> None:
        if not machine.online:
            raise DownloadError(
                f"{' or '.join(names)} of {self.repository} is not downloaded and the Hub cannot be reached; "
                "connect once to fetch it"
            )


CLIP_B32 = HubModel(repository="openai/clip-vit-base-patch32", files=(_CONFIG, _WEIGHTS, *_WORDS, _PICTURES))
"""The CLIP model of the CLIP score."""

CLIP_L14 = HubModel(repository="openai/clip-vit-large-patch14", files=(_CONFIG, _WEIGHTS, *_WORDS, _PICTURES))
"""The CLIP model whose embeddings LAION's aesthetic predictor reads."""

CLIP_H14_INPUTS = HubModel(repository="laion/CLIP-ViT-H-14-laion2B-s32B-b79K", files=(_CONFIG, *_WORDS, _PICTURES))
"""Configuration and tokenizer, without weights, of the CLIP model from which PickScore and HPSv2 were trained."""

PICK_SCORE = HubModel(repository="yuvalkirstain/PickScore_v1", files=(_CONFIG, _WEIGHTS))
AESTHETIC = HubModel(repository="trl-lib/ddpo-aesthetic-predictor", files=(("aesthetic-model.pth",),))
"""LAION's improved aesthetic predictor (sac+logos+ava1, L/14, linear)."""

HPS = HubModel(repository="xswu/HPSv2", files=(("HPS_v2_compressed.pt",),))
IMAGE_REWARD = HubModel(repository="zai-org/ImageReward", files=(("ImageReward.pt",), ("med_config.json",)))
BERT_WORDS = HubModel(repository="google-bert/bert-base-uncased", files=(("vocab.txt",),))
"""ImageReward's tokenizer."""
