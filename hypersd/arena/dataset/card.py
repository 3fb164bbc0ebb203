"""Dataset card, written from the votes in the dataset."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypersd.arena.dataset.splits import VERSION, count_prompts
from hypersd.arena.votes.agreement import krippendorff
from hypersd.arena.votes.battle import Kind, Vote
from hypersd.arena.votes.quality import Cleaned, ratings, self_agreement
from hypersd.utils.estimates import Estimate, wilson

TITLE = "# Votes from a blind arena of image models"
_KINDS = {
    "human": "People voted.",
    "simulated": "**No person voted: every vote is simulated**, by voters with tastes that this project invented.",
}
_FORMATS = {
    "arena": "Every vote, unchanged; `dropped` says why a vote does not count. `winner` has LMArena's values.",
    "pickapic": "Votes that count, in the columns of Pick-a-Pic; ties have labels of 0.5 each. For training with "
    "diffusers' Diffusion-DPO script export with `--drop-ties`: it reads a tie as a win of the first picture.",
    "preference": "Votes that count and prefer one picture: `prompt`, `chosen`, `rejected`.",
    "imagereward": "The pictures of each prompt and seed, ranked by their share of votes; equal ranks are ties.",
}


_FAIR = "Both pictures of a battle have the same prompt and seed; model names were hidden. Splits are by prompt:"
_SPLIT = (
    f"Version {VERSION} of the split: a hash of the prompt, ignoring letter case and spaces, sends 70 % of all "
    "prompts to train, 10 % to validation and 20 % to test. The project's own reward models learn from train and "
    "validation only. Do not mix it with an export whose card names no version: some of its train prompts are test "
    "prompts here."
)
_CLOSING = (
    "Voters are identified by keyed hashes; no address or account is in the data. Pictures are outputs of the models "
    "named above, whose licences apply to them."
)
_LOADING = """## Loading

```python
from datasets import load_dataset

votes = load_dataset("PATH OF THIS FOLDER, OR ITS NAME ON THE HUB")
```"""
PUBLISHED = f"""---
license: apache-2.0
task_categories: [text-to-image]
tags: [preference]
configs:
- config_name: human
  data_files: human/*.parquet
  default: true
- config_name: simulated
  data_files: simulated/*.parquet
---

# Votes of a running arena of image models

Every vote, unchanged, uploaded by a running arena shortly after it was given. People's votes are in the configuration
`human`; `simulated` holds votes of simulated voters; never mix the two. The same vote can occur twice, with the same
`vote_id`: the later row may add an answer (`knowing_time`), or the time when the voter took the vote back
(`withdrawn`): leave such a vote out.
This dataset does not say which votes count (`dropped` is empty): `python -m hypersd votes import` and `votes export`
compute it.

Nothing is split, although `datasets` calls it `train`: the prompts on which reward models are tested are included.
`votes export` writes train, validation and test, by prompt.

{_CLOSING.replace("named above", "named in `model_a` and `model_b`")}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Format, kind and files that an export's card names; `form` and `kind` are `?` if another release wrote it."""

    form: str
    kind: str
    files: tuple[str, ...]


def recognise(card: str) -> Recognised | None:
    """Parse a card written by `describe`; None for any other text."""
    if f"\n{TITLE}\n" not in card:
        return None
    form = next((name for name, words in _FORMATS.items() if words in card), "?")
    kind = next((name for name, words in _KINDS.items() if words in card), "?")
    return Recognised(form=form, kind=kind, files=tuple(re.findall(r"^    path: (\w+\.parquet)$", card, re.MULTILINE)))


def describe(
    form: str, kind: Kind, votes: Sequence[Vote], cleaned: Cleaned, rows: Mapping[str, int], *, left_out: int = 0
) -> str:
    """The card in Markdown, with the front matter by which `datasets.load_dataset` finds the files.

    Args:
        form: of the dataset.
        kind: of the voters.
        votes: all votes of this kind.
        cleaned: the same votes after quality control.
        rows: number of rows by split.
        left_out: number of votes left out because one of their pictures cannot be read.
    """
    files = "".join(f"  - split: {split}\n    path: {split}.parquet\n" for split in rows)
    dates = sorted(vote.voted for vote in votes)
    voters = Counter(vote.battle.voter for vote in votes)
    contestants = sorted({_code(entry.contestant.label) for vote in votes for entry in vote.battle.pair.entries})
    devices = sorted({_inert(vote.battle.pair.device) for vote in votes} - {""})
    prompts = {vote.battle.pair.prompt for vote in votes}
    facts = [
        ("votes", f"{len(votes):,}"),
        ("that count", f"{len(cleaned.kept):,}"),
        ("left out, since a picture is missing or damaged", f"{left_out:,}"),
        ("from", f"{dates[0]:%Y-%m-%d}" if dates else ""),
        ("to", f"{dates[-1]:%Y-%m-%d}" if dates else ""),
        ("voters", f"{len(voters):,}"),
        ("most votes of one voter", f"{max(voters.values(), default=0):,}"),
        ("prompts", f"{len(prompts):,}"),
        ("prompts in each split", ", ".join(f"{split} {count:,}" for split, count in count_prompts(prompts).items())),
        ("drawn on", "; ".join(devices)),
        ("agreement of voters (Krippendorff's α)", _alpha(cleaned.kept)),
        ("of voters with themselves", _share(wilson(*self_agreement(votes)))),
    ]
    return "\n".join(
        [
            "---",
            "license: apache-2.0",
            "task_categories: [text-to-image]",
            f"tags: [preference, {kind}]",
            "configs:",
            "- config_name: default",
            "  data_files:",
            files.rstrip("\n"),
            "---",
            "",
            TITLE,
            "",
            f"{_KINDS[kind]} {_FORMATS[form]}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value or 'unknown'} |" for name, value in facts),
            "",
            f"Contestants: {', '.join(contestants)}.",
            "",
            f"{_FAIR} {', '.join(f'{name} {count:,}' for name, count in rows.items())}.",
            "",
            _SPLIT,
            "",
            "## Votes that do not count",
            "",
            "| reason | votes |",
            "|---|---|",
            *(f"| {reason} | {count:,} |" for reason, count in cleaned.reasons.items()),
            "",
            _LOADING,
            "",
            _CLOSING,
            "",
        ]
    )


def _inert(text: str) -> str:
    """Text from the data, escaped: no HTML, no Markdown and no line breaks reach the card."""
    escaped = html.escape(_printable(text))
    return "".join(f"&#{ord(letter)};" if letter in "|`*[]_\\" else letter for letter in escaped)


def _code(text: str) -> str:
    """Text from the data as inline code."""
    return f"`{html.escape(_printable(text), quote=False).replace('`', chr(39))}`"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _share(share: Estimate) -> str:
    if not share.n:
        return "not measured"
    return f"{share.value:.0%} of {share.n:,} (95 % interval {share.low:.0%} to {share.high:.0%})"


def _alpha(votes: Sequence[Vote]) -> str:
    value = krippendorff(ratings(votes))
    return "not measured" if value != value else f"{value:.2f}"  # noqa: PLR0124 - nan differs from itself
