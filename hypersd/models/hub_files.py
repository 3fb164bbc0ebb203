"""Files of the Hub's repositories, from the cache or downloaded, with progress, explained when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from hypersd.models.downloads import ProgressCallback, fetched, reporting
from hypersd.models.machine import Machine

_NOT_NEEDED = ["safety_checker/*", "feature_extractor/*", "vae_1_0/*", "vae_decoder/*", "vae_encoder/*"]
"""Folders of published repositories that drawing never reads."""


@dataclass(frozen=True)
class HubFiles:
    """Files of the Hub on a machine; `progress` hears what is being fetched."""

    machine: Machine
    progress: ProgressCallback

    def file(self, repository: str, file: str) -> Path:
        """Path of a repository's file, after fetching it if need be.

        Raises:
            DownloadError: it cannot be fetched.
        """
        return self._fetched(
            file,
            repository,
            lambda: hf_hub_download(
                repository,
                file,
                cache_dir=self.machine.cache,
                endpoint=self.machine.hub,
                local_files_only=not self.machine.online,
                tqdm_class=reporting(self.progress, file),
            ),
        )

    def folder(self, repository: str, *patterns: str) -> Path:
        """Folder of a repository with its files of these patterns, after fetching them if need be.

        Raises:
            DownloadError: they cannot be fetched.
        """
        return self._fetched(
            repository,
            repository,
            lambda: snapshot_download(
                repository,
                allow_patterns=list(patterns),
                ignore_patterns=_NOT_NEEDED,
                cache_dir=self.machine.cache,
                endpoint=self.machine.hub,
                local_files_only=not self.machine.online,
                tqdm_class=reporting(self.progress, repository),
            ),
        )

    def _fetched(self, what: str, repository: str, fetch: Callable[[], str]) -> Path:
        self.progress(f"fetching {what}")
        return fetched(what, fetch, repository)


def is_repository(name: str) -> bool:
    """True for OWNER/NAME in the Hub's letters: no address, and no path out of the Hub's cache."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name
