"""Registry of families, and the availability of their models on this machine."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from huggingface_hub import constants, try_to_load_from_cache

from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sd15 import SD15
from hypersd.models.families.sd21 import SD21
from hypersd.models.families.sdxl import SDXL
from hypersd.models.network import reachable
from hypersd.models.registered import registered_folder, with_registered
from hypersd.models.specs import Capability, Family, ModelSpec, Weights
from hypersd.utils.environment import Environment
from hypersd.utils.model_folders import INDEX, adapter_problem, pipeline_problem

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (EMOJI, SDXL, SD15, SD21)})


def family(name: str) -> Family:
    """A family by name, where it lives (`HYPERSD_EMOJI`), with the contestants that were made from it here.

    Raises:
        ValueError: there is none; the message lists those that exist. Or a contestant's card is damaged, or
            `HYPERSD_EMOJI` is no folder.
    """
    if name not in FAMILIES:
        raise ValueError(f"unknown family {name!r}; choose from: {', '.join(FAMILIES)}")
    environment = Environment.read()
    return with_registered(living_in(embedded_folder(environment), FAMILIES[name]), registered_folder(environment.data))


def shipped_folder() -> Path:
    """The folder of the family that is shipped, wherever `HYPERSD_EMOJI` may point: what is rebuilt starts from it.

    Raises:
        OSError: it is missing.
    """
    shipped = next(iter(FAMILIES.values()))
    scenes = shipped.part(Capability.SCENES)
    if scenes is None:
        raise FileNotFoundError(f"the family {shipped.name} has no world.json")
    return scenes.parent


def embedded_folder(environment: Environment) -> Path | None:
    """Folder of the embedded family, if not in assets/ (`HYPERSD_EMOJI`): one that was rebuilt, say.

    Raises:
        ValueError: it is no folder.
    """
    folder = environment.emoji
    if folder and not folder.is_dir():
        raise ValueError(f"HYPERSD_EMOJI is {str(folder)!r}, which is not a folder; unset it to use the one in assets/")
    return folder


def living_in(folder: Path | None, family: Family) -> Family:
    """The family, in another folder if one is named and it lives in any."""
    return replace(family, folder=folder) if folder and family.folder else family


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Machine on which models run.

    Args:
        device: `"cuda"`, `"mps"` or `"cpu"`.
        precision: `"float32"`, `"float16"` or `"bfloat16"`. Never half precision on a CPU: it is ten times slower.
        gpu_memory_gb: 0 without a GPU.
        offline: downloads are not allowed.
        cache: the Hub's cache.
        hub: the Hub's address.
    """

    device: str
    precision: str
    gpu_memory_gb: float
    offline: bool
    cache: Path
    hub: str = constants.ENDPOINT

    @classmethod
    def here(cls) -> Machine:
        """This machine, as torch and the environment (`HF_HUB_OFFLINE`, `HF_HUB_CACHE`, `HF_ENDPOINT`) describe it.

        Raises:
            ValueError: a variable has a value that makes no sense.
        """
        offline = Environment.read().offline
        cache = Path(constants.HF_HUB_CACHE)
        cpu = cls(device="cpu", precision="float32", gpu_memory_gb=0, offline=offline, cache=cache)
        if not has_gpu_driver():
            return cpu
        import torch  # noqa: PLC0415 - takes seconds, and only it can tell what a GPU can do

        if torch.cuda.is_available():
            memory = torch.cuda.get_device_properties(0).total_memory / 1e9
            return cls(device="cuda", precision="float16", gpu_memory_gb=memory, offline=offline, cache=cache)
        if torch.backends.mps.is_available():
            memory = torch.mps.recommended_max_memory() / 1e9
            return cls(device="mps", precision="float16", gpu_memory_gb=memory, offline=offline, cache=cache)
        return cpu

    @property
    def online(self) -> bool:
        """True if the Hub can be asked: downloads are allowed, and it answers (looked up once a minute)."""
        return not self.offline and reachable(self.hub)


def has_gpu_driver() -> bool:
    """True if this machine has a driver that torch could use: NVIDIA's, AMD's, or macOS itself."""
    if sys.platform == "darwin" or Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Availability:
    """Availability of a model here, with the reason if it is not available (else empty)."""

    available: bool
    reason: str = ""


_CPU_FRIENDLY_GB = 1.0
"""Up to this size a family is usable without a GPU."""

BASE = Weights()
"""The base's own weights."""

_WITH_ACTIVATIONS = 1.5
"""Memory that a run takes, as a multiple of the weights."""


def availability(family: Family, spec: ModelSpec, machine: Machine) -> Availability:
    """Check if a model can run on a machine, at its default number of steps: its files, its memory, the network."""
    usual = spec.recipe().weights
    if family.folder is not None:
        return _availability_in(family.folder, family, usual, machine)
    downloaded, local = is_local(family, BASE, machine), is_local(family, usual, machine)
    own = family.unet_gb if usual.kind in ("unet", "delta", "pipeline") else 0
    needed = _base_gb(family, machine) if downloaded else family.memory_gb
    needed += _unet_gb(family, usual, machine) if own else 0
    if needed > max(machine.gpu_memory_gb, _CPU_FRIENDLY_GB):
        return Availability(False, f"needs about {family.memory_gb + own:g} GB of GPU memory")
    if not (downloaded and local) and not machine.online:
        return Availability(False, "not downloaded and no network")
    problem = _download_problem(family, usual, machine) if downloaded and local else ""
    return Availability(not problem, problem)


def _availability_in(folder: Path, family: Family, weights: Weights, machine: Machine) -> Availability:
    """Availability of weights for a base that is in a folder: both must be there, and whole."""
    if not (folder / INDEX).exists():
        return Availability(False, f"no base model in {folder}: {folder / INDEX} is missing")
    if not is_local(family, weights, machine):
        return Availability(False, f"{weights.file} is not in {folder}")
    problem = pipeline_problem(folder) or (adapter_problem(folder / weights.file) if weights.file else "")
    return Availability(not problem, problem)


def _download_problem(family: Family, weights: Weights, machine: Machine) -> str:
    """Fault of the downloaded UNets that a model needs; empty if there is none."""
    files = [_unet_file(str(family.repository), family.variant, machine)]
    if weights.kind == "pipeline":
        files.append(_unet_file(str(weights.repository), family.variant, machine))
    elif weights.repository:
        files.append(_cached(weights.repository, str(weights.file), machine))
    return next((problem for file in files if file and (problem := adapter_problem(file))), "")


def tunable(family: Family, name: str) -> ModelSpec:
    """A model whose adapters can be trained further.

    Raises:
        ValueError: there is no such model, or it has no adapter.
    """
    spec = family.spec(name)
    if all(recipe.weights.kind != "lora" for recipe in spec.recipes):
        raise ValueError(f"{name} has no adapter that could be tuned; choose a model that has one")
    return spec


def is_local(family: Family, weights: Weights, machine: Machine) -> bool:
    """Tell if the weights are on disk; those of kind "none" are the base's own."""
    if weights.kind == "none":
        return family.folder is not None or _base_is_local(family, machine)
    if weights.kind == "pipeline":
        return _unet_file(str(weights.repository), family.variant, machine) is not None
    return local_file(family, weights, machine) is not None


def local_file(family: Family, weights: Weights, machine: Machine) -> Path | None:
    """Path of the weights' one file, in the family's folder or the Hub's cache; None if it is not there."""
    if weights.repository is not None:
        return _cached(weights.repository, str(weights.file), machine)
    file = (family.folder or Path()) / str(weights.file)
    return file if file.exists() else None


def _base_is_local(family: Family, machine: Machine) -> bool:
    repository = str(family.repository)
    pipeline = _cached(repository, "model_index.json", machine) and _unet_file(repository, family.variant, machine)
    return pipeline is not None and (family.vae is None or _cached(family.vae, "config.json", machine) is not None)


def _base_gb(family: Family, machine: Machine) -> float:
    """Size of the downloaded base; a small stand-in with the same names needs less than the published weights."""
    unet = _unet_file(str(family.repository), family.variant, machine)
    held = sum(file.stat().st_size for file in unet.parents[1].rglob("*.safetensors")) if unet else 0
    return min(family.memory_gb, _WITH_ACTIVATIONS * held / 1e9)


def _unet_gb(family: Family, weights: Weights, machine: Machine) -> float:
    """Size of a model's own UNet; as that of the base, less if a small stand-in is downloaded."""
    repository, file = str(weights.repository), weights.file
    path = _cached(repository, file, machine) if file else _unet_file(repository, family.variant, machine)
    return path.stat().st_size / 1e9 if path else family.unet_gb


def unet_folder(family: Family, machine: Machine) -> Path | None:
    """Folder of the base's UNet; None if it is not downloaded."""
    if family.folder is not None:
        return family.folder / "unet"
    file = _unet_file(str(family.repository), family.variant, machine)
    return file.parent if file else None


def _unet_file(repository: str, variant: str | None, machine: Machine) -> Path | None:
    names = [f"unet/diffusion_pytorch_model.{variant}.safetensors", "unet/diffusion_pytorch_model.safetensors"]
    paths = [path for name in names if (path := _cached(repository, name, machine)) is not None]
    return paths[0] if paths else None


def _cached(repository: str, file: str, machine: Machine) -> Path | None:
    cached = try_to_load_from_cache(repository, file, cache_dir=machine.cache)
    return Path(cached) if isinstance(cached, str) else None
