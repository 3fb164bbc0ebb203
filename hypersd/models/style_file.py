"""Files of style LoRAs, on disk or on the Hub, as they are written in an option or a setting."""

from __future__ import annotations

from pathlib import Path

from hypersd.models.adapter_file import lora_problem
from hypersd.models.downloads import ProgressCallback
from hypersd.models.hub_files import HubFiles, is_repository
from hypersd.models.machine import Machine
from hypersd.models.weights import Weights, check_strength
from hypersd.utils.numbers import parse_number


def parse_style(text: str) -> Weights:
    """Read `FILE[:STRENGTH]`, where the file is on disk, or on the Hub as `OWNER/NAME/FILE.safetensors`.

    Raises:
        ValueError: there is no file name, or the strength is out of range.
    """
    file, strength = _parts(text)
    if not file.strip():
        raise ValueError("expected a LoRA file, not an empty text")
    scale = 1.0 if strength is None else parse_number(strength)
    check_strength(scale)
    if published := _published(file):
        return Weights(kind="lora", repository=published[0], file=published[1], scale=scale)
    return Weights(kind="lora", file=str(Path(file).resolve()), scale=scale)


def is_style(text: str) -> bool:
    """True for a LoRA that can be read, or a single file on the Hub, which no base is; with or without a strength."""
    file, _ = _parts(text)
    place = Path(file)
    return not lora_problem(place) if place.is_file() else _published(file) is not None


def style_path(style: Weights, machine: Machine, progress: ProgressCallback) -> Path:
    """Path of a style's file, after fetching it if it is on the Hub; a missing one on disk has a path too.

    Raises:
        DownloadError: it cannot be fetched.
    """
    if style.repository is None:
        return Path(str(style.file))
    return HubFiles(machine, progress).file(style.repository, str(style.file))


def _parts(text: str) -> tuple[str, str | None]:
    """The file and its strength; the name of a file on disk may have a colon."""
    file, colon, strength = text.rpartition(":")
    return (text, None) if not colon or Path(text).exists() else (file, strength)


def _published(file: str) -> tuple[str, str] | None:
    """Repository and file of `OWNER/NAME/FILE.safetensors`, unless there is such a file on disk."""
    owner, _, rest = file.partition("/")
    name, _, inside = rest.partition("/")
    repository = f"{owner}/{name}"
    if not inside.endswith(".safetensors") or ".." in inside.split("/") or Path(file).exists():
        return None
    return (repository, inside) if is_repository(repository) else None
