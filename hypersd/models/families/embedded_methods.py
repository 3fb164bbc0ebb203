"""Recipes of the embedded family's models, and the models that it has once their adapters are there."""

from __future__ import annotations

from dataclasses import replace

from hypersd.models.specs import ModelSpec, Recipe, Scheduler
from hypersd.models.weights import Weights

PIXELS = 128
LICENCE = "apache-2.0"
SOURCE = "assets/emoji-xl/README.md"
_TRAILING = {"timestep_spacing": "trailing"}
_TCD_NOISE = 0.3
"""TCD's γ as its authors publish it for few steps."""

DDIM = Scheduler(name="DDIMScheduler", arguments=_TRAILING)
EULER = Scheduler(name="EulerDiscreteScheduler", arguments=_TRAILING)
ANCESTRAL = Scheduler(name="EulerAncestralDiscreteScheduler", arguments=_TRAILING)
_LCM, _TCD = Scheduler(name="LCMScheduler"), Scheduler(name="TCDScheduler")
_PERFLOW = Scheduler(name="PeRFlowScheduler", arguments={"prediction_type": "ddim_eps", "num_time_windows": 4})


def adapter(name: str) -> Weights:
    """An adapter of the family."""
    return Weights(kind="lora", file=f"adapters/{name}.safetensors")


def few_steps(scheduler: Scheduler, adapters: dict[int, str], eta: float | None = None) -> tuple[Recipe, ...]:
    """Recipes without guidance; `adapters` are the names by numbers of steps."""
    return tuple(
        Recipe(steps=steps, weights=adapter(name), scheduler=scheduler, eta=eta)
        for steps, name in sorted(adapters.items())
    )


def at_800(name: str) -> Recipe:
    """One step from pure noise at t = 800, as for the published one-step UNet.

    This multiplies an error in the predicted noise by 5; t = 999 by 15.
    """
    return Recipe(steps=1, weights=adapter(name), scheduler=_LCM, timesteps=(800,))


def consistent(name: str) -> tuple[Recipe, ...]:
    """Hyper's recipes for 2, 4 and 8 steps, like those of its published unified adapter: each step adds new noise (γ).

    The noise lets later steps correct errors of earlier ones. A smaller γ for more steps keeps details. Two steps are
    better without noise, because no step follows the second.
    """
    return (
        *few_steps(DDIM, {2: name}),
        *few_steps(_TCD, {4: name}, eta=1.0),
        *few_steps(_TCD, {8: name}, eta=0.5),
    )


def unified(name: str) -> tuple[Recipe, ...]:
    """Recipes of one adapter for 1 to 8 steps, with the sampler of Hyper-SD's published one beyond one step.

    γ = 1 was the best of those that were tried on 32 prompts (match in 2, 4, 6 and 8 steps: 0.877, 0.901, 0.908, 0.909;
    with DDIM in two and γ = 0.6, 0.6 and 0.5 in more: 0.870, 0.898, 0.901, 0.902).
    """
    return at_800(name), *few_steps(_TCD, {4: name}, eta=1.0)


def spec(name: str, title: str, recipes: tuple[Recipe, ...], *, default: int, note: str = "") -> ModelSpec:
    """A few-step model of the family."""
    return ModelSpec(
        name=name,
        title=title,
        recipes=recipes,
        default_steps=default,
        pixels=PIXELS,
        licence=LICENCE,
        source=SOURCE,
        note=note,
    )


TRAINED_LATER = (
    spec("tscd", "TSCD", (at_800("tscd"), *consistent("tscd")), default=4, note="Hyper-SD's first part alone."),
    replace(
        spec(
            "hyper-unified",
            "Hyper-SD, one LoRA",
            unified("hyper-unified"),
            default=4,
            note="One adapter for 1 to 8 steps, merged out of Hyper-SD's two.",
        ),
        max_steps=8,
        variant=True,
    ),
    spec(
        "hyper-plain",
        "Hyper-SD before feedback",
        (at_800("hyper-plain"), *consistent("hyper-plain")),
        default=4,
        note="Without human feedback.",
    ),
    spec(
        "hyper-backward",
        "Hyper-SD and backward",
        consistent("hyper-backward"),
        default=4,
        note="Trained further by backward distillation, which is not in the paper.",
    ),
    spec("one-step", "One step", (at_800("one-step"),), default=1, note="Score distillation by the few-step model."),
    spec("one-step-dmd", "One step, DMD", (at_800("one-step-dmd"),), default=1, note="Score distillation by the base."),
    spec("lightning-1-step", "Lightning's last stage", (at_800("lightning-1-step"),), default=1),
    spec("lcm", "LCM", (at_800("lcm"), *few_steps(_LCM, dict.fromkeys((2, 4, 8), "lcm"))), default=4),
    spec("tcd", "TCD", (at_800("tcd"), *few_steps(_TCD, dict.fromkeys((2, 4, 8), "tcd"), eta=_TCD_NOISE)), default=4),
    spec("perflow", "PeRFlow", few_steps(_PERFLOW, dict.fromkeys((4, 8), "perflow")), default=4),
)
"""Models that a family has where their adapters are in its folder; of these only `hyper-unified` is shipped."""
