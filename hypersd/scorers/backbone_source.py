"""Check of a reward model's backbone before any work; imports no heavy library."""

from __future__ import annotations

import logging
from pathlib import Path

from huggingface_hub import HfApi, constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from hypersd.models.downloads import DownloadError
from hypersd.models.network import reachable
from hypersd.utils.errors import gist
from hypersd.utils.model_folders import check_clip

log = logging.getLogger(__name__)

_KNOWN_BY = ("config.json", "med_config.json")
"""A file that every CLIP model has, and one that ImageReward has."""

_PATIENCE = 5.0
"""Timeout in seconds of a request to the Hub; a download would retry for more than a minute."""


def check_backbone(name: Path | str) -> bool:
    """Check before any work that a backbone exists; return true if only local files can be read.

    Args:
        name: a folder, or a repository of the Hub.

    Raises:
        OSError: neither exists, or the Hub does not answer and the repository is not in the cache.
    """
    if Path(name).is_dir():
        _check_folder(Path(name))
        return True
    try:
        validate_repo_id(str(name))
    except HFValidationError as error:
        raise FileNotFoundError(f"there is no folder {name}, and the Hub has no repository of this name") from error
    if Path(name).exists():
        raise NotADirectoryError(f"{name} is a file; name the folder of a CLIP model or ImageReward, or a repository")
    if not constants.HF_HUB_OFFLINE and reachable(constants.ENDPOINT):
        try:
            HfApi().model_info(str(name), timeout=_PATIENCE)
        except RepositoryNotFoundError as error:
            raise DownloadError(f"there is no folder {name}, and the Hub has no public model {name}") from error
        except Exception as error:  # noqa: BLE001 - errors of the network libraries have no common base class
            log.info("the Hub does not answer (%s); looking in its cache", gist(error))
        else:
            return False
    if not any(isinstance(try_to_load_from_cache(str(name), file, constants.HF_HUB_CACHE), str) for file in _KNOWN_BY):
        raise DownloadError(
            f"there is no folder {name}, the model {name} is not downloaded, and the Hub cannot be reached; "
            "name a folder, or connect once to fetch it"
        )
    return True


def _check_folder(folder: Path) -> None:
    if not any((folder / file).is_file() for file in _KNOWN_BY):
        raise FileNotFoundError(f"{folder} contains neither a CLIP model nor ImageReward: it has no config.json")
    if not (folder / "med_config.json").is_file():
        check_clip(folder)
