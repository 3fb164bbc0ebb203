"""Typed and checked settings from environment variables; no other module reads them. docs/settings.md lists them."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import unquote, urlsplit

from hypersd.utils.log_format import LogFormat

DrawingPlace = Literal["apart", "here", "elsewhere"]
"""Place where the arena's pairs are drawn, relative to the page's process."""

Backend = Literal["torch", "openvino", "openvino-int8"]
"""Library that runs the UNets on a CPU: PyTorch, or OpenVINO, in int8 with weights of that precision."""

_Choice = TypeVar("_Choice", bound=str)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PAGE_SECRETS = frozenset({"HYPERSD_OWNER_TOKEN", "HYPERSD_SECRET", "OAUTH_CLIENT_SECRET"})
"""Variables that are removed from child processes of the page. The last of them is read by Gradio."""

_SECRET_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|PRIVATE_KEY)$")
"""Ends of the names of variables with secrets, such as HF_TOKEN, PGPASSWORD or AWS_SECRET_ACCESS_KEY."""

_SHORTEST_SECRET = 4
"""Characters of a value that is looked for in logs: a shorter one would be in every line."""

_LARGEST_POOL = 10_000
"""Prepared pairs: more would be hours of work, and as many gigabytes of pictures."""

_ON, _OFF = {"1", "ON", "YES", "TRUE"}, {"0", "OFF", "NO", "FALSE"}
"""Values of a switch, in any letter case; the first are those of huggingface_hub."""


def _variable(name: str, parse: Callable[[str], Any] = str) -> Mapping[str, Any]:
    """Metadata of a field: the name of its variable, and the parser of its text."""
    return {"variable": name, "parse": parse}


def _networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas or spaces.

    Raises:
        ValueError: an entry is neither, or covers the whole internet.
    """
    networks: list[Network] = []
    for word in text.replace(",", " ").split():
        try:
            network = ipaddress.ip_network(word)
        except ValueError as error:
            raise ValueError(
                f"contains {word!r}, which is not an address or network ({error}); write it like 172.17.0.1, 10.0.0.0/8"
            ) from error
        if network.prefixlen == 0:
            raise ValueError(
                f"contains {word}, which matches every address, so visitors could forge theirs; name only your proxies"
            )
        networks.append(network)
    return tuple(networks)


def _words(text: str) -> tuple[str, ...]:
    """Words, separated by commas or spaces."""
    return tuple(text.replace(",", " ").split())


def _entries(text: str) -> tuple[str, ...]:
    """Entries of a list, separated by commas; they may contain spaces."""
    return tuple(filter(None, (entry.strip() for entry in text.split(","))))


def _log_format(text: str) -> LogFormat:
    """A format of logs.

    Raises:
        ValueError: there is no such format.
    """
    if (word := text.strip().lower()) == "json":
        return "json"
    if word != "text":
        raise ValueError(f"is {text!r}; write text or json")
    return "text"


def _drawing(text: str) -> DrawingPlace:
    """A place where pairs are drawn.

    Raises:
        ValueError: there is no such place.
    """
    return _one_of(get_args(DrawingPlace), text)


def _backend(text: str) -> Backend:
    """A backend.

    Raises:
        ValueError: there is no such backend.
    """
    return _one_of(get_args(Backend), text)


def _one_of(choices: tuple[_Choice, ...], text: str) -> _Choice:
    for choice in choices:
        if choice == text.strip().lower():
            return choice
    raise ValueError(f"is {text!r}; write one of: {', '.join(choices)}")


def _pool(text: str) -> int:
    """A number of prepared pairs.

    Raises:
        ValueError: it is no whole number, or out of range.
    """
    word = text.strip()
    if not word.isdecimal() or not 1 <= int(word) <= _LARGEST_POOL:
        raise ValueError(f"is {text!r}; write a whole number of pairs from 1 to {_LARGEST_POOL}")
    return int(word)


def _switch(text: str) -> bool:
    """True or false.

    Raises:
        ValueError: the text is neither.
    """
    if (word := text.strip().upper()) not in _ON | _OFF:
        raise ValueError(f"is {text!r}, which is neither on nor off; write 1 or 0")
    return word in _ON


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Settings from environment variables; an empty variable counts as not set.

    The code that uses a name or a path checks that the family or the folder exists.
    """

    data: Path = field(default=Path("data"), metadata=_variable("HYPERSD_DATA", Path))
    """Folder of votes, pictures, contestants and rounds; on a local disk, not a network mount."""

    database: str = field(default="", repr=False, metadata=_variable("DATABASE_URL"))
    """Database of the votes, in SQLAlchemy's form, maybe with a password; empty is SQLite in `data`."""

    pictures: str = field(default="", metadata=_variable("HYPERSD_PICTURES"))
    """Folder of the pictures, or a bucket that fsspec opens; empty is a folder in `data`."""

    publish: str = field(default="", metadata=_variable("HYPERSD_PUBLISH"))
    """Location where votes are published and restored from, a folder or `hf://datasets/OWNER/NAME`; empty is none."""

    secret: str = field(default="", repr=False, metadata=_variable("HYPERSD_SECRET"))
    """Key for voters' pseudonyms; empty is a key that is stored with the votes."""

    proxies: tuple[Network, ...] = field(default=(), metadata=_variable("HYPERSD_TRUSTED_PROXIES", _networks))
    """Addresses and networks of proxies whose forwarded client addresses are trusted."""

    family: str = field(default="", metadata=_variable("HYPERSD_FAMILY"))
    """Name of the family that the page shows first; empty is the registry's first."""

    emoji: Path | None = field(default=None, metadata=_variable("HYPERSD_EMOJI", Path))
    """Folder of the embedded family; None is the shipped one."""

    bases: tuple[str, ...] = field(default=(), metadata=_variable("HYPERSD_BASES", _entries))
    """Bases that the page offers beside the families' own, as `SOURCE` or `NAME=SOURCE`: repositories of the Hub
    (OWNER/NAME), folders, checkpoints and style LoRAs."""

    studies: Path | None = field(default=None, metadata=_variable("HYPERSD_STUDIES", Path))
    """Folder of declared studies; None is the shipped one."""

    pool: int = field(default=40, metadata=_variable("HYPERSD_POOL", _pool))
    """Number of pairs that the open arena keeps ready; each study has a quarter of it."""

    reward: Path | None = field(default=None, metadata=_variable("HYPERSD_REWARD", Path))
    """Folder of the reward model on the Results tab; None is the newest of the loop."""

    owner_token: str = field(default="", repr=False, metadata=_variable("HYPERSD_OWNER_TOKEN"))
    """Token with which the page's owner may start rounds; empty disables it."""

    ray: str = field(default="", metadata=_variable("RAY_ADDRESS"))
    """Address of a Ray cluster that draws for commands and for the arena's pairs, or `local`; empty is none."""

    log: LogFormat = field(default="text", metadata=_variable("HYPERSD_LOG", _log_format))
    """Format of the page's log: `text`, or `json` for one object a line."""

    drawing: DrawingPlace | None = field(default=None, metadata=_variable("HYPERSD_DRAWING", _drawing))
    """Place where the arena's pairs are drawn: in a process `apart`, `here` in the page's, or `elsewhere`; None decides
    by the family."""

    backend: Backend = field(default="torch", metadata=_variable("HYPERSD_BACKEND", _backend))
    """Library that runs the UNets where models are drawn on a CPU."""

    offline: bool = field(default=False, metadata=_variable("HF_HUB_OFFLINE", _switch))
    """Switch: load published weights only from the local cache."""

    space_hosts: tuple[str, ...] = field(default=(), metadata=_variable("SPACE_HOST", _words))
    """Host names of the Space, which sets them: its own, and custom domains."""

    platform: str = field(default="", metadata=_variable("SYSTEM"))
    """`spaces` on a Hugging Face Space, which sets it."""

    space: str = field(default="", metadata=_variable("SPACE_ID"))
    """Name of the Hugging Face Space, OWNER/NAME, which sets it; empty elsewhere."""

    zero_gpu: bool = field(default=False, metadata=_variable("SPACES_ZERO_GPU", _switch))
    """True on a Space with ZeroGPU, which sets it: a GPU only within a visitor's call."""

    space_author: str = field(default="", metadata=_variable("SPACE_AUTHOR_NAME"))
    """Name of the Space's owner, set by the Space."""

    signs_in: bool = field(default=False, metadata=_variable("OAUTH_CLIENT_ID", bool))
    """True on a Space where visitors can sign in, which sets it to its client's name."""

    holds_round_lock: bool = field(default=False, metadata=_variable("HYPERSD_ROUND_LOCK", bool))
    """True in a process that inherited the lock of a loop's folder."""

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """Read variables; without any, those of this process.

        Raises:
            ValueError: a value is invalid; the message names its variable.
        """
        given = os.environ if variables is None else variables
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = setting.metadata["variable"]
            if text := given.get(name):
                try:
                    values[setting.name] = setting.metadata["parse"](text)
                except ValueError as error:
                    raise ValueError(f"{name} {error}") from error
        return cls(**values)

    def variables(self) -> dict[str, str]:
        """The variables of these settings; settings with default values are left out."""
        values = [(setting, getattr(self, setting.name)) for setting in fields(self)]
        return {setting.metadata["variable"]: _text(value) for setting, value in values if value != setting.default}

    def for_child(self, packages: Path) -> dict[str, str]:
        """Variables of a child process: those of this process, overridden by these settings, without secrets.

        Args:
            packages: the folder from which the child imports our packages, independent of its working directory.
        """
        path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
        variables = {**os.environ, "PYTHONPATH": path, **self.variables()}
        return {name: value for name, value in variables.items() if name not in PAGE_SECRETS}


def secrets(variables: Mapping[str, str] | None = None) -> frozenset[str]:
    """Secrets in the environment, by default this process's: they must not be in a log.

    The values of variables with the name of a secret, and the passwords of URLs, as written and decoded.
    """
    given = os.environ if variables is None else variables
    values = {value for name, value in given.items() if _SECRET_NAMES.search(name)}
    for value in given.values():
        if "://" in value and "@" in value:
            values |= _passwords(value)
    return frozenset(value for value in values if len(value) >= _SHORTEST_SECRET)


def _passwords(url: str) -> set[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}


def _text(value: Any) -> str:
    """A setting as the text of its variable."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def disable_telemetry() -> None:
    """Turn off huggingface_hub's telemetry, unless its variable is set already."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
