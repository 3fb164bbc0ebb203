"""Measurements of an evaluation on disk, a file a prompt: after a kill, no prompt that is there is drawn again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hypersd.evaluate.picture_metrics import ImageMetrics
from hypersd.evaluate.suite import MeasuredImage
from hypersd.utils.files import atomic_path, write_json
from hypersd.utils.readers import read_object

PLAN = "evaluation.json"
FOLDER = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A picture that could not be drawn, and why."""

    model: str
    steps: int
    error: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MeasuredPrompt:
    """Everything that came of one prompt: pictures that were measured, those that failed, and warnings."""

    images: Sequence[MeasuredImage]
    failures: Sequence[FailedRun]
    warnings: Sequence[str]


def digest_of(plan: Mapping[str, Any]) -> str:
    """A hash of a plan, by which its files are told from those of another."""
    return sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def write_plan(plan: Mapping[str, Any], out: Path, *, resume: bool) -> None:
    """Write what an evaluation measures into its folder.

    Args:
        plan: a JSON object.
        out: the folder.
        resume: go on with what is there.

    Raises:
        OSError: it cannot be written.
        ValueError: with `resume`, something else was measured there; the message says what differs.
    """
    file = out / PLAN
    if resume and file.exists():
        before = read_object(file, "the plan of an evaluation")
        for key in plan:
            if before.get(key) != plan[key]:
                raise ValueError(
                    f"cannot resume: {out} was measured with other {key} ({_excerpt(before.get(key))}, not "
                    f"{_excerpt(plan[key])}); give the same options as before, or choose another folder"
                )
    write_json(file, plan)


def _excerpt(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]} …"


def file_of(out: Path, index: int) -> Path:
    """The file of a prompt's measurements."""
    return out / FOLDER / f"{index:05d}.safetensors"


def write_measured(measured: MeasuredPrompt, file: Path, digest: str) -> None:
    """Write the measurements of a prompt, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    record = {
        "images": [asdict(image.metrics) for image in measured.images],
        "failures": [asdict(failure) for failure in measured.failures],
        "warnings": list(measured.warnings),
    }
    features = np.stack([image.features for image in measured.images]) if measured.images else np.empty((0, 0))
    with atomic_path(file) as part:
        save_file(
            {"features": features.astype(np.float32)}, part, metadata={"plan": digest, "record": json.dumps(record)}
        )


def read_measured(file: Path, digest: str) -> MeasuredPrompt | None:
    """Read the measurements of a prompt; None if there are none of this plan, or the file is damaged."""
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            if metadata.get("plan") != digest:
                return None
            record, features = json.loads(metadata["record"]), opened.get_tensor("features")
    except (FileNotFoundError, SafetensorError):
        return None
    return MeasuredPrompt(
        images=[
            MeasuredImage(metrics=ImageMetrics(**metrics), features=row)
            for metrics, row in zip(record["images"], features, strict=True)
        ],
        failures=[FailedRun(**failure) for failure in record["failures"]],
        warnings=record["warnings"],
    )
