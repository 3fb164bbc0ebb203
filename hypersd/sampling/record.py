"""Records of runs with everything needed to reproduce a picture, for JSON files and PNG metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hypersd import __version__
from hypersd.models.registry import FAMILIES
from hypersd.models.specs import Family, Recipe
from hypersd.models.weights import Weights
from hypersd.utils.environment import Backend

if TYPE_CHECKING:
    from hypersd.sampling.planning import PlannedRun
    from hypersd.sampling.request import Control, Generation, Request

_LIBRARIES = ("torch", "diffusers", "transformers", "peft")

_SAMPLERS: Mapping[str, str] = MappingProxyType(
    {
        "EulerDiscreteScheduler": "Euler",
        "EulerAncestralDiscreteScheduler": "Euler a",
        "PNDMScheduler": "PLMS",
    }
)
"""Names of schedulers in AUTOMATIC1111's web UI that differ from ours."""

_SHORT = 10
"""Number of digits of a hash in the `parameters` text, as in that web UI."""


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """A recipe as a JSON object; the base's first steps are included only if there are any."""
    return ({"base_first": recipe.base_first} if recipe.base_first else {}) | {
        "steps": recipe.steps,
        "calls": recipe.calls,
        "guidance_scale": recipe.guidance_scale,
        "scheduler": {"name": recipe.scheduler.name, "arguments": dict(recipe.scheduler.arguments)},
        "timesteps": None if recipe.timesteps is None else list(recipe.timesteps),
        "eta": recipe.eta,
        "weights": weights_record(recipe.weights),
    }


def weights_record(weights: Weights, sha256: str | None = None) -> dict[str, Any]:
    """Weights added to the base, as a JSON object; a file outside the family's folder is named without its path."""
    file = weights.file
    record: dict[str, Any] = {
        "kind": weights.kind,
        "repository": weights.repository,
        "file": Path(file).name if file and Path(file).is_absolute() else file,
    }
    if weights.scale != 1:
        record["scale"] = weights.scale
    return record | ({} if sha256 is None else {"sha256": sha256})


def base_record(family: Family, sha256: str | None = None) -> dict[str, Any]:
    """A family's base as a JSON object, with the hash of its UNet; another one on disk is named without its path."""
    place = None if family.base is None else family.base.resolve()
    record = weights_record(Weights(file=None if place is None else str(place)), sha256)
    return record | {"repository": family.repository if family.base is None else None}


def changed_base_record(family: Family) -> dict[str, Any]:
    """Base of a family and what was changed of it as a JSON object, for records without the base's hash.

    The base is included if it is not the family's own.
    """
    own = family.base is None and family.repository == FAMILIES[family.name].repository
    return ({} if own else {"base": base_record(family)}) | base_changes_record(family)


def base_changes_record(family: Family) -> dict[str, Any]:
    """Changes of a family's base as a JSON object: its styles, and the VAE that replaces its own; empty if none."""
    styles = [weights_record(style) for style in family.styles]
    return ({"styles": styles} if styles else {}) | ({"vae": family.vae} if family.vae else {})


def settings_record(run: PlannedRun, sha256: str | None = None) -> dict[str, Any]:
    """Settings that determine a picture, besides prompt and seed: model, steps, guidance, scheduler, eta and weights.

    Negative prompt and size are included if they differ from the model's defaults.
    """
    settings = recipe_record(run.recipe)
    del settings["calls"], settings["timesteps"]
    settings |= {"model": run.spec.name, "weights": weights_record(run.recipe.weights, sha256)}
    if run.negative_prompt:
        settings["negative_prompt"] = run.negative_prompt
    if run.size != (run.spec.pixels, run.spec.pixels):
        settings["size"] = list(run.size)
    return settings


def run_record(
    generation: Generation, family: Family, file: str | None, sha256: str | None = None, request: Request | None = None
) -> dict[str, Any]:
    """A result as a JSON object.

    Args:
        generation: the result; a failed one has an `error` and no file.
        family: of its model.
        file: name of its picture.
        sha256: of its weights' file, if known.
        request: the request, if it has parameters or several pictures per run.
    """
    from hypersd.sampling.planning import plan_run  # noqa: PLC0415 - brings PIL, which listing models does not need

    run = plan_run(family, family.spec(generation.model), generation.steps, request.parameters if request else None)
    record: dict[str, Any] = {
        "model": generation.model,
        "steps": generation.steps,
        "calls": generation.calls,
        "guidance_scale": generation.guidance_scale,
        "seconds": round(generation.seconds, 4),
        "backend": generation.backend,
        "file": file,
    }
    settings = settings_record(run, sha256)
    record |= {key: value for key, value in settings.items() if key not in record}
    record |= {
        "timesteps": [int(time) if time.is_integer() else time for time in generation.timesteps],
        "warnings": list(generation.warnings),
    }
    if request and request.count > 1:
        record["seed"] = generation.seed
    if generation.image is None:
        record |= {"file": None, "error": generation.error}
    return record


def request_record(request: Request) -> dict[str, Any]:
    """A request's family, prompt and seed as a JSON object, with parameters and count if set."""
    record: dict[str, Any] = {"prompt": request.prompt, "seed": request.seed, "family": request.family}
    if request.parameters.given:
        given = request.parameters.given
        record["parameters"] = given | ({"size": list(request.parameters.size)} if request.parameters.size else {})
    if request.count > 1:
        record["count"] = request.count
    return record


def control_record(family: Family, control: Control, sha256: str | None = None) -> dict[str, Any]:
    """A control as a JSON object: its mode, its conditioning scale, and the ControlNet.

    Raises:
        ValueError: the family has none for the mode.
    """
    spec = family.controlnet(control.mode)
    weights = weights_record(spec.weights, sha256)
    return {"mode": control.mode.value, "scale": control.scale_with(spec), "weights": weights}


def versions(backend: Backend = "torch") -> dict[str, str]:
    """The versions of this package and of the libraries that affect pictures which a backend draws."""
    names = _LIBRARIES if backend == "torch" else (*_LIBRARIES, "openvino")
    return {"hypersd": __version__} | {name: version(name) for name in names}


def picture_texts(
    request: Request, run: Mapping[str, Any], context: Mapping[str, Any], size: tuple[int, int]
) -> dict[str, str]:
    """The text metadata of a picture: prompt, seed, model, steps, the whole recipe, and fields for other tools.

    It excludes the time, so that the same recipe gives the same file.

    Args:
        request: the request.
        run: of `run_record`.
        context: data common to all runs, such as versions.
        size: of the picture in pixels, width and height.
    """
    recipe = {key: value for key, value in run.items() if key not in {"seconds", "file"}}
    seed = run.get("seed", request.seed)
    whole = {"prompt": request.prompt, "seed": seed, "family": request.family, **context, **recipe}
    return {
        "parameters": parameters(request, run, size),
        "prompt": request.prompt,
        "seed": str(seed),
        "model": f"{request.family}/{run['model']}",
        "steps": str(run["steps"]),
        "hypersd": json.dumps(whole),
    }


def parameters(request: Request, run: Mapping[str, Any], size: tuple[int, int]) -> str:
    """The recipe in the format of AUTOMATIC1111's web UI: the prompt, and a line of fields."""
    scheduler, weights = run["scheduler"]["name"], run["weights"]
    fields: dict[str, object] = {
        "Steps": run["steps"],
        "Sampler": _SAMPLERS.get(scheduler, scheduler.removesuffix("Scheduler")),
        "CFG scale": f"{max(1.0, run['guidance_scale']):g}",  # 1 means no guidance in both programs
        "Seed": run.get("seed", request.seed),
        "Size": f"{size[0]}x{size[1]}",
        "Model": f"{request.family}-{run['model']}",
    }
    if "sha256" in weights:
        fields["Model hash"] = weights["sha256"][:_SHORT]
    if run["eta"] is not None:
        fields["Eta"] = f"{run['eta']:g}"
    if "scale" in weights:
        fields["LoRA strength"] = f"{weights['scale']:g}"
    fields["Version"] = f"hypersd {__version__}"
    lines = [request.prompt]
    if "negative_prompt" in run:
        lines.append(f"Negative prompt: {run['negative_prompt']}")
    return "\n".join([*lines, ", ".join(f"{name}: {value}" for name, value in fields.items())])


def grid_texts(request: Request, runs: Sequence[Mapping[str, Any]], context: Mapping[str, Any]) -> dict[str, str]:
    """The text metadata of a grid of several runs: prompt, seed, and all records."""
    whole = {**request_record(request), **context, "runs": list(runs)}
    return {"prompt": request.prompt, "seed": str(request.seed), "hypersd": json.dumps(whole)}
