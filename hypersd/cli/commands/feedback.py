"""`feedback`: tune a few-step model with what people prefer, and let it enter the arena."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.arena.service.prompt_files import PROMPT_FILE, read_prompt_file
from hypersd.cli.commands.reward import add_votes
from hypersd.cli.commands.votes import add_kind
from hypersd.cli.folders import FEEDBACK, command_folder
from hypersd.cli.options import (
    add_family,
    add_json,
    add_seed,
    add_shorten,
    argument,
    number,
    path,
    whole_number,
)
from hypersd.cli.output import emit, say, show_log
from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.feedback.tuning.coco_files import check_photographs
from hypersd.feedback.tuning.refl_defaults import PERCEPTION
from hypersd.models.adapter_file import inspect
from hypersd.models.families.embedded import check_world
from hypersd.models.machine import Machine
from hypersd.models.registered import check_name, registered_folder
from hypersd.models.registry import family, tunable, tuning_availability
from hypersd.models.specs import Capability
from hypersd.training.states import check_states
from hypersd.utils.environment import Environment
from hypersd.utils.model_folders import check_perception
from hypersd.utils.readers import read_json, tensor_shapes

if TYPE_CHECKING:
    from hypersd.feedback.tuning.refl import PerceptionLoss
    from hypersd.models.specs import Family

FEWEST_PROMPTS = 4
_MOST_WEIGHT = 1000.0
METHODS = {
    "refl": "reward feedback learning (Hyper-SD, section 3.2)",
    "dpo": "Diffusion-DPO, from the votes themselves",
}


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("feedback", help="tune a few-step model with what people prefer")
    parser.add_argument(
        "--reward",
        type=argument(path),
        required=True,
        action="append",
        metavar="DIR",
        help="a model of `reward train`; given several times, all are pleased together",
    )
    parser.add_argument(
        "--adapter", type=argument(path), metavar="FILE", help="tune this adapter only (default: all of the model's)"
    )
    parser.add_argument("--model", default="hyper", help="whose adapters are tuned (default: hyper)")
    titles = "; ".join(f"{name}: {title}" for name, title in METHODS.items())
    parser.add_argument("--method", choices=METHODS, default="refl", help=f"{titles} (default: refl)")
    add_votes(parser)
    add_kind(parser, None)
    parser.add_argument(
        "--prompts",
        type=argument(path),
        metavar="FILE",
        help=f"to train on (default: the family's own): {PROMPT_FILE}",
    )
    parser.add_argument(
        "--detector",
        type=argument(path),
        metavar="FILE",
        help="refl: torchvision's maskrcnn_resnet50_fpn_v2 as safetensors, for the visual-perception loss on "
        "--photographs (default: the family's own network and scenes; without one there is no such loss)",
    )
    parser.add_argument(
        "--photographs", type=argument(path), metavar="DIR", help="COCO 2017 as it is published, for --detector"
    )
    parser.add_argument(
        "--perception",
        type=argument(_weight),
        metavar="X",
        help="refl: weight of the visual-perception loss; 0 trains without it, for an ablation "
        f"(default: {PERCEPTION:g})",
    )
    parser.add_argument(
        "--batch",
        type=argument(lambda text: whole_number(text, 1, 1024, "pictures")),
        metavar="N",
        help="pictures a step (default: by their size; 16 up to 256 pixels, 4 of 512, 1 of 1024)",
    )
    parser.add_argument("--enter", metavar="NAME", help="let the result enter the arena under this name")
    parser.add_argument("--out", type=argument(path), required=True, metavar="DIR", help="adapters, logs, curves")
    add_family(parser)
    add_shorten(parser, "this fraction of the steps")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tune."""
    chosen = family(options.family)
    check_options(options, chosen)
    prompts = prompts_of(options.prompts) if options.prompts else None
    able = tuning_availability(chosen, tunable(chosen, options.model), Machine.here())
    if not able.available:
        raise ValueError(f"{options.model} of {chosen.name} cannot be tuned here: {able.reason}")
    check_files(options, chosen)
    perception = _perception(options)
    show_log()
    from hypersd.feedback.preferences.gathering import gather_preferences
    from hypersd.feedback.tuning.tune import enter, gained, groups_of, tune

    with command_folder(options.out, "feedback", FEEDBACK, keep=True) as out:
        wanted = groups_of(chosen, options.model, options.adapter)
        results = tune(
            chosen,
            wanted,
            rewards=options.reward,
            out=out,
            method=options.method,
            votes=gather_preferences(options.votes, options.kind, out) if options.method == "dpo" else None,
            prompts=prompts,
            perception=perception,
            perception_weight=PERCEPTION if options.perception is None else options.perception,
            batch_size=options.batch,
            shorten=options.shorten,
            seed=options.seed,
        )
    enters = options.enter if gained(results) else None
    if enters:
        # The source of each of its adapters is in its own metadata.
        sources = {name: told for name, told in results[0][1].lineage.items() if name != "adapter"}
        lineage = {**sources, "method": options.method, "parent": options.model}
        enter(
            enters, chosen, options.model, results, folder=registered_folder(Environment.read().data), lineage=lineage
        )
    document: dict[str, Any] = {
        "method": options.method,
        "family": chosen.name,
        "entered": enters,
        "adapters": [
            {
                "steps": list(result.steps),
                "file": str(tuned.adapter),
                "weight": result.weight,
                "stopped": result.stopped,
                "reward": [result.start.reward, result.chosen.reward],
                "second_reward": [result.start.second, result.chosen.second],
            }
            for group, tuned in results
            for result in [tuned.result(group.file.stem, [recipe.steps for recipe in group.recipes])]
        ],
    }
    if options.json:
        emit(document)
    else:
        for entry in document["adapters"]:
            before, after = entry["reward"]
            say(
                f"{entry['file']} (steps {', '.join(map(str, entry['steps']))}): reward {before:.2f} to {after:.2f}, "
                f"of other votes {entry['second_reward'][0]:.2f} to {entry['second_reward'][1]:.2f}, "
                f"weight {entry['weight']:g}{'; ' + entry['stopped'] if entry['stopped'] else ''}"
            )
        if options.enter:
            say(f"{enters} is in the arena" if enters else "nothing better than the model as it was; nothing enters")
    return 0


def check_options(options: argparse.Namespace, family: Family) -> None:
    """See that the options fit together.

    Raises:
        ValueError: an option is not for this method or this model, or lacks another; or a name cannot be taken.
    """
    if options.method == "refl" and options.votes is not None:
        raise ValueError("refl learns from the reward model; --votes is for --method dpo")
    if options.method == "refl" and options.kind is not None:
        raise ValueError("refl learns from the reward model; --kind is of the votes for --method dpo")
    if (options.detector is None) != (options.photographs is None):
        raise ValueError("--detector and --photographs go together: the one finds what the other shows")
    if options.detector and options.method != "refl":
        raise ValueError(f"{options.method} has no visual-perception loss; --detector is for --method refl")
    if options.perception is not None and options.method != "refl":
        raise ValueError(f"{options.method} has no visual-perception loss; --perception is for --method refl")
    if options.perception == 0 and options.detector:
        raise ValueError("--perception 0 leaves the visual-perception loss out; --detector is for it")
    tunable(family, options.model)
    if options.enter is not None:
        check_name(options.enter, registered_folder(Environment.read().data), {spec.name for spec in family.specs})


def prompts_of(file: Path) -> list[str]:
    """The prompts in a file, enough of them to train on some and to look at others.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no text, or there are too few prompts in it, or one cannot be drawn.
    """
    from hypersd.sampling.request import check_prompt

    prompts = read_prompt_file(file, check_prompt)
    if len(prompts) < FEWEST_PROMPTS:
        raise ValueError(f"{file}: {len(prompts)} prompts are too few; write at least {FEWEST_PROMPTS}")
    return prompts


def check_files(options: argparse.Namespace, family: Family) -> None:
    """See that the files that the options name, and those of the family's world, are there and whole.

    Raises:
        OSError: one is missing.
        ValueError: one is damaged, or something else.
    """
    if options.detector is not None:
        check_photographs(options.photographs)
        tensor_shapes(options.detector)
    if options.adapter is not None:
        inspect(options.adapter)
    check_tunable(options.reward)
    if options.method == "dpo":
        from hypersd.feedback.preferences.gathering import check_votes

        check_votes(options.votes)
    check_states(options.out)
    for file in sorted(options.out.glob("*/training/looks.json")):
        read_json(file, list[tuple[int, dict[str, Any]]], "what a training found when it was looked at")
    if family.folder is not None:
        check_world(family, "be tuned")
        perception = family.part(Capability.PERCEPTION)
        if options.method == "refl" and options.perception != 0 and perception is not None:
            check_perception(perception)
        if options.adapter is not None:
            from hypersd.models.adapter_fit import fit_file

            fit_file(options.adapter, family.folder / "unet")


def _weight(text: str) -> float:
    """A weight of a loss, from 0 on.

    Raises:
        ValueError: it is none.
    """
    value = number(text)
    if not 0 <= value <= _MOST_WEIGHT:
        raise ValueError(f"expected a weight from 0 to {_MOST_WEIGHT:g}, not {text[:40]!r}")
    return value


def _perception(options: argparse.Namespace) -> PerceptionLoss | None:
    """The one that was asked for."""
    if options.detector is None:
        return None
    from hypersd.feedback.tuning.perception_coco import PhotographFeedback, load_detector, read_photographs

    return PhotographFeedback(read_photographs(options.photographs), load_detector(options.detector))
