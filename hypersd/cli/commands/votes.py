"""`votes`: what the arena was told, as a dataset: export, import, statistics; and votes that are simulated."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypersd.arena.votes.battle import KINDS, Kind
from hypersd.cli.options import (
    add_family,
    add_json,
    add_seed,
    argument,
    path,
    source,
    whole_number,
    writable_folder,
)
from hypersd.cli.output import emit, note, say, table
from hypersd.models.registry import Machine, availability, family
from hypersd.utils.errors import gist

if TYPE_CHECKING:
    from hypersd.arena.dataset.vote_files import Skipped
    from hypersd.arena.service.studies import Study
    from hypersd.arena.store.store import Store
    from hypersd.arena.votes.images import ImageStore
    from hypersd.models.engine import Engine

_SECONDS_A_VOTE = 40
"""More than a vote takes by the simulated clock: it starts so long ago that no vote is made in the future."""

_LISTED = 5
"""Number of left-out rows that are named one by one, at most."""
_VOTES_A_PAIR, _FEWEST_PAIRS = 4, 60
_PROMPTS_A_PAIR = 4
"""So many are asked for, since the held-out ones are few and repeat each other."""

_FORMATS = ("pickapic", "preference", "arena", "imagereward")


def add_parser(subparsers: Any) -> None:
    """Add the commands to the parser."""
    parser = subparsers.add_parser("votes", help="export, import, count or simulate the arena's votes")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=type(parser))
    exporting = commands.add_parser("export", help="write votes as Parquet that datasets.load_dataset opens")
    exporting.add_argument("--format", choices=_FORMATS, required=True)
    exporting.add_argument("--drop-ties", action="store_true", help="in pickapic: without ties, as DPO training needs")
    exporting.add_argument("--out", type=argument(path), required=True, metavar="DIR")
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
    simulating.add_argument("--n", type=argument(lambda text: whole_number(text, 1, 10**6, "n")), required=True)
    voters = argument(lambda text: whole_number(text, 1, 10_000, "voters"))
    simulating.add_argument("--voters", type=voters, default=20, metavar="V")
    pairs = argument(lambda text: whole_number(text, 1, 10**5, "pairs"))
    simulating.add_argument(
        "--pairs",
        type=pairs,
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


def add_kind(parser: argparse.ArgumentParser, default: Kind | None = "human") -> None:
    """Add `--kind`: simulated votes never stand among human ones."""
    default_text = default or "human if there are any votes of people, else simulated"
    parser.add_argument("--kind", choices=KINDS, default=default, help=f"of the voters (default: {default_text})")


def open_store() -> tuple[Store, ImageStore]:
    """The vote store and the folder of pictures that the environment names.

    Raises:
        ValueError: the URL is not one, or the database does not answer.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from hypersd.arena.storage import StorageConfig
    from hypersd.arena.store.database import name_of

    storage = StorageConfig.from_environment()
    try:
        return storage.open()
    except SQLAlchemyError as error:
        name = name_of(make_url(storage.url))
        raise ValueError(f"the vote store, {name}, does not answer ({gist(error)}); check DATABASE_URL") from error


def run_export(options: argparse.Namespace) -> int:
    """Export."""
    from hypersd.arena.dataset.export import export

    store, pictures = open_store()
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

    store, pictures = open_store()
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


def note_skipped(skipped: Sequence[Skipped]) -> None:
    """Say on standard error which rows of files are no votes, and why; of many, the first ones."""
    for row in skipped[:_LISTED]:
        note(f"{row.file}, row {row.row} is left out: {row.reason}")
    if len(skipped) > _LISTED:
        note(f"{len(skipped):,} rows are left out in all")


def run_stats(options: argparse.Namespace) -> int:
    """Count."""
    from hypersd.arena.dataset.importing import count_studies, whereabouts
    from hypersd.arena.ranking.leaderboard import compute_leaderboard

    votes = list(open_store()[0].votes())
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
    from hypersd.arena.service.battles import BattleService
    from hypersd.arena.service.simulation import SimulatedClock, SimulatedVoters, population
    from hypersd.arena.votes.battle import now
    from hypersd.feedback.generator import contestants
    from hypersd.models.engine import Engine
    from hypersd.models.families.embedded import match_scorer

    chosen = family(options.family)
    scorer = match_scorer(chosen, "be judged by simulated voters")
    study = _study(options.study, chosen.name) if options.study is not None else None
    if not contestants(chosen, Machine.here()):
        reason = availability(chosen, chosen.specs[0], Machine.here()).reason
        raise ValueError(f"no model of {chosen.name} can be run here: {reason}")
    store, pictures = open_store()
    _fill(Engine(chosen, Machine.here()), store, pictures, options, study)
    rng = random.Random(options.seed)  # noqa: S311 - simulated voters must be repeatable
    labels = sorted({entry.contestant.label for pair in store.pairs() for entry in pair.entries})
    choices = {study.name: study.choices()} if study else {}
    began = now() - timedelta(seconds=_SECONDS_A_VOTE * options.n)
    voters = SimulatedVoters(
        service=BattleService(store, choices=choices, rng=rng, clock=SimulatedClock(began)),
        pictures=pictures,
        scorer=scorer,
        tastes=population(options.voters, rng, contestants=labels),
        rng=rng,
        name=f"sim-{options.seed}",
    )
    cast = voters.vote(options.n, options.study)
    if options.json:
        emit({"votes": cast, "voters": options.voters, "kind": "simulated"})
    else:
        say(f"{cast:,} simulated votes of {options.voters:,} voters")
    return 0


def _study(name: str, family: str) -> Study:
    """The shipped study of a name.

    Raises:
        ValueError: there is none, or it is of another family.
    """
    from hypersd.arena.service.studies import STUDIES, Study

    known = [study for study in map(Study.read, sorted(STUDIES.glob("*.json"))) if study.family == family]
    declared = next((study for study in known if study.name == name), None)
    if declared is None:
        raise ValueError(f"{family} has no study {name!r}; choose from: {', '.join(study.name for study in known)}")
    return declared


def _fill(engine: Engine, store: Store, pictures: ImageStore, options: argparse.Namespace, study: Study | None) -> None:
    """Draw pairs until the store has as many as asked for: of the family's contestants, or those that a study wants."""
    import numpy as np

    from hypersd.arena.service.matchmaking import pair_probabilities
    from hypersd.arena.service.pool import PairPool, PairSource
    from hypersd.arena.service.studies import read_prompts
    from hypersd.arena.store.tables import PAIRS
    from hypersd.feedback.generator import EngineGenerator, contestants
    from hypersd.models.families.embedded import prompt_source

    wanted = options.pairs or max(_FEWEST_PAIRS, options.n // _VOTES_A_PAIR)
    missing = wanted - len(store.pairs(PAIRS.c.owner.is_(None), PAIRS.c.study == options.study))
    if missing <= 0:
        return
    able = [one.label for one in contestants(engine.family, engine.machine)]
    if study:
        shares, prompts = study.probabilities({}, able), read_prompts(study.prompts)
    else:
        source_of_prompts = prompt_source(engine.family, "draw for simulated voters")
        held_out = source_of_prompts.held_out(_PROMPTS_A_PAIR * wanted, options.seed)
        shares, prompts = pair_probabilities(able), list(dict.fromkeys(held_out))
    source = PairSource(
        study=options.study,
        probabilities=lambda: shares,
        prompts=prompts,
        prompt_set=study.prompts if study else "held-out",
    )
    pool = PairPool(store, pictures, EngineGenerator(engine), [source], rng=np.random.default_rng(options.seed))
    turns = random.Random(options.seed).sample(prompts, len(prompts))  # noqa: S311 - repeatable
    for number in range(missing):
        note(f"drawing pair {number + 1} of {missing}")
        pool.add_pair(replace(source, prompts=[turns[(wanted - missing + number) % len(turns)]]))
