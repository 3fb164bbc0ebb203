"""`votes`: what the arena was told, as a dataset: export, import, statistics; and votes that are simulated."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from hypersd.arena.votes.battle import KINDS
from hypersd.cli.arguments import argument, counted, source
from hypersd.cli.folders import writable_folder
from hypersd.cli.leaderboard_report import note_skipped
from hypersd.cli.options import add_family, add_json, add_kind, add_out, add_seed
from hypersd.cli.output import emit, note, say, table
from hypersd.models.machine import Machine
from hypersd.models.registry import availability, family

_VOTES_A_PAIR, _FEWEST_PAIRS = 4, 60

_FORMATS = ("pickapic", "preference", "arena", "imagereward")


def add_parser(subparsers: Any) -> None:
    """Add the commands to the parser."""
    parser = subparsers.add_parser("votes", help="export, import, count or simulate the arena's votes")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=type(parser))
    exporting = commands.add_parser("export", help="write votes as Parquet that datasets.load_dataset opens")
    exporting.add_argument("--format", choices=_FORMATS, required=True)
    exporting.add_argument("--drop-ties", action="store_true", help="in pickapic: without ties, as DPO training needs")
    add_out(exporting)
    add_kind(exporting)
    exporting.set_defaults(run=run_export)
    importing = commands.add_parser("import", help="read votes: exports, Pick-a-Pic, other arenas' logs")
    importing.add_argument(
        "file",
        type=argument(source),
        metavar="FILE",
        help="Parquet, JSON, JSON Lines or CSV; also a folder or a URL",
    )
    importing.add_argument(
        "--kind", choices=KINDS, default="human", help="of voters of whom the file does not say (default: human)"
    )
    importing.set_defaults(run=run_import)
    counting = commands.add_parser("stats", help="how many votes the open arena has, how many count, and why not all")
    add_kind(counting)
    counting.set_defaults(run=run_stats)
    simulating = commands.add_parser("simulate", help="let simulated voters vote, marked as simulated")
    simulating.add_argument("--n", type=counted(1, 10**6, "n"), required=True)
    simulating.add_argument("--voters", type=counted(1, 10_000, "voters"), default=20, metavar="V")
    simulating.add_argument(
        "--pairs",
        type=counted(1, 10**5, "pairs"),
        metavar="P",
        help="draw pairs until the pool has so many, each of another prompt while there are any: a reward model learns "
        f"prompts, not votes; a pair takes half a second of a core (default: one for {_VOTES_A_PAIR} votes, "
        f"{_FEWEST_PAIRS} or more)",
    )
    simulating.add_argument("--study", metavar="NAME", help="vote in a declared study, on pairs that are drawn for it")
    add_seed(simulating)
    add_family(simulating)
    simulating.set_defaults(run=run_simulate)
    for command in (exporting, importing, counting, simulating):
        add_json(command)


def run_export(options: argparse.Namespace) -> int:
    """Export."""
    from hypersd.arena.dataset.export import export
    from hypersd.arena.storage import open_storage

    store, pictures = open_storage()
    out = writable_folder(options.out)
    done = export(store.votes(), pictures, options.format, out, kind=options.kind, drop_ties=options.drop_ties)
    if done.left_out:
        note(f"{done.left_out:,} votes are left out, since a picture is missing or damaged ({done.lost})")
    if options.json:
        said = {"format": options.format, "kind": options.kind, "rows": done.rows, "files": list(map(str, done.files))}
        emit(said | {"left_out": done.left_out})
    else:
        say(f"{sum(done.rows.values()):,} rows in {out} ({', '.join(f'{k} {v:,}' for k, v in done.rows.items())})")
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Import."""
    from hypersd.arena.dataset.importing import import_votes, whereabouts
    from hypersd.arena.storage import open_storage

    store, pictures = open_storage()
    done = import_votes(options.file, store, pictures, options.kind)
    note_skipped(done.skipped)
    if done.unlabelled:
        note(f"{done.unlabelled:,} rows record no choice")
    if options.json:
        emit(asdict(done))
    else:
        say(f"{done.votes:,} votes read, {done.new:,} of them new")
        if elsewhere := whereabouts(done.studies):
            say(f"{elsewhere}.")
    return 0


def run_stats(options: argparse.Namespace) -> int:
    """Count."""
    from hypersd.arena.dataset.importing import count_studies, whereabouts
    from hypersd.arena.ranking.leaderboard import compute_leaderboard
    from hypersd.arena.storage import open_storage

    votes = list(open_storage()[0].votes())
    leaderboard, studies = compute_leaderboard(votes, kind=options.kind), count_studies(votes, options.kind)
    if options.json:
        emit(leaderboard.as_dict() | {"studies": studies})
        return 0
    say(
        f"{leaderboard.votes:,} {leaderboard.kind} votes of {leaderboard.voters:,} voters; "
        f"{leaderboard.kept:,} count (rules {leaderboard.rules})"
    )
    if leaderboard.reasons:
        say(table(("does not count", "votes"), list(leaderboard.reasons.items())))
    if elsewhere := whereabouts(studies):
        say(f"Not among them: {elsewhere}.")
    return 0


def run_simulate(options: argparse.Namespace) -> int:
    """Draw pairs where the pool lacks them, then vote."""
    from hypersd.arena.service.studies import shipped_study
    from hypersd.arena.storage import open_storage
    from hypersd.feedback.generator import contestants
    from hypersd.feedback.loop.simulated_arena import fill_arena, simulate_votes
    from hypersd.models.engine import Engine
    from hypersd.models.families.embedded import match_scorer

    chosen, machine = family(options.family), Machine.here()
    scorer = match_scorer(chosen, "be judged by simulated voters")
    study = shipped_study(options.study, chosen.name) if options.study is not None else None
    if not contestants(chosen, machine):
        reason = availability(chosen, chosen.specs[0], machine).reason
        raise ValueError(f"no model of {chosen.name} can be run here: {reason}")
    store, pictures = open_storage()
    pairs = options.pairs or max(_FEWEST_PAIRS, options.n // _VOTES_A_PAIR)
    engine = Engine(chosen, machine)
    fill_arena(engine, store, pictures, study=study, count=pairs, seed=options.seed, progress=note)
    cast = simulate_votes(
        store, pictures, scorer, study=study, count=options.n, voters=options.voters, seed=options.seed
    )
    if options.json:
        emit({"votes": cast, "voters": options.voters, "kind": "simulated"})
    else:
        say(f"{cast:,} simulated votes of {options.voters:,} voters")
    return 0
