"""A round as a Hugging Face Job, sent to a Hub on this machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.utils import _http

from hypersd.deploy.loop_job import JobPlan, send
from hypersd.utils.hub_client import limit_silence
from tests.repo_hub import RepoHub, serve

PLAN = JobPlan(space="me/hyper", votes="me/votes", result="us/rounds", rounds=2, flavor="t4-small", timeout="90m")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[RepoHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serve() as served:
        yield served
        served.flowing.set()


def sent(hub: RepoHub) -> str:
    return send(HfApi(endpoint=hub.address), PLAN, "hf_test")


def test_the_request_is_what_was_shown_and_the_secret_is_not(hub: RepoHub) -> None:
    assert sent(hub) == f"{hub.address}/jobs/us/687f"
    (job,) = hub.jobs
    assert job == {
        "path": "/api/jobs/us",
        "dockerImage": "python:3.12",
        "command": ["bash", "-c", PLAN.script],
        "arguments": [],
        "environment": {"HYPERSD_DATA": "/tmp/result"},  # noqa: S108 - in the container
        "secrets": {"HF_TOKEN": "hf_test"},
        "flavor": "t4-small",
        "timeoutSeconds": 90 * 60,
        "labels": {"name": "hypersd-loop"},
        "volumes": [{"type": "space", "source": "me/hyper", "mountPath": "/page", "readOnly": True}],
    }
    for words in ("python:3.12", "t4-small", "90m", "namespace: us", "secrets: HF_TOKEN", "hf://datasets/me/votes"):
        assert words in PLAN.text
    assert all(f"  {line}\n" in f"{PLAN.text}\n" for line in PLAN.script.splitlines())
    assert "hf_test" not in PLAN.text
    assert "hf_test" not in str(PLAN.facts)


def test_the_result_of_a_failed_round_is_uploaded_too(tmp_path: Path) -> None:
    """The script itself, with the commands that need a network or a model replaced by `echo` and `false`."""
    script = re.sub(r"^(pip|cd) .*$", "true", PLAN.script, flags=re.MULTILINE).replace("/tmp/result", str(tmp_path))  # noqa: S108 - as above
    script = re.sub(r"^python .* \|\|", "(exit 3) ||", script, flags=re.MULTILINE).replace("hf upload", "echo upload")
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, f"upload us/rounds {tmp_path} . --private\n")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not accept the token"),
        (402, "us cannot pay for it"),
        (403, "may not start Jobs for us"),
        (429, "try again in 17 seconds"),
        (500, "500"),
    ],
)
def test_a_refusal_is_one_sentence(hub: RepoHub, status: int, words: str) -> None:
    if status == 429:
        hub.limits = [17]
    hub.refusal = status
    with pytest.raises(OSError, match=f"^the Job was not started: .*{words}") as caught:
        sent(hub)
    assert "\n" not in str(caught.value)
    assert "hf_test" not in str(caught.value)
    assert not hub.jobs


def test_a_hub_that_is_silent_or_away_leaves_a_doubt_which_is_told(
    hub: RepoHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "_GLOBAL_CLIENT_FACTORY", _http.default_client_factory)
    limit_silence(0.2)
    hub.flowing.clear()
    with pytest.raises(OSError, match=r"^the Hub did not answer .* look at https://huggingface.co/settings/jobs"):
        sent(hub)
    hub.flowing.set()
    _http.close_session()
    with serve() as gone:
        pass
    with pytest.raises(OSError, match="did not answer"):
        send(HfApi(endpoint=gone.address), PLAN, "hf_test")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": "hyper"}, "a Space is named OWNER/NAME"),
        ({"votes": "me/vo tes"}, "a dataset is named OWNER/NAME"),
        ({"result": "me/$(id)"}, "a model repository is named OWNER/NAME"),
        ({"flavor": "abacus"}, "choose from: cpu-basic"),
        ({"timeout": "soon"}, "such as 90m"),
        ({"rounds": 0}, "1 to 100 rounds"),
    ],
)
def test_what_cannot_be_sent_is_refused_before(change: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        JobPlan(**{"space": "me/hyper", "votes": "me/votes", "result": "me/rounds", **change})
