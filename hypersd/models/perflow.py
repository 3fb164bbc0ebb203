"""Scheduler of piecewise rectified flow, which diffusers does not have (Yan et al. 2024, arXiv 2405.07510)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from torch import Tensor


@dataclass
class PeRFlowOutput(BaseOutput):
    """Latents `(B, C, H, W)` at the next time, and predicted clean latents."""

    prev_sample: Tensor
    pred_original_sample: Tensor


class PeRFlowScheduler(SchedulerMixin, ConfigMixin):
    """Euler's method along a flow that is straight within each of several windows of time.

    The model predicts noise. Within a window, from time s down to time e, a latent x at time t leads to a point at e
    that is linear in x and in that noise; the flow's velocity points there (sections 3.2 and 3.3 of the paper).

    Args:
        prediction_type: `"ddim_eps"`: the noise of the diffusion model itself; `"diff_eps"`: the noise that was added
            between the two ends of the window.
        num_time_windows: of equal length; each takes at least one step.
    """

    order = 1

    @register_to_config
    def __init__(  # noqa: PLR0917 - its configuration, as diffusers reads it
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: Literal["linear", "scaled_linear"] = "scaled_linear",
        prediction_type: Literal["ddim_eps", "diff_eps"] = "ddim_eps",
        num_time_windows: int = 4,
    ) -> None:
        power = 0.5 if beta_schedule == "scaled_linear" else 1.0
        betas = torch.linspace(beta_start**power, beta_end**power, num_train_timesteps, dtype=torch.float64)
        self.alphas_cumprod = (1 - betas ** (1 / power)).cumprod(dim=0).float()
        self.init_noise_sigma = 1.0
        self.timesteps = torch.empty(0, dtype=torch.int64)

    @property
    def _window(self) -> int:
        """Length of a window, in timesteps."""
        return self.config["num_train_timesteps"] // self.config["num_time_windows"]

    def scale_model_input(self, sample: Tensor, timestep: Tensor | None = None) -> Tensor:
        """The unchanged latents."""
        return sample

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Spread the steps over the windows, the noisiest ones first, and evenly within each.

        Raises:
            ValueError: there are fewer steps than windows.
        """
        windows = self.config["num_time_windows"]
        if num_inference_steps < windows:
            raise ValueError(f"PeRFlow takes at least {windows} steps, one for each window, not {num_inference_steps}")
        share, more = divmod(num_inference_steps, windows)
        times = [
            int(self._window * (windows - window - step / count))
            for window in range(windows)
            for count in [share + (window < more)]
            for step in range(count)
        ]
        self.timesteps = torch.tensor(times, dtype=torch.int64, device=device)

    def step(
        self, model_output: Tensor, timestep: Tensor | int, sample: Tensor, *, return_dict: bool = True
    ) -> PeRFlowOutput | tuple[Tensor]:
        """Follow the flow from one time to the next.

        Args:
            model_output: the predicted noise, `(B, C, H, W)`.
            timestep: of the schedule, where `sample` is.
            sample: the latents, `(B, C, H, W)`.
            return_dict: False for a tuple of the next latents alone.
        """
        time = int(timestep)
        velocity = self._velocity(model_output, time, sample)
        index = int((self.timesteps == time).nonzero()[0])
        after = int(self.timesteps[index + 1]) if index + 1 < len(self.timesteps) else 0
        following = sample + (after - time) * velocity
        if not return_dict:
            return (following,)
        return PeRFlowOutput(prev_sample=following, pred_original_sample=sample - time * velocity)

    def _velocity(self, noise: Tensor, time: int, sample: Tensor) -> Tensor:
        """The flow's velocity a timestep, from the latents to where they are at the end of their window."""
        start = -(-time // self._window) * self._window
        end = start - self._window
        begun, ended = self._alpha(start), self._alpha(end)
        scale = (ended / begun) ** 0.5
        if self.config["prediction_type"] == "ddim_eps":
            share = (1 - ended) ** 0.5 - scale * (1 - begun) ** 0.5
        else:
            share = -((1 - begun / ended) ** 0.5) * scale
        left = scale * (time - start) + (end - time)
        reached = (scale * (end - start) * sample + share * (end - time) * noise) / left
        return (sample - reached) / (time - end)

    def _alpha(self, time: int) -> float:
        """ᾱ at a time that counts from 1, as the windows' ends do."""
        return float(self.alphas_cumprod[max(time - 1, 0)])
