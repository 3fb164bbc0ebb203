"""Format and architecture of adapter files, from the header alone. This module does not import torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from hypersd.utils.errors import gist
from hypersd.utils.file_kinds import kind_of
from hypersd.utils.readers import tensor_header

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of each tensor of a file, by its key."""

ARCHITECTURES: Mapping[int, str] = MappingProxyType({768: "SD 1.x", 1024: "SD 2.x", 1280: "SDXL refiner", 2048: "SDXL"})
"""Published UNets by the width of their text conditioning."""

_LEARN_LORA = "use a plain LoRA instead, or extract one from it"
_NEED_LORA = "give a LoRA file"

_OTHER_KINDS: tuple[tuple[str, str, str], ...] = (
    (r"hada_", "a LoHa", _LEARN_LORA),
    (r"lokr_", "a LoKr", _LEARN_LORA),
    (r"dora_scale|lora_magnitude_vector", "a DoRA", _LEARN_LORA),
    (r"ia3_l|\.on_input$", "an (IA)³ adapter", _LEARN_LORA),
    (r"\.b?oft_|^b?oft_|\.vera_lambda", "an OFT, BOFT or VeRA adapter", _LEARN_LORA),
    (r"\.lora_mid\.", "a LoCon with a Tucker core", _LEARN_LORA),
    (r"\.diff(_b)?$|\.[ab][12]\.weight$", "a LyCORIS adapter of full weight differences or GLoRA", _LEARN_LORA),
    (r"^lora_controlnet$|controlnet_cond_embedding|^control_model\.|^input_hint_block", "a ControlNet", _NEED_LORA),
    (r"^image_proj[._]|^ip_adapter[._]", "an IP-Adapter", _NEED_LORA),
    (r"motion_modules|temporal_transformer", "a motion module of AnimateDiff", _NEED_LORA),
    (r"^emb_params$|^string_to_param|^clip_[lg]$|^<.*>$", "a textual-inversion embedding", _NEED_LORA),
    (
        r"^(lora_)?transformer[._]|^diffusion_model\.|(double|single|joint)_blocks|^lora_unet_blocks_",
        "an adapter for a diffusion transformer such as Flux or SD3",
        "give one for the UNet of this family",
    ),
    (r"^model\.diffusion_model\.|^first_stage_model\.|^cond_stage_model\.", "a whole checkpoint", _NEED_LORA),
    (r"^conv_in\.weight$", "a whole UNet", _NEED_LORA),
    (r"^(de|en)coder\.(layers|conv_in)\.", "a VAE", _NEED_LORA),
    (
        r"^base_model\.model\.|^(down_blocks|up_blocks|mid_block)\..*\.lora_",
        "a LoRA in PEFT's own format, whose scale is in another file",
        "save it with the `save_lora_weights` of its diffusers pipeline",
    ),
)
"""Unsupported files: a pattern of a key, the name of the kind, and what to do."""

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself", "run `git lfs pull`, or download the file"),
    (
        b"PK\x03\x04",
        "a pickle or another archive, which is not opened since it can run code",
        "convert it to safetensors",
    ),
    (
        b"\x80",
        "a pickle, which is not opened since it can run code, or damaged or incomplete",
        "convert it to safetensors",
    ),
    (b"GGUF", "a GGUF file", "give a LoRA in safetensors"),
    (b"<", "a web page", "download the file itself"),
    (b"{", "a text in JSON", "give a LoRA in safetensors"),
)
"""Files that are not safetensors, by their first bytes."""

_DOWN = re.compile(r"(\.lora_A|\.lora_down|[._]lora\.down)\.weight$")
_UP = re.compile(r"(\.lora_B|\.lora_up|[._]lora\.up)\.weight$")
_LORA = re.compile(f"{_DOWN.pattern}|{_UP.pattern}")
_CROSS_ATTENTION = re.compile(r"attn2[._](processor\.)?to_[kv]")
_KOHYA = re.compile(r"lora_(unet|te\d?)_")
_DIFFUSERS = re.compile(r"(unet|text_encoder(_2)?)\.")
_TEXT_ENCODER = re.compile(r"lora_te\d?_|text_encoder")


class AdapterError(OSError, ValueError):
    """A file that cannot be used as an adapter; the message names it, says what it is, and what to do."""


@dataclass(frozen=True, kw_only=True)
class AdapterFile:
    """A LoRA file, as its header describes it.

    Args:
        format: of the keys: `unet.PATH.lora_A.weight` is diffusers', `lora_unet_PATH.lora_up.weight` kohya's.
        shapes: of all tensors.
        metadata: the header's texts.
    """

    path: Path
    format: Literal["diffusers", "kohya"]
    shapes: Shapes
    metadata: Mapping[str, str]

    @cached_property
    def layers(self) -> frozenset[str]:
        """The layers that it changes, by their names in the file; a key that belongs to no layer counts as one."""
        return frozenset(layer_of(key) for key in self.shapes)

    @property
    def text_encoder_layers(self) -> frozenset[str]:
        """The layers of text encoders."""
        return frozenset(layer for layer in self.layers if _TEXT_ENCODER.match(layer))

    @property
    def text_width(self) -> int | None:
        """The width of its UNet's text conditioning; None if it changes no cross-attention layer."""
        widths = (
            shape[1]
            for key, shape in self.shapes.items()
            if _CROSS_ATTENTION.search(key) and _DOWN.search(key) and len(shape) > 1
        )
        return next(widths, None)

    @property
    def architecture(self) -> str:
        """The published model that it is for, according to the header."""
        return architecture(self.text_width)

    @cached_property
    def foreign_layers(self) -> frozenset[str]:
        """Layers with names of another format, because of which a library would not recognise the file."""
        prefix = _KOHYA if self.format == "kohya" else _DIFFUSERS
        return frozenset(layer for layer in self.layers if not prefix.match(layer))

    @cached_property
    def broken_layers(self) -> frozenset[str]:
        """Layers that lack one of the two factors, or have additional tensors."""
        parts: dict[str, set[str]] = {layer: set() for layer in self.layers}
        for key in self.shapes:
            parts[layer_of(key)].add("down" if _DOWN.search(key) else "up" if _UP.search(key) else key)
        return frozenset(layer for layer, names in parts.items() if names - {f"{layer}.alpha"} != {"down", "up"})

    @cached_property
    def readable_keys(self) -> frozenset[str]:
        """The keys of the layers that are neither foreign nor broken."""
        left_out = self.foreign_layers | self.broken_layers
        return frozenset(key for key in self.shapes if layer_of(key) not in left_out)


def architecture(text_width: int | None) -> str:
    """Name of a UNet by the width of its text conditioning."""
    if text_width is None:
        return "an unknown model"
    return ARCHITECTURES.get(text_width, f"a model with text of {text_width} numbers a token")


def layer_of(key: str) -> str:
    """The layer that a key belongs to: the key without the name of the factor at its end."""
    if key.endswith(".alpha"):
        return key.removesuffix(".alpha")
    match = _LORA.search(key)
    return key[: match.start()] if match else key


def inspect(path: Path) -> AdapterFile:
    """Read an adapter file's header.

    Raises:
        AdapterError: it is no LoRA that can be read here. (It is a ValueError and an OSError.)
        FileNotFoundError: there is no such file.
    """
    shapes, metadata = read_header(path)
    keys = sorted(shapes)
    if not keys:
        raise AdapterError(f"{path} has nothing in it; save the adapter again")
    for mark, kind, remedy in _OTHER_KINDS:
        if any(re.search(mark, key) for key in keys):
            raise AdapterError(f"{path} is {kind}, which is not read here; {remedy}")
    if not any(_LORA.search(key) for key in keys):
        raise AdapterError(f"{path} has no LoRA in it (its first key is {keys[0][:80]!r}); {_NEED_LORA}")
    kohya = sum(bool(_KOHYA.match(key)) for key in keys)
    if not kohya and not any(_DIFFUSERS.match(key) for key in keys):
        raise AdapterError(
            f"{path} is a LoRA whose keys begin neither with `unet.` nor with `lora_unet_` ({keys[0][:80]!r}); "
            "save it with the `save_lora_weights` of its diffusers pipeline"
        )
    return AdapterFile(
        path=path, format="kohya" if 2 * kohya > len(keys) else "diffusers", shapes=shapes, metadata=metadata
    )


def lora_problem(file: Path) -> str:
    """Fault of a LoRA file that makes it unusable with any model, as one sentence; empty if there is none.

    A file that has not changed since the last call is not read again.
    """
    status = file.stat()
    return _lora_problem(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _lora_problem(file: Path, _size: int, _modified: int) -> str:
    try:
        inspect(file)
    except OSError as error:
        return gist(error)
    return ""


def read_header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """The shapes and the texts in the header of a safetensors file.

    Raises:
        AdapterError: it is something else, or is damaged.
        FileNotFoundError: there is no such file.
    """
    if path.is_dir():
        raise AdapterError(f"{path} is a folder; name the safetensors file in it")
    if not path.exists():
        raise FileNotFoundError(f"there is no adapter {path}")
    try:
        return tensor_header(path)
    except ValueError as error:
        raise AdapterError(unreadable(path)) from error


def unreadable(path: Path) -> str:
    """A sentence about a file that is not a complete safetensors file: its kind, and what to do."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return f"{path} is empty; {_again(path)}"
    begun = head[8:9] == b"{"  # a header after its length, which may have any bytes
    for beginning, kind, remedy in _BEGINNINGS:
        if head.startswith(beginning) and not begun:
            return f"{path} is {kind}; {remedy}"
    if kind := kind_of(path):
        return f"{path} is {kind}; give a LoRA in safetensors"
    return f"{path} is damaged or incomplete; {_again(path)}"


def _again(path: Path) -> str:
    """Remedy for a damaged file: only a file in the Hub's cache can be deleted and downloaded again."""
    cached = "snapshots" in path.parts and any(part.startswith("models--") for part in path.parts)
    return "delete it and try again" if cached else "download it or save it again"
