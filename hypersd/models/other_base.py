"""Other bases for a family's adapters: a repository of the Hub, a diffusers folder, or a single-file checkpoint.

The base is checked before anything of it is loaded, from configurations and headers alone. Models that are adapters, or
differences of weights, run on it; those with a UNet of their own are left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from huggingface_hub import HfApi

from hypersd.models.changed_base import ChangedBase, adaptable
from hypersd.models.downloads import ProgressCallback, explained
from hypersd.models.family_bases import with_other_base
from hypersd.models.family_parts import OtherBase
from hypersd.models.hub_files import HubFiles, is_repository
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES, family, unet_folder
from hypersd.models.specs import Family
from hypersd.models.unet_traits import (
    UNetTraits,
    architecture_traits,
    check_whole,
    checkpoint_traits,
    config_traits,
    pickled,
    wrong_prediction,
)
from hypersd.resources import assets_folder
from hypersd.utils.model_folders import check_pipeline, pipeline_problem
from hypersd.utils.readers import read_object

_UNET, _SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"


def other_base(source: str, machine: Machine, progress: ProgressCallback) -> ChangedBase:
    """The family of a base's architecture, on this base; see `checked_base`."""
    checked = checked_base(source, machine, progress)
    return with_other_base(family(checked.family), checked)


def checked_base(source: str, machine: Machine, progress: ProgressCallback, name: str = "") -> OtherBase:
    """Check another base: its place, its architecture, and that it has safetensors. None of its weights is read.

    Args:
        source: a repository's name on the Hub, a diffusers folder, or a single-file checkpoint.
        machine: has it, or fetches its configurations.
        progress: hears what is fetched.
        name: by which it will be chosen, without its path in what visitors read; by default that of its repository,
            folder or file, with its path.

    Raises:
        DownloadError: the repository cannot be reached, or is no diffusers pipeline.
        OSError: a file is missing.
        ValueError: there is no such source, a file is damaged or a pickle, or it is no base for any family here.
    """
    place = Path(source)
    if place.is_file():
        traits = checkpoint_traits(place)
        chosen = _like(source, traits, machine)
        check_whole(place)
        _check_published(chosen, source)
    elif place.is_dir():
        chosen = _like(source, _folder_traits(place), machine)
    elif not is_repository(source) or place.suffix in {".safetensors", ".ckpt"}:
        raise ValueError(
            f"there is no file or folder {source}; give one, or a repository of the Hub as OWNER/NAME, for example "
            "RunDiffusion/Juggernaut-XL-v9"
        )
    else:
        return _of_hub(source, machine, progress, name)
    title = name or (place.name if place.is_file() else place.resolve().name)
    vae = _vae(chosen, machine)
    return OtherBase(name=title, family=chosen.name, source=place.name if name else source, place=place, vae=vae)


def _of_hub(repository: str, machine: Machine, progress: ProgressCallback, name: str) -> OtherBase:
    hub = HubFiles(machine, progress)
    config, scheduler = (hub.file(repository, file) for file in (_UNET, _SCHEDULER))
    variant = _hub_variant(repository, machine) if machine.online else _folder_variant(config.parent)
    if not machine.online and (problem := pipeline_problem(config.parents[1])):
        raise ValueError(problem)
    chosen = _like(repository, _traits(config, scheduler, repository), machine)
    _check_published(chosen, repository)
    return OtherBase(
        name=name or repository.rpartition("/")[2],
        family=chosen.name,
        source=f"https://huggingface.co/{repository}",
        repository=repository,
        variant=variant,
        vae=_vae(chosen, machine),
    )


def _check_published(chosen: Family, source: str) -> None:
    if chosen.repository is None:
        raise ValueError(f"{source} is a base of {chosen.title}, which is kept in a folder; give its diffusers folder")


def _hub_variant(repository: str, machine: Machine) -> str | None:
    """The variant of a repository's weights: half precision where it has it.

    Raises:
        DownloadError: the Hub cannot be asked.
        ValueError: its UNet is not in safetensors.
    """
    with explained(repository):
        files = HfApi(endpoint=machine.hub).model_info(repository).siblings or []
    names = [file.rfilename for file in files if file.rfilename.startswith("unet/")]
    if not any(name.endswith(".safetensors") for name in names):
        raise pickled(Path(repository) / "unet")
    return "fp16" if any(name.endswith(".fp16.safetensors") for name in names) else None


def _folder_variant(unet: Path) -> str | None:
    return "fp16" if any(unet.glob("*.fp16.safetensors")) else None


def _folder_traits(folder: Path) -> UNetTraits:
    unet = folder / "unet"
    if any(unet.glob("*.bin")) and not any(unet.glob("*.safetensors")):
        raise pickled(unet)
    check_pipeline(folder)
    return _traits(folder / _UNET, folder / _SCHEDULER, str(folder))


def _traits(config: Path, scheduler: Path, source: str) -> UNetTraits:
    noise = read_object(scheduler, "the configuration of a scheduler", "_class_name")
    traits = config_traits(config)
    if noise.get("prediction_type", "epsilon") != "epsilon" or str(noise["_class_name"]).startswith("EDM"):
        raise wrong_prediction(source)
    return traits


def _vae(chosen: Family, machine: Machine) -> str | None:
    """The family's own replacement of VAEs that overflow in half precision; in full precision the base's is kept."""
    return chosen.vae if machine.precision == "float16" else None


def _like(source: str, traits: UNetTraits, machine: Machine) -> Family:
    """The family whose base has a UNet of the same traits.

    Raises:
        ValueError: there is none; the message says what the base is.
    """
    for chosen in map(family, FAMILIES):
        usual = family_traits(chosen, machine)
        if usual is None:
            continue
        if traits == usual:
            return chosen
        if replace(traits, channels=usual.channels) == usual:
            kind = "an inpainting model" if traits.channels > 2 * usual.channels else "made for other inputs"
            raise ValueError(
                f"{source} is {kind}: its UNet reads {traits.channels} channels, not the {usual.channels} of "
                f"{chosen.title}; give the base that draws from text alone"
            )
    raise ValueError(
        f"{source} is no base for the few-step models here, which are made for SDXL and SD 1.5: its UNet has "
        f"{traits}; give another base"
    )


def family_traits(chosen: Family, machine: Machine) -> UNetTraits | None:
    """Traits of a family's own base, from the disk or as this package states them; None if no model could run."""
    if not any(adaptable(spec) for spec in chosen.specs if spec.recipe().weights.kind != "none"):
        return None
    if (folder := unet_folder(chosen, machine)) is not None:
        config = folder / "config.json"
        return config_traits(config)
    return architecture_traits(assets_folder() / "architectures" / f"{chosen.name}.json")
