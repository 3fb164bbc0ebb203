"""A round's report for people: what was learned, what changed, who preferred it, and pictures before and after.

The page shows it before it has loaded any model, so nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hypersd.feedback.loop.results import (
    AdapterResult,
    BattleResult,
    BesideResult,
    ReportResult,
    RewardResult,
    TuningMethod,
    TuningResult,
    VotesResult,
)
from hypersd.feedback.loop.round_stages import BATTLES, BESIDE, CONTESTANT, METRICS, REWARD, VOTES
from hypersd.feedback.loop.rounds import Round
from hypersd.utils.estimates import Estimate

STEPS = (1, 2, 4)
"""Numbers of steps that the pictures before and after are drawn in."""

_METHODS: Mapping[TuningMethod, str] = MappingProxyType({"refl": "feedback learning (ReFL)", "dpo": "Diffusion-DPO"})
ABLATION_FILE = "metrics/ablation.md"


def text(current: Round, *, pictures: ReportResult | None = None, threads: int | None = None) -> str:
    """The report in Markdown, of the stages that are done so far.

    Args:
        current: the round.
        pictures: before and after, to be shown at its end.
        threads: of the process that did the work, if they are known.

    Raises:
        ValueError: a stage's file is damaged.
    """
    votes, reward, battles = current.done(VOTES), current.done(REWARD), current.done(BATTLES)
    contestant, beside = current.done(CONTESTANT), current.done(BESIDE)
    parts = [f"# Round {current.number}" + (f": {contestant.name}" if contestant else "")]
    origin = f"Made from `{contestant.parent}` by {_METHODS[contestant.method]}. " if contestant else ""
    parts.append(origin + (_votes(votes) if votes else "Its votes have not been counted yet."))
    if seconds := current.seconds():
        parts.append(_took(seconds, threads=threads))
    if battles:
        parts += ["## Blind battles against the model that it was made from", _battles(battles)]
    if reward:
        parts += ["## The reward model", _reward(reward)]
    if contestant:
        parts.append("## How each adapter was tuned")
        parts += [_adapter(adapter, current.tuning().name) for adapter in contestant.adapters]
    if contestant and beside:
        parts += _beside(beside, contestant, current.tuning(beside.method).name)
    if current.done(METRICS):
        parts += ["## With feedback against without (the judge, and the reward)", _ablation(current.folder)]
    if pictures:
        parts += ["## Before, and after", f"Rows: {', '.join(map(str, STEPS))} steps."]
        parts += [f"![Before]({pictures.before})", f"![After]({pictures.after})"]
    return "\n\n".join(parts) + "\n"


def _took(seconds: Mapping[str, float], *, threads: int | None) -> str:
    minutes = {stage: spent / 60 for stage, spent in seconds.items()}
    by_stage = ", ".join(f"{stage} {spent:.1f}" for stage, spent in minutes.items())
    with_threads = f" with {threads} threads" if threads else ""
    return f"It took {sum(minutes.values()):.1f} minutes{with_threads}: {by_stage}."


def _votes(votes: VotesResult) -> str:
    if votes.kind == "human":
        return f"{votes.votes:,} votes of {votes.voters:,} people count."
    return (
        f"**No person voted: these votes are simulated.** {votes.votes:,} of them count, of {votes.voters:,} simulated "
        f"voters{_taste(votes.taste)}."
    )


def _taste(taste: str | None) -> str:
    return f" with the taste “{taste}”" if taste else ""


def _battles(battles: BattleResult) -> str:
    if not battles.steps:
        return battles.reason or "None were fought."
    lines = ["| steps | wins | 95 % interval | decisive | ties | |", "|---:|---:|---|---:|---:|---|"]
    lines += [
        f"| {steps} | {share.value:.1%} | {share.low:.1%} to {share.high:.1%} | {share.n:,} | "
        f"{battles.ties[steps]:,} | {_verdict(share)} |"
        for steps, share in battles.steps.items()
    ]
    judges = "simulated voters" if battles.kind == "simulated" else "people"
    judges = f"{battles.voters} {judges}{_taste(battles.taste)} judged; none of them had a vote in the training."
    return "\n".join(lines) + f"\n\n{judges}"


def _verdict(share: Estimate) -> str:
    return "better" if share.low > 0.5 else "worse" if share.high < 0.5 else "not told apart"


def _beside(beside: BesideResult, contestant: TuningResult, folder: str) -> list[str]:
    by = f"by {_METHODS[contestant.method]}"
    against_tuned = (
        [f"Against `{contestant.name}`, which was made {by}:", _battles(beside.battles["tuned"])]
        if "tuned" in beside.battles
        else [f"There were no battles against `{contestant.name}`, made {by}: it did not enter the arena."]
    )
    return [
        f"## The same votes by {_METHODS[beside.method]}",
        f"`{beside.name}` was made from `{beside.parent}` too. Against `{beside.parent}`:",
        _battles(beside.battles["untuned"]),
        *against_tuned,
        *(_adapter(adapter, folder) for adapter in beside.adapters),
    ]


def _reward(reward: RewardResult) -> str:
    voters = "Simulated voters" if reward.kind == "simulated" else "Voters"
    rows = [
        ("Predicts choices on unseen prompts", reward.predicted),
        (f"{voters} agree with themselves", reward.self_agreement),
        (f"{voters} agree with each other", reward.agreement),
        *((f"From {name} alone", share) for name, share in reward.shortcuts.items()),
    ]
    lines = ["| | share | 95 % interval | of |", "|---|---:|---|---:|"]
    lines += [
        f"| {name} | {share.value:.1%} | {share.low:.1%} to {share.high:.1%} | {share.n:,} |"
        if share.n
        else f"| {name} | not measured | | |"
        for name, share in rows
    ]
    figures = "![Calibration](reward/calibration.png)\n![Learning curve](reward/curve.png)"
    learned = "" if reward.learned else "**Nothing was learned: the accuracy is not above chance.** "
    return "\n".join(lines) + f"\n\n{learned}All of it: [reward/report.md](reward/report.md).\n\n{figures}"


def _adapter(adapter: AdapterResult, folder: str) -> str:
    start, chosen = adapter.start, adapter.chosen
    stopped = f" The training stopped itself: {adapter.stopped}." if adapter.stopped else ""
    nothing = " **Nothing better than the model as it was came of it.**" if adapter.weight == 0 else ""
    diversity = f"{chosen.diversity / start.diversity:.0%} of before" if start.diversity else "not known"
    return (
        f"`{adapter.name}` (steps {', '.join(map(str, adapter.steps))}): weight {adapter.weight:g}, reward "
        f"{start.reward:.2f} to {chosen.reward:.2f}, reward of other votes {start.second:.2f} to {chosen.second:.2f}, "
        f"diversity {diversity}.{stopped}{nothing}\n\n"
        f"![{adapter.name}: both rewards against the distance to the untuned model]({folder}/{adapter.name}/merge.png)"
    )


def _ablation(folder: Path) -> str:
    file = folder / ABLATION_FILE
    return file.read_text(encoding="utf-8").strip() if file.exists() else "Not measured."
