"""Rounds of feedback as HTML: how far the loop is, and what a round came to."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.loop import Progress
from app.plots import interval_bar
from hypersd.arena.battle import KINDS, Kind
from hypersd.feedback.rounds import STAGES, Round

WHO: Mapping[Kind, str] = {"human": "People", "simulated": "Simulated voters"}
_METHODS = {"refl": "feedback learning (ReFL)", "dpo": "Diffusion-DPO"}
_UNKNOWN = "not known"
_SCALE = "0 to 100 %"


def state(every: Sequence[Round], votes: Mapping[Kind, int], progress: Progress | None) -> str:
    """The loop in one look: how many rounds, what is going on, and the votes since the last one.

    Raises:
        ValueError: a stage's file is damaged.
    """
    counted = [told for one in every if (told := one.done("votes")) is not None]
    last = counted[-1] if counted else None
    done = sum(one.stage is None for one in every)
    facts = [("Rounds done", f"{done}", "from votes to a contestant that was fought against")]
    facts += [(WHO[kind], *_since(kind, votes.get(kind), last)) for kind in KINDS]
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd><dd><small>{note}</small></dd></div>" for name, value, note in facts
    )
    return (
        f'<section class="hs-report" aria-label="State of the loop"><dl class="hs-facts">{tiles}</dl>'
        f"{_progress(progress)}</section>"
    )


def _since(kind: Kind, count: int | None, last: Mapping[str, Any] | None) -> tuple[str, str]:
    """How many votes of a kind the arena has, and how many of them no round has seen."""
    if count is None:
        return "\N{EN DASH}", "not counted yet"
    value = f"{count:,} vote{'' if count == 1 else 's'}"
    if last is None:
        return value, "no round has counted any yet"
    if last["kind"] != kind:
        return value, "the last round did not learn from them"
    if last.get("taste"):
        return value, "the last round learned from voters of its own, not from these"
    more = max(0, count - int(last.get("cast", last["votes"])))  # rounds of before told only of those that count
    return value, f"{more:,} more than the last round read" if more else "no more than the last round read"


def _progress(progress: Progress | None) -> str:
    if progress is None or progress.stage is None:
        return ""
    place = f"stage {progress.done + 1} of {len(STAGES)}, {progress.stage}"
    if not progress.running:
        return (
            f'<p class="hs-message">Round {progress.number} stands at {place}, and is not being run from this page. '
            "What is done is kept: the next start goes on from there.</p>"
        )
    return (
        f'<p class="hs-progress" role="status">Round {progress.number} is running: {place}. '
        f'<progress max="{len(STAGES)}" value="{progress.done}" aria-label="Stages done"></progress></p>'
    )


def report(one: Round) -> str:
    """What a round came to, as far as it is.

    Raises:
        ValueError: a stage's file is damaged.
    """
    votes, reward, made = one.done("votes"), one.done("reward"), one.done("contestant")
    battles, beside = one.done("battles"), one.done("beside")
    name = f": <code>{html.escape(str(made['name']))}</code>" if made else ""
    parts = [f"<h2>Round {one.number}{name}</h2>"]
    parts += [_votes(votes, made)] if votes else ["<p>Its votes have not been counted yet.</p>"]
    if battles:
        heading = "<h3>Blind battles against the model that it was made from</h3>"
        parts.append(heading + _battles(battles, "Blind battles"))
    parts += [_reward(reward, one.folder / "reward")] if reward else []
    if made:
        parts.append(f"<h3>How each adapter was tuned</h3>{_adapters(made['adapters'], one.tuning(), 'Adapters')}")
    parts += [_beside(beside, made, one.tuning(beside["method"]))] if beside and made else []
    parts += [_ablation(one.folder / "metrics" / "ablation.md")] if one.done("metrics") else []
    return f'<section class="hs-report" aria-label="Round {one.number}">{"".join(parts)}</section>'


def _votes(votes: Mapping[str, Any], made: Mapping[str, Any] | None) -> str:
    how = ""
    if made:
        method = html.escape(_METHODS.get(made["method"], str(made["method"])))
        how = f"Made from <code>{html.escape(str(made['parent']))}</code> by {method}. "
    if votes["kind"] == "human":
        return f"<p>{how}{votes['votes']:,} votes of {votes['voters']:,} people count.</p>"
    taste = f", with the taste “{html.escape(str(votes['taste']))}”" if votes.get("taste") else ""
    return (
        f"<p>{how}<b>No person voted: these votes are simulated.</b> {votes['votes']:,} of them count, of "
        f"{votes['voters']:,} simulated voters{taste}.</p>"
    )


def _beside(beside: Mapping[str, Any], made: Mapping[str, Any], folder: Path) -> str:
    """What the other method made of the same votes."""
    name, parent, tuned = (html.escape(str(told)) for told in (beside["name"], beside["parent"], made["name"]))
    method = html.escape(_METHODS.get(beside["method"], str(beside["method"])))
    battles = {word: _battles(told, f"{method} against the {word}") for word, told in beside["battles"].items()}
    against_tuned = (
        f"<p>And against <code>{tuned}</code>:</p>{battles['tuned']}"
        if "tuned" in battles
        else f"<p><code>{tuned}</code> did not enter the arena, so the two did not meet.</p>"
    )
    return (
        f"<h3>The same votes by {method}</h3><p><code>{name}</code> against <code>{parent}</code>, which it was made "
        f"from too:</p>{battles['untuned']}{against_tuned}"
        f"{_adapters(beside['adapters'], folder, f'Adapters of {method}')}"
    )


def _battles(battles: Mapping[str, Any], label: str) -> str:
    if not battles["steps"]:
        return f"<p>{html.escape(str(battles['told']))}</p>"
    simulated = battles["kind"] == "simulated"
    rows = "".join(
        f"<tr><th scope=row>{html.escape(steps)}</th><td>{share['value']:.1%}</td><td>{_bar(share)}</td>"
        f"<td>{_interval(share)}</td><td>{share['n']:,}</td><td>{battles['ties'][steps]:,}</td>"
        f"<td>{_verdict(share)}</td></tr>"
        for steps, share in battles["steps"].items()
    )
    judges = f"{battles['voters']} {'simulated voters, not by people' if simulated else 'people'}"
    columns = ("Steps", "Wins", _SCALE, "95 % interval", "Decisive", "Ties", "")
    return (
        f"{_table(label, columns, rows)}"
        f"<p class=hs-note>Judged by {judges}; none of them had a vote in the training.</p>"
    )


def _verdict(share: Mapping[str, Any]) -> str:
    return "better" if share["low"] > 0.5 else "worse" if share["high"] < 0.5 else "not told apart"


def _reward(reward: Mapping[str, Any], folder: Path) -> str:
    low, high = reward["accuracy_interval"]
    accuracy = {"value": reward["accuracy"], "low": low, "high": high, "n": reward["decisive"]}
    whose = "Simulated voters" if reward["kind"] == "simulated" else "Voters"
    shares = [
        ("Predicts choices on unseen prompts", accuracy),
        (f"{whose} agree with themselves", reward["self_agreement"]),
        (f"{whose} agree with each other", reward["agreement"]),
        *((f"From {name} alone", share) for name, share in reward["shortcuts"].items()),
    ]
    rows = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th>"
        + (
            f"<td>{share['value']:.1%}</td><td>{_bar(share)}</td><td>{_interval(share)}</td><td>{share['n']:,}</td></tr>"
            if share["value"] is not None and share["n"]
            else "<td colspan=4>not measured</td></tr>"
        )
        for name, share in shares
    )
    figures = _figure(
        folder / "calibration.png", "Calibration: predicted probability against the share predicted right"
    )
    figures += _figure(folder / "curve.png", "Learning curve: accuracy on unseen prompts against the number of votes")
    columns = ("", "Share", _SCALE, "95 % interval", "Of")
    return f"<h3>The reward model</h3>{_table('The reward model', columns, rows)}{_figures(figures)}"


def _adapters(adapters: Sequence[Mapping[str, Any]], folder: Path, label: str) -> str:
    rows = "".join(map(_adapter, adapters))
    figures = "".join(
        _figure(
            folder / str(one["name"]) / "merge.png",
            f"{one['name']}: both rewards against the distance to the untuned model, a point a weight",
        )
        for one in adapters
    )
    columns = ("Adapter", "Steps", "Weight", "Reward", "Reward of other votes", "Diversity", "Training")
    note = "<p class=hs-note>Rewards before and after; diversity as a share of before.</p>"
    return f"{_table(label, columns, rows)}{note}{_figures(figures)}"


def _adapter(adapter: Mapping[str, Any]) -> str:
    points: Sequence[Mapping[str, Any]] = adapter["points"]
    start = points[0]
    chosen = next(point for point in points if point["weight"] == adapter["weight"])
    diversity = f"{chosen['diversity'] / start['diversity']:.0%}" if start["diversity"] else _UNKNOWN
    stopped = f"stopped itself: {html.escape(str(adapter['stopped']))}" if adapter["stopped"] else "ran to its end"
    if adapter["weight"] == 0:
        stopped += "; nothing better than the model as it was came of it"
    arrow = " \N{RIGHTWARDS ARROW} "
    return (
        f"<tr><th scope=row>{html.escape(str(adapter['name']))}</th><td>{', '.join(map(str, adapter['steps']))}</td>"
        f"<td>{adapter['weight']:g}</td><td>{start['reward']:.2f}{arrow}{chosen['reward']:.2f}</td>"
        f"<td>{start['second']:.2f}{arrow}{chosen['second']:.2f}</td><td>{diversity}</td><td>{stopped}</td></tr>"
    )


def _ablation(file: Path) -> str:
    """The round's own Markdown table: cells, bold ones among them, and a sentence or two below."""
    if not file.exists():
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    head, _, *rows = [[_bold(cell) for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    told = "".join(f"<p class=hs-note>{_bold(line)}</p>" for line in lines if line and not line.startswith("|"))
    table = _table("With feedback against without", head, body, escaped=True)
    return f"<h3>With feedback against without</h3>{table}{told}"


def _column(name: str) -> str:
    if not name:  # an empty head is none: a screen reader would announce it and say nothing
        return "<td></td>"
    return f"<th scope=col{' class=hs-drawn' if name == _SCALE else ''}>{name}</th>"


def _bold(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text.strip()))


def _table(label: str, columns: Sequence[str], rows: str, *, escaped: bool = False) -> str:
    """A table that scrolls by itself where it is wider than the page."""
    head = "".join(_column(name if escaped else html.escape(name)) for name in columns)
    return (
        f'<div class="hs-wide" tabindex="0" role="region" aria-label="{html.escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _bar(share: Mapping[str, Any]) -> str:
    low, value, high = (100 * float(share[name]) for name in ("low", "value", "high"))
    return f'<span class="hs-chance">{interval_bar(low, value, high, 0, 100)}</span>'


def _interval(share: Mapping[str, Any]) -> str:
    return f"{share['low']:.1%} to {share['high']:.1%}"


def _figure(file: Path, words: str) -> str:
    """A drawing of the round, inside the page: the loop's folder is served to nobody."""
    if not file.exists():
        return ""
    data, told = base64.b64encode(file.read_bytes()).decode(), html.escape(words)
    return f'<figure><img src="data:image/png;base64,{data}" alt="{told}"><figcaption>{told}.</figcaption></figure>'


def _figures(figures: str) -> str:
    return f'<div class="hs-figures">{figures}</div>' if figures else ""
