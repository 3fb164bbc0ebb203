"""Checks of model folders before anything is loaded: every part exists, every file is complete.

Only headers and configurations are read, which takes milliseconds. The libraries would report most faults too, but one
at a time, after seconds, in unclear messages; and they fill missing entries of a configuration with the values of
another model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypersd.utils.errors import gist
from hypersd.utils.file_kinds import misread
from hypersd.utils.readers import Shape, read_json, read_object, tensor_shapes

INDEX = "model_index.json"
FAMILY_FOLDER, LATENTS = "family", "latents.npy"
"""Names of files that `emoji train` writes to its folder and `distill --data` reads there."""

SCENES = "scenes.json"
"""Document of a folder that `emoji render` writes."""

_PIPELINE = "the index of a diffusers pipeline"
_NEEDED = ("unet", "vae", "scheduler", "text_encoder", "tokenizer")
_CONFIG = "the configuration of a model"
_TOKENIZER = "the configuration of a tokenizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceptionConfig:
    """The configuration of a perception network: its objects, and the channels of its levels."""

    objects: list[str]
    widths: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _UNetConfig:
    """The entries of a UNet's configuration that are used here."""

    in_channels: int
    sample_size: int
    block_out_channels: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True, kw_only=True)
class _VAEConfig:
    """The entries of a VAE's configuration that are used here; an AutoencoderTiny has the second."""

    block_out_channels: list[int] | None = None
    decoder_block_out_channels: list[int] | None = None


_MARKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "UNet2DConditionModel": ("conv_in.weight", ("block_out_channels", "in_channels")),
    "AutoencoderKL": ("decoder.conv_in.weight", ()),
    "AutoencoderTiny": ("decoder.layers.0.weight", ()),
    "clip_text_model": ("embeddings.token_embedding.weight", ("vocab_size", "hidden_size")),
    "clip": ("text_projection.weight", ("projection_dim",)),
}
"""Networks by their configuration's name, each with the end of a tensor's name and the entries that are its sizes."""

Stamp = tuple[tuple[str, int, int], ...]


def check_pipeline(folder: Path) -> None:
    """Check that a folder contains a diffusers pipeline with all of its parts.

    Raises:
        OSError: a file is missing; the message names it.
        ValueError: a file is damaged or has another content; the message names it.
    """
    file = folder / INDEX
    index = read_object(file, _PIPELINE, "_class_name", *_NEEDED)
    for name, entry in index.items():
        if isinstance(entry, list) and entry and entry[0] is not None:
            check_part(folder / name)


def check_part(folder: Path) -> None:
    """Check that a folder contains a part of a pipeline: a scheduler, a tokenizer, or a network with its weights.

    Raises:
        OSError: a file is missing; the message names it.
        ValueError: a file is damaged or has another content; the message names it.
    """
    if folder.name.startswith("scheduler"):
        read_object(folder / "scheduler_config.json", "the configuration of a scheduler", "_class_name")
    elif folder.name.startswith("tokenizer"):
        check_tokenizer(folder)
    elif folder.name not in {"safety_checker", "feature_extractor", "image_encoder"}:  # sampling does not use these
        check_network(folder)


def check_tokenizer(folder: Path) -> None:
    """Check that a folder contains a tokenizer, as one file or as CLIP's two.

    Raises:
        OSError, ValueError: as `check_part`.
    """
    if (folder / "vocab.json").exists():
        read_json(folder / "vocab.json", dict[str, int], "the vocabulary of a tokenizer")
        if not (folder / "merges.txt").is_file():
            raise FileNotFoundError(f"{folder / 'merges.txt'}: No such file or directory")
    elif (folder / "tokenizer.json").exists():
        read_object(folder / "tokenizer.json", "a tokenizer", "model")
    else:
        raise FileNotFoundError(f"{folder} has no tokenizer: tokenizer.json is missing")
    settings = folder / "tokenizer_config.json"
    if settings.exists() and not {"tokenizer_class", "model_max_length"} & read_object(settings, _TOKENIZER).keys():
        raise misread(settings, _TOKENIZER, "it does not name its class")


def check_network(folder: Path) -> None:
    """Check that a folder contains a network of diffusers or transformers with weights.

    Raises:
        OSError, ValueError: as `check_part`.
    """
    file = folder / "config.json"
    config = read_object(file, _CONFIG)
    if not {"_class_name", "model_type"} & config.keys():
        raise misread(file, _CONFIG, "it does not name its class")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} has no weights: a .safetensors file is missing")
    shapes = {name: shape for file in files for name, shape in tensor_shapes(file).items()}
    if not _has_mark(config, shapes):
        raise ValueError(
            f"{files[0]} holds other weights than those of the model in {folder / 'config.json'}; copy or download the "
            "folder again"
        )


def _has_mark(config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> bool:
    """True if there is a tensor by which a network of this configuration is known; libraries fill what is missing.

    Other networks than those below are not known here.
    """
    kind = str(config.get("_class_name") or config.get("model_type"))
    if kind not in _MARKS:
        return True
    ending, sizes = _MARKS[kind]
    wanted = [_first(config.get(size)) for size in sizes]
    candidates = (shape for name, shape in shapes.items() if name.endswith(ending))
    return any(
        len(shape) >= len(wanted) and all(size in {None, length} for size, length in zip(wanted, shape, strict=False))
        for shape in candidates
    )


def _first(size: Any) -> Any:
    return size[0] if isinstance(size, list) and size else size


def check_clip(folder: Path) -> None:
    """Check that a folder contains a CLIP model with its tokenizer and picture processor.

    Raises:
        OSError, ValueError: as `check_part`.
    """
    check_network(folder)
    check_tokenizer(folder)
    read_object(folder / "preprocessor_config.json", "the configuration of a picture processor", "image_mean")


def check_perception(folder: Path) -> PerceptionConfig:
    """Read a perception network's configuration, and check that its files exist and are complete.

    Raises:
        OSError, ValueError: as `check_part`.
    """
    file = folder / "config.json"
    config: PerceptionConfig = read_json(file, PerceptionConfig, "the configuration of a perception network")
    tensor_shapes(folder / "model.safetensors")
    return config


def latent_shape(folder: Path) -> tuple[int, int, int]:
    """Latent shape (C, H, W) of the UNet of the pipeline in a folder.

    Raises:
        OSError: the UNet's configuration is missing.
        ValueError: it is damaged.
    """
    config = _unet_config(folder)
    return config.in_channels, config.sample_size, config.sample_size


def feature_side(folder: Path) -> int:
    """Side of the features in the middle of the UNet of the pipeline in a folder: each level but the last halves it.

    Raises:
        OSError, ValueError: as `latent_shape`.
    """
    config = _unet_config(folder)
    return -(-config.sample_size // 2 ** max(0, len(config.block_out_channels) - 1))


def _unet_config(folder: Path) -> _UNetConfig:
    return read_json(folder / "unet" / "config.json", _UNetConfig, "the configuration of a UNet")


def picture_side(folder: Path, vae: Path | None = None) -> int:
    """Side in pixels of the pictures of the pipeline in a folder, with the VAE of another folder if given.

    Raises:
        OSError: a configuration is missing.
        ValueError: one is damaged.
    """
    file = (vae or folder / "vae") / "config.json"
    config: _VAEConfig = read_json(file, _VAEConfig, "the configuration of a VAE")
    levels = config.block_out_channels or config.decoder_block_out_channels
    if not levels:
        raise misread(file, "the configuration of a VAE", "it has no block_out_channels")
    return latent_shape(folder)[1] * 2 ** (len(levels) - 1)


def pipeline_problem(folder: Path) -> str:
    """Fault of the pipeline in a folder, as one sentence; empty if there is none.

    Files that have not changed since the last call are not read again.
    """
    return _pipeline_problem(folder, _stamp(folder))


def adapter_problem(file: Path) -> str:
    """Fault of a file of weights, as one sentence; empty if there is none."""
    return _adapter_problem(file, _stamp(file))


@lru_cache(maxsize=64)
def _pipeline_problem(folder: Path, _stamp: Stamp) -> str:
    try:
        check_pipeline(folder)
    except (OSError, ValueError) as error:
        return gist(error)
    return ""


@lru_cache(maxsize=256)
def _adapter_problem(file: Path, _stamp: Stamp) -> str:
    try:
        tensor_shapes(file)
    except (OSError, ValueError) as error:
        return gist(error)
    return ""


def _stamp(place: Path) -> Stamp:
    """The names, sizes and modification times of a file, or of the files of a folder's parts."""
    files = [place] if place.is_file() else sorted(place.glob("*/*.[js]*")) + sorted(place.glob("*.json"))
    states = [(file, file.stat()) for file in files]
    return tuple((str(file), state.st_size, state.st_mtime_ns) for file, state in states)
