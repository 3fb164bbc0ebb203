"""Downloads from the Hub, with progress and clear error messages."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from tqdm.asyncio import tqdm_asyncio

from hypersd.utils.errors import gist

if TYPE_CHECKING:
    Bar = tqdm_asyncio[Any]
else:
    Bar = tqdm_asyncio  # generic for type checkers only; the Hub's client asks for this kind

ProgressCallback = Callable[[str], None]
"""Callback with a text about the current download and its progress."""


class DownloadError(OSError):
    """A file could not be downloaded; the message names it and says what to do."""


def fetched(what: str, fetch: Callable[[], str], repository: str = "") -> Path:
    """Return the path of a file that `fetch` downloads from the Hub; `repository` is its repository, if not `what`.

    Raises:
        DownloadError: the download failed.
    """
    with explained(what, repository):
        return Path(fetch())


@contextmanager
def explained(what: str, repository: str = "") -> Generator[None]:
    """Within this context, the Hub's client says in one sentence why it cannot fetch something; as for `fetched`.

    Raises:
        DownloadError: it cannot.
    """
    try:
        yield
    except LocalEntryNotFoundError as error:
        reason = f" ({gist(error.__cause__)})" if error.__cause__ else ""  # none if the Hub was not asked
        raise DownloadError(
            f"{what} is not downloaded and the Hub cannot be reached{reason}; connect once to fetch it"
        ) from error
    except GatedRepoError as error:
        page = f"{constants.ENDPOINT}/{repository or what}"
        raise DownloadError(
            f"{what} is in a gated repository; accept its terms at {page}, and log in with `hf auth login`"
        ) from error
    except EntryNotFoundError as error:
        raise DownloadError(f"there is no {what} in {repository or 'its repository'} on the Hub") from error
    except RepositoryNotFoundError as error:
        raise DownloadError(
            f"there is no repository {repository or what} on the Hub, or it is private; log in with `hf auth login`"
        ) from error
    except Exception as error:  # the network libraries' errors have no base of their own
        if _is_disk_full(error):
            cache = constants.HF_HUB_CACHE
            raise DownloadError(
                f"there is no room for {what} in {cache}; free some, or set HF_HUB_CACHE to a folder on another disk"
            ) from error
        reason = gist(error)
        raise DownloadError(f"fetching {what} failed ({reason}); try again: complete files are kept") from error


def _is_disk_full(error: BaseException | None) -> bool:
    """True if an error, or one of its causes, is a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def reporting(progress: ProgressCallback, what: str) -> type[Bar]:
    """A progress bar that also reports to `progress`."""

    class Reporting(Bar):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            # Older clients of the Hub disable it without a terminal; then it would not count.
            super().__init__(*arguments, **{**named, "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self.total and self.unit == "B":
                progress(f"fetching {what}: {100 * self.n / self.total:.0f} %")
            return shown

    return Reporting
