"""`reward`: a model of what people prefer, made of votes; and what it thinks of pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hypersd.cli.arguments import argument, path, source
from hypersd.cli.folders import REWARD, command_folder
from hypersd.cli.options import add_family, add_json, add_kind, add_out, add_seed, add_shorten, add_votes
from hypersd.cli.output import emit, say, show_log, table
from hypersd.feedback.reward.reward_folder import check_reward
from hypersd.models.registry import family
from hypersd.models.specs import Capability
from hypersd.training.states import check_states
from hypersd.utils.readers import read_picture

_ENDINGS = {".png", ".jpg", ".jpeg", ".webp"}


def add_parser(subparsers: Any) -> None:
    """Add the commands to the parser."""
    parser = subparsers.add_parser("reward", help="a model of what people prefer")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=type(parser))
    training = commands.add_parser("train", help="learn from votes which of two pictures people prefer")
    add_votes(training)
    add_kind(training, None)
    add_out(training, "the model and the report on it")
    training.add_argument(
        "--backbone",
        type=argument(source),
        metavar="MODEL",
        help="a CLIP model or ImageReward to start from: a folder or a repository of the Hub, such as "
        "yuvalkirstain/PickScore_v1 or zai-org/ImageReward (default: the family's own CLIP)",
    )
    add_family(training)
    training.add_argument("--no-curve", action="store_true", help="leave out the learning curve, which takes as long")
    add_shorten(training, "at most this fraction of the steps, for a quick look")
    add_seed(training)
    training.set_defaults(run=run_train)
    scoring = commands.add_parser("score", help="the rewards of pictures for a prompt")
    scoring.add_argument(
        "paths", type=argument(path), nargs="+", metavar="FILE", help="pictures, or folders of pictures"
    )
    scoring.add_argument(
        "--reward", type=argument(path), required=True, metavar="DIR", help="a model of `reward train`"
    )
    scoring.add_argument("--prompt", required=True, help="what the pictures were to show")
    scoring.set_defaults(run=run_score)
    for command in (training, scoring):
        add_json(command)


def run_train(options: argparse.Namespace) -> int:
    """Train."""
    chosen = family(options.family)
    backbone = options.backbone or chosen.require(Capability.CLIP, "train a reward model without --backbone")
    from hypersd.feedback.preferences.gathering import check_votes, gather_preferences
    from hypersd.scorers.backbone_source import check_backbone

    check_backbone(backbone)
    check_votes(options.votes)
    check_states(options.out)
    show_log()
    from dataclasses import replace

    from hypersd.feedback.preferences.prompt_kinds import kinds_of_prompts
    from hypersd.feedback.reward.bradley_terry import RewardConfig
    from hypersd.feedback.reward.reward_report import markdown
    from hypersd.feedback.reward.train import RewardTask

    config = RewardConfig()
    with command_folder(options.out, "reward train", REWARD, keep=True) as out:
        preferences, pictures = gather_preferences(options.votes, options.kind, out)
        report = RewardTask(
            preferences=preferences,
            pictures=pictures,
            backbone=backbone,
            out=out,
            kind_of=kinds_of_prompts(chosen),
            config=replace(config, steps=max(1, round(config.steps * options.shorten))),
            curve=not options.no_curve,
            seed=options.seed,
        ).run()
    # On one line: scripts read the last line.
    say(json.dumps(report.as_dict() | {"out": str(out)}) if options.json else markdown(report))
    return 0


def run_score(options: argparse.Namespace) -> int:
    """Score."""
    files = [file for path in options.paths for file in _pictures(path)]
    check_reward(options.reward)
    from hypersd.sampling.request import check_prompt

    check_prompt(options.prompt)
    pictures = [read_picture(file).convert("RGB") for file in files]
    from hypersd.feedback.reward.reward_model import RewardModel

    model = RewardModel.load(options.reward)
    scores = model.score(pictures, [options.prompt] * len(files))
    rows = sorted(zip(map(str, files), map(float, scores), strict=True), key=lambda row: -row[1])
    if options.json:
        emit([{"file": file, "reward": score} for file, score in rows])
    else:
        say(table(("file", "reward"), [(file, round(score, 3)) for file, score in rows]))
    return 0


def _pictures(path: Path) -> list[Path]:
    """A picture, or all those in a folder.

    Raises:
        FileNotFoundError: there is nothing there, or no picture in the folder.
    """
    if path.is_file():
        return [path]
    files = sorted(file for file in path.glob("*") if file.suffix.lower() in _ENDINGS) if path.is_dir() else []
    if not files:
        raise FileNotFoundError(f"{path}: no picture there")
    return files
