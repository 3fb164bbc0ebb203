"""Files of the Hub's cache against the hash that they are kept under: a damaged weight draws, and draws nonsense."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE = 4 * 2**20


class DamagedFileError(OSError):
    """A file's content is not what its hash says; the message names it, and says what to do."""


def check_hash(file: Path) -> None:
    """See that a file has the SHA-256 that it is kept under; one that is not in the Hub's cache has none.

    The cache keeps large files in `blobs/SHA-256` and links to them. A file that was read before is not read again.

    Raises:
        DamagedFileError: its content has another.
    """
    blob = file.resolve()
    if blob.parent.name != "blobs" or not _SHA256.fullmatch(blob.name):
        return
    state = blob.stat()
    if _sha256(blob, state.st_size, state.st_mtime_ns) != blob.name:
        raise DamagedFileError(
            f"{file} is not the file that was published (its SHA-256 is another); delete {blob} to fetch it again"
        )


@lru_cache(maxsize=1024)
def _sha256(file: Path, _size: int, _changed: int) -> str:
    """A file's SHA-256 in hexadecimal, read once for each size and time of change."""
    digest = sha256()
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
