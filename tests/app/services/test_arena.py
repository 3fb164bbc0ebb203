"""The arena behind the page, and its HTTP routes, on a tiny random family."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import json
import re
import resource
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from app.api.routes import SerialQueue, address, client, parsed, routes, text
from app.build import launch
from app.pages.arena_tab import build_arena, skeleton
from app.services.arena import PERSONAL_BOARD, Arena, open_arena
from app.services.engines import EngineManager
from app.services.settings import AppSettings
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.rate_limit import RateLimits
from hypersd.arena.service.vote_rules import BattlePolicy, VoteRejected
from hypersd.arena.storage import StorageConfig
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Client
from hypersd.arena.votes.quality import clean
from hypersd.models.registry import FAMILIES
from tests.arena.conftest import entry, pair
from tests.families import SMALL_POOL, emoji_family

ANN, BEN = "a" * 32, "b" * 32


@dataclass(frozen=True)
class Door:
    """HTTP client of the arena's routes."""

    url: str
    data: Path

    def __call__(
        self,
        name: str,
        voter: str = ANN,
        body: object = None,
        raw: bytes | None = None,
        *,
        home: str = "",
    ) -> tuple[int, Any]:
        data = raw if raw is not None else json.dumps(body or {}).encode()
        headers = {"x-voter": voter, **({"x-forwarded-for": home} if home else {})}
        request = urllib.request.Request(f"{self.url}arena/{name}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def battle(self, voter: str = ANN, besides: str = "", **words: str) -> dict[str, Any]:
        """A battle, once the pool has one."""
        for _ in range(600):
            status, battle = self("draw", voter, {"besides": besides, **words})
            assert status == 200, battle
            if battle["battle"]:
                return battle
            time.sleep(0.2)
        raise AssertionError("no pair was prepared")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("arena")
    emoji_family(FAMILIES["emoji"], folder / "emoji-xl")
    # On a Space a proxy forwards visitors' addresses; without the header they come from this machine.
    chosen = AppSettings(
        emoji=folder / "emoji-xl", storage=StorageConfig(data=folder / "data"), space="me/hyper", pool=SMALL_POOL
    )
    demo = launch(chosen, block=False, quiet=True, server_name="127.0.0.1")
    yield Door(demo.local_url, folder / "data")
    demo.close()


def test_models_are_revealed_only_after_the_vote(door: Door) -> None:
    battle = door.battle()
    assert set(battle) == {"battle", "prompt", "sheet"}
    assert door("show", body={"battle": battle["battle"]})[0] == 200
    words = {"battle": battle["battle"], "choice": "left", "decision_ms": 1500, "input": "key"}
    status, answer = door("vote", body=words)
    assert status == 200
    for side in ("left", "right"):
        assert answer[side]["label"].startswith("emoji/")
        assert answer[side]["seconds"] > 0
    assert answer["votes"] == 1
    assert door("vote", body=words) == (409, {"error": "Already counted: your first vote is kept."})
    assert door("answer", body={"battle": battle["battle"], "choice": "tie"})[0] == 200
    assert door("answer", body={"battle": battle["battle"], "choice": "tie"})[0] == 409


def test_the_next_battle_can_be_fetched_before_the_vote(door: Door) -> None:
    first = door.battle(BEN)
    second = door.battle(BEN, besides=first["battle"])
    assert second["battle"] != first["battle"]
    assert door.battle(BEN, besides=first["battle"])["battle"] == second["battle"]


def test_a_vote_can_show_the_next_battle_and_fetch_another(door: Door) -> None:
    voter = "1" * 32
    first = door.battle(voter)["battle"]
    assert door("show", voter, {"battle": first})[0] == 200
    second = door.battle(voter, besides=first)["battle"]
    store = Store(f"sqlite:///{door.data}/arena.sqlite")
    while not store.pairs.pool_size(None):
        time.sleep(0.1)  # until the pool has a pair that nobody was given
    store.engine.dispose()
    status, answer = door("vote", voter, {"battle": first, "choice": "left", "shown": second})
    assert (status, answer["shown"], set(answer["ahead"])) == (200, True, {"battle", "prompt", "sheet"})
    words = {"battle": second, "choice": "right", "shown": answer["ahead"]["battle"], "study": "none of ours"}
    assert door("vote", voter, words)[0] == 422, "as for a draw in it"
    status, answer = door("vote", voter, {"battle": second, "choice": "right", "shown": ""})
    assert (status, answer["votes"], answer["shown"]) == (200, 2, False)


def test_invalid_votes_are_rejected(door: Door) -> None:
    battle = door.battle("c" * 32)["battle"]
    for voter, words, said in (
        ("c" * 32, {"battle": battle, "choice": "left"}, "not been shown"),
        (ANN, {"battle": battle, "choice": "left"}, "not yours"),
        ("c" * 32, {"battle": "nothing", "choice": "left"}, "not yours"),
        ("c" * 32, {"battle": battle, "choice": "up"}, "not a choice"),
        ("c" * 32, {"choice": "left"}, "Battle is missing"),
        ("c" * 32, {"battle": battle, "choice": "left", "decision_ms": "soon"}, "illiseconds"),
        ("c" * 32, {"battle": battle, "choice": "left", "decision_ms": -1}, "illiseconds"),
        ("c" * 32, {"battle": battle, "choice": "left", "input": "telepathy"}, "nknown input"),
        ("short", {"battle": battle, "choice": "left"}, "load it again"),
    ):
        status, answer = door("vote", voter, words)
        assert status == 422
        assert said in answer["error"]


def test_an_expired_battle_is_rejected_and_another_is_available(door: Door) -> None:
    voter = "e" * 32
    battle = door.battle(voter)["battle"]
    assert door("show", voter, {"battle": battle})[0] == 200
    with sqlite3.connect(door.data / "arena.sqlite", timeout=30) as votes:
        votes.execute("UPDATE battles SET expires = '2020-01-01 00:00:00' WHERE id = ?", (battle,))
    votes.close()
    words = {"battle": battle, "choice": "left"}
    assert door("vote", voter, words) == (422, {"error": "This battle has expired; here is the next one."})
    assert door.battle(voter)["battle"] != battle


def test_an_own_prompt_is_drawn_for_its_visitor_alone(door: Door) -> None:
    door.battle()  # the models are loaded
    status, battle = door("own", "d" * 32, {"prompt": "a <b>cat</b> \u200f on red"})
    assert "“b”" in " ".join(battle["warnings"]), "unknown words are named"
    assert status == 200, battle
    assert battle["prompt"] == "a <b>cat</b> \u200f on red"
    assert door("show", "d" * 32, {"battle": battle["battle"]})[0] == 200
    _, answer = door("vote", "d" * 32, {"battle": battle["battle"], "choice": "right"})
    assert answer["public"] is False
    assert "prompt is empty" in door("own", "d" * 32, {"prompt": " "})[1]["error"]


def test_requests_of_one_address_are_limited(door: Door) -> None:
    most = RateLimits().own_a_minute
    asked = [door("own", "f" * 32, {"prompt": " "}, home="203.0.113.9") for _ in range(most + 5)]
    assert [status for status, _ in asked[:most]] == [422] * most
    status, answer = asked[-1]
    assert status == 429
    assert answer["error"].startswith("Too many requests come from your address")
    assert door("progress", "f" * 32, home="203.0.113.9")[0] == 200, "votes are still allowed"
    assert door("own", "f" * 32, {"prompt": " "}, home="203.0.113.10")[0] == 422, "so are other addresses"
    assert "203.0.113" not in "".join(file.read_bytes().decode("latin-1") for file in door.data.glob("*.sqlite*"))


@pytest.mark.parametrize(
    ("on_space", "forwarded", "known_as"),
    [
        (True, "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (True, "2001:db8::1:2:3:4", "2001:db8::"),
        (True, "127.0.0.1", "10.0.0.7"),  # a forged address of this machine
        (True, "", "10.0.0.7"),
        (False, "203.0.113.9", "10.0.0.7"),  # without a proxy the header can be forged
    ],
)
def test_the_address_of_a_visitor(*, on_space: bool, forwarded: str, known_as: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.7", 50_000)})
    assert address(request, on_space=on_space) == known_as


def test_a_vote_is_taken_from_another_address_than_its_battle(door: Door) -> None:
    voter = "7" * 32
    homes = ("203.0.113.20", "198.51.100.20", "2001:db8:9:9::1")  # Wi-Fi, mobile, IPv6
    for number, home in enumerate(homes, start=1):
        battle = door.battle(voter)["battle"]  # from this machine
        assert door("show", voter, {"battle": battle}, home=home)[0] == 200
        elsewhere = homes[number % len(homes)]
        status, answer = door("vote", voter, {"battle": battle, "choice": "left"}, home=elsewhere)
        assert (status, answer["votes"]) == (200, number), "they are the same voter"


def test_a_forged_first_hop_is_ignored(arena: Arena) -> None:
    arena.proxies = [ipaddress.ip_network("172.17.0.0/16")]
    page = TestClient(Starlette(routes=routes(arena)), headers={"x-voter": ANN}, client=("172.17.0.1", 50_000))
    most = RateLimits().own_a_minute
    asked = [
        page.post("/arena/own", json={"prompt": " "}, headers={"x-forwarded-for": f"192.0.2.{number}, 203.0.113.9"})
        for number in range(most + 1)
    ]
    assert [answer.status_code for answer in asked] == [422] * most + [429]
    other = page.post("/arena/own", json={"prompt": " "}, headers={"x-forwarded-for": "203.0.113.10"})
    assert other.status_code == 422, "others behind the proxy have their own limit"


def test_a_receipt_shows_that_a_vote_was_taken_back(door: Door) -> None:
    voter = "6" * 32
    battle = door.battle(voter)
    while True:
        assert door("show", voter, {"battle": battle["battle"]})[0] == 200
        _, answer = door("vote", voter, {"battle": battle["battle"], "choice": "left"})
        if not answer["check"]:
            break
        assert "was a check" in door("undo", voter, {"battle": battle["battle"]})[1]["error"]
        battle = door.battle(voter)
    kept = receipt(door, answer["receipt"])
    assert set(kept) == {"kept", "withdrawn", "day"}, "nothing of the voter, the choice or the models"
    assert (kept["kept"], kept["withdrawn"]) == (True, False)
    assert door("undo", BEN, {"battle": battle["battle"]})[0] == 422
    status, undone = door("undo", voter, {"battle": battle["battle"]})
    assert (status, undone["votes"]) == (200, answer["votes"] - 1)
    assert receipt(door, answer["receipt"]) == {**kept, "withdrawn": True}
    assert door("vote", voter, {"battle": battle["battle"], "choice": "right"})[0] == 409


def test_an_unknown_receipt_reveals_nothing(door: Door) -> None:
    with sqlite3.connect(door.data / "arena.sqlite", timeout=30) as votes:
        ids = [row[0] for row in votes.execute("SELECT id FROM votes UNION SELECT battle_id FROM votes")]
    votes.close()
    assert ids
    for name in ("0" * 32, "none", "a'b", "%00", *ids):
        assert receipt(door, name) == {"kept": False, "error": "No vote with this receipt is stored here."}


def receipt(door: Door, name: str) -> dict[str, Any]:
    """The response to a receipt."""
    try:
        with urllib.request.urlopen(f"{door.url}arena/receipt/{name}", timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read()) | ({} if error.code == 404 else {"status": error.code})


def opened(folder: Path, **changes: Any) -> Arena:
    """An arena whose database is outside its data folder."""
    storage = StorageConfig(data=folder, database=f"sqlite:///{folder.parent}/kept.sqlite")
    value = open_arena(EngineManager({"emoji": FAMILIES["emoji"]}, "emoji"), AppSettings(storage=storage, **changes))
    assert value is not None
    return value


def test_pseudonyms_survive_a_lost_data_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = opened(tmp_path / "one")
    voter = first.voter("203.0.113.9", ANN)
    vote(first)
    again = opened(tmp_path / "another")
    assert again.voter("198.51.100.1", ANN) == voter
    logged = [record.message for record in caplog.records if record.name == "app.services.arena"]
    assert (again.warnings(), logged) == ([], []), "of the arena: the page of other tests may log as well"


def test_a_changed_secret_is_reported_but_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = opened(tmp_path, secret="rosebud")  # noqa: S106 - not a real secret
    vote(first)
    assert first.warnings() == []
    for other in ({}, {"secret": "another"}):
        caplog.clear()
        again = opened(tmp_path, **other)
        [said] = again.warnings()
        assert said.startswith("1 voters of this store voted before")
        assert "HYPERSD_SECRET" in said
        assert said in caplog.messages
        assert "rosebud" not in caplog.text
    assert opened(tmp_path, secret="rosebud").warnings() == []  # noqa: S106 - not a real secret


def test_the_owner_is_warned_that_many_voters_share_an_address(arena: Arena) -> None:
    for number in range(RateLimits().many_an_hour):
        arena.voter("172.17.0.1", f"{number:032d}")
    [said] = arena.warnings()
    assert "share one address" in said
    assert "HYPERSD_TRUSTED_PROXIES" in said
    assert "172.17" not in said


def test_pairs_of_equal_pictures_are_not_shown(arena: Arena) -> None:
    picture = Image.new("RGB", (8, 8), "red")
    name = arena.pictures.put(picture)
    file = io.BytesIO()
    picture.save(file, "PNG")
    other = sha256(file.getvalue()).hexdigest()
    arena.pictures.keep(other, file.getvalue())
    arena.store.pairs.add(pair(entries=(entry("emoji/hyper@4", name), entry("emoji/base@25", other))))
    assert arena.draw("ann") == {"battle": None, "pool": 0}


def test_a_limited_voter_gets_the_waiting_time(arena: Arena) -> None:
    arena.service = BattleService(arena.store, BattlePolicy(votes_a_minute=1))
    page = TestClient(Starlette(routes=routes(arena)), headers={"x-voter": ANN})
    voter = arena.voter("testclient", ANN)
    first, second = (arena.service.custom_battle(pair(owner=voter, seed=seed), voter).id for seed in range(2))
    for battle in (first, second):
        assert page.post("/arena/show", json={"battle": battle}).status_code == 200
    assert page.post("/arena/vote", json={"battle": first, "choice": "left"}).status_code == 200
    refused = page.post("/arena/vote", json={"battle": second, "choice": "left"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert re.fullmatch(r"arena;dur=\d+\.\d", refused.headers["server-timing"])
    assert refused.json() == {"error": "That was many votes in a short time; rest your eyes for a minute, then go on."}
    assert arena.store.count_votes() == 1
    arena.service = BattleService(arena.store)
    assert page.post("/arena/vote", json={"battle": second, "choice": "left"}).status_code == 200


def test_the_check_of_the_address_is_stored_with_the_vote(arena: Arena) -> None:
    voter = arena.voter("203.0.113.9", "f" * 32)
    for number in range(RateLimits().voters_an_hour):
        arena.voter("203.0.113.9", f"{number:032d}")
    battle = arena.service.custom_battle(pair(), voter)
    arena.show(voter, battle.id)
    arena.vote(voter, battle.id, "left", Client())
    (kept,) = arena.store.votes()
    assert kept.gates == {"address": "failed"}
    assert clean([kept]).reasons == {"gate": 1}


@contextmanager
def full_disk() -> Generator[None]:
    """Within this context no file of this process can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_a_vote_fails_clearly_and_can_be_repeated(door: Door) -> None:
    voter = "9" * 32
    battle = door.battle(voter)["battle"]
    assert door("show", voter, {"battle": battle})[0] == 200
    words = {"battle": battle, "choice": "left"}
    with full_disk():
        status, answer = door("vote", voter, words)
    assert status == 503
    assert "your vote was not counted" in answer["error"]
    assert door("progress", voter)[1]["votes"] == 0
    assert door("vote", voter, words)[0] == 200, "as soon as there is space again"
    assert door("progress", voter)[1]["votes"] == 1


def test_on_a_full_disk_requests_fail_and_can_be_repeated(door: Door) -> None:
    voter, own = "8" * 32, {"prompt": "a small cat on a green background"}
    door.battle(ANN)  # pairs and models are ready
    with full_disk():
        refused = door("draw", voter), door("own", voter, own)
    assert refused == ((503, {"error": "The arena cannot be reached for a moment; please try again."}),) * 2
    assert door.battle(voter)["battle"]
    assert door("own", voter, own)[0] == 200


def test_a_study_works_over_http(door: Door) -> None:
    voter = "f" * 32
    assert door("draw", voter, {"study": "nothing"}) == (
        422,
        {"error": "There is no such study here; vote in the open arena instead."},
    )
    assert door("draw", voter, {"study": ""})[0] == 422
    battle = door.battle(voter, study="figure5-emoji")
    assert set(battle) == {"battle", "prompt", "sheet"}
    assert door.battle(voter)["battle"] != battle["battle"], "the open arena is another"
    assert door("show", voter, {"battle": battle["battle"]})[0] == 200
    for choice in ("tie", "both_bad"):
        words = {"battle": battle["battle"], "choice": choice}
        status, answer = door("vote", voter, words)
        assert (status, "must choose one" in answer["error"]) == (422, True)
    status, reply = door("vote", voter, {"battle": battle["battle"], "choice": "left", "decision_ms": 1500})
    assert status == 200, reply
    assert reply["study"]["given"] == (0 if reply["check"] else 1)
    assert reply["study"]["wanted"] == 500
    _, progress = door("progress", voter)
    assert progress["studies"] == [reply["study"]]
    assert "emoji/" not in json.dumps(progress["studies"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["draw", "show", "vote", "answer", "own", "progress"]), st.binary(max_size=200))
def test_random_bytes_are_rejected(door: Door, name: str, noise: bytes) -> None:
    status, answer = door(name, raw=noise)
    assert status in {200, 422}
    assert status == 200 or answer["error"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | inner
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["draw", "show", "vote", "answer", "progress"]),
    st.dictionaries(st.sampled_from(["battle", "choice", "decision_ms", "input", "besides", "study"]), anything),
)
def test_random_json_is_rejected(door: Door, name: str, words: dict[str, Any]) -> None:
    status, answer = door(name, raw=json.dumps(words).encode())
    assert status in {200, 409, 422}, answer


def test_requests_are_validated() -> None:
    with pytest.raises(ValueError, match="too long"):
        parsed(b" " * 20_000)
    with pytest.raises(ValueError, match="JSON object"):
        parsed(b"[" * 10_000)
    with pytest.raises(ValueError, match="cannot be kept"):
        text({"battle": "a\0b"}, "battle")
    assert client({}).decision_ms is None


def test_a_store_that_cannot_be_opened_closes_the_arena_only(tmp_path: Path) -> None:
    engines = EngineManager({"emoji": FAMILIES["emoji"]}, "emoji")
    assert (
        open_arena(engines, AppSettings(storage=StorageConfig(data=tmp_path, database="postgresql://localhost:1/none")))
        is None
    )
    (tmp_path / "file").write_text("in the way")
    assert open_arena(engines, AppSettings(storage=StorageConfig(data=tmp_path / "file"))) is None


def vote(arena: Arena, choice: str = "left", **changes: Any) -> dict[str, Any]:
    """Ann's vote on a new pair; the response."""
    battle = arena.service.custom_battle(pair(owner="ann", **changes), "ann")
    arena.show("ann", battle.id)
    return arena.vote("ann", battle.id, choice, Client())


def test_a_spoiled_pair_is_explained_after_the_vote(arena: Arena) -> None:
    assert vote(arena)["check"] is False
    assert vote(arena, gold=0)["check"] is True


def test_a_stored_vote_is_never_reported_as_lost(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> int:
        raise OSError("the database is gone")

    monkeypatch.setattr(Store, "count_of", away)
    answer = vote(arena)
    assert answer["left"]["name"]
    assert "votes" not in answer
    monkeypatch.undo()
    assert arena.progress("ann")["votes"] == 1


def test_a_pair_with_lost_pictures_is_skipped(arena: Arena) -> None:
    first, second = (arena.pictures.put(Image.new("RGB", (8, 8), colour)) for colour in ("black", "white"))
    arena.store.pairs.add(pair())
    kept = pair(entries=(entry("emoji/hyper@4", first), entry("emoji/base@25", second)))
    arena.store.pairs.add(kept)
    for voter in ("ann", "ben", "ann"):
        battle = arena.store.battles.get(arena.draw(voter)["battle"])
        assert battle is not None
        assert battle.pair == kept
    assert arena.draw("ann", besides=arena.draw("ann")["battle"]) == {"battle": None, "pool": 0}


def test_when_all_pictures_are_lost_only_some_pairs_are_withdrawn(arena: Arena) -> None:
    for _ in range(20):
        arena.store.pairs.add(pair())
    assert arena.draw("ann")["battle"] is None
    assert arena.store.pairs.pool_size(None) == 15


def test_after_thirty_votes_a_visitor_sees_their_ranking(arena: Arena) -> None:
    arena.service = BattleService(arena.store, BattlePolicy(votes_a_minute=1000))
    for seed in range(PERSONAL_BOARD - 1):
        answer = vote(arena, seed=seed)
    assert arena.progress("ann")["personal"] == []
    answer = vote(arena, "tie")
    assert (answer["votes"], answer["today"]) == (PERSONAL_BOARD, PERSONAL_BOARD)
    shares = {row["label"]: (row["share"], row["battles"]) for row in answer["personal"]}
    assert set(shares) == {"emoji/hyper@4", "emoji/base@25"}
    assert sum(share for share, _ in shares.values()) == pytest.approx(1)
    assert {battles for _, battles in shares.values()} == {PERSONAL_BOARD - 1}, "a tie is no preference"
    assert answer["personal"][0]["share"] >= answer["personal"][1]["share"]
    assert {row["name"] for row in answer["personal"]} == {"Hyper-SD", "Base"}


def test_visitors_wait_for_the_models_in_one_queue() -> None:
    line, free = SerialQueue(), threading.Event()

    def handle(voter: str, words: dict[str, Any]) -> dict[str, Any]:
        assert free.wait(30)
        return {"voter": voter}

    async def visit() -> list[dict[str, Any]]:
        waiting = [asyncio.create_task(line(handle, f"voter-{number}", {})) for number in range(12)]
        await asyncio.sleep(0)
        with pytest.raises(VoteRejected, match="already"):
            await line(handle, "voter-3", {})
        with pytest.raises(VoteRejected, match="many visitors"):
            await line(handle, "voter-12", {})
        free.set()
        return await asyncio.gather(*waiting)

    assert [answer["voter"] for answer in asyncio.run(visit())] == [f"voter-{number}" for number in range(12)]
    assert line.waiting == set()
    line.thread.shutdown()


def test_no_gradio_event_reads_or_writes_the_arena(arena: Arena) -> None:
    with gr.Blocks() as demo:
        build_arena(open_=True)
    config = demo.get_config_file()
    [part] = [one for one in config["components"] if one["props"].get("elem_id") == "hs-arena"]
    assert part["props"]["value"] == skeleton(), "the same for every visitor and battle"
    assert "may be published" in skeleton()
    assert "are published as a dataset" in skeleton(published=True)
    assert config["dependencies"] == []


def test_a_closed_arena_says_so() -> None:
    with gr.Blocks() as demo:
        build_arena(open_=False)
    [part] = [one for one in demo.get_config_file()["components"] if one["props"].get("elem_id") == "hs-arena"]
    assert "DATABASE_URL sets where votes are stored" in part["props"]["value"]
