"""Plan that rebuilds the embedded family with every adapter, stage after stage; each stage is a command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from hypersd import __version__
from hypersd.distill.distillation_options import RANK
from hypersd.feedback.tuning.refl_defaults import FEEDBACK_RANK
from hypersd.utils.files import atomic_path, write_json
from hypersd.utils.model_folders import FAMILY_FOLDER, INDEX
from hypersd.utils.readers import read_object

TRAINING = "training"
RECORDS = "stages"
_PROMPTS, _SCENES = 256, 500
_FEW_STEPS, _ONE_STEP, _LOST = 0.4, 0.6, 0.01
"""Shares of the two adapters in the one for 1 to 8 steps, and what its ranks may lose of the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildStage:
    """A command, what it reads and what it leaves; files are relative to the plan's folder.

    Args:
        name: of the stage, and of the file that records it.
        words: of the command, after `python -m hypersd`.
        needs: names of the stages whose files it reads.
        outputs: files that are there when it is done.
        installs: adapters of the family by their names, each with the output that becomes it.
        resume: words that make the command go on once it has begun.
        external: hashes of files from elsewhere that it reads.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    outputs: tuple[str, ...]
    installs: Mapping[str, str] = field(default_factory=dict[str, str])
    resume: tuple[str, ...] = ()
    external: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """Choices for a rebuild.

    Args:
        shorten: factor on steps, examples and prompts.
        batch: samples a step of the distillations; None is each method's own.
        reward: folder of a reward model, and the hash of its weights; None leaves human feedback out.
    """

    out: Path
    seed: int = 0
    shorten: float = 1.0
    batch: int | None = None
    reward: tuple[Path, str] | None = None


def rebuild_plan(options: RebuildOptions) -> list[RebuildStage]:
    """The stages in order: family, perception, TSCD, feedback, unified Hyper-SD, the others, and their evaluation."""
    few_steps = "tscd/segments-1-unconditional.safetensors"
    stages = [
        _stage(options, "family", ("emoji", "train"), folder=TRAINING, outputs=(f"{FAMILY_FOLDER}/{INDEX}",)),
        _stage(
            options,
            "perception",
            ("emoji", "perceive", "--data", str(options.out / TRAINING), "--scenes", _count(options, _SCENES)),
            needs=("family",),
            outputs=("perception/model.safetensors",),
        ),
        # Until they are trained, Hyper's own adapters are the few-step model that they start from.
        _distilled(
            options,
            "tscd",
            "segments-1-unconditional",
            {"hyper": few_steps, "hyper-1-step": few_steps, "tscd": few_steps},
        ),
    ]
    start = ("tscd", few_steps)
    if options.reward is not None:
        stages.append(_feedback(options, few_steps, *options.reward))
        start = ("feedback", stages[-1].outputs[0])
    unified = "unified/unified.safetensors"
    stages += [
        _distilled(options, "unified", "unified", {"hyper": unified}, start=start),
        _distilled(
            options,
            "one-step",
            "score",
            dict.fromkeys(("hyper-1-step", "one-step"), "one-step/score.safetensors"),
            start=start,
        ),
        _merged(options, {"unified": unified, "one-step": "one-step/score.safetensors"}),
        _distilled(
            options,
            "backward",
            "backward",
            {"hyper-backward": "backward/backward.safetensors"},
            start=("unified", unified),
        ),
        _distilled(
            options,
            "lightning",
            "1-step-unconditional",
            {
                "lightning": "lightning/4-step.safetensors",
                "lightning-2-step": "lightning/2-step.safetensors",
                "lightning-1-step": "lightning/1-step-unconditional.safetensors",
            },
        ),
        _distilled(options, "turbo", "turbo", {"turbo": "turbo/turbo.safetensors"}),
        _distilled(options, "lcm", "segments-1", {"lcm": "lcm/segments-1.safetensors"}),
        _distilled(options, "tcd", "segments-1", {"tcd": "tcd/segments-1.safetensors"}),
        _distilled(options, "perflow", "perflow", {"perflow": "perflow/perflow.safetensors"}),
    ]
    evaluation = RebuildStage(
        name="evaluation",
        words=(
            *("evaluate", "--count", _count(options, _PROMPTS), "--seeds", "2", "--seed", str(options.seed)),
            *("--out", str(options.out / "evaluation")),
        ),
        needs=tuple(stage.name for stage in stages),
        outputs=("evaluation/metrics.csv",),
        resume=("--resume",),
    )
    return [*stages, evaluation]


def _count(options: RebuildOptions, usual: int) -> str:
    return str(max(1, round(usual * options.shorten)))


def _stage(
    options: RebuildOptions,
    name: str,
    words: tuple[str, ...],
    *,
    outputs: Sequence[str],
    needs: tuple[str, ...] = (),
    folder: str | None = None,
) -> RebuildStage:
    """A stage with a folder of its own, and the seed and length that are the same for all."""
    home = folder or name
    length = ("--shorten", f"{options.shorten:g}") if options.shorten != 1 else ()
    return RebuildStage(
        name=name,
        words=(*words, "--out", str(options.out / home), "--seed", str(options.seed), *length),
        needs=needs,
        outputs=tuple(f"{home}/{output}" for output in outputs),
    )


def _distilled(
    options: RebuildOptions, method: str, last: str, installs: Mapping[str, str], start: tuple[str, str] | None = None
) -> RebuildStage:
    """A distillation; `start` is the stage and the file of the adapter that it starts from, `last` its last stage."""
    words = ("distill", method, "--data", str(options.out / TRAINING))
    words += ("--adapter", str(options.out / start[1])) if start else ()
    if start and options.reward:  # an adapter is trained on with the rank that the merge has left
        words += ("--rank", str(RANK + FEEDBACK_RANK))
    words += ("--batch", str(options.batch)) if options.batch else ()
    files = dict.fromkeys([f"{last}.safetensors", *(Path(file).name for file in installs.values() if method in file)])
    plain = _stage(options, method, words, needs=("family", *([start[0]] if start else [])), outputs=tuple(files))
    return RebuildStage(
        name=method,
        words=plain.words,
        needs=plain.needs,
        outputs=plain.outputs,
        installs=installs,
        resume=("--resume",),
    )


def _merged(options: RebuildOptions, adapters: Mapping[str, str]) -> RebuildStage:
    """One adapter for 1 to 8 steps, of the few-step and the one-step one; both by their stages."""
    files = [
        f"{options.out / file}:{share}" for file, share in zip(adapters.values(), (_FEW_STEPS, _ONE_STEP), strict=True)
    ]
    output = "merge/merged.safetensors"
    return RebuildStage(
        name="merge",
        words=("merge", *files, "--lose", f"{_LOST:g}", "--out", str(options.out / "merge")),
        needs=tuple(adapters),
        outputs=(output,),
        installs={"hyper-unified": output},
    )


def _feedback(options: RebuildOptions, adapter: str, reward: Path, digest: str) -> RebuildStage:
    words = ("feedback", "--adapter", str(options.out / adapter), "--reward", str(reward))
    words += ("--batch", str(options.batch)) if options.batch else ()
    output = f"{Path(adapter).stem}/adapter.safetensors"
    plain = _stage(options, "feedback", words, needs=("family", "perception", "tscd"), outputs=(output,))
    return RebuildStage(
        name=plain.name, words=plain.words, needs=plain.needs, outputs=plain.outputs, external=(digest,)
    )


def stage_hashes(stages: Sequence[RebuildStage]) -> dict[str, str]:
    """A hash of each stage by its name: of its command and of all that it is made from."""
    hashes: dict[str, str] = {}
    for stage in stages:
        made_from = [__version__, *stage.words, *stage.external, *(hashes[name] for name in stage.needs)]
        hashes[stage.name] = sha256(json.dumps(made_from).encode()).hexdigest()
    return hashes


def is_done(stage: RebuildStage, digest: str, out: Path) -> bool:
    """True if the stage's outputs are there, of a run with the same hash.

    Raises:
        OSError, ValueError: its record cannot be read.
    """
    record = out / RECORDS / f"{stage.name}.json"
    if not record.exists():
        return False
    same = read_object(record, "the record of a stage", "hash")["hash"] == digest
    return same and all((out / output).is_file() for output in stage.outputs)


def record_done(stage: RebuildStage, digest: str, seconds: float, out: Path) -> None:
    """Record that a stage is done.

    Raises:
        OSError: the record cannot be written.
    """
    document = {"hash": digest, "command": ["python", "-m", "hypersd", *stage.words], "seconds": round(seconds, 1)}
    write_json(out / RECORDS / f"{stage.name}.json", document)


def install(stage: RebuildStage, out: Path) -> None:
    """Copy a stage's adapters, and the perception network, to the family.

    Raises:
        OSError: a file is missing, or cannot be written.
    """
    family = out / TRAINING / FAMILY_FOLDER
    for name, file in stage.installs.items():
        with atomic_path(family / "adapters" / f"{name}.safetensors") as part:
            shutil.copyfile(out / file, part)
    if stage.name == "perception":
        for file in sorted((out / "perception" / "perception").iterdir()):
            with atomic_path(family / "perception" / file.name) as part:
                shutil.copyfile(file, part)
