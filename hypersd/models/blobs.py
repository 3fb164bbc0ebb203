"""Hash check of files in the Hub's cache: damaged weights would load without an error and give wrong pictures."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE = 4 * 2**20


class DamagedFileError(OSError):
    """A file's content does not match its hash; the message names the file and says what to do."""


def check_hash(file: Path) -> None:
    """Check that a file in the Hub's cache has the SHA-256 in its name; other files are not checked.

    The cache stores large files as `blobs/SHA-256` and links to them. A file is read only once.

    Raises:
        DamagedFileError: the content has another hash.
    """
    blob = file.resolve()
    if blob.parent.name != "blobs" or not _SHA256.fullmatch(blob.name):
        return
    state = blob.stat()
    if _sha256(blob, state.st_size, state.st_mtime_ns) != blob.name:
        raise DamagedFileError(
            f"{file} is not the published file (its SHA-256 differs); delete {blob} to download it again"
        )


@lru_cache(maxsize=1024)
def _sha256(file: Path, _size: int, _changed: int) -> str:
    """A file's SHA-256 in hexadecimal, read once for each size and time of change."""
    digest = sha256()
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
