"""Types of the answers to other programs, as `/gradio_api/info` and `/gradio_api/openapi.json` describe them."""

from __future__ import annotations

from typing import TypedDict


class PictureRecord(TypedDict):
    """One picture of a comparison; `image` is a PNG as a data URL, null after an error."""

    model: str
    steps: int
    seed: int
    calls: int
    guidance_scale: float
    seconds: float
    error: str | None
    image: str | None
    warnings: list[str]


class ModelRecord(TypedDict):
    """A model; `reason` says why it cannot run here, and `available` is null until that is known.

    `bases` are those beside its own on which it can be drawn.
    """

    family: str
    name: str
    title: str
    steps: list[int]
    any_steps: bool
    default_steps: int
    pixels: int
    reimplementation: bool
    available: bool | None
    reason: str
    licence: str
    source: str
    bases: list[str]


class StandingRecord(TypedDict):
    """A contestant's strength on Elo's scale and its 95 % interval; `seconds` is 0 if unknown."""

    contestant: str
    rank_low: int
    rank_high: int
    elo: float
    low: float
    high: float
    votes: int
    seconds: float
    preliminary: bool


class LeaderboardRecord(TypedDict):
    """The ranking by one kind of voter; `problem` says why there is none, and `apart` what it cannot include yet."""

    kind: str
    votes: int
    voters: int
    kept: int
    standings: list[StandingRecord]
    apart: list[list[str]]
    problem: str


class VoteCounts(TypedDict):
    """Votes of one kind of voter, and how many count."""

    kind: str
    votes: int
    voters: int
    kept: int


class ColumnRecord(TypedDict):
    """A column of the dataset and its Arrow type."""

    name: str
    type: str


class DatasetRecord(TypedDict):
    """The votes as a dataset; `published` is its place on the Hub, empty if there is none."""

    published: str
    licence: str
    votes: list[VoteCounts]
    families: list[str]
    prompt_sets: list[str]
    formats: list[str]
    columns: list[ColumnRecord]
