"""Registered models: adapters tuned on this machine that replace a model's own, in a folder next to the votes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hypersd.models.adapter_file import inspect
from hypersd.models.specs import Family, ModelSpec
from hypersd.models.weights import Weights
from hypersd.utils.files import atomic_folder, write_json
from hypersd.utils.readers import read_json

_CARD = "contestant.json"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """Metadata of a model tuned on this machine.

    Args:
        name: of its model, as in `emoji/NAME@4`.
        family, parent: the model that it was made from.
        adapters: file for each number of steps, in the model's own folder.
        lineage: its origin: hashes of the votes, the reward model, the adapter, and the round.
        retired: it is in no new battles; its votes stay.
    """

    name: str
    title: str
    family: str
    parent: str
    adapters: Mapping[str, str]
    lineage: Mapping[str, Any]
    retired: bool = False


def registered_folder(data: Path) -> Path:
    """Folder of registered models, in `Environment.data`."""
    return data / "contestants"


def check_name(name: str, folder: Path, taken: Container[str] = ()) -> None:
    """Check that a name is valid and free for a contestant.

    Args:
        name: the new name.
        folder: of all registered models.
        taken: names of other models.

    Raises:
        ValueError: it cannot be one, or is taken.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name; use small letters, digits and hyphens, up to 40")
    if name in taken or (folder / name / _CARD).exists():
        raise ValueError(f"there is a model {name} already; choose another name")


def register(registered_model: RegisteredModel, files: Mapping[str, Path], folder: Path) -> Path:
    """Register a contestant: its files are copied and its metadata is written last, so the result is atomic.

    Args:
        registered_model: its metadata; `adapters` names the copies.
        files: from the names of the copies to the files.
        folder: of all registered models.

    Raises:
        ValueError: the name cannot be one, or is taken.
        OSError: the folder cannot be written, or a file is missing or is no adapter.
    """
    check_name(registered_model.name, folder)
    for file in files.values():
        inspect(file)
    home = folder / registered_model.name
    with atomic_folder(home) as part:
        for name, file in files.items():
            shutil.copyfile(file, part / name)
    write_json(home / _CARD, asdict(registered_model))
    return home


def registered_models(folder: Path) -> list[RegisteredModel]:
    """All registered models, by name.

    Raises:
        ValueError: a card is damaged; the message names it.
    """
    registered: list[RegisteredModel] = []
    for card in sorted(folder.glob(f"*/{_CARD}")):
        try:
            registered_model: RegisteredModel = read_json(card, RegisteredModel, "the card of a contestant")
        except ValueError as error:
            raise ValueError(f"{error}; repair it, or delete its folder") from error
        registered.append(registered_model)
    return registered


def with_registered(family: Family, folder: Path) -> Family:
    """The family with the registered models tuned from it.

    Raises:
        ValueError: a card is damaged, or names a model that the family does not have.
    """
    known = {spec.name for spec in family.specs}
    specs = [
        _spec(family, registered_model, folder / registered_model.name)
        for registered_model in registered_models(folder)
        if registered_model.family == family.name
        and not registered_model.retired
        and registered_model.name not in known
    ]
    return replace(family, specs=(*family.specs, *specs)) if specs else family


def _spec(family: Family, registered_model: RegisteredModel, home: Path) -> ModelSpec:
    parent = family.spec(registered_model.parent)
    recipes = tuple(
        replace(
            parent.recipe(int(steps)),
            # Joining a folder and an absolute path gives the absolute path.
            weights=Weights(kind="lora", file=str((home / file).resolve())),
        )
        for steps, file in sorted(registered_model.adapters.items(), key=lambda item: int(item[0]))
    )
    default = parent.default_steps if str(parent.default_steps) in registered_model.adapters else recipes[-1].steps
    return replace(
        parent,
        name=registered_model.name,
        title=registered_model.title,
        recipes=recipes,
        default_steps=default,
        max_steps=None,
        note=f"Made from {parent.title} by feedback of {registered_model.lineage.get('kind', 'unknown')} voters.",
    )
