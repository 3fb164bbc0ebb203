"""Visitors who sign in with their account, as on a Space: who may do what, by the page's own routes and cookies."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio import oauth
from gradio.routes import App
from itsdangerous import TimestampSigner
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from app.api.routes import routes
from app.pages.arena_tab import build_arena
from app.pages.feedback.feedback_tab import build_feedback
from app.pages.feedback.job_panel import JobDefaults
from app.services.arena import Arena
from app.services.identities import Identities
from app.services.loop_runner import LoopRunner, Owner
from app.services.same_origin import SameOriginSession
from hypersd.arena.votes.battle import account_pseudonym, pseudonym
from tests.arena.conftest import pair

_HOST = "https://ann-hyper.hf.space"
_SECRET = "the client's secret"  # noqa: S105 - of this test
_TOKEN = "t" * 32


def cookie(name: str, secret: str = _SECRET, expires: float | None = None) -> str:
    """The session cookie of an account, as Gradio signs it."""
    userinfo = {"sub": f"id-of-{name}", "preferred_username": name, **dict.fromkeys(("name", "profile", "picture"), "")}
    info = {"userinfo": userinfo, "expires_at": expires or time.time() + 3600}
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    key = hashlib.sha256(f"{secret}-v4".encode()).hexdigest()
    return f"session={TimestampSigner(key).sign(data).decode()}"


ANN, BEN = {"cookie": cookie("ann")}, {"cookie": cookie("ben")}
NOBODY: dict[str, str] = {}


@dataclass
class Space:
    """A page on a Space of Ann's."""

    client: TestClient
    demo: gr.Blocks
    runner: LoopRunner
    arena: Arena

    def click(self, name: str, headers: dict[str, str], token: str = "") -> str:
        """Call a handler of the Feedback tab; its answer."""
        index = next(one._id for one in self.demo.fns.values() if getattr(one.fn, "__name__", "") == name)
        body = {"fn_index": index, "data": [token], "session_hash": "a"}
        return self.client.post("/gradio_api/run/predict", json=body, headers=headers).text

    def ask(self, name: str, headers: dict[str, str], **words: str) -> tuple[int, dict[str, Any]]:
        """Send a request to the arena."""
        answer = self.client.post(f"/arena/{name}", json=words, headers={"x-voter": _TOKEN, **headers})
        return answer.status_code, answer.json()


@pytest.fixture
def space(arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Space]:
    script = "import time; print('at work', flush=True); time.sleep(600)"
    runner = LoopRunner(tmp_path / "loop", lambda _count: [sys.executable, "-c", script])
    runner.grace = 0.1
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "ann/hyper")
    values = {"CLIENT_ID": "1", "CLIENT_SECRET": _SECRET, "SCOPES": "openid profile"}
    for name, value in values.items():
        monkeypatch.setattr(oauth, f"OAUTH_{name}", value)
    monkeypatch.setattr(oauth, "OPENID_PROVIDER_URL", "https://huggingface.co")
    with gr.Blocks(analytics_enabled=False) as demo:
        build_arena(open_=True, signs_in=True)
        owner = Owner("sesame", "ann")
        build_feedback(demo, runner, owner, arena=None, contestants=tmp_path, jobs=JobDefaults())
    app = App.create_app(
        demo, app_kwargs={"routes": routes(arena), "middleware": [Middleware(SameOriginSession, hosts=["my.example"])]}
    )
    with TestClient(app, base_url=_HOST) as client:
        yield Space(client, demo, runner, arena)
    if runner.pid() is not None:
        runner.cancel()


@pytest.mark.parametrize(
    "visitor",
    [
        NOBODY,
        BEN,
        {"cookie": cookie("ann", secret="")},
        {"cookie": cookie("ann", expires=time.time() - 1)},
        {**ANN, "origin": "https://evil.example"},
        {**ANN, "origin": "null"},
    ],
    ids=["anonymous", "another account", "forged cookie", "expired", "another site", "a file"],
)
def test_nobody_but_the_owner_starts_or_cancels(space: Space, visitor: dict[str, str]) -> None:
    for name in ("start", "cancel"):
        assert "Only the owner" in space.click(name, visitor)
        assert "Only the owner" in space.click(name, visitor, token="Sesame")  # noqa: S106 - a wrong one
    assert space.runner.pid() is None


def test_the_owner_starts_and_cancels_by_account_or_token(space: Space) -> None:
    assert "has begun" in space.click("start", {**ANN, "origin": _HOST})
    assert space.runner.pid()
    assert "Only the owner" in space.click("cancel", BEN)
    assert "running already" in space.click("start", {**ANN, "origin": "https://my.example"})
    assert space.runner.pid()
    assert "was cancelled" in space.click("cancel", NOBODY, token="sesame")  # noqa: S106 - the right one
    assert space.runner.pid() is None


def test_another_site_s_request_signs_nobody_out(space: Space) -> None:
    answer = space.client.post("/arena/progress", json={}, headers={**ANN, "origin": "https://evil.example"})
    assert "set-cookie" not in answer.headers


def test_kinds_of_voters_never_mix(space: Space) -> None:
    secret = space.arena.key.secret
    signed_in, anonymous = account_pseudonym(secret, "id-of-ann"), pseudonym(secret, _TOKEN)
    assert len(signed_in) == len(anonymous) == 24
    assert signed_in.startswith("hf-")
    int(anonymous, 16)  # which "hf-…" is not
    # Even a token that spells an account is another voter.
    assert pseudonym(secret, "account:id-of-ann") not in {signed_in, signed_in.removeprefix("hf-")}
    voters = {
        name: space.arena.voter("203.0.113.1", token, account)
        for name, token, account in (
            ("ann", _TOKEN, "id-of-ann"),
            ("ann on another machine", "u" * 32, "id-of-ann"),
            ("ben", _TOKEN, "id-of-ben"),
            ("nobody", _TOKEN, ""),
        )
    }
    assert voters["ann"] == voters["ann on another machine"] == signed_in
    assert len(set(voters.values())) == 3


def test_signing_in_gives_no_second_vote(space: Space) -> None:
    arena = space.arena
    anonymous = arena.voter("testclient", _TOKEN)
    battle = arena.service.custom_battle(pair(), anonymous)
    assert space.ask("vote", ANN, battle=battle.id, choice="left")[0] == 422, "it is not theirs"
    arena.show(anonymous, battle.id)
    assert space.ask("vote", NOBODY, battle=battle.id, choice="left")[0] == 200
    status, answer = space.ask("vote", ANN, battle=battle.id, choice="right")
    assert (status, answer["error"]) == (422, "This battle is not yours; load the page again for one of your own.")
    assert space.ask("vote", NOBODY, battle=battle.id, choice="right")[0] == 409
    (kept,) = arena.store.votes()
    assert (kept.choice, kept.battle.voter) == ("left", anonymous)
    assert space.ask("undo", ANN, battle=battle.id)[0] == 422


@pytest.mark.parametrize(("first", "second"), [(NOBODY, ANN), (ANN, NOBODY)], ids=["signs in", "signs out"])
def test_a_pair_is_not_shown_again_after_signing_in_or_out(
    space: Space, first: dict[str, str], second: dict[str, str]
) -> None:
    arena = space.arena
    seen = pair()
    arena.store.pairs.add(seen)
    for visitor in (first, second):
        space.ask("progress", visitor)  # the page does so when it opens
    voter = arena.voter("testclient", _TOKEN, "id-of-ann" if first else "")
    assert arena.service.next_battle(voter) is not None
    other = arena.voter("testclient", _TOKEN, "id-of-ann" if second else "")
    assert arena.service.next_battle(other, alias=arena.identities.other(other)) is None
    assert space.ask("draw", second)[1]["battle"] is None
    stranger = arena.voter("testclient", "s" * 32)
    assert arena.service.next_battle(stranger, alias=arena.identities.other(stranger)) is not None


def test_few_identities_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.identities._MOST", 4)
    identities = Identities()
    for number in range(3):
        identities.connect(f"anonymous {number}", f"account {number}")
    assert identities.other("anonymous 0") == identities.other("account 0") == ""
    assert identities.other("account 2") == "anonymous 2"
