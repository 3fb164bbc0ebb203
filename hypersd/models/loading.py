"""Reading weights: from the family's folder or the Hub, with progress, explained when it fails."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, DiffusionPipeline, UNet2DConditionModel

from hypersd.models.adapter_file import AdapterError, inspect
from hypersd.models.adapter_fit import AdapterFit, fit, weight_shapes
from hypersd.models.control_lora import load_control_lora
from hypersd.models.cpu_precision import compute_dtype
from hypersd.models.downloads import ProgressCallback
from hypersd.models.hub_files import HubFiles
from hypersd.models.libraries import building, fitting, quietly
from hypersd.models.machine import Machine
from hypersd.models.model_source import ModelSource, autoencoder
from hypersd.models.registry import is_large
from hypersd.models.specs import Family
from hypersd.models.tiny_decoder import tiny_decoder_of
from hypersd.models.unet_weights import added, load_lora, read_weights, share_equal
from hypersd.models.weights import Weights
from hypersd.utils.readers import read_object


@dataclass(frozen=True)
class Loader:
    """Reads a family's weights on a machine; `progress` hears what is being fetched."""

    family: Family
    machine: Machine
    progress: ProgressCallback

    @cached_property
    def _hub(self) -> HubFiles:
        return HubFiles(self.machine, self.progress)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The precision of the family's weights here: asked once the base is downloaded, whose files decide."""
        return compute_dtype(self.family, self.machine)

    @building()
    def base(self) -> DiffusionPipeline:
        """The base pipeline in the family's styles, on the device.

        Raises:
            DownloadError: it cannot be fetched.
            OSError: the folder is not a pipeline; or a style is missing, damaged, or has nothing for its UNet.
        """
        source = self.source()
        pipeline: Any = source.pipeline(self.dtype).to(self.machine.device)
        for style in self.family.styles:
            self._fuse(pipeline.unet, style)
        if self.machine.device == "cpu" and is_large(self.family, self.machine):
            for network in (pipeline.unet, pipeline.vae):
                network.to(memory_format=torch.channels_last)  # the layout of a CPU's fastest convolutions
        return pipeline

    @building()
    def tiny_decoder(self) -> Any:
        """The family's tiny decoder, on the device.

        Raises:
            DownloadError: it cannot be fetched.
            OSError: it is damaged.
            ValueError: the family has none.
        """
        repository = tiny_decoder_of(self.family).repository
        decoder = autoencoder(self._hub.folder(repository, "*.json", "*.safetensors"), self.dtype)
        if self.machine.device == "cpu" and is_large(self.family, self.machine):
            decoder.to(memory_format=torch.channels_last)
        return decoder.to(self.machine.device).requires_grad_(False).eval()

    def source(self) -> ModelSource:
        """Return the base's location on disk, after fetching it if need be.

        Raises:
            DownloadError: it cannot be fetched.
        """
        base = self.family.base
        checkpoint = base if base is not None and base.is_file() else None
        if checkpoint is not None:
            folder = self._configurations()
        else:
            folder = base or self.family.folder or self._snapshot(str(self.family.repository))
        vae = self._snapshot(self.family.vae) if self.family.vae else None
        return ModelSource(folder, self._variant(folder), vae, checkpoint)

    def fetch(self, weights: Weights) -> None:
        """See to it that these weights are on disk; for those of kind "none", that the base is.

        The Hub's client takes up a connection that breaks where it broke; what it gives up on is begun anew.

        Raises:
            DownloadError: they cannot be fetched.
            FileNotFoundError: they are missing from the family's folder.
        """
        if weights.kind == "none":
            self.source()
        elif weights.kind == "pipeline":
            self._unet_folder(weights)
        else:
            self.file(weights)

    def _unet_folder(self, weights: Weights) -> Path:
        return self._snapshot(str(weights.repository), only="unet/")

    def _variant(self, folder: Path) -> str | None:
        variant = self.family.variant
        return variant if variant and any((folder / "unet").glob(f"*.{variant}.safetensors")) else None

    @building()
    def unet(self, base: UNet2DConditionModel, weights: Weights) -> UNet2DConditionModel:
        """A UNet of its own for these weights; `base` is left untouched.

        Raises:
            DownloadError: a file cannot be fetched.
            OSError: a file is missing from the family's folder, or is damaged.
        """
        if weights.kind == "pipeline":
            folder = self._unet_folder(weights)
            own: Any = ModelSource(folder, self._variant(folder)).unet(self.dtype)
            return own.to(self.machine.device).requires_grad_(False).eval()
        if weights.kind in ("unet", "delta"):
            with torch.device("meta"):  # billions of weights need no random start
                bare: Any = UNet2DConditionModel.from_config(base.config)
            path = self.file(weights)
            state = read_weights(path)
            if weights.kind == "delta":
                state = added(base, state, weights.scale)
            try:
                bare.load_state_dict(state, assign=True)
            except RuntimeError as error:  # its message lists every key
                raise AdapterError(f"{path} is no UNet of {self.family.title}; name the right file") from error
            return bare.to(self.machine.device, self.dtype).requires_grad_(False).eval()
        unet = copy.deepcopy(base)
        self._fuse(unet, weights)
        share_equal(unet, base)
        return unet.requires_grad_(False).eval()

    def _fuse(self, unet: UNet2DConditionModel, weights: Weights) -> None:
        self.add_adapter(unet, weights, "fused")
        unet.fuse_lora(lora_scale=weights.scale, safe_fusing=True)
        unet.unload_lora()

    @building()
    def add_adapter(self, unet: UNet2DConditionModel, weights: Weights, name: str) -> AdapterFit:
        """Put a LoRA file (diffusers' or kohya's key format) on a UNet under a name; returns what of it is applied.

        Raises:
            DownloadError: the file cannot be fetched.
            OSError: it is missing from the family's folder, is damaged, or has nothing for this UNet.
        """
        return load_lora(unet, self.file(weights), name)

    def adapter_fit(self, base: UNet2DConditionModel, weights: Weights) -> AdapterFit:
        """The layers of an adapter that are applied to the family's UNet, from the file's header.

        Raises:
            DownloadError: the file cannot be fetched.
            OSError: it is missing from the family's folder, is damaged, or has nothing for this UNet.
        """
        return fit(inspect(self.file(weights)), base.config, weight_shapes(base))

    def file(self, weights: Weights) -> Path:
        """Return the path of the weights' file, after fetching it if need be.

        Raises:
            DownloadError: it cannot be fetched.
            FileNotFoundError: it is missing from the family's folder.
        """
        if weights.repository is None:
            # An absolute path, as those of contestants that were made here are, needs no folder.
            path = (self.family.folder or Path()) / str(weights.file)
            if not path.exists():
                command = "emoji train --stages control" if weights.kind == "control-lora" else "distill"
                raise FileNotFoundError(f"{path} is missing; train it with `python -m hypersd {command}`")
            return path
        return self._hub.file(weights.repository, str(weights.file))

    @building()
    def controlnet(self, weights: Weights) -> ControlNetModel:
        """The ControlNet of these weights, on the device.

        Raises:
            DownloadError: a file cannot be fetched.
            OSError: a file is missing from the family's folder, or is damaged.
            ValueError: it is no ControlNet, or another base's.
        """
        path = self.file(weights)
        if weights.kind == "control-lora":
            # From the disk: adapters may be on the UNet that is held.
            loaded = load_control_lora(path, self.source().unet(self.dtype))
        else:
            config = read_object(self._hub.file(str(weights.repository), "config.json"), "a ControlNet's configuration")
            state = read_weights(path)
            with fitting(path.parent), torch.device("meta"):
                loaded: Any = ControlNetModel.from_config(dict(config))
            with fitting(path.parent):
                loaded.load_state_dict(state, assign=True)
        with quietly():  # it warns that no module is kept in float32
            return loaded.to(self.machine.device, self.dtype).requires_grad_(False).eval()

    def files(self, weights: Weights) -> tuple[Path, ...]:
        """The files of these weights on disk, after fetching them if need be; for kind "none", the base's UNet.

        Raises:
            DownloadError: they cannot be fetched.
            FileNotFoundError: they are missing from the family's folder.
        """
        if weights.file is not None:
            return (self.file(weights),)
        source = self.source() if weights.kind == "none" else ModelSource(self._unet_folder(weights))
        if source.checkpoint is not None:
            return (source.checkpoint,)
        folder = source.folder
        variant = self._variant(folder)
        return tuple(sorted((folder / "unet").glob(f"*.{variant}.safetensors" if variant else "*.safetensors")))

    def _snapshot(self, repository: str, only: str = "") -> Path:
        """The folder of a repository, with the weights of the family's variant where it has one for them."""
        variant = f".{self.family.variant}" if self.family.variant else ""
        # Beside the folders of a pipeline, a repository may have it as a single file too.
        weights = f"{only or '*/'}*{variant}.safetensors" if repository != self.family.vae else "*.safetensors"
        return self._hub.folder(repository, f"{only}*.json", f"{only}*.txt", weights)

    def _configurations(self) -> Path:
        """The folder of the base's repository, with everything but weights."""
        return self._hub.folder(str(self.family.repository), "*.json", "*.txt")
