"""Names of repositories on the Hub."""

from __future__ import annotations

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id


def check_hub_name(what: str, name: str) -> str:
    """The name of a repository; `what` it is, with its article, for the message.

    Raises:
        ValueError: it is not OWNER/NAME in the Hub's letters.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ValueError(f"{what} is named OWNER/NAME, in letters, digits, '-', '_' and '.', not {name!r}") from error
    if "/" not in name:
        raise ValueError(f"{what} is named OWNER/NAME, not {name!r}")
    return name
