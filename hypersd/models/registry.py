"""Registry of families, and the availability of their models on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from huggingface_hub import try_to_load_from_cache

from hypersd.models.adapter_file import lora_problem
from hypersd.models.families.embedded import EMOJI
from hypersd.models.families.sd15 import SD15
from hypersd.models.families.sd21 import SD21
from hypersd.models.families.sdxl import SDXL
from hypersd.models.machine import Machine
from hypersd.models.registered import registered_folder, with_registered
from hypersd.models.specs import Capability, Family, ModelSpec
from hypersd.models.weights import Weights
from hypersd.utils.environment import Environment
from hypersd.utils.model_folders import INDEX, adapter_problem, pipeline_problem

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (EMOJI, SDXL, SD15, SD21)})


def family(name: str) -> Family:
    """A family by name, in its folder (`HYPERSD_EMOJI`), with the registered models tuned from it.

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
    """Folder of the embedded family, if not in assets/ (`HYPERSD_EMOJI`), for example a rebuilt one.

    Raises:
        ValueError: it is no folder.
    """
    folder = environment.emoji
    if folder and not folder.is_dir():
        raise ValueError(f"HYPERSD_EMOJI is {str(folder)!r}, which is not a folder; unset it to use the one in assets/")
    return folder


def living_in(folder: Path | None, family: Family) -> Family:
    """The family in its folder, or another one if the family has one, with the models that were trained there later."""
    if family.folder is None:
        return family
    home = folder or family.folder
    known = {spec.name for spec in family.specs}
    trained = [spec for spec in family.trained_later if spec.name not in known and _is_trained(spec, home)]
    return replace(family, folder=home, specs=(*family.specs, *trained))


def _is_trained(spec: ModelSpec, folder: Path) -> bool:
    return all((folder / str(recipe.weights.file)).exists() for recipe in spec.recipes)


@dataclass(frozen=True, slots=True)
class Availability:
    """Availability of a model here, with the reason if it is not available (else empty)."""

    available: bool
    reason: str = ""


BASE = Weights()
"""The base's own weights."""

_OWN_UNET = frozenset({"unet", "delta", "pipeline"})
"""Kinds of weights that are a UNet beside the base's."""

_WITH_ACTIVATIONS = 1.5
"""Memory of a run, as a multiple of the weights."""

_TUNING = 2
"""Memory that a tuning takes, as a multiple of a run's: its weights are in float32."""

_LARGE_GB = 1.0
"""Memory from which on half precision and the layout of weights matter more than the cost of a call."""


def availability(family: Family, spec: ModelSpec, machine: Machine, steps: int | None = None) -> Availability:
    """Check if a model can run on a machine: its files, its memory, the network.

    Args:
        family: of the model.
        spec: the model.
        machine: where it is to run.
        steps: number of steps, each of which may have a file of its own; None is the model's default.
    """
    weights = spec.recipe(steps).weights
    if family.folder is not None:
        return _availability_in(family.folder, family, weights, machine)
    downloaded, local = is_local(family, BASE, machine), is_local(family, weights, machine)
    if shortage := _shortage_of(family, weights, machine):
        return Availability(False, shortage)
    if not (downloaded and local) and not machine.online:
        return Availability(False, "not downloaded and no network")
    problem = _download_problem(family, weights, machine) if downloaded and local else ""
    return Availability(not problem, problem)


def tuning_availability(family: Family, spec: ModelSpec, machine: Machine) -> Availability:
    """Check if a model can be tuned on a machine: as for drawing, but with the memory that a training takes."""
    if family.folder is None and (shortage := _shortage_of(family, spec.recipe().weights, machine, _TUNING)):
        return Availability(False, shortage)
    return availability(family, spec, machine)


def _shortage_of(family: Family, weights: Weights, machine: Machine, factor: float = 1) -> str:
    """Complaint about too little memory for a published model, `factor` times what drawing takes; empty if it fits."""
    own = family.unet_gb if weights.kind in _OWN_UNET else 0
    needed = needed_gb(family, weights, machine)
    return memory_shortage(factor * needed, machine, of_published=factor * (family.memory_gb + own))


def needed_gb(family: Family, weights: Weights, machine: Machine) -> float:
    """Memory in GB that drawing with these weights of a published family takes in half precision."""
    base = base_gb(family, machine) if is_local(family, BASE, machine) else family.memory_gb
    return base + (_unet_gb(family, weights, machine) if weights.kind in _OWN_UNET else 0)


def largest_gb(family: Family, machine: Machine) -> float:
    """The most GB that a model of a published family takes in half precision, of those that fit on a machine."""
    weights = {recipe.weights for spec in family.specs for recipe in spec.recipes}
    needs = {needed_gb(family, each, machine) for each in weights}
    return max((need for need in needs if need <= machine.memory_gb), default=min(needs))


def is_halved(needed: float, machine: Machine) -> bool:
    """True if weights must be held in half precision: on a GPU, and on a CPU that can, where float32 would not fit.

    Availability and loading both ask this, so that what is said to fit is loaded so that it does.

    Args:
        needed: GB of weights and activations in half precision; in float32 they take twice as much.
        machine: where they are to be.
    """
    return machine.device != "cpu" or (machine.bfloat16 and 2 * needed > machine.memory_gb)


def memory_shortage(needed: float, machine: Machine, *, of_published: float) -> str:
    """Complaint about too little memory; empty if there is enough.

    Args:
        needed: what weights and activations need here in half precision.
        machine: where they are to run; a CPU holds them in float32, twice as large, unless they are halved.
        of_published: what the published weights need, which the complaint names.
    """
    factor = 1 if is_halved(needed, machine) else 2
    if factor * needed <= machine.memory_gb:
        return ""
    has = f"; {machine.memory_gb:.0f} GB are free" if machine.device == "cpu" else ""
    return f"needs about {factor * of_published:g} GB of {machine.memory_kind}{has}"


def _availability_in(folder: Path, family: Family, weights: Weights, machine: Machine) -> Availability:
    """Availability of weights for a base in a folder: both must exist and be complete."""
    if not (folder / INDEX).exists():
        return Availability(False, f"no base model in {folder}: {folder / INDEX} is missing")
    if not is_local(family, weights, machine):
        return Availability(False, f"{weights.file} is not in {folder}")
    problem = pipeline_problem(folder) or (_file_problem(folder / weights.file, weights) if weights.file else "")
    return Availability(not problem, problem)


def _download_problem(family: Family, weights: Weights, machine: Machine) -> str:
    """Fault of the downloaded UNets that a model needs; empty if there is none."""
    files = {} if family.base else {_unet_file(str(family.repository), family.variant, machine): BASE}
    if weights.kind == "pipeline":
        files[_unet_file(str(weights.repository), family.variant, machine)] = weights
    elif weights.repository:
        files[_cached(weights.repository, str(weights.file), machine)] = weights
    return next((problem for file, kind in files.items() if file and (problem := _file_problem(file, kind))), "")


def _file_problem(file: Path, weights: Weights) -> str:
    """Fault of a file of weights, as one sentence; empty if there is none."""
    return lora_problem(file) if weights.kind == "lora" else adapter_problem(file)


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
    """True if the weights are on disk; those of kind "none" are the base's own."""
    if weights.kind == "none":
        return family.folder is not None or _base_is_local(family, machine)
    if weights.kind == "pipeline":
        return _unet_file(str(weights.repository), family.variant, machine) is not None
    return local_file(family, weights, machine) is not None


def local_file(family: Family, weights: Weights, machine: Machine) -> Path | None:
    """Path of the weights' file, in the family's folder or the Hub's cache; None if it is missing."""
    if weights.repository is not None:
        return _cached(weights.repository, str(weights.file), machine)
    file = (family.folder or Path()) / str(weights.file)
    return file if file.exists() else None


def _base_is_local(family: Family, machine: Machine) -> bool:
    repository = str(family.repository)
    if family.base is None:
        pipeline = _cached(repository, INDEX, machine) and _unet_file(repository, family.variant, machine)
    else:
        pipeline = family.base if family.base.is_dir() else _configurations(repository, machine)
    return pipeline is not None and (family.vae is None or _cached(family.vae, "config.json", machine) is not None)


def _configurations(repository: str, machine: Machine) -> Path | None:
    """The index of a cached repository of which all configurations are there, as a single-file checkpoint needs."""
    files = [_cached(repository, name, machine) for name in (INDEX, "unet/config.json", "vae/config.json")]
    return files[0] if all(files) else None


def is_large(family: Family, machine: Machine) -> bool:
    """True if the base, as it is downloaded, is of a published model's size: no toy, no small stand-in."""
    return family.folder is None and base_gb(family, machine) >= _LARGE_GB


def base_gb(family: Family, machine: Machine) -> float:
    """Memory in GB of the downloaded base with its activations, in half precision.

    A small stand-in of the same names needs less than the published weights.
    """
    if family.base is not None and family.base.is_file():
        held = family.base.stat().st_size
    else:
        unet = unet_folder(family, machine)
        held = sum(file.stat().st_size for file in unet.parent.rglob("*.safetensors")) if unet else 0
    return min(family.memory_gb, _WITH_ACTIVATIONS * held / 1e9)


def _unet_gb(family: Family, weights: Weights, machine: Machine) -> float:
    """Size of a model's own UNet; as that of the base, less if a small stand-in is downloaded."""
    repository, file = str(weights.repository), weights.file
    path = _cached(repository, file, machine) if file else _unet_file(repository, family.variant, machine)
    return path.stat().st_size / 1e9 if path else family.unet_gb


def unet_folder(family: Family, machine: Machine) -> Path | None:
    """Folder of the base's UNet; None if it is not downloaded, or part of a single file."""
    if (folder := family.base or family.folder) is not None:
        return None if folder.is_file() else folder / "unet"
    file = _unet_file(str(family.repository), family.variant, machine)
    return file.parent if file else None


def _unet_file(repository: str, variant: str | None, machine: Machine) -> Path | None:
    names = [f"unet/diffusion_pytorch_model.{variant}.safetensors", "unet/diffusion_pytorch_model.safetensors"]
    paths = [path for name in names if (path := _cached(repository, name, machine)) is not None]
    return paths[0] if paths else None


def _cached(repository: str, file: str, machine: Machine) -> Path | None:
    cached = try_to_load_from_cache(repository, file, cache_dir=machine.cache)
    return Path(cached) if isinstance(cached, str) else None
