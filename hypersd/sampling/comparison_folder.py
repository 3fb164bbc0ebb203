"""A comparison as a folder: pictures, a grid and a record; and one that was finished before, to go on from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from hypersd.models.engine import Engine
from hypersd.models.families.embedded import read_prompt
from hypersd.models.registry import BASE
from hypersd.sampling.comparison import Event, compare, grid
from hypersd.sampling.comparison_files import COMPARISON, GRID, picture_files
from hypersd.sampling.planning import plan_run
from hypersd.sampling.png import write_png
from hypersd.sampling.record import (
    base_record,
    control_record,
    grid_texts,
    picture_texts,
    request_record,
    run_record,
    settings_record,
    versions,
    weights_record,
)
from hypersd.sampling.remarks import word_remarks
from hypersd.sampling.request import Generation, Request
from hypersd.utils.files import write_document


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnComparison:
    """A comparison whose pictures are drawn.

    Args:
        request: what was asked for.
        engine: that drew.
        generations: the results.
        runs: the record of each.
        context: what all of them have in common, such as versions.
    """

    request: Request
    engine: Engine
    generations: Sequence[Generation]
    runs: Sequence[Mapping[str, Any]]
    context: Mapping[str, Any]


def write_grid(file: Path, drawn: DrawnComparison) -> dict[str, Any]:
    """Write the picture of all pictures, a column for each run; nothing is added to the record.

    Raises:
        OSError: it cannot be written.
    """
    write_png(file, grid(drawn.request, drawn.generations), grid_texts(drawn.request, drawn.runs, drawn.context))
    return {}


def compare_into(
    folder: Path,
    request: Request,
    engine: Engine,
    *,
    events: Iterable[Event] | None = None,
    record_file: str = COMPARISON,
    write_sheet: Callable[[Path, DrawnComparison], dict[str, Any]] = write_grid,
    progress: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Run a request, write its files to `folder`, and return what comparison.json says; that is written last.

    Args:
        folder: where the files go.
        request: what to draw.
        engine: that draws, or whose family is drawn elsewhere.
        events: the results, if something else draws.
        record_file: name of the record, if not comparison.json.
        write_sheet: writes the picture of all pictures; returns what it adds to the record.
        progress: takes a line for each picture.

    Raises:
        OSError: the folder cannot be written.
    """
    files = picture_files(request.runs, request.seeds)
    context = common(engine, request)
    generations: list[Generation] = []
    runs: list[dict[str, Any]] = []
    for result in compare(request, engine) if events is None else events:
        if isinstance(result, Generation):
            generations.append(result)
            file = files[result.model, result.steps, result.seed]
            runs.append(recorded(result, file, engine, request))
            if result.image is not None:
                texts = picture_texts(request, runs[-1], context, result.image.size)
                write_png(folder / file, result.image, texts)
                progress(f"  {file}: {result.seconds:.2f} s")
    drawn = DrawnComparison(request=request, engine=engine, generations=generations, runs=runs, context=context)
    pictured = any(generation.image is not None for generation in generations)
    record = {
        **request_record(request),
        "runs": runs,
        **(write_sheet(folder / GRID, drawn) if pictured else {}),
        **context,
        **remarks(request, generations, engine),
    }
    write_document(folder / record_file, record)
    return record


def recorded(generation: Generation, file: str, engine: Engine, request: Request) -> dict[str, Any]:
    """A result as comparison.json has it, with the hash of its weights if they are on disk."""
    weights = engine.family.spec(generation.model).recipe(generation.steps).weights
    # What could not be drawn may be so because its weights are missing.
    sha256 = None if generation.image is None else engine.sha256(weights)
    return run_record(generation, engine.family, file, sha256, request)


def common(engine: Engine, request: Request) -> dict[str, Any]:
    """Facts that all runs of a request share: device, precision, base, versions, and the control if there is one.

    A backend beside PyTorch is included; a run that it could not do says so itself.
    """
    family, machine = engine.family, engine.machine
    base = base_record(family, engine.sha256(BASE))
    control = request.control and control_record(
        family, request.control, engine.sha256(family.controlnet(request.control.mode).weights)
    )
    return ({"control": control} if control else {}) | {
        "device": machine.device,
        "dtype": machine.precision,
        **({} if machine.backend == "torch" else {"backend": machine.backend}),
        "base": base,
        **({"styles": styles_record(engine)} if family.styles else {}),
        **({"vae": family.vae} if family.vae else {}),
        "versions": versions(machine.backend),
    }


def styles_record(engine: Engine) -> list[dict[str, Any]]:
    """The LoRAs that are fused into an engine's base, as JSON objects with the hashes of their files."""
    return [weights_record(style, engine.sha256(style)) for style in engine.family.styles]


def remarks(request: Request, generations: Sequence[Generation], engine: Engine) -> dict[str, Any]:
    """Parts of a prompt that are not drawn as written: words not read, unknown, or not drawable; and in sentences."""
    reading = read_prompt(engine.family, request.prompt)
    sentences = [*word_remarks(engine.family, request.prompt), *(each for one in generations for each in one.warnings)]
    return {
        "unread": max((generation.unread for generation in generations), key=len, default=""),
        "unknown": list(reading.unknown) if reading else [],
        "unused": list(reading.unused) if reading else [],
        "warnings": list(dict.fromkeys(sentences)),
    }


def finished_comparisons(
    folders: Sequence[Path], requests: Sequence[Request], engine: Engine, *, sweep: bool = False
) -> dict[Path, dict[str, Any]]:
    """The records of the requests that were drawn before, by their folders.

    Raises:
        ValueError: something else was drawn there, or as a sweep where none is asked for, or the other way round.
    """
    records = {folder: finished(folder, request, engine) for folder, request in zip(folders, requests, strict=True)}
    for folder, record in records.items():
        if record is not None and ("sweep" in record) != sweep:
            raise ValueError(
                f"cannot resume: {folder} was drawn with{'out' if sweep else ''} --grid; give the same options as "
                "before, or choose another folder"
            )
    return {folder: record for folder, record in records.items() if record is not None}


def finished(folder: Path, request: Request, engine: Engine) -> dict[str, Any] | None:
    """The record of a request that was drawn into a folder before; None if it was not, or not to its end.

    Raises:
        ValueError: something else was drawn there: another prompt, seed or family, other models or settings.
    """
    try:
        record: dict[str, Any] = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
        before = {(run["model"], run["steps"], run.get("seed", record["seed"])): run for run in record["runs"]}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder / COMPARISON} is no record of a comparison; move it away and go on") from error
    asked = request_record(request)
    for key in ("prompt", "seed", "family", "parameters", "count"):
        if record.get(key) != asked.get(key):
            what = "set of parameters" if key == "parameters" else key
            raise _other(folder, what, record.get(key), asked.get(key))
    _check_base(folder, record, engine)
    now = picture_files(request.runs, request.seeds)
    if before.keys() != now.keys():
        raise _other(folder, "models", _labels(before), _labels(now))
    if any(run["file"] is None or not _whole(folder / run["file"]) for run in before.values()):
        return None
    for (model, steps, _), run in before.items():
        plan = plan_run(engine.family, engine.family.spec(model), steps, request.parameters)
        sha256 = engine.sha256(engine.family.spec(model).recipe(steps).weights)
        drawn = {"base_first": 0, **run}
        for key, value in {"base_first": 0, **settings_record(plan, sha256)}.items():
            if key in drawn and drawn[key] != value:
                raise _other(folder, f"{key} of {model}", drawn[key], value)
    return record


def _check_base(folder: Path, record: Mapping[str, Any], engine: Engine) -> None:
    drawn, base = record.get("base"), base_record(engine.family)
    if isinstance(drawn, dict) and any(drawn.get(key) != value for key, value in base.items()):
        raise _other(folder, "base", drawn.get("file") or drawn.get("repository"), base["file"] or base["repository"])
    before, now = record.get("styles", []), styles_record(engine)
    if before != now:
        raise _other(folder, "set of styles", before, now)
    if (backend := record.get("backend", "torch")) != engine.machine.backend:
        raise _other(folder, "backend", backend, engine.machine.backend)
    if "vae" in record and record["vae"] != engine.family.vae:
        raise _other(folder, "VAE", record["vae"], engine.family.vae)


def _other(folder: Path, what: str, before: object, now: object) -> ValueError:
    return ValueError(
        f"cannot resume: {folder} was drawn with another {what} ({str(before)[:80]}, not {str(now)[:80]}); "
        "give the same options as before, or choose another folder"
    )


def _labels(runs: Iterable[tuple[str, int | None, int]]) -> str:
    return ", ".join(dict.fromkeys(f"{model}@{steps}" for model, steps, _ in runs))


def _whole(picture: Path) -> bool:
    try:
        with Image.open(picture) as image:
            image.load()
    except OSError:
        return False
    return True
