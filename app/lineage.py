"""Who was made from whom, as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypersd.feedback.rounds import Round
from hypersd.models.entrants import Entrant

_HASH = 8
_UNKNOWN = "not known"


def lineage(entrants: Iterable[Entrant], every: Sequence[Round]) -> str:
    """Who was made from whom: nested lists, newest first; nothing if nobody has been made.

    Raises:
        ValueError: a stage's file is damaged.
    """
    children: dict[str, list[Entrant]] = {}
    for one in sorted(entrants, key=lambda one: (-int(one.lineage.get("round", 0)), one.name)):
        children.setdefault(_parent(one), []).append(one)
    if not children:
        return ""
    rewards = {
        str(made["name"]): str(reward["model"])
        for each in every
        if (made := each.done("contestant")) and (reward := each.done("reward"))
    }
    names = {one.name for some in children.values() for one in some}
    roots = "".join(
        f"<li><b>{html.escape(parent)}</b>{_children(parent, children, rewards)}</li>"
        for parent in children
        if parent not in names
    )
    return (
        '<section class="hs-report" aria-label="Lineage"><h2>Who was made from whom</h2>'
        f'<ul class="hs-tree">{roots}</ul></section>'
    )


def _parent(entrant: Entrant) -> str:
    # Its papers name the model whose recipes it follows; what it was tuned from may be a contestant itself.
    return str(entrant.lineage.get("parent", entrant.parent))


def _children(parent: str, children: Mapping[str, Sequence[Entrant]], rewards: Mapping[str, str]) -> str:
    items = "".join(
        f"<li>{_entrant(one, rewards)}{_children(one.name, children, rewards)}</li>" for one in children.get(parent, ())
    )
    return f"<ul>{items}</ul>" if items else ""


def _entrant(one: Entrant, rewards: Mapping[str, str]) -> str:
    told = one.lineage
    kind = told.get("kind")
    voters = "people" if kind == "human" else "simulated voters" if kind == "simulated" else "voters not known"
    reward = str(told.get("reward") or rewards.get(one.name, ""))
    adapters: Mapping[str, Mapping[str, Any]] = told.get("adapters", {})
    weights = ", ".join(f"{html.escape(name)} {made['weight']:g}" for name, made in adapters.items())
    facts = [
        f"round {told['round']}" if "round" in told else "made by hand",
        voters,
        f"votes {_hash(str(told.get('votes', '')))}",
        f"reward model {_hash(reward)}",
        f"weight {weights or _UNKNOWN}",
        *(["retired"] if one.retired else []),
    ]
    return f"<b>{html.escape(one.name)}</b> <small>{'; '.join(facts)}</small>"


def _hash(text: str) -> str:
    return f"<code>{html.escape(text[:_HASH])}</code>" if text else _UNKNOWN
