"""A round of feedback as a Hugging Face Job: the request, as text, and its sending.

The Job's container mounts a Space of this project (`deploy`) for its code, reads the votes from the dataset to which
the arena publishes them, and uploads what a round leaves on disk to a model repository.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, JobHardware, Volume
from huggingface_hub.errors import HfHubHTTPError

from hypersd.deploy.hub_names import check_hub_name
from hypersd.utils.environment import Environment
from hypersd.utils.errors import gist

IMAGE = "python:3.12"
"""As a Space's `python_version`; what the Space requires is installed into it."""

FLAVORS: tuple[str, ...] = tuple(flavor.value for flavor in JobHardware)
"""Names of the machines on which Jobs run."""

TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable
"""Name of the Job's secret: the token that reads the votes and writes the result."""

_CODE, _RESULT = "/page", "/tmp/result"  # noqa: S108 - in the Job's own container
_TIMEOUT = re.compile(r"[1-9][0-9]{0,3}[smhd]")
_MOST_ROUNDS = 100
_REFUSED = {
    401: "the Hub does not accept the token; log in again with `hf auth login`, or set HF_TOKEN to a valid one",
    402: "{owner} cannot pay for it: Jobs need credit; add some at https://huggingface.co/settings/billing",
    403: "the token may not start Jobs for {owner}; make one that may at https://huggingface.co/settings/tokens",
    429: "the Hub gets too many requests from here; try again in {later}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """Rounds of feedback for a Job.

    Args:
        space: the Space whose code is run, OWNER/NAME.
        votes: the dataset of published votes, OWNER/NAME.
        result: the model repository that gets the rounds and the contestants; its owner runs the Job and pays for it.
        family: the family to tune.
        rounds: number of rounds.
        flavor: name of the machine, one of `FLAVORS`. The embedded family needs no GPU.
        timeout: time after which the Job is ended, such as 90m or 3h; what it has not uploaded by then is lost.

    Raises:
        ValueError: a name, the flavor, the number of rounds or the time is invalid.
    """

    space: str
    votes: str
    result: str
    family: str = "emoji"
    rounds: int = 1
    flavor: str = JobHardware.CPU_UPGRADE.value
    timeout: str = "3h"

    def __post_init__(self) -> None:
        check_hub_name("a Space", self.space)
        check_hub_name("a dataset", self.votes)
        check_hub_name("a model repository", self.result)
        if self.flavor not in FLAVORS:
            raise ValueError(f"unknown flavor {self.flavor!r}; choose from: {', '.join(FLAVORS)}")
        if not _TIMEOUT.fullmatch(self.timeout):
            raise ValueError(
                f"the timeout is a whole number with s, m, h or d, such as 90m or 3h, not {self.timeout!r}"
            )
        if not 1 <= self.rounds <= _MOST_ROUNDS:
            raise ValueError(f"choose 1 to {_MOST_ROUNDS} rounds, not {self.rounds}")

    @property
    def owner(self) -> str:
        """The account that runs the Job."""
        return self.result.partition("/")[0]

    @property
    def script(self) -> str:
        """The shell script of the Job: a failed round is uploaded too, as far as it went."""
        source = f"hf://datasets/{self.votes}"
        loop = ["python", "-m", "hypersd", "loop", "--family", self.family, "--votes", source]
        loop += ["--rounds", str(self.rounds), "--out", f"{_RESULT}/loop"]
        lines = (
            "set -e",
            f"pip install --quiet --requirement {_CODE}/requirements.txt",
            f"cd {_CODE}",
            "status=0",
            f"{shlex.join(loop)} || status=$?",
            f"[ ! -d {_RESULT} ] || hf upload {shlex.quote(self.result)} {_RESULT} . --private",
            "exit $status",
        )
        return "\n".join(lines)

    @property
    def request(self) -> dict[str, Any]:
        """Arguments for `HfApi.run_job`, without the secret."""
        return {
            "image": IMAGE,
            "command": ["bash", "-c", self.script],
            "env": Environment(data=Path(_RESULT)).variables(),
            "flavor": self.flavor,
            "timeout": self.timeout,
            "labels": {"name": "hypersd-loop"},
            "volumes": [Volume(type="space", source=self.space, mount_path=_CODE, read_only=True)],
            "namespace": self.owner,
        }

    @property
    def facts(self) -> dict[str, Any]:
        """The request as it is shown: secrets by name, never their values."""
        volumes = [volume.to_uri() for volume in self.request["volumes"]]
        shown = {name: value for name, value in self.request.items() if name not in ("command", "volumes")}
        whence = {"reads": f"hf://datasets/{self.votes}", "writes": f"https://huggingface.co/{self.result}"}
        return {**shown, "secrets": [TOKEN], "volumes": volumes, **whence, "command": self.request["command"]}

    @property
    def text(self) -> str:
        """The request for people."""
        facts = self.facts
        program, flag, script = facts.pop("command")
        lines = [f"{name:>9}: {_plain(value)}" for name, value in facts.items()]
        return "\n".join([*lines, f"{'command':>9}: {program} {flag}", *(f"  {line}" for line in script.splitlines())])


def send(api: HfApi, plan: JobPlan, token: str) -> str:
    """Start the Job; return its address.

    Args:
        api: of the Hub; its client should limit how long it waits (`limit_silence`).
        plan: what to run.
        token: of the owner; it starts the Job, and is the Job's secret.

    Raises:
        OSError: the Hub refuses it, or does not answer; the message says what to do.
    """
    try:
        return api.run_job(**plan.request, secrets={TOKEN: token}, token=token).url
    except HfHubHTTPError as error:
        seconds = error.response.headers.get("retry-after", "")
        later = f"{seconds} seconds" if seconds.isdecimal() else "a few minutes"
        reason = _REFUSED.get(error.response.status_code, gist(error)).format(owner=plan.owner, later=later)
        raise OSError(f"the Job was not started: {reason}") from error
    except Exception as error:  # the network libraries' errors have no base of their own
        raise OSError(
            f"the Hub did not answer ({gist(error)}), so the Job may have been started or not; "
            f"look at https://huggingface.co/settings/jobs before you try again"
        ) from error


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())  # pyright: ignore[reportUnknownVariableType]
    return ", ".join(value) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType]
