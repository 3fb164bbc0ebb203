"""The tables of the Hyper-SD paper with a family's own numbers beside the paper's, as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hypersd.evaluate.evaluation_report import ReportRow, cell
from hypersd.evaluate.metrics import BY_NAME, Metric
from hypersd.evaluate.paper_results import PaperMethod, PaperResults, PaperRow, PaperTable
from hypersd.models.specs import Family, ModelSpec
from hypersd.utils.files import atomic_path, write_text
from hypersd.utils.spreadsheets import as_cell

Record = Mapping[str, str | int | float | bool | None]
Means = Mapping[tuple[str, int], ReportRow]
Absences = Mapping[tuple[str, int], str]

_PAPER_HEADINGS = {"clip": "CLIP", "aesthetic": "Aes", "image_reward": "ImageReward", "pick": "Pick"}
_PAPER_DIGITS = {"pick": 3}
_DIGITS = 2
"""Decimal places of the paper's numbers, as it prints them."""

_NOTHING = "–"
_LATEX = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%_#${}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "–": "--",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table as text, and the same as records with a number a column.

    Args:
        name: of its files, without an ending.
        notes: sentences below it.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    records: Sequence[Record]
    notes: Sequence[str]


def number_table(
    table: PaperTable, results: PaperResults, family: Family, means: Means, absences: Absences
) -> TextTable | None:
    """A table of numbers; None if the paper has none for the family's architecture.

    Args:
        table: the paper's.
        results: the paper's.
        family: whose models were measured.
        means: what was measured, by model and steps.
        absences: reasons why the others were not.
    """
    architecture = results.architecture_of(family)
    rows = table.rows.get(architecture)
    if rows is None:
        return None
    metrics = _measured(means)
    papers = list(rows[0].paper)
    head = ["method", "steps", *([f"{metric.heading}, ours" for metric in metrics] or ["ours"])]
    head += [*(f"{_PAPER_HEADINGS[name]}, paper" for name in papers), "pictures, ours"]
    return TextTable(
        name=f"table-{table.number}",
        title=f"Table {table.number}. {table.title}: {family.title} here, {architecture.upper()} in the paper",
        head=head,
        rows=[_cells(row, metrics, means, absences) for row in rows],
        records=[_record(row, metrics, means, absences) for row in rows],
        notes=[
            f"Paper: {results.source}; {results.setting}.",
            "Ours are of other weights, prompts and metrics: compare within ours, or within the paper's.",
            *_intervals(means),
        ],
    )


def _measured(means: Means) -> list[Metric]:
    """The metrics that were measured for at least one row."""
    names = dict.fromkeys(name for row in means.values() for name, mean in row.means.items() if mean.known)
    return [BY_NAME[name] for name in names]


def _intervals(means: Means) -> list[str]:
    counts = sorted({row.prompts for row in means.values()})
    if not counts:
        return []
    return [f"± and brackets are 95 % intervals: bootstrap over {' or '.join(map(str, counts))} prompts."]


def _cells(row: PaperRow, metrics: Sequence[Metric], means: Means, absences: Absences) -> list[str]:
    ours = means.get((row.model, row.steps))
    if ours is None:
        own = [absences[row.model, row.steps], *[_NOTHING] * (len(metrics) - 1)]
    else:
        own = [cell(metric, ours.means[metric.name]) for metric in metrics]
    papers = [f"{value:.{_PAPER_DIGITS.get(name, _DIGITS)}f}" for name, value in row.paper.items()]
    return [row.label, str(row.steps), *own, *papers, _NOTHING if ours is None else str(ours.n)]


def _record(row: PaperRow, metrics: Sequence[Metric], means: Means, absences: Absences) -> Record:
    ours = means.get((row.model, row.steps))
    record: dict[str, str | int | float | bool | None] = {"method": row.label, "steps": row.steps, "model": row.model}
    record["absent"] = "" if ours else absences[row.model, row.steps]
    for metric in metrics:
        for end in ("value", "low", "high"):
            name = metric.name if end == "value" else f"{metric.name}_{end}"
            record[name] = getattr(ours.means[metric.name], end) if ours else None
    record |= {"n": ours.n if ours else 0, "prompts": ours.prompts if ours else 0}
    return record | {f"paper_{name}": value for name, value in row.paper.items()}


def method_table(results: PaperResults, family: Family, absences: Mapping[str, str]) -> TextTable:
    """Table 1: properties of the methods, read off the family's recipes, beside the paper's.

    Args:
        results: the paper's.
        family: whose models are described.
        absences: reasons why the family has not some of them, by model.
    """
    names = ("steps", "cfg_free", "one_step_unet", "one_step_lora")
    headings = ("steps", "CFG-free", "1-step UNet", "1-step LoRA")
    properties = {
        method.model: {} if method.model in absences else _properties(family.spec(method.model))
        for method in results.methods
    }

    def cells(method: PaperMethod) -> list[str]:
        own = properties[method.model]
        mine = [_word(own[name]) for name in names] if own else [absences[method.model], *[_NOTHING] * 3]
        return [method.label, *mine, *(_word(method.paper[name]) for name in ("architectures", *names))]

    return TextTable(
        name="table-1",
        title=f"Table 1. Comparison with other acceleration approaches: {family.title} here, the paper's beside it",
        head=[
            "method",
            *(f"{heading}, ours" for heading in headings),
            *(f"{heading}, paper" for heading in ("architectures", *headings)),
        ],
        rows=[cells(method) for method in results.methods],
        records=[
            {
                "method": method.label,
                "model": method.model,
                "absent": absences.get(method.model, ""),
                **{name: properties[method.model].get(name) for name in names},
                **{f"paper_{name}": value for name, value in method.paper.items()},
            }
            for method in results.methods
        ],
        notes=[f"Paper: {results.source}."],
    )


def _properties(spec: ModelSpec) -> Mapping[str, str | bool]:
    kinds = {recipe.weights.kind for recipe in spec.recipes if recipe.steps == 1}
    return {
        "steps": f"{min(recipe.steps for recipe in spec.recipes)}+",
        "cfg_free": all(recipe.guidance_scale <= 1 for recipe in spec.recipes),
        "one_step_unet": bool(kinds & {"unet", "pipeline"}),
        "one_step_lora": "lora" in kinds,
    }


def _word(value: object) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def write_text_table(table: TextTable, folder: Path, command: str) -> list[Path]:
    """Write a table as CSV, Markdown and LaTeX, each naming the command that made it; returns the files.

    Raises:
        OSError: the folder cannot be written.
    """
    files = [folder / f"{table.name}.{ending}" for ending in ("csv", "md", "tex")]
    with atomic_path(files[0]) as part:
        records = pd.DataFrame([{**record, "command": command} for record in table.records])
        records.map(as_cell).to_csv(part, index=False, float_format="%.6g")
    write_text(files[1], markdown_of(table, command))
    write_text(files[2], latex_of(table, command))
    return files


def markdown_of(table: TextTable, command: str) -> str:
    """A GitHub table with its title, notes and command."""
    lines = [f"**{table.title}**", "", _line(table.head), "|---|" + "---:|" * (len(table.head) - 1)]
    lines += [_line(row) for row in table.rows]
    return "\n".join([*lines, "", *table.notes, "", f"Made by `{command}`."]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def latex_of(table: TextTable, command: str) -> str:
    """A LaTeX table that needs the package booktabs, with its title, notes and command in the caption."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(text.translate(_LATEX) for text in cells) + r" \\"

    caption = f"{table.title}. {' '.join(table.notes)}".translate(_LATEX)
    return "\n".join(
        [
            f"% made by: {command}",
            r"\begin{table}",
            rf"\caption{{{caption} Made by \texttt{{{command.translate(_LATEX)}}}.}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
            r"\toprule",
            line(table.head),
            r"\midrule",
            *(line(row) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
