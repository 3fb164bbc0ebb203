"""The folders that commands write: what each command's files are called, and how those of older releases are known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hypersd.sampling.comparison_files import COMPARISON, GRID, SWEEP
from hypersd.utils.model_folders import SCENES
from hypersd.utils.outputs import output_folder

CONTROL = "control.json"
CONTROL_IMAGE = "control.png"
AGREEMENT, AGREEMENT_SHEET = "control-agreement.json", "control-agreement-{}.png"
EVALUATION = (
    "metrics.csv",
    "pictures.csv",
    "table.md",
    "evaluation.json",
    "measured/[0-9]*.safetensors",
    "*-against-*.svg",
    "*-against-*.png",
    "grid-[0-9]*.png",
    "table-[0-9].*",
    "figure-[0-9]*.*",
)
REWARD = (
    *("model.safetensors", "reward.json", "report.json", "report.md", "README.md", "calibration.png", "curve.png"),
    *("second", "training", "training-*", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.*"),
    *("merges.txt", "special_tokens_map.json", "added_tokens.json", "preprocessor_config.json"),
)
FEEDBACK = (
    "README.md",
    *("*/training/log.jsonl", "*/training/looks.json", "*/training/state", "*/training/samples"),
    *("*/feedback.safetensors", "*/adapter.safetensors", "*/feedback.json", "*/merge.png"),
)
FILTERED = ("measurements", "filter.json", "kept.arrow", "rejected.csv")
CLAIMS = ("claims.csv", "claims.md", "claims.tex")
ROUNDS = ("round-[0-9]*",)
FAMILY = ("family", "autoencoder", "clip", "base", "styles")
PERCEPTION = ("perception", "training")


@contextmanager
def command_folder(folder: Path, command: str, names: Iterable[str], *, keep: bool = False) -> Generator[Path]:
    """Yield a command's `--out` folder; see `hypersd.utils.outputs.output_folder`.

    A folder that was made for a command that fails before it has written anything is removed again.

    Raises:
        ValueError: there is something in it that is not the command's own and would be replaced.
        OSError: it cannot be written.
    """
    names, known, there = list(names), _KNOWN[command], folder.exists()
    try:
        with output_folder(
            writable_folder(folder), command, names, lambda out: {command: list(known(out, names))}, keep=keep
        ):
            yield folder
    except BaseException:
        if not there:
            with suppress(OSError):  # something is in it
                folder.rmdir()
        raise


def writable_folder(folder: Path) -> Path:
    """Make a folder and what is missing above it, and check that files can be written there.

    Done before the work, so that no one waits for a result that cannot be kept.

    Raises:
        OSError: that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except FileExistsError as error:
        raise OSError(f"cannot write to {folder}: it is a file, not a folder") from error
    except OSError as error:
        raise OSError(f"cannot write to {folder}: {error.strerror}") from error


KOHYA = ".kohya.safetensors"
"""Ending of an adapter in kohya's key format."""


def training_names(stages: Iterable[str]) -> list[str]:
    """Names that a distillation writes: for each stage its adapter's, and a folder with its log and checkpoint."""
    return [name for stage in stages for name in (f"{stage}.safetensors", f"{stage}{KOHYA}", stage)]


def _compared(folder: Path, _names: Iterable[str]) -> Iterable[str]:
    """Files of comparisons: of one, or of one in each numbered folder."""
    for file in (folder / COMPARISON, *folder.glob(f"[0-9][0-9][0-9][0-9]*/{COMPARISON}")):
        home = file.parent.relative_to(folder)
        pictures = [run.get("file") for run in _entries(file, "runs")]
        if pictures:
            names = (*filter(None, pictures), GRID, SWEEP, COMPARISON)
            yield from ((home / name).as_posix() for name in names)


def _controlled(folder: Path, _names: Iterable[str]) -> Iterable[str]:
    """Files of pictures that follow a control image."""
    pictures = [run.get("file") for run in _entries(folder / CONTROL, "runs")]
    if pictures:
        yield from (*filter(None, pictures), GRID, CONTROL_IMAGE, CONTROL)


def _rendered(folder: Path, _names: Iterable[str]) -> Iterable[str]:
    """Files of scenes that were drawn."""
    if scenes := _entries(folder / SCENES, "scenes"):
        yield from (*(str(scene.get("file", "")) for scene in scenes), SCENES)


def _entries(file: Path, key: str) -> list[Mapping[str, Any]]:
    """The list of objects under a key of a JSON file; empty if the file is something else."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _where(*signs: str) -> Callable[[Path, Iterable[str]], Iterable[str]]:
    """All the command's names, where there is one of the files that every earlier run left."""

    def known(folder: Path, names: Iterable[str]) -> Iterable[str]:
        return names if any(next(folder.glob(sign), None) for sign in signs) else ()

    return known


def _claimed(folder: Path, names: Iterable[str]) -> Iterable[str]:
    """The command's names, where there is a table of claims of ours."""
    try:
        with (folder / "claims.csv").open(encoding="utf-8") as file:
            return names if file.readline().startswith("claim,model,other,") else ()
    except (OSError, UnicodeDecodeError):
        return ()


def _evaluated(folder: Path, names: Iterable[str]) -> Iterable[str]:
    """All the command's names, where there is the plan of an evaluation, or a table of pictures of ours."""
    if (folder / "evaluation.json").is_file():
        return names
    try:
        with (folder / "pictures.csv").open(encoding="utf-8") as file:
            return names if file.readline().startswith("model,steps,") else ()
    except (OSError, UnicodeDecodeError):
        return ()


_KNOWN: Mapping[str, Callable[[Path, Iterable[str]], Iterable[str]]] = {
    "compare": _compared,
    "control": _controlled,
    "evaluate": _evaluated,
    "evaluate control": _where(AGREEMENT),
    "evaluate figures": _where("gallery.md"),
    "claims": _claimed,
    "data filter": _where("filter.json", "measurements/[0-9]*.parquet"),
    "distill": _where("*/state/state.json"),
    "shrink": lambda _folder, _names: (),
    "merge": lambda _folder, _names: (),
    "reward train": _where("reward.json", "training*/state/state.json"),
    "feedback": _where("*/feedback.json", "*/training/state/state.json"),
    "loop": _where("round-*/plan.json", "round-*/votes.json"),
    "emoji train": _where("family/world.json", "*/state/state.json"),
    "emoji perceive": _where("perception/config.json", "training/state/state.json"),
    "emoji rebuild": _where("stages/family.json"),
    "emoji render": _rendered,
}
