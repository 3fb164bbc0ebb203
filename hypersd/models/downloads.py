"""Fetching from the Hub: with progress, and explained when it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub.errors import LocalEntryNotFoundError
from tqdm.asyncio import tqdm_asyncio

from hypersd.utils.errors import gist

if TYPE_CHECKING:
    Bar = tqdm_asyncio[Any]
else:
    Bar = tqdm_asyncio  # generic for type checkers only; the Hub's client asks for this kind

ProgressCallback = Callable[[str], None]
"""Hears what is being fetched, and how far it is."""


class DownloadError(OSError):
    """A file could not be fetched; the message says which, and what to do."""


def fetched(what: str, fetch: Callable[[], str]) -> Path:
    """Return the path of a file that `fetch` downloads from the Hub.

    Raises:
        DownloadError: it cannot.
    """
    try:
        return Path(fetch())
    except LocalEntryNotFoundError as error:
        raise DownloadError(
            f"{what} is not downloaded and the Hub cannot be reached; connect once to fetch it"
        ) from error
    except Exception as error:  # the network libraries' errors have no base of their own
        reason = gist(error)
        raise DownloadError(f"fetching {what} failed ({reason}); try again: complete files are kept") from error


def reporting(progress: ProgressCallback, what: str) -> type[Bar]:
    """A progress bar that also tells `progress` how far it is."""

    class Reporting(Bar):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            # Older clients of the Hub switch it off where there is no terminal; it would count nothing then.
            super().__init__(*arguments, **{**named, "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self.total and self.unit == "B":
                progress(f"fetching {what}: {100 * self.n / self.total:.0f} %")
            return shown

    return Reporting
