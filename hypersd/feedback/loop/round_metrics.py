"""Metrics of a contestant and of the model it was made from: the second half of the paper's Table 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hypersd.evaluate.ablation import ablation_table, changes
from hypersd.evaluate.picture_metrics import write_pictures
from hypersd.evaluate.suite import MetricSuite
from hypersd.feedback.loop.results import MetricChange, MetricsResult
from hypersd.feedback.reward.reward_model import RewardModel
from hypersd.models.engine import Engine
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run
from hypersd.utils.files import write_text


def measure(
    engine: Engine,
    models: Sequence[str],
    *,
    steps: Sequence[int],
    prompts: Sequence[str],
    seeds: int,
    reward: Path,
    out: Path,
) -> MetricsResult:
    """Draw every prompt with both models under the same seeds, and compare their metrics in pairs.

    Args:
        engine: of the family.
        models: the untuned one, the tuned one.
        steps: those that both run at.
        prompts: that nothing was trained on.
        seeds: pictures of each prompt.
        reward: a folder of `reward train`.
        out: where `pictures.csv` and `ablation.md` go.

    Raises:
        OSError: a part is missing, or `out` cannot be written.
        ValueError: the models have no number of steps in common, or could not draw.
    """
    out.mkdir(parents=True, exist_ok=True)
    family = engine.family
    suite = MetricSuite.of(family, engine.machine, RewardModel.load(reward).score)
    common = [
        count for count in steps if all(count in {one.steps for one in family.spec(model).recipes} for model in models)
    ]
    runs = tuple(Run(model=model, steps=count) for count in common for model in models)
    judged = []
    for index, prompt in enumerate(prompts):
        drawn = [
            (seed, event)
            for seed in range(index, index + seeds)
            for event in compare(Request(prompt=prompt, seed=seed, family=family.name, runs=runs), engine)
            if isinstance(event, Generation)
        ]
        judged += [look.metrics for look in suite.measure(prompt, drawn)]
    write_pictures(judged, suite.names, out / "pictures.csv")
    without, tuned = ([one for one in judged if one.model == model] for model in models)
    write_text(out / "ablation.md", ablation_table(without, tuned))
    return MetricsResult(
        prompts=len(prompts),
        seeds=seeds,
        changes=tuple(
            MetricChange(
                metric=change.metric.name,
                steps=change.steps,
                without=change.without.value,
                tuned=change.tuned.value,
                difference=asdict(change.difference),
            )
            for change in changes(without, tuned)
            if change.without.known
        ),
    )
