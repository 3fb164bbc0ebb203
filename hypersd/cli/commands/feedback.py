"""`feedback`: tune a few-step model with what people prefer, and let it enter the arena."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.adapter_card import CARD, adapter_card
from hypersd.cli.arguments import argument, path
from hypersd.cli.folders import FEEDBACK, command_folder
from hypersd.cli.options import (
    add_family,
    add_file,
    add_json,
    add_out,
    add_seed,
    add_shorten,
)
from hypersd.cli.output import emit, say, show_log
from hypersd.cli.tuning_options import add_tuning, check_tuning
from hypersd.feedback.tuning.refl_defaults import PERCEPTION
from hypersd.feedback.tuning.tuning_inputs import TuningInputs, read_training_prompts
from hypersd.models.machine import Machine
from hypersd.models.registered import check_name, registered_folder
from hypersd.models.registry import family, tunable, tuning_availability
from hypersd.utils.environment import Environment
from hypersd.utils.files import write_text

if TYPE_CHECKING:
    from hypersd.feedback.loop.results import AdapterResult


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
    add_file(parser, "--adapter", "tune this adapter only (default: all of the model's)")
    parser.add_argument("--model", default="hyper", help="whose adapters are tuned (default: hyper)")
    add_tuning(parser)
    parser.add_argument("--enter", metavar="NAME", help="let the result enter the arena under this name")
    add_out(parser, "adapters, logs, curves")
    add_family(parser)
    add_shorten(parser, "this fraction of the steps")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tune."""
    chosen = family(options.family)
    check_tuning(options)
    model = tunable(chosen, options.model)
    if options.enter is not None:
        check_name(options.enter, registered_folder(Environment.read().data), {spec.name for spec in chosen.specs})
    prompts = read_training_prompts(options.prompts) if options.prompts else None
    able = tuning_availability(chosen, model, Machine.here())
    if not able.available:
        raise ValueError(f"{options.model} of {chosen.name} cannot be tuned here: {able.reason}")
    TuningInputs(
        family=chosen,
        method=options.method,
        rewards=options.reward,
        out=options.out,
        adapter=options.adapter,
        votes=options.votes,
        detector=options.detector,
        photographs=options.photographs,
        perceives=options.perception != 0,
    ).check()
    perception = None
    if options.detector is not None:
        from hypersd.feedback.tuning.perception_coco import PhotographFeedback

        perception = PhotographFeedback.load(options.photographs, options.detector)
    show_log()
    from hypersd.feedback.preferences.gathering import gather_preferences
    from hypersd.feedback.tuning.tune import enter, gained, groups_of, lineage_of, tune

    with command_folder(options.out, "feedback", FEEDBACK, keep=True) as out:
        results = tune(
            chosen,
            groups_of(chosen, options.model, options.adapter),
            rewards=options.reward,
            out=out,
            method=options.method,
            votes=gather_preferences(options.votes, options.kind, out) if options.method == "dpo" else None,
            prompts=prompts,
            perception=perception,
            perception_weight=PERCEPTION if options.perception is None else options.perception,
            learning_rate=options.rate,
            batch_size=options.batch,
            shorten=options.shorten,
            seed=options.seed,
        )
        adapters = [(tuned.adapter, tuned.result(group.file.stem, group.steps)) for group, tuned in results]
        names = [file.relative_to(out).as_posix() for file, _ in adapters]
        remarks = [f"- {sentence(Path(name), result)}" for name, (_, result) in zip(names, adapters, strict=True)]
        command = f"feedback --family {chosen.name} --model {options.model} --method {options.method}"
        title = f"{options.model}, tuned by human feedback ({options.method})"
        write_text(out / CARD, adapter_card(chosen, title, command, names, remarks))
    enters = options.enter if gained(results) else None
    if enters:
        lineage = {**lineage_of(results), "method": options.method, "parent": options.model}
        registered = registered_folder(Environment.read().data)
        enter(enters, chosen, options.model, results, folder=registered, lineage=lineage)
    if options.json:
        records = [adapter_record(file, result) for file, result in adapters]
        emit({"method": options.method, "family": chosen.name, "entered": enters, "adapters": records})
    else:
        for file, result in adapters:
            say(sentence(file, result))
        if options.enter:
            say(f"{enters} is in the arena" if enters else "nothing better than the model as it was; nothing enters")
    return 0


def adapter_record(file: Path, result: AdapterResult) -> dict[str, Any]:
    """A tuned adapter as JSON."""
    return {
        "steps": list(result.steps),
        "file": str(file),
        "weight": result.weight,
        "stopped": result.stopped,
        "reward": [result.start.reward, result.chosen.reward],
        "second_reward": [result.start.second, result.chosen.second],
    }


def sentence(file: Path, result: AdapterResult) -> str:
    """A tuned adapter for people."""
    return (
        f"{file} (steps {', '.join(map(str, result.steps))}): reward {result.start.reward:.2f} to "
        f"{result.chosen.reward:.2f}, of other votes {result.start.second:.2f} to {result.chosen.second:.2f}, "
        f"weight {result.weight:g}{'; ' + result.stopped if result.stopped else ''}"
    )
