"""Deployment of the page to a Hugging Face Space, in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError

from hypersd.deploy.hub_names import check_hub_name
from hypersd.deploy.space_files import SpaceFile
from hypersd.utils.errors import gist

_KEPT = frozenset({".gitattributes"})
"""Files that the Hub itself puts into a Space."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Space as it is after a deployment: its address, and the files that were removed from it."""

    url: str
    removed: tuple[str, ...]


def check_space(name: str) -> str:
    """The name of a Space.

    Raises:
        ValueError: it is not OWNER/NAME in the Hub's letters.
    """
    return check_hub_name("a Space", name)


def deploy(
    api: HfApi,
    space: str,
    files: Sequence[SpaceFile],
    *,
    private: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Deployment:
    """Make a Space hold just these files, in one commit; it is created if there is none.

    Args:
        api: of the Hub.
        space: OWNER/NAME.
        files: of the Space.
        private: a new Space is seen by its owner only.
        variables: environment variables of the Space to set; others are left as they are.

    Raises:
        OSError: the Hub refuses, or does not answer; no file of the Space has changed.
    """
    try:
        url = api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        for name, value in (variables or {}).items():
            api.add_space_variable(space, name, value)
        wanted = {file.path for file in files}
        there = set(api.list_repo_files(space, repo_type="space"))
        removed = tuple(sorted(there - wanted - _KEPT))
        api.create_commit(
            space,
            [
                *(CommitOperationDelete(path) for path in removed),
                *(CommitOperationAdd(file.path, file.content) for file in files),
            ],
            commit_message="Deploy the page",
            repo_type="space",
        )
    except HfHubHTTPError as error:
        raise OSError(f"the Hub refuses to deploy to {space}: {gist(error)}") from error
    except Exception as error:  # the network libraries' errors have no base of their own
        raise OSError(f"deploying to {space} failed ({gist(error)}); no file there has changed; try again") from error
    return Deployment(str(url), removed)
