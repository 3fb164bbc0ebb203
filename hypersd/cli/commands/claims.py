"""`claims`: what trainings under several seeds have shown, beside what is claimed of the method."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypersd.cli.arguments import argument, path
from hypersd.cli.folders import CLAIMS, command_folder
from hypersd.cli.options import add_json, add_out
from hypersd.cli.output import emit, note, say
from hypersd.utils.files import finite

if TYPE_CHECKING:
    from hypersd.evaluate.claims_table import EvaluationFolder


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "claims",
        help="tell which claims of the method come out in several trainings",
        description="Compare claims with what `evaluate` measured under several training seeds, and write claims.md, "
        "claims.csv and claims.tex. Nothing is drawn. A claim that was not measured says so.",
    )
    parser.add_argument(
        "seeds",
        nargs="+",
        metavar="SEED",
        type=argument(_folders),
        help="the results of one training seed: DIR,DIR,… that `evaluate` left; NAME=DIR calls the adapter measured "
        "there (--adapter) NAME: tscd, tcd, lcm, one-step, one-step-dmd, hyper-plain (before feedback), …",
    )
    add_out(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the claims with the results, and write the table."""
    folders: list[list[tuple[str | None, Path]]] = options.seeds
    for _, folder in (each for seed in folders for each in seed):
        if not (folder / "pictures.csv").is_file():
            raise FileNotFoundError(f"{folder} has no results of `evaluate`: pictures.csv is missing")
    from hypersd.evaluate.claims_table import claims_table, read_run
    from hypersd.evaluate.method_claims import CLAIMS as ALL
    from hypersd.evaluate.method_claims import check_claim
    from hypersd.evaluate.paper_tables import write_text_table

    runs = [read_run([_opened(*each) for each in seed]) for seed in folders]
    table = claims_table([check_claim(claim, runs) for claim in ALL])
    words = [",".join(f"{name}={folder}" if name else str(folder) for name, folder in seed) for seed in folders]
    command = shlex.join(["python", "-m", "hypersd", "claims", *words, "--out", str(options.out)])
    with command_folder(options.out, "claims", CLAIMS) as out:
        files = write_text_table(table, out, command)
    if options.json:
        emit({"command": command, "claims": finite(table.records)})
    else:
        say(files[1].read_text(encoding="utf-8"))
    note(f"written: {', '.join(str(file) for file in files)}")
    return 0


def _folders(text: str) -> list[tuple[str | None, Path]]:
    """`DIR,NAME=DIR` as pairs of a name, or None, and a folder."""
    pairs: list[tuple[str | None, Path]] = []
    for part in text.split(","):
        name, equals, folder = part.rpartition("=")
        if equals and not name.strip():
            raise ValueError(f"expected NAME=DIR, not {part!r}")
        pairs.append((name.strip() or None, path(folder)))
    return pairs


def _opened(name: str | None, folder: Path) -> EvaluationFolder:
    from hypersd.evaluate.claims_table import EvaluationFolder

    return EvaluationFolder(folder=folder, name=name)
