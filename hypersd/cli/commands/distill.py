"""`distill METHOD`: turn a base model into a model of few steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hypersd.cli.folders import command_folder, training_names
from hypersd.cli.options import add_family, add_json, add_seed, add_shorten, argument, path
from hypersd.cli.output import emit, say, show_log
from hypersd.cli.training_options import add_training, distillation_options
from hypersd.distill.catalog import METHODS, Need, methods_that_need
from hypersd.emoji.training.stages import FAMILY_FOLDER, LATENTS
from hypersd.models.registry import family
from hypersd.models.specs import Capability
from hypersd.training.states import check_states
from hypersd.utils.model_folders import INDEX, check_clip, check_pipeline, latent_shape
from hypersd.utils.readers import check_array


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    methods = "\n".join(f"  {name:10} {method.title}" for name, method in METHODS.items())
    parser = subparsers.add_parser(
        "distill",
        help="train a model of few steps",
        description=f"Train adapters that make a base model draw in few steps. The methods:\n{methods}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("method", choices=METHODS, metavar="METHOD", help=" | ".join(METHODS))
    add_family(parser)
    parser.add_argument(
        "--out", type=argument(path), required=True, metavar="DIR", help="adapters, logs, samples, checkpoints"
    )
    parser.add_argument(
        "--data",
        type=argument(path),
        metavar="DIR",
        help="what `emoji train` left: its scenes, and its family if it is in DIR/family (default: the shipped family, "
        "and new scenes)",
    )
    parser.add_argument(
        "--adapter",
        type=argument(path),
        metavar="FILE",
        help="what backward and one-step start from (default: the family's own hyper)",
    )
    add_training(parser)
    parser.add_argument("--resume", action="store_true", help="go on with the training in DIR")
    add_shorten(parser, "this fraction of the steps and of the examples, for a quick look")
    add_seed(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Distil."""
    chosen_options = distillation_options(options)
    chosen_options.check(options.method)
    chosen = family(options.family)
    folder = checked_family(options, chosen.require(Capability.SCENES, "be distilled").parent)
    if options.resume:
        check_states(options.out)
    show_log()
    from accelerate import PartialState

    from hypersd.distill.methods import check_options, distill
    from hypersd.models.families.embedded import training_scenes

    names, state = training_names(METHODS[options.method].stages), PartialState()
    size = options.batch or METHODS[options.method].batch_size
    check_options(options.method, chosen_options, size, state.num_processes)
    with command_folder(options.out, "distill", names, keep=True) as out:
        distill(
            options.method,
            folder=folder,
            examples=training_scenes(folder),
            out=out,
            data=options.data,
            adapter=options.adapter,
            resume=options.resume,
            shorten=options.shorten,
            batch_size=options.batch,
            options=chosen_options,
            seed=options.seed,
        )
    adapters = sorted(file.name for file in out.glob("*.safetensors"))
    if not state.is_main_process:
        return 0
    if options.json:
        emit({"method": options.method, "family": chosen.name, "out": str(out), "adapters": adapters})
    else:
        say(f"Adapters in {out}: {', '.join(adapters)}")
    return 0


def checked_family(options: argparse.Namespace, usual: Path) -> Path:
    """The family's folder, if that and all other files that the method reads are there and whole.

    Args:
        options: of the command.
        usual: the folder of the chosen family, for data that comes without one.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged or something else, or an option is not for this method.
    """
    from hypersd.emoji.world import World

    needs = METHODS[options.method].needs
    if options.adapter is not None and Need.ADAPTER not in needs:
        others = " and ".join(methods_that_need(Need.ADAPTER))
        raise ValueError(f"{options.method} starts from the base; --adapter is for {others}")
    if options.adapter is not None and not options.adapter.exists():
        raise ValueError(f"{options.adapter}: no such adapter")
    if options.data is not None and not options.data.is_dir():
        raise ValueError(f"{options.data}: no such folder")
    folder = usual if options.data is None else _family_in(options.data) or usual
    World.load(folder)
    check_pipeline(folder)
    if Need.CLIP in needs:
        check_clip(folder / "clip")
    latents = (options.data or options.out) / LATENTS
    if Need.LATENTS in needs and latents.exists():
        check_array(latents, latent_shape(folder), "latents of scenes")
    if Need.ADAPTER in needs:
        from hypersd.models.adapter_fit import fit_file

        fit_file(options.adapter or folder / "adapters" / "hyper.safetensors", folder / "unet")
    return folder


def _family_in(data: Path) -> Path | None:
    """The family that was trained on these scenes: another one's autoencoder would not know their latents."""
    folder = data / FAMILY_FOLDER
    return folder if (folder / INDEX).is_file() else None
