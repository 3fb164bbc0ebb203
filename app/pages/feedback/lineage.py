"""The family tree of tuned contestants, as HTML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.templating import render
from hypersd.feedback.loop.round_stages import CONTESTANT, REWARD
from hypersd.feedback.loop.rounds import Round
from hypersd.models.registered import RegisteredModel

_VOTERS = {"human": "people", "simulated": "simulated voters"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A contestant's line in the tree."""

    name: str
    origin: str
    voters: str
    votes: str
    reward: str
    weights: str
    retired: bool


def lineage(entrants: Iterable[RegisteredModel], every: Sequence[Round]) -> str:
    """The tree as nested lists, newest first; empty if no contestant was tuned here.

    Raises:
        ValueError: a stage's file is damaged.
    """
    rewards = {
        contestant.name: reward.model
        for each in every
        if (contestant := each.done(CONTESTANT)) and (reward := each.done(REWARD))
    }
    children: defaultdict[str, list[_Child]] = defaultdict(list)
    for registered_model in sorted(
        entrants, key=lambda registered_model: (-int(registered_model.lineage.get("round", 0)), registered_model.name)
    ):
        # `parent` is the model with its recipes; the model that it was tuned from may be a contestant itself.
        parent = str(registered_model.lineage.get("parent", registered_model.parent))
        children[parent].append(_child(registered_model, rewards))
    if not children:
        return ""
    names = {child.name for siblings in children.values() for child in siblings}
    roots = [parent for parent in children if parent not in names]
    return render("lineage", roots=roots, children=children)


def _child(registered_model: RegisteredModel, rewards: Mapping[str, str]) -> _Child:
    origin = registered_model.lineage
    adapters: Mapping[str, Mapping[str, Any]] = origin.get("adapters", {})
    weights = ", ".join(f"{name} {adapter['weight']:g}" for name, adapter in adapters.items())
    return _Child(
        name=registered_model.name,
        origin=f"round {origin['round']}" if "round" in origin else "made by hand",
        voters=_VOTERS.get(str(origin.get("kind")), "voters not known"),
        votes=str(origin.get("votes", "")),
        reward=str(origin.get("reward") or rewards.get(registered_model.name, "")),
        weights=weights or "not known",
        retired=registered_model.retired,
    )
