"""Sampling of one picture from noise, for every family."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from hypersd.models.compiled_unet import AnyUNet, CompiledUNet
from hypersd.models.conditioning import unet_conditioning
from hypersd.models.loaded_model import LoadedModel
from hypersd.models.prompt_embeds import PromptEmbeds
from hypersd.models.specs import Recipe
from hypersd.sampling.control_residuals import LoadedControl
from hypersd.sampling.denoising import denoising_steps, set_timesteps
from hypersd.sampling.finite import check_embeds, check_latents, check_picture
from hypersd.utils.errors import Cancelled


def initial_noise(shape: Sequence[int], seed: int) -> tuple[Tensor, torch.Generator]:
    """Unit noise of a shape, equal for every model and device, and the generator for the scheduler's noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tuple(shape), generator=generator), generator


def conditioning(
    unet: AnyUNet, embeds: PromptEmbeds, pixels: int, width: int | None = None, *, guided: bool
) -> dict[str, Any]:
    """Conditioning of the UNet besides latents and time: negative (or no) prompt and prompt, or the prompt alone."""
    rows = slice(0, 2) if guided else slice(1, 2)
    pooled = embeds.pooled if unet.config["addition_embed_type"] == "text_time" else None
    return unet_conditioning(embeds.hidden[rows], None if pooled is None else pooled[rows], pixels, width)


def guided_noise(
    unet: AnyUNet,
    latents: Tensor,
    timestep: Tensor,
    cond: Mapping[str, Any],
    guidance: float,
    *,
    control: LoadedControl | None = None,
) -> Tensor:
    """The noise predicted in latents `(1, C, H, W)`, with classifier-free guidance (Ho and Salimans 2022) above 1."""
    given = (torch.cat([latents, latents]) if guidance > 1 else latents).to(unet.dtype)
    added = control.residuals(given, timestep, cond) if control else {}
    predicted = unet(given, timestep, **cond, **added, return_dict=False)[0].to(latents.dtype)
    if guidance <= 1:
        return predicted
    without, with_prompt = predicted.chunk(2)
    return without + guidance * (with_prompt - without)


@torch.inference_mode()
def decode(vae: Any, latents: Tensor) -> Image.Image:
    """Scaled latents `(1, C, H, W)` to a picture.

    Raises:
        NotFiniteError: the VAE's output is not finite.
    """
    picture = vae.decode((latents / vae.config.scaling_factor).to(vae.dtype), return_dict=False)[0][0]
    check_picture(picture)
    pixels = ((picture.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


@dataclass(frozen=True, slots=True)
class SamplingProgress:
    """A finished step: its number from 1, and the predicted clean latents `(1, C, H, W)`."""

    step: int
    clean: Tensor


@dataclass(frozen=True, slots=True)
class SampledImage:
    """The result of a run: the picture, the number of UNet evaluations, the seconds, and the timesteps."""

    image: Image.Image
    calls: int
    seconds: float
    timesteps: tuple[float, ...]


@torch.inference_mode()
def denoise(
    loaded: LoadedModel,
    recipe: Recipe,
    embeds: PromptEmbeds,
    seed: int,
    *,
    pixels: int,
    width: int | None = None,
    control: LoadedControl | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[SamplingProgress | SampledImage]:
    """Draw one picture, `pixels` high, as wide or `width` wide: a `SamplingProgress` a step, then the `SampledImage`.

    Time that the caller spends between steps is not counted.

    Raises:
        Cancelled: `cancelled` became true; it is checked before each UNet call.
        NotFiniteError: an overflow occurred, or a weight is not finite: there is no picture.
    """
    unet, scheduler = loaded.unet, loaded.scheduler
    check_embeds(embeds.hidden, embeds.pooled)
    guided = recipe.guidance_scale > 1
    cond = conditioning(unet, embeds, pixels, width, guided=guided)
    shape = (pixels // loaded.vae_scale, (width or pixels) // loaded.vae_scale)
    noise, generator = initial_noise((1, unet.config["in_channels"], *shape), seed)
    base_cond = conditioning(unet, embeds, pixels, guided=recipe.base_guidance > 1)
    if isinstance(unet, CompiledUNet):
        unet.prepare(noise.expand(2 if guided else 1, -1, -1, -1), cond)
    seconds, calls, clock = 0.0, 0, time.perf_counter()
    set_timesteps(scheduler, recipe, loaded.device)
    # Eight bits of a bfloat16's mantissa are too few to add up steps in; only the networks compute in it.
    dtype = torch.float32 if loaded.dtype == torch.bfloat16 else loaded.dtype
    latents = noise.to(loaded.device, dtype) * scheduler.init_noise_sigma

    turns = itertools.count()

    def predict(scaled: Tensor, timestep: Tensor) -> Tensor:
        if cancelled():
            raise Cancelled
        if next(turns) < recipe.base_first:
            with loaded.base() as base:
                return guided_noise(base, scaled, timestep, base_cond, recipe.base_guidance, control=control)
        return guided_noise(unet, scaled, timestep, cond, recipe.guidance_scale, control=control)

    arguments = step_arguments(scheduler, recipe, generator)
    for number, step in enumerate(denoising_steps(scheduler, latents, predict, arguments=arguments), start=1):
        latents = step.latents
        check_latents(latents, number, len(scheduler.timesteps))
        calls += recipe.calls_of(number - 1)
        _settle(loaded.device)
        seconds += time.perf_counter() - clock
        yield SamplingProgress(number, clean_latents(scheduler, step.output, step.predicted, step.timestep, step.noisy))
        clock = time.perf_counter()
    image = decode(loaded.vae, latents)
    times_used = tuple(float(timestep) for timestep in scheduler.timesteps)
    yield SampledImage(image, calls, seconds + time.perf_counter() - clock, times_used)


def _settle(device: torch.device) -> None:
    """Wait for a device's queued operations, so that the measured time includes them."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def clean_latents(scheduler: Any, output: Any, predicted: Tensor, timestep: Tensor, latents: Tensor) -> Tensor:
    """Predicted clean latents, from the noise that a model predicted in `latents` at a time.

    Schedulers return them in their output under two names; TCD's does not.
    """
    for name in ("pred_original_sample", "denoised"):
        if name in output:
            return output[name]
    alpha = scheduler.alphas_cumprod[int(timestep)]
    return (latents - (1 - alpha).sqrt() * predicted) / alpha.sqrt()


def step_arguments(scheduler: Any, recipe: Recipe, generator: torch.Generator) -> Mapping[str, Any]:
    """Arguments of a scheduler's step in a recipe; only some take a generator or an eta."""
    known = inspect.signature(scheduler.step).parameters
    wanted = {"generator": generator, "eta": recipe.eta}
    return {name: value for name, value in wanted.items() if name in known and value is not None}
