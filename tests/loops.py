"""Rounds of a loop on disk, with what each stage writes, as if one had been run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from hypersd.arena.votes.battle import Kind
from hypersd.feedback.loop.round_report import text
from hypersd.feedback.loop.round_stages import STAGES
from hypersd.feedback.loop.rounds import Round
from hypersd.feedback.reward.reward_report import Bin, RewardReport, write
from hypersd.feedback.tuning.merge import MergePoint, figure
from hypersd.feedback.tuning.monitor import ValidationMetrics
from hypersd.models.registered import RegisteredModel, register
from hypersd.utils.estimates import Estimate, wilson
from hypersd.utils.files import write_json

_ABLATION = """| steps | feedback | object | pair | background | match | CLIP | reward | diversity |
|---:|---|---:|---:|---:|---:|---:|---:|---:|
| 1 | without | 96.9% [91, 100] | 71.0% [60, 80] | 99.0% [97, 100] | 0.892 ±0.021 | 27.1 ±0.3 | 0.310 ±0.050 | 0.120 ±0.010 |
|  | with | 97.5% [92, 100] | 73.0% [62, 82] | 99.0% [97, 100] | 0.899 ±0.020 | 27.3 ±0.3 | 0.560 ±0.050 | 0.114 ±0.010 |
|  | difference | +0.6 [-1, +2] | +2.0 [-1, +5] | +0.0 [-1, +1] | +0.007 [-0.004, +0.018] | +0.2 [-0.1, +0.5] | **+0.250 [+0.180, +0.320]** | -0.006 [-0.012, +0.000] |

Without: hyper; with: hyper-r1. Brackets and ± are 95 % intervals, bootstrap over 16 prompts, of the differences in pairs; bold differences leave out zero.
"""  # noqa: E501 - as the table is wide


def reward_report(kind: Kind = "simulated") -> RewardReport:
    """Report that a reward model could have."""
    return RewardReport(
        kind=kind,
        data="51b506122e6dea8c",
        votes=2804,
        prompts={"train": 250, "validation": 36, "test": 74},
        accuracy=Estimate(0.772, 0.731, 0.811, 560),
        self_agreement=wilson(180, 229),
        agreement=wilson(7020, 10_000),
        by_kind={"one object": wilson(150, 200)},
        by_pair={"emoji/hyper@1 against emoji/turbo@1": wilson(20, 30)},
        calibration=(Bin(0.55, 0.57, 120), Bin(0.7, 0.71, 200), Bin(0.9, 0.88, 240)),
        calibration_error=0.021,
        curve=((350, 0.69), (700, 0.72), (1400, 0.75), (2804, 0.772)),
        shortcuts={"image statistics": wilson(330, 560), "identity of the model": wilson(365, 560)},
        left=wilson(220, 285),
        right=wilson(212, 275),
        swap_error=1.1e-16,
        second=wilson(140, 190),
    )


def tuned(folder: Path, name: str, steps: list[int], *, weight: float, stopped: str = "") -> dict[str, Any]:
    """An adapter as the feedback stage tells of it; its drawing is in `folder/NAME/merge.png`."""
    points = [
        MergePoint(
            merge_weight,
            ValidationMetrics(
                reward=0.3 + 0.4 * merge_weight,
                second=0.28 + 0.2 * merge_weight,
                alignment=0.3,
                diversity=0.12 - 0.01 * merge_weight,
                distance=merge_weight,
                statistics={},
            ),
            "",
        )
        for merge_weight in (0.0, 0.5, 1.0)
    ]
    (folder / name).mkdir(parents=True, exist_ok=True)
    figure(points, weight).savefig(folder / name / "merge.png", dpi=80)
    documents = [{"weight": point.weight, "objection": point.violation, **asdict(point.metrics)} for point in points]
    return {"name": name, "steps": steps, "weight": weight, "stopped": stopped, "points": documents}


def write_round(
    folder: Path,
    number: int,
    *,
    stages: int = len(STAGES),
    kind: Kind = "simulated",
    taste: str | None = None,
    entered: bool = True,
) -> Round:
    """A round in a loop's folder, with its first `stages` done; the first round tunes `hyper`."""
    round_ = Round(number, folder / f"round-{number}")
    name = f"hyper-a1b2c{number}-r{number}"
    parent = "hyper" if number == 1 else f"hyper-a1b2c{number - 1}-r{number - 1}"
    lineage = {"votes": "51b506122e6dea8c", "kind": kind, "round": number, "method": "refl"}
    report = reward_report(kind)
    round_.folder.mkdir(parents=True)
    (round_.folder / "reward").mkdir()
    write(report, round_.folder / "reward")
    adapters = [
        tuned(
            round_.folder / "feedback", "hyper", [1, 2, 4, 8], weight=1.0, stopped="diversity fell below 90 % of before"
        ),
        tuned(round_.folder / "feedback", "hyper-1step", [1], weight=0.0),
    ]
    shares = {"1": wilson(121, 180), "2": wilson(104, 181), "4": wilson(90, 176)}
    contestant = {
        "name": name,
        "parent": parent,
        "method": "refl",
        "adapters": adapters,
        "lineage": lineage,
        "entered": entered,
    }
    battles = {
        "kind": kind,
        "voters": 25,
        "steps": {steps: asdict(share) for steps, share in shares.items()} if kind == "simulated" else {},
        "ties": {"1": 20, "2": 19, "4": 24},
        "told": "People vote next: the contestant is in the arena.",
    }
    beside = {
        "name": f"hyper-d4e5f{number}-r{number}",
        "parent": parent,
        "method": "dpo",
        "adapters": [tuned(round_.tuning("dpo"), "hyper", [1, 2, 4, 8], weight=0.5)],
        "lineage": lineage | {"method": "dpo"},
        "battles": dict.fromkeys(("untuned", "tuned") if entered else ("untuned",), battles),
    }
    results: dict[str, dict[str, Any]] = {
        "votes": {"kind": kind, "data": report.data, "votes": 2804, "cast": 2990, "voters": 40, "taste": taste},
        "reward": report.as_dict() | {"model": "9f8e7d6c5b4a3210"},
        "feedback": {name: value for name, value in contestant.items() if name != "parent"},
        "contestant": contestant,
        "battles": battles,
        "metrics": {"prompts": 16, "seeds": 8, "changes": []},
        "beside": beside,
        "report": {"report": "report.md", "before": "before.webp", "after": "after.webp"},
    }
    (round_.folder / "metrics").mkdir()
    (round_.folder / "metrics" / "ablation.md").write_text(_ABLATION, encoding="utf-8")
    for picture, colour in (("before", "slategray"), ("after", "teal")):
        Image.new("RGB", (192, 96), colour).save(round_.folder / f"{picture}.webp")
    for stage in STAGES[:stages]:
        write_json(round_.folder / f"{stage.name}.json", results[stage.name])
    if stages == len(STAGES):
        (round_.folder / "report.md").write_text(text(round_), encoding="utf-8")
    return round_


def enter(contestants: Path, number: int, adapter: Path) -> RegisteredModel:
    """Register the contestant of `write_round(…, number)`, with a copy of an adapter."""
    parent = "hyper" if number == 1 else f"hyper-a1b2c{number - 1}-r{number - 1}"
    registered_model = RegisteredModel(
        name=f"hyper-a1b2c{number}-r{number}",
        title=f"Hyper-SD with feedback ({number})",
        family="emoji",
        parent="hyper",
        adapters={"4": "hyper.safetensors"},
        lineage={
            "votes": "51b506122e6dea8c",
            "kind": "simulated",
            "round": number,
            "method": "refl",
            "parent": parent,
            "adapters": {"hyper": {"from": "0011223344556677", "weight": 1.0}},
        },
    )
    register(registered_model, {"hyper.safetensors": adapter}, contestants)
    return registered_model
