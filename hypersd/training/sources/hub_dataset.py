"""Datasets of the Hub with a column of pictures and one of captions, read by `datasets`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from hypersd.models.downloads import DownloadError, fetched
from hypersd.models.network import reachable
from hypersd.training.records import hash_text
from hypersd.training.sources.picture_source import PictureFile, caption_column, caption_texts
from hypersd.utils.errors import gist

PREFIX = "hf://datasets/"
_TRAIN = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAddress:
    """Address of a dataset: `hf://datasets/OWNER/NAME[@REVISION][/CONFIG][/SPLIT]`."""

    repository: str
    revision: str | None
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> HubAddress:
        """Parse an address.

        Raises:
            ValueError: the text is not an address.
        """
        owner, name, *parts = [*text.removeprefix(PREFIX).strip("/").split("/"), ""][:5]
        parts = [part for part in parts if part]
        name, _, revision = name.partition("@")
        if not owner or not name or len(parts) > 2 or text.removeprefix(PREFIX).strip("/").count("/") > 3:
            raise ValueError(f"{text!r} is not of the form {PREFIX}OWNER/NAME[/CONFIG][/SPLIT]")
        try:
            validate_repo_id(f"{owner}/{name}")
        except HFValidationError as error:
            raise ValueError(f"{text!r} does not name a dataset in the Hub's letters: {PREFIX}OWNER/NAME") from error
        return cls(repository=f"{owner}/{name}", revision=revision or None, parts=tuple(parts))

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}"


@dataclass(frozen=True)
class HubDataset:
    """The rows of a dataset's split (see `PictureSource`); they stay on disk.

    Args:
        rows: with undecoded pictures.
        fingerprint: of the repository's commit, the configuration and the split.
    """

    address: HubAddress
    rows: datasets.Dataset
    picture_column: str
    caption_column: str
    fingerprint: str

    @classmethod
    def open(cls, address: HubAddress, column: str | None = None) -> HubDataset:
        """Download a dataset, or read it from the Hub's cache if the Hub cannot be reached.

        Args:
            address: of the dataset.
            column: of the captions; None for the most likely one.

        Raises:
            OSError: it can neither be downloaded nor read from the cache.
            ValueError: it has no such configuration or split, no pictures or no captions.
        """
        path, commit = _located(address)
        revision = None if Path(path).is_dir() else commit
        config, split = _chosen(address, path, revision)
        try:
            rows: Any = datasets.load_dataset(path, config, split=split, revision=revision)
        except (ValueError, DatasetsError) as error:
            raise ValueError(f"{address} cannot be read: {gist(error)}") from error
        pictures = [name for name, feature in rows.features.items() if isinstance(feature, datasets.Image)]
        if len(pictures) != 1:
            raise ValueError(f"{address} must have one column of pictures, and has {', '.join(pictures) or 'none'}")
        others = [name for name in rows.column_names if name not in pictures]
        captions = caption_column(others, column, str(address))
        return cls(
            address,
            rows.select_columns([pictures[0], captions]).cast_column(pictures[0], datasets.Image(decode=False)),
            pictures[0],
            captions,
            hash_text(address.repository, commit, config, split, captions),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        """Dataset and row of an example."""
        return f"{self.address}:{index}"

    def picture(self, index: int) -> PictureFile:
        """Content of a row's picture, or its file.

        Raises:
            ValueError: the row has none.
        """
        picture: dict[str, Any] | None = self.rows[index][self.picture_column]
        if picture is None or (picture["bytes"] is None and picture["path"] is None):
            raise ValueError("no picture")
        return Path(picture["path"]) if picture["bytes"] is None else picture["bytes"]

    def captions(self, index: int) -> list[str]:
        """The captions of a row.

        Raises:
            ValueError: it has none, or they are no texts.
        """
        return caption_texts(self.rows.select_columns([self.caption_column])[index][self.caption_column])


def _located(address: HubAddress) -> tuple[str, str]:
    """The dataset's name for `load_dataset`, and its current commit."""
    online = not constants.HF_HUB_OFFLINE and reachable(constants.ENDPOINT)
    if online:
        try:
            sha = HfApi().dataset_info(address.repository, revision=address.revision).sha
        except Exception as error:  # errors of the network libraries have no common base class
            raise DownloadError(f"fetching {address} failed ({gist(error)})") from error
        return address.repository, str(sha)
    folder = fetched(
        str(address),
        lambda: snapshot_download(
            address.repository, repo_type="dataset", revision=address.revision, local_files_only=True
        ),
    )
    return str(folder), folder.name


def _chosen(address: HubAddress, path: str, revision: str | None) -> tuple[str, str]:
    """The configuration and the split of an address.

    Raises:
        ValueError: they do not exist, or there are several and the address does not name one.
    """
    try:
        configs = datasets.get_dataset_config_names(path, revision=revision)
    except (ValueError, DatasetsError) as error:
        raise ValueError(f"{address} cannot be read: {gist(error)}") from error
    named = [part for part in address.parts[:1] if part in configs]
    default = "default" if "default" in configs else configs[0]
    if not named and len(configs) > 1 and default != "default":
        raise ValueError(f"{address} has several configurations; add one of them to it: {', '.join(configs)}")
    config = named[0] if named else default
    splits = datasets.get_dataset_split_names(path, config, revision=revision)
    rest = address.parts[len(named) :]
    return config, _split(address, rest, splits, configs)


def _split(address: HubAddress, rest: Sequence[str], splits: Sequence[str], configs: Sequence[str]) -> str:
    if len(rest) > 1 or (rest and rest[0] not in splits):
        raise ValueError(
            f"{address} has no configuration or split {rest[0]!r}; its configurations are {', '.join(configs)}, "
            f"and the splits {', '.join(splits)}"
        )
    if not rest and _TRAIN not in splits and len(splits) > 1:
        raise ValueError(f"{address} has no split {_TRAIN}; add one of them to it: {', '.join(splits)}")
    return rest[0] if rest else _TRAIN if _TRAIN in splits else splits[0]
