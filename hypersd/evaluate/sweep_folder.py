"""A sweep's files in a comparison's folder: one picture of all cells, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypersd.evaluate.good_enough import QualityScore, check_scorable, quality_score, scored
from hypersd.evaluate.metric_sources import RewardFunction
from hypersd.models.machine import Machine
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare
from hypersd.sampling.comparison_files import SWEEP
from hypersd.sampling.comparison_folder import DrawnComparison
from hypersd.sampling.png import write_png
from hypersd.sampling.record import grid_texts
from hypersd.sampling.request import Generation, Request
from hypersd.sampling.step_sweep import Order, SweepTable, reference_request, sweep_csv, sweep_record
from hypersd.sampling.sweep_picture import sweep_picture
from hypersd.utils.files import write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWriter:
    """Writer of a sweep's picture and numbers, in the place of a comparison's grid.

    Args:
        order: of the rows.
        quality: score of the pictures; None if nothing scores them.
        remarks: for prompts whose pictures cannot be scored, a sentence that says why.
        progress: takes a line before more pictures are drawn.
    """

    order: Order
    quality: QualityScore | None
    remarks: Mapping[str, str]
    progress: Callable[[str], None] = lambda _line: None

    @classmethod
    def of(
        cls,
        family: Family,
        machine: Machine,
        requests: Sequence[Request],
        *,
        order: Order,
        reward: RewardFunction | None = None,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> SweepWriter:
        """The writer for some requests, its score loaded and checked.

        Args:
            family: of the models.
            machine: that scores.
            requests: that will be drawn.
            order: of the rows.
            reward: the score; None is the family's own judge, of the prompts that it can read.
            progress: takes a line before more pictures are drawn.

        Raises:
            OSError, ValueError: a file of the family's judge is missing or damaged.
        """
        if reward is not None:
            quality = quality_score(family, machine, reward)
            return cls(order=order, quality=quality, remarks={}, progress=progress)
        remarks: dict[str, str] = {}
        for request in requests:
            try:
                check_scorable(family, request)
            except ValueError as error:
                remarks[request.prompt] = str(error)
        scorable = len(remarks) < len({request.prompt for request in requests})
        quality = quality_score(family, machine) if scorable else None
        return cls(order=order, quality=quality, remarks=remarks, progress=progress)

    def __call__(self, file: Path, drawn: DrawnComparison) -> dict[str, Any]:
        """Score a sweep and write it: the picture of it and, beside that, its CSV; return its part of the record.

        Raises:
            OSError: a file cannot be written.
        """
        whole = self._scored(drawn).ordered(self.order)
        record = {"sweep": sweep_record(whole)}
        texts = grid_texts(drawn.request, drawn.runs, {**drawn.context, **record})
        write_png(file, sweep_picture(drawn.request, whole, drawn.generations), texts)
        write_text(file.with_name(SWEEP), sweep_csv(whole))
        return record

    def _scored(self, drawn: DrawnComparison) -> SweepTable:
        family, prompt = drawn.engine.family, drawn.request.prompt
        costs = SweepTable.of(family, drawn.request, drawn.generations)
        if self.quality is None or prompt in self.remarks:
            return replace(costs, remark=self.remarks[prompt])
        wanted = reference_request(family, drawn.request)
        extra: list[Generation] = []
        if wanted:
            self.progress(f"  {wanted.count} more pictures by the base, to know how much they differ")
            extra = [event for event in compare(wanted, drawn.engine) if isinstance(event, Generation)]
        try:
            return scored(costs, family, prompt, drawn.generations, extra=extra, quality=self.quality)
        except ValueError as error:  # the pictures are drawn, and worth keeping without a mark
            return replace(costs, remark=f"nothing is marked as good enough: {error}")
