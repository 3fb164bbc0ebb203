"""A reward model: how much people would like a picture for a prompt (ImageReward, PickScore).

A frozen backbone and a linear head, as in LAION's aesthetic predictor. The backbone is a CLIP model, the family's own
or a published one in its format (CLIP ViT-L and ViT-H, PickScore), or ImageReward: it says how well a picture fits its
prompt. What else people look at stands in numbers that are read off the pixels: its statistics and its texture (how
clean and sharp it is), its colours (how bright, warm or saturated), its composition (what stands where, how large, on
how plain a ground). The head reads as many of these as the votes can tell apart (`selection`), and learns in seconds.
(Means and deviations of the tower's layers were tried: they predicted votes less well and masked the statistics.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hypersd.feedback.reward.colour import NAMES as COLOURS
from hypersd.feedback.reward.colour import colour
from hypersd.feedback.reward.composition import NAMES as COMPOSITION
from hypersd.feedback.reward.composition import composition
from hypersd.feedback.reward.image_statistics import NAMES, as_tensor, statistics
from hypersd.feedback.reward.reward_folder import FORMAT, METADATA, WEIGHTS, RewardMetadata, check_reward
from hypersd.feedback.reward.texture import NAMES as TEXTURE
from hypersd.feedback.reward.texture import texture
from hypersd.scorers import image_reward
from hypersd.scorers.backbones import Backbone, ClipBackbone
from hypersd.scorers.image_reward import ImageReward
from hypersd.utils.errors import gist
from hypersd.utils.files import atomic_folder, write_json
from hypersd.utils.readers import read_object

LOOKS = ("fit to the prompt", *NAMES, *(f"log {name}" for name in NAMES), *TEXTURE, *COLOURS, *COMPOSITION)
"""The numbers that the head may read."""

_FAINT = 1e-3
"""Statistics below are taken for this: the logarithm of nothing says nothing."""

_BATCH = 64


class RewardModel(nn.Module):
    """r(c, x): 0 where people begin to call a picture bad; a difference of one is odds of e to 1 (Bradley–Terry).

    Args:
        backbone: what sees, and reads.
        metadata: where it comes from (JSON): written with it, not read by it.
    """

    def __init__(self, backbone: Backbone, metadata: RewardMetadata) -> None:
        super().__init__()
        self.backbone, self.metadata = backbone, metadata
        self.center, self.scale = nn.Buffer(torch.zeros(len(LOOKS))), nn.Buffer(torch.ones(len(LOOKS)))
        self.head = nn.Linear(len(LOOKS), 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.temperature = nn.Buffer(torch.tensor(1.0))

    @classmethod
    def start(cls, backbone: Path | str) -> RewardModel:
        """A model to be trained, from a CLIP model or ImageReward, in a folder or the Hub's cache.

        Raises:
            OSError: there is neither there.
        """
        published = image_reward.known(backbone)
        begun = ImageReward.published(backbone) if published else ClipBackbone.pretrained(backbone)
        return cls(begun, {"backbone": str(backbone)})

    @classmethod
    def load(cls, folder: Path | str) -> RewardModel:
        """A trained model, frozen.

        Raises:
            FileNotFoundError: there is none in the folder.
            OSError: a file is missing.
            ValueError: it is of an earlier version, or a file is damaged; the message names it.
        """
        folder = Path(folder)
        facts = check_reward(folder)
        try:
            model = cls(_saved(folder), facts)
            model.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS).items()})
        except (AttributeError, KeyError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
            raise ValueError(f"the reward model in {folder} is damaged: {gist(error)}") from error
        return model.requires_grad_(False).eval()

    def set_head(self, center: Tensor, scale: Tensor, weights: Tensor) -> None:
        """Let the head weigh what it reads: `weights` `(F,)` of looks less `center` over `scale`."""
        with torch.no_grad():
            self.center.copy_(center)
            self.scale.copy_(scale)
            self.head.weight.copy_(weights[None])

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs; the backbone's weights in half precision.

        Raises:
            OSError: the folder cannot be written.
        """
        with atomic_folder(folder) as part:
            self.backbone.save(part)
            weights = {
                name: (value.half() if name.startswith("backbone.") else value).contiguous()
                for name, value in self.state_dict().items()
            }
            save_file(weights, part / WEIGHTS)
            write_json(part / METADATA, {**self.metadata, "format": FORMAT})

    @property
    def preferred(self) -> Mapping[str, float]:
        """Quantiles of the rewards of pictures that people preferred, by their share; none before a training."""
        return self.metadata.get("preferred", {})

    @property
    def reward_iqr(self) -> float:
        """The quartile distance of preferred pictures' rewards.

        Rewards have a scale of their own, by how sure their voters were; nothing else must depend on it.
        """
        return max(1e-3, float(self.preferred["0.75"] - self.preferred["0.25"]))

    @property
    def pixels(self) -> int:
        """The side of the pictures as they are seen."""
        return self.backbone.pixels

    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Embed prompts for `forward`, `(B, D)`; the text side is frozen."""
        return self.backbone.embed_prompts(prompts)

    def embed_images(self, pictures: Tensor) -> Tensor:
        """Embed pictures `(B, 3, H, W)` in [-1, 1] by the backbone: `(B, F)`, of length 1."""
        return self.backbone.embed_images(self._sized(pictures))

    def head_features(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Features that the head may read, `(B, F)`, in the order of `LOOKS`."""
        pictures = self._sized(pictures)
        fit = self.backbone.image_text_score(pictures, texts)[:, None]
        measured = statistics(pictures)
        seen = (measured, measured.clamp(min=_FAINT).log(), texture(pictures), colour(pictures), composition(pictures))
        return torch.cat([fit, *seen], dim=1).float()

    def _sized(self, pictures: Tensor) -> Tensor:
        """Pictures of any size at the one at which the model learned: texture and sharpness depend on it."""
        pictures = pictures.float()  # antialiasing knows no bfloat16
        if pictures.shape[-2:] == (self.pixels, self.pixels):
            return pictures
        return F.interpolate(pictures, (self.pixels, self.pixels), mode="bicubic", antialias=True).clamp(-1, 1)

    def score_features(self, features: Tensor) -> Tensor:
        """Rewards `(B,)` of what the head reads."""
        return self.head((features - self.center) / self.scale)[:, 0] / self.temperature

    def forward(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Rewards `(B,)` of pictures `(B, 3, H, W)` in [-1, 1] for embedded prompts `(B, D)`; differentiable."""
        return self.score_features(self.head_features(pictures, texts))

    def resize_input(self, picture: Image.Image) -> Image.Image:
        """A picture at the size that the model sees."""
        return picture.convert("RGB").resize((self.pixels, self.pixels), Image.Resampling.BICUBIC)

    @torch.no_grad()
    def score(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> NDArray[np.float32]:
        """Rewards `(N,)` of pictures of any size for their prompts.

        Raises:
            ValueError: there are not as many prompts as pictures.
        """
        if len(pictures) != len(prompts):
            raise ValueError(f"{len(pictures)} pictures and {len(prompts)} prompts: there must be one prompt a picture")
        rewards = [np.empty(0, dtype=np.float32)]
        for start in range(0, len(pictures), _BATCH):
            some = [self.resize_input(picture) for picture in pictures[start : start + _BATCH]]
            texts = self.embed_prompts(prompts[start : start + _BATCH])
            rewards.append(self(as_tensor(some).to(texts.device), texts).float().cpu().numpy())
        return np.concatenate(rewards)


def _saved(folder: Path) -> Backbone:
    kind = read_object(folder / "config.json", "the configuration of a model", "model_type")["model_type"]
    return ImageReward.saved(folder) if kind == "blip" else ClipBackbone.saved(folder)
