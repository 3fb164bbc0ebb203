"""A dataset's card, written from the votes that are in it."""

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
    "arena": "Every vote as it was made; `dropped` says why a vote does not count. `winner` is spelt as LMArena does.",
    "pickapic": "Votes that count, in the columns of Pick-a-Pic; ties have labels of 0.5 each. For training with "
    "diffusers' Diffusion-DPO script export with `--drop-ties`: it takes a tie for a win of the first picture.",
    "preference": "Votes that count and prefer one picture: `prompt`, `chosen`, `rejected`.",
    "imagereward": "The pictures of each prompt and seed, ranked by their share of votes; equal ranks are ties.",
}


_FAIR = "Both pictures of a battle have one prompt and one seed, and were shown under no name. Splits are by prompt:"
_SPLIT = (
    f"Version {VERSION} of the split: a hash of the prompt, whatever its letter case and spaces, sends 70 % of all "
    "prompts to train, 10 % to validation and 20 % to test. The project's own reward models learn from train and "
    "validation only. Do not mix it with an export whose card names no version: some of its train prompts are test "
    "prompts here."
)
_CLOSING = (
    "Voters stand here under keyed hashes; no address or account is in the data. Pictures are outputs of the models "
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

Every vote as it was made, sent here by a running arena soon after. People's votes are in the configuration `human`;
`simulated` holds votes of voters that this project invented, and the two are never to be mixed. A vote can stand here
twice: its `vote_id` says so, and the later one may hold an answer (`knowing_time`) that the earlier one had not yet, or
say when its voter took it back (`withdrawn`): leave such a vote out.
Which votes count is not said here (`dropped` is empty): `python -m hypersd votes import` and `votes export` find out.

Nothing is split here, though `datasets` calls it `train`: it holds the prompts on which reward models are tested too.
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
    """Read a card that `describe` wrote; None for any other text."""
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
        votes: of this kind, all of them.
        cleaned: the same votes, as far as they count.
        rows: by split.
        left_out: votes that are not in the dataset, since a picture of theirs cannot be read.
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
    """Text from the data as plain text of the card, whatever it says: no HTML, no Markdown, no lines of its own."""
    escaped = html.escape(_printable(text))
    return "".join(f"&#{ord(letter)};" if letter in "|`*[]_\\" else letter for letter in escaped)


def _code(text: str) -> str:
    """The same as code."""
    return f"`{html.escape(_printable(text), quote=False).replace('`', chr(39))}`"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _share(share: Estimate) -> str:
    if not share.n:
        return "not measured"
    return f"{share.value:.0%} of {share.n:,} (95 % interval {share.low:.0%} to {share.high:.0%})"


def _alpha(votes: Sequence[Vote]) -> str:
    value = krippendorff(ratings(votes))
    return "not measured" if value != value else f"{value:.2f}"  # noqa: PLR0124 - nan is unlike itself
