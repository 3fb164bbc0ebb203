"""The folder of a reward model, looked over before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import TypedDict, cast

from hypersd.arena.votes.battle import Kind
from hypersd.utils.file_kinds import misread
from hypersd.utils.model_folders import check_clip, check_network
from hypersd.utils.readers import read_object, tensor_shapes

WEIGHTS, METADATA = "model.safetensors", "reward.json"
SECOND = "second"
"""The folder within, of the second model: trained on votes that the first never saw, it tells when a generator learns
to please the first one only."""

FORMAT = 2
"""Version of a saved model. Models of the first read fewer numbers, and were tested by another split of prompts."""

_FACTS = "the description of a reward model"
_ANEW = "make the reward model anew with `python -m hypersd reward train`"


class RewardMetadata(TypedDict, total=False):
    """The origin of a reward model, as `reward.json` says; one that is not trained yet has but its backbone.

    Attributes:
        backbone: a folder or a repository of the Hub.
        format: version of the files.
        data, votes, kind: hash and number of the votes that it was learned from, and their voters' kind.
        seed: of the learning curve.
        accuracy, accuracy_interval: share of unseen decisive choices that it predicts, and its 95 % interval.
        reads: names of the numbers that its head reads, those of most weight first.
        preferred: quantiles of the rewards of pictures that people preferred, by their share ("0.25", "0.75", …).
    """

    backbone: str
    format: int
    data: str
    votes: int
    kind: Kind
    seed: int
    accuracy: float
    accuracy_interval: Sequence[float]
    reads: Sequence[str]
    preferred: Mapping[str, float]


def check_reward(folder: Path) -> RewardMetadata:
    """Read the description of the reward model in a folder, and see that all of its files are there and whole.

    Raises:
        FileNotFoundError: there is no reward model, or a part of it is missing.
        ValueError: a file is damaged, or something else; the message names it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no reward model in {folder}: there is no such folder")
    if not (folder / METADATA).exists():
        raise FileNotFoundError(
            f"there is no reward model in {folder}: {METADATA} is missing; "
            "make one with `python -m hypersd reward train`"
        )
    facts = read_object(folder / METADATA, _FACTS, "backbone")
    if facts.get("format") != FORMAT:
        raise ValueError(f"the reward model in {folder} is of another version of this program; {_ANEW}")
    tensor_shapes(folder / WEIGHTS)
    config = read_object(folder / "config.json", "the configuration of a model", "model_type")
    check = check_clip if config["model_type"] == "clip" else check_network  # the other one is ImageReward
    check(folder)
    return cast("RewardMetadata", facts)


def reward_digest(folder: Path) -> str:
    """The SHA-256 of the reward model in a folder, which is looked over.

    Raises:
        OSError: a part of it is missing.
        ValueError: something else is in the folder.
    """
    check_reward(folder)
    with (folder / WEIGHTS).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def check_tunable(folders: Sequence[Path]) -> None:
    """See that a model can be tuned by the reward models in some folders, of which the first has a second model.

    Raises:
        FileNotFoundError, ValueError: as `check_reward`; a model does not say what it was learned from, or predicts
            unseen choices no better than chance.
    """
    for folder in (*folders, folders[0] / SECOND):
        facts = _check_facts(folder)
        if folder in folders:
            _check_learned(folder, facts)


def _check_facts(folder: Path) -> RewardMetadata:
    facts = check_reward(folder)
    preferred = facts.get("preferred")
    if missing := [key for key in ("data", "kind") if not isinstance(facts.get(key), str)]:
        raise misread(folder / METADATA, _FACTS, f"it has no {missing[0]!r}")
    if not isinstance(preferred, dict) or not {"0.25", "0.75"} <= preferred.keys():
        raise misread(folder / METADATA, _FACTS, "it has no quantiles of preferred pictures")
    return facts


def _check_learned(folder: Path, facts: RewardMetadata) -> None:
    silent = misread(folder / METADATA, _FACTS, "it does not say how many unseen choices are predicted")
    if "accuracy" not in facts or "accuracy_interval" not in facts:
        raise silent
    try:
        low, high = map(float, facts["accuracy_interval"])
        share = float(facts["accuracy"])
    except (TypeError, ValueError) as error:
        raise silent from error
    if not low > 0.5:
        raise ValueError(
            f"the reward model in {folder} has learned nothing that a model could be tuned by: it predicts {share:.0%} "
            f"of unseen choices ({low:.0%} to {high:.0%}), no better than chance; collect votes on more prompts"
        )
