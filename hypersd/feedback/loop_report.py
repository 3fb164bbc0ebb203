"""A round's report for people: what was learned, what changed, who preferred it, and pictures before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from hypersd.feedback.rounds import REPORT, Round, has_entered
from hypersd.files import atomic_path, write_text
from hypersd.models.sharing import Engine
from hypersd.sampling.compare import compare
from hypersd.sampling.request import Generation, Request, Run

_PROMPTS = (
    "a big cat on a blue background",
    "a small rocket on a pink background",
    "a big owl on a green background",
    "a penguin left of a cactus on a red background",
    "a bus left of a tree on a yellow background",
    "a small pizza on a white background",
)
_STEPS = (1, 2, 4)


def write_report(one: Round, engine: Engine, made: Mapping[str, Any]) -> dict[str, Any]:
    """Write `report.md` and the pictures that it shows, before and after, into the round's folder.

    Raises:
        OSError: the folder cannot be written.
        ValueError: a stage's file is damaged.
    """
    before = str(made["parent"])
    after = str(made["name"]) if has_entered(made) else before
    files = {name: one.folder / f"{name}.webp" for name in ("before", "after")}
    for (name, file), model in zip(files.items(), (before, after), strict=True):
        with atomic_path(file) as part:
            picture_grid(engine, model).save(part, quality=92)
        files[name] = file
    write_text(one.folder / REPORT, text(one, made))
    return {"report": REPORT, **{name: file.name for name, file in files.items()}}


def picture_grid(engine: Engine, model: str) -> Image.Image:
    """A column a prompt, a row a number of steps; always the same prompts and seeds."""
    family = engine.family
    known = {recipe.steps for recipe in family.card(model).recipes}
    runs = tuple(Run(model=model, steps=steps) for steps in _STEPS if steps in known)
    sheet = Image.new("RGB", (family.pixels * len(_PROMPTS), family.pixels * len(runs)), "gainsboro")
    for column, prompt in enumerate(_PROMPTS):
        request = Request(prompt=prompt, seed=column, family=family.name, runs=runs)
        for event in compare(request, engine):
            if isinstance(event, Generation) and event.image is not None:
                row = [run.steps for run in runs].index(event.steps)
                sheet.paste(event.image, (column * family.pixels, row * family.pixels))
    return sheet


def text(one: Round, made: Mapping[str, Any]) -> str:
    """The report in Markdown, from the files of the round's stages."""
    votes, reward, battles = one.done("votes") or {}, one.done("reward") or {}, one.done("battles") or {}
    beside = one.done("beside") or {}
    parts = [
        f"# Round {one.number}: {made['name']}",
        f"Made from `{made['parent']}` by {made['method']}. {_votes(votes)}",
        _took(one),
        "## Blind battles against the model that it was made from",
        _battles(battles),
        "## The reward model",
        _reward(reward),
        "## How each adapter was tuned",
        *(_adapter(adapter, one.tuning().name) for adapter in made["adapters"]),
        *(_beside(beside, made, one.tuning(beside["method"]).name) if beside else ()),
        "## With feedback against without (the judge, and the reward)",
        _ablation(one.folder / "metrics" / "ablation.md"),
        "## Before, and after",
        f"Rows: {', '.join(map(str, _STEPS))} steps.",
        "![Before](before.webp)",
        "![After](after.webp)",
    ]
    return "\n\n".join(parts) + "\n"


def _took(one: Round) -> str:
    minutes = {stage: seconds / 60 for stage, seconds in one.seconds().items()}
    told = ", ".join(f"{stage} {spent:.1f}" for stage, spent in minutes.items())
    return f"It took {sum(minutes.values()):.1f} minutes with {torch.get_num_threads()} threads: {told}."


def _votes(votes: Mapping[str, Any]) -> str:
    if votes.get("kind") == "simulated":
        taste = f", with the taste “{votes['taste']}”" if votes.get("taste") else ""
        return (
            f"**No person voted**: {votes['votes']:,} votes that count, of {votes['voters']} simulated voters{taste}."
        )
    return f"{votes['votes']:,} votes of {votes['voters']} people count."


def _battles(battles: Mapping[str, Any]) -> str:
    if not battles.get("steps"):
        return str(battles.get("told", "None were fought."))
    lines = ["| steps | wins | 95 % interval | decisive | ties | |", "|---:|---:|---|---:|---:|---|"]
    for steps, share in battles["steps"].items():
        verdict = "better" if share["low"] > 0.5 else "worse" if share["high"] < 0.5 else "not told apart"
        lines.append(
            f"| {steps} | {share['value']:.1%} | {share['low']:.1%} to {share['high']:.1%} | {share['n']} | "
            f"{battles['ties'][steps]} | {verdict} |"
        )
    taste = f" with the taste “{battles['taste']}”" if "taste" in battles else ""  # rounds of before did not tell
    who = f"{battles['voters']} {battles['kind']} voters{taste} judged; none of them had a vote in the training."
    return "\n".join(lines) + f"\n\n{who}"


def _beside(beside: Mapping[str, Any], made: Mapping[str, Any], folder: str) -> list[str]:
    battles = beside["battles"]
    against_tuned = (
        (f"Against `{made['name']}`, which {made['method']} made:", _battles(battles["tuned"]))
        if "tuned" in battles
        else (f"No battle against what {made['method']} made: it did not enter the arena.",)
    )
    return [
        f"## The same votes by {beside['method']}",
        f"`{beside['name']}` was made from `{beside['parent']}` too. Against `{beside['parent']}`:",
        _battles(battles["untuned"]),
        *against_tuned,
        *(_adapter(adapter, folder) for adapter in beside["adapters"]),
    ]


def _reward(reward: Mapping[str, Any]) -> str:
    low, high = reward["accuracy_interval"]
    ceiling = reward["self_agreement"]["value"]
    told = f"Accuracy on unseen prompts: {reward['accuracy']:.1%} ({low:.1%} to {high:.1%})."
    if ceiling is not None:
        told += f" Voters, shown a pair twice, agree with themselves in {ceiling:.1%}."
    return told + " All of it: [reward/report.md](reward/report.md)."


def _adapter(adapter: Mapping[str, Any], folder: str) -> str:
    points: Sequence[Mapping[str, Any]] = adapter["points"]
    start = points[0]
    chosen = next(point for point in points if point["weight"] == adapter["weight"])
    stopped = f" The training stopped itself: {adapter['stopped']}." if adapter["stopped"] else ""
    nothing = " **Nothing better than the model as it was came of it.**" if adapter["weight"] == 0 else ""
    return (
        f"`{adapter['name']}` (steps {', '.join(map(str, adapter['steps']))}): weight {adapter['weight']:g}, reward "
        f"{start['reward']:.2f} to {chosen['reward']:.2f}, reward of other votes {start['second']:.2f} to "
        f"{chosen['second']:.2f}, diversity {chosen['diversity'] / start['diversity']:.0%} of before.{stopped}{nothing}"
        f"\n\n![Reward against distance]({folder}/{adapter['name']}/merge.png)"
    )


def _ablation(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip() if file.exists() else "Not measured."
