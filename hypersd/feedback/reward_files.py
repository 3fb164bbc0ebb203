"""A reward model's folder: what is in it, and what is said of one that is damaged, of another kind, or of no use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypersd.errors import gist
from hypersd.feedback.backbones import Backbone, Clip
from hypersd.feedback.image_reward import ImageReward

WEIGHTS, FACTS, CONFIG = "model.safetensors", "reward.json", "config.json"
SECOND = "second"
"""The folder of the second model: trained on votes that the first never saw, it tells when a generator learns to
please the first one only."""

FORMAT = 2
"""Of a saved model. The first read fewer numbers, and was tested by another split of prompts."""

_PROCESSOR = "preprocessor_config.json"
_ANEW = "make the reward model anew with `python -m hypersd reward train`"
_BACKBONES: dict[str, type[Clip | ImageReward]] = {"clip": Clip, "blip": ImageReward}


def damaged(file: Path, error: Exception | None = None) -> ValueError:
    """An error that names a file of a reward model."""
    reason = f" ({gist(error)})" if error else ""
    return ValueError(f"{file} is damaged, or not of a reward model{reason}; {_ANEW}")


def read_facts(folder: Path) -> dict[str, Any]:
    """What is known of a reward model; its weights are not read.

    Raises:
        FileNotFoundError: there is no reward model in the folder.
        ValueError: the file is damaged, or of another version.
    """
    file = folder / FACTS
    if not file.is_file():
        raise FileNotFoundError(f"there is no reward model in {folder}; make one with `python -m hypersd reward train`")
    facts = _read(file)
    if facts.get("format") != FORMAT:
        raise ValueError(f"the reward model in {folder} is of another version of this program; {_ANEW}")
    return facts


def check_tunable(folders: Sequence[Path]) -> None:
    """Refuse to tune a generator by reward models of which one is no use; the second model of the first looks on.

    Raises:
        FileNotFoundError: there is no reward model in a folder.
        ValueError: a file is damaged, or a model predicts unseen choices no better than chance.
    """
    for folder in folders:
        _check_learned(folder, read_facts(folder))
    second = folders[0] / SECOND
    if "preferred" not in read_facts(second):
        raise damaged(second / FACTS)


def _check_learned(folder: Path, facts: Mapping[str, Any]) -> None:
    try:
        low, high = map(float, facts["accuracy_interval"])
        share = float(facts["accuracy"])
        for quantile in ("0.25", "0.5", "0.75", "0.9"):
            float(facts["preferred"][quantile])
        _ = facts["data"], facts["kind"]
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder / FACTS) from error
    if not low > 0.5:
        raise ValueError(
            f"the reward model in {folder} has learned nothing that a model could be tuned by: it predicts {share:.0%} "
            f"of unseen choices ({low:.0%} to {high:.0%}), no better than chance; collect votes on more prompts"
        )


def saved_backbone(folder: Path) -> Backbone:
    """The backbone of a saved reward model, with random weights.

    Raises:
        FileNotFoundError: there is no reward model in the folder, or a file of it is missing.
        OSError: it has no tokenizer.
        ValueError: a file is damaged, or of another kind; the message names it.
    """
    read_facts(folder)
    _check_there(folder / CONFIG)
    for file in sorted(folder.glob("*.json")):
        _read(file)
    kind = _BACKBONES.get(str(_read(folder / CONFIG).get("model_type")))
    if kind is None:
        raise damaged(folder / CONFIG)
    if kind is Clip:
        _check_there(folder / _PROCESSOR)
    try:
        return kind.saved(folder)
    except OSError:
        raise
    except Exception as error:  # what the libraries raise of a damaged file has no base of its own
        raise ValueError(f"the reward model in {folder} is damaged ({gist(error)}); {_ANEW}") from error


def _check_there(file: Path) -> None:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; {_ANEW}")


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(file) from error
    if not isinstance(told, dict):
        raise damaged(file)
    return told
