"""Files that a tuning reads, looked over before anything is loaded: prompts, adapters, rewards, votes, photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypersd.arena.service.prompt_files import read_prompt_file
from hypersd.feedback.reward.reward_folder import check_tunable
from hypersd.feedback.tuning.coco_files import check_photographs
from hypersd.feedback.tuning.tuning_methods import TuningMethod
from hypersd.models.adapter_file import inspect
from hypersd.models.families.embedded import check_world
from hypersd.models.specs import Capability, Family
from hypersd.training.states import check_states
from hypersd.utils.model_folders import check_perception
from hypersd.utils.readers import read_json, tensor_shapes

FEWEST_PROMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningInputs:
    """Files that a tuning reads.

    Args:
        family: whose model is tuned.
        method: of the tuning.
        rewards: folders of reward models.
        out: the folder of the results, with those of a tuning that goes on.
        adapter: that is tuned; None is all of the model's own.
        votes: for `dpo`; None is the vote store.
        detector: weights of a network that sees objects, for the photographs.
        photographs: COCO 2017 in a folder; None is the family's own scenes, if it has a network that sees them.
        perceives: there is a visual-perception loss.
    """

    family: Family
    method: TuningMethod
    rewards: Sequence[Path]
    out: Path
    adapter: Path | None = None
    votes: str | None = None
    detector: Path | None = None
    photographs: Path | None = None
    perceives: bool = True

    def check(self) -> None:
        """See that the files, and those of the family's world, are there and whole.

        Raises:
            OSError: one is missing.
            ValueError: one is damaged, or something else.
        """
        if self.detector is not None and self.photographs is not None:
            check_photographs(self.photographs)
            tensor_shapes(self.detector)
        if self.adapter is not None:
            inspect(self.adapter)
        check_tunable(self.rewards)
        if self.method == "dpo":
            from hypersd.feedback.preferences.gathering import check_votes  # noqa: PLC0415 - brings pyarrow

            check_votes(self.votes)
        check_states(self.out)
        for file in sorted(self.out.glob("*/training/looks.json")):
            read_json(file, list[tuple[int, dict[str, Any]]], "what a training found when it was looked at")
        if self.family.folder is not None:
            self._check_family(self.family.folder)

    def _check_family(self, folder: Path) -> None:
        check_world(self.family, "be tuned")
        perception = self.family.part(Capability.PERCEPTION)
        if self.method == "refl" and self.perceives and perception is not None:
            check_perception(perception)
        if self.adapter is not None:
            from hypersd.models.adapter_fit import fit_file  # noqa: PLC0415 - brings torch

            fit_file(self.adapter, folder / "unet")


def read_training_prompts(file: Path) -> list[str]:
    """The prompts in a file, enough of them to train on some and to look at others.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no text, or there are too few prompts in it, or one cannot be drawn.
    """
    from hypersd.sampling.request import check_prompt  # noqa: PLC0415 - brings Pillow

    prompts = read_prompt_file(file, check_prompt)
    if len(prompts) < FEWEST_PROMPTS:
        raise ValueError(f"{file}: {len(prompts)} prompts are too few; write at least {FEWEST_PROMPTS}")
    return prompts
