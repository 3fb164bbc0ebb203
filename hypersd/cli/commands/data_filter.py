"""`data filter`: choose the captioned pictures that a training is to see."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import NONE, argument, finite_number, limit, source, whole_number
from hypersd.cli.folders import FILTERED, command_folder
from hypersd.cli.options import add_json, add_out
from hypersd.cli.output import emit, note, say, show_log, table
from hypersd.models.downloads import DownloadError
from hypersd.models.machine import Machine
from hypersd.training.filters.limits import FilterLimits
from hypersd.training.sources.opening import FORMS, HUB, open_source

if TYPE_CHECKING:
    from hypersd.training.sources.filtered_pictures import FilterRecord
    from hypersd.training.sources.picture_source import PictureSource

_MOST_PIXELS = 1_000_000
_USUAL = FilterLimits()


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("data", help="choose the pictures to train on")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    filtering = actions.add_parser(
        "filter",
        help="leave out pictures that are small, blurred or plain, and clean the captions",
        description="Measure captioned pictures, keep those within the limits with cleaned captions, and name the "
        "others, with the reason and the value, in DIR/rejected.csv. `distill --data DIR` trains on what is kept; no "
        "picture is copied. Started again after a stop, it goes on; other limits take no second look at the pictures. "
        "Several processes (torchrun) share the pictures.",
    )
    filtering.add_argument("--data", type=argument(source), required=True, metavar="SOURCE", help=FORMS)
    add_out(filtering)
    filtering.add_argument("--caption-column", metavar="NAME", help="column of the captions (default: the likeliest)")
    filtering.add_argument(
        "--side",
        type=argument(limit(lambda text: whole_number(text, 1, _MOST_PIXELS, "the side"))),
        default=_USUAL.side,
        metavar="N|none",
        help=f"pixels of the smaller side, at least (default: {_USUAL.side}, as in the paper)",
    )
    filtering.add_argument(
        "--aesthetic",
        type=argument(limit(finite_number)),
        default=_USUAL.aesthetic,
        metavar="X|none",
        help=f"LAION's aesthetic score, more than (default: {_USUAL.aesthetic}, as in the paper); its model is fetched "
        "from the Hub once",
    )
    filtering.add_argument(
        "--sharpness",
        type=argument(limit(finite_number)),
        default=_USUAL.sharpness,
        metavar="X|none",
        help="variance of the Laplacian of the grey picture, its smaller side scaled down to 1024, at least (default: "
        f"{_USUAL.sharpness:g}; the paper gives no number)",
    )
    filtering.add_argument(
        "--keep-duplicates", action="store_true", help="keep pictures whose captions an earlier picture has"
    )
    add_json(filtering)
    filtering.set_defaults(run=run_filter)


def run_filter(options: argparse.Namespace) -> int:
    """Filter."""
    machine = Machine.here()
    text = options.data if options.data.startswith(HUB) else os.path.abspath(options.data)  # noqa: PTH100 - braces stay
    pictures = _pictures(options, text)
    if options.aesthetic is not None:
        check_aesthetic(machine)
    show_log()
    from hypersd.training.filters.filtering import write_filtered
    from hypersd.training.filters.measurements import FOLDER, measure_source
    from hypersd.training.processes import joined_processes

    limits = FilterLimits(
        side=options.side,
        aesthetic=options.aesthetic,
        sharpness=options.sharpness,
        duplicates=options.keep_duplicates,
    )
    with command_folder(options.out, "data filter", FILTERED, keep=True) as out:
        scorer = None
        if options.aesthetic is not None:
            from hypersd.evaluate.hub_sources import AestheticScorer

            scorer = AestheticScorer.published(machine).scores
        files = measure_source(pictures, out / FOLDER, scorer)
        if not joined_processes().is_main_process:
            return 0
        record = write_filtered(pictures, files, limits, out, text=text, column=options.caption_column)
    report(record, options)
    if not record.kept:
        raise ValueError(f"no picture is left; {options.out / 'rejected.csv'} says why, choose other limits")
    return 0


def check_aesthetic(machine: Machine) -> None:
    """See that the aesthetic model is there, or can be fetched, before any work.

    Raises:
        DownloadError: it is not; the message says what to do.
    """
    from hypersd.scorers.hub_models import AESTHETIC, CLIP_L14

    try:
        for model in (CLIP_L14, AESTHETIC):
            model.check(machine)
    except DownloadError as error:
        raise DownloadError(f"{error}, or leave the aesthetic score out with --aesthetic {NONE}") from error


def report(record: FilterRecord, options: argparse.Namespace) -> None:
    """Print how many pictures were kept, and how many left out for each reason."""
    if options.json:
        counts = {"examples": record.examples, "kept": record.kept, "rejected": record.rejected}
        emit({"data": record.source, "out": str(options.out), **counts})
        return
    say(table(("pictures", "number"), [("read", record.examples), ("kept", record.kept), *record.rejected.items()]))
    note(f"{options.out / 'rejected.csv'} names the others; train on the rest with --data {options.out}")


def _pictures(options: argparse.Namespace, text: str) -> PictureSource:
    """The source that is filtered.

    Raises:
        ValueError: it is none, or the results would lie among its pictures.
        OSError: it is missing.
    """
    opened = open_source(text, options.caption_column)
    if Path(text).is_dir() and options.out.resolve().is_relative_to(Path(text).resolve()):
        raise ValueError(f"{options.out} is among the pictures in {options.data}; choose another folder with --out")
    return opened
