"""`distill METHOD`: turn a base model into a model of few steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hypersd.cli.adapter_card import CARD, adapter_card
from hypersd.cli.arguments import argument, path, source
from hypersd.cli.distillation_plan import show_plan
from hypersd.cli.folders import KOHYA, command_folder, training_names
from hypersd.cli.options import add_family, add_file, add_folder, add_json, add_seed, add_shorten
from hypersd.cli.output import emit, say, show_log
from hypersd.cli.training_options import add_training, distillation_options
from hypersd.cli.training_sources import TrainingSource
from hypersd.distill.catalog import METHODS, Need, check_feedback, methods_that_need
from hypersd.distill.distillation_inputs import check_inputs
from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.models.adapter_file import inspect
from hypersd.models.registry import family
from hypersd.models.specs import Family
from hypersd.training.sources.opening import FORMS
from hypersd.training.states import check_states
from hypersd.utils.files import write_text


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    listing = "\n".join(f"  {name:10} {method.title}" for name, method in METHODS.items())
    parser = subparsers.add_parser(
        "distill",
        help="train a model of few steps",
        description=f"Train adapters that make a base model draw in few steps. The methods:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("method", choices=METHODS, metavar="METHOD", help=" | ".join(METHODS))
    add_family(parser)
    add_folder(parser, "--out", "adapters, logs, samples, checkpoints; needed to train")
    add_folder(parser, "--base", "a diffusers pipeline in the place of the family's base")
    parser.add_argument(
        "--data",
        type=argument(source),
        metavar="SOURCE",
        help=f"captioned pictures: {FORMS}; encoded once, in --out. Or a folder that `emoji train` left: its scenes, "
        "and its family if it is in SOURCE/family (default for emoji: the shipped family, and new scenes)",
    )
    parser.add_argument(
        "--caption-column", metavar="NAME", help="column of the captions (default: text, caption, prompt, …)"
    )
    add_file(parser, "--adapter", "what backward and one-step start from (default: the family's own hyper)")
    parser.add_argument(
        "--reward",
        type=argument(path),
        action="append",
        default=[],
        metavar="DIR",
        help="a reward model of `reward train` that one-step distillation is to please as well; may be repeated",
    )
    parser.add_argument(
        "--format",
        choices=("diffusers", "kohya"),
        default="diffusers",
        help="kohya: also write each adapter as NAME.kohya.safetensors, for ComfyUI and WebUIs (default: diffusers)",
    )
    add_training(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="train nothing; print the recipe and the memory that it takes"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the training in DIR")
    add_shorten(parser, "this fraction of the steps and of the examples, for a quick look")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Distil."""
    chosen_options = distillation_options(options)
    chosen_options.check(options.method)
    check_feedback(options.method, wanted=bool(options.reward))
    chosen = family(options.family)
    check_options(options)
    if options.dry_run:
        return show_plan(options, chosen)
    if options.out is None:
        raise ValueError("there must be a folder for the results; name one with --out")
    training = TrainingSource.of(options, chosen)
    base = training.base(options.base)
    stages = chosen_options.trained(options.method)
    check_inputs(options.method, base.folder, training.folder or options.out, options.adapter, stages)
    if options.resume:
        check_states(options.out)
    show_log()
    import torch

    from hypersd.distill import methods
    from hypersd.training.processes import joined_processes

    names, state = [*training_names(METHODS[options.method].stages), CARD], joined_processes()
    size = options.batch or METHODS[options.method].batch_size
    methods.check_options(options.method, chosen_options, size, state.num_processes)
    methods.check_out(options.out, resume=options.resume)
    feedback = None
    if options.reward:
        from hypersd.feedback.tuning.hinge import HingeFeedback

        feedback = HingeFeedback.load(options.reward, state.device or torch.device("cpu"))
    with command_folder(options.out, "distill", names, keep=True) as out:
        methods.distill(
            options.method,
            folder=base.folder,
            examples=training.examples(base, out),
            out=out,
            data=training.folder,
            adapter=options.adapter,
            variant=base.variant,
            vae=base.vae,
            resume=options.resume,
            shorten=options.shorten,
            batch_size=options.batch,
            options=chosen_options,
            feedback=feedback,
            seed=options.seed,
        )
        adapters = _finish(options, out, chosen) if state.is_main_process else []
    if not state.is_main_process:
        return 0
    if options.json:
        emit({"method": options.method, "family": chosen.name, "out": str(out), "adapters": adapters})
    else:
        say(f"Adapters in {out}: {', '.join(adapters)}")
    return 0


def _finish(options: argparse.Namespace, out: Path, chosen: Family) -> list[str]:
    """Write the adapters in other formats and their card; return their names."""
    from hypersd.training.adapters import export_kohya

    if options.format == "kohya":
        for stage in METHODS[options.method].stages:
            if (file := out / f"{stage}.safetensors").exists():
                export_kohya(file, out / f"{stage}{KOHYA}")
    adapters = sorted(file.name for file in out.glob("*.safetensors"))
    title, command = METHODS[options.method].title, f"distill {options.method} --family {chosen.name}"
    write_text(out / CARD, adapter_card(chosen, title, command, adapters))
    return adapters


def check_options(options: argparse.Namespace) -> None:
    """See that the options fit the method, and that what they name is there.

    Raises:
        ValueError: an option is not for this method, or a file is damaged or something else.
        OSError: a file or folder is missing.
    """
    if options.adapter is not None and Need.ADAPTER not in METHODS[options.method].needs:
        others = " and ".join(methods_that_need(Need.ADAPTER))
        raise ValueError(f"{options.method} starts from the base; --adapter is for {others}")
    if options.adapter is not None:
        inspect(options.adapter)
    if options.reward:
        check_tunable(options.reward)
