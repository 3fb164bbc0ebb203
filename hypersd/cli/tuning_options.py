"""Options of a tuning, and the check that they fit together."""

from __future__ import annotations

import argparse

from hypersd.arena.service.prompt_files import PROMPT_FILE
from hypersd.cli.arguments import argument, counted, learning_rate, loss_weight
from hypersd.cli.options import add_file, add_folder, add_kind, add_votes
from hypersd.feedback.tuning.refl_defaults import PERCEPTION
from hypersd.feedback.tuning.tuning_methods import LEARNING_RATES, METHODS, SINGLE_STEP_RATE


def add_tuning(parser: argparse.ArgumentParser) -> None:
    """Add the method and what it learns from."""
    titles = "; ".join(f"{name}: {title}" for name, title in METHODS.items())
    parser.add_argument("--method", choices=METHODS, default="refl", help=f"{titles} (default: refl)")
    add_votes(parser)
    add_kind(parser, None)
    add_file(parser, "--prompts", f"to train on (default: the family's own): {PROMPT_FILE}")
    add_file(
        parser,
        "--detector",
        "refl: torchvision's maskrcnn_resnet50_fpn_v2 as safetensors, for the visual-perception loss on "
        "--photographs (default: the family's own network and scenes; without one there is no such loss)",
    )
    add_folder(parser, "--photographs", "COCO 2017 as it is published, for --detector")
    parser.add_argument(
        "--perception",
        type=argument(loss_weight),
        metavar="X",
        help="refl: weight of the visual-perception loss; 0 trains without it, for an ablation "
        f"(default: {PERCEPTION:g})",
    )
    parser.add_argument(
        "--rate",
        type=argument(learning_rate),
        metavar="X",
        help=f"learning rate, such as 1e-5 (default: refl {LEARNING_RATES['refl']:g}, for an adapter of one step "
        f"{SINGLE_STEP_RATE:g}; dpo {LEARNING_RATES['dpo']:g})",
    )
    parser.add_argument(
        "--batch",
        type=counted(1, 1024, "pictures"),
        metavar="N",
        help="pictures a step (default: by their size; 16 up to 256 pixels, 4 of 512, 1 of 1024)",
    )


def check_tuning(options: argparse.Namespace) -> None:
    """See that the options fit together.

    Raises:
        ValueError: an option is not for this method, or lacks another.
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
