"""The loop behind the Feedback tab: display of real files, rights of the owner, and new contestants."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gradio as gr
import pytest

from app.pages.feedback import round_view as page
from app.pages.feedback.feedback_tab import FeedbackHandlers, build_feedback, layout
from app.pages.feedback.job_panel import JobDefaults, JobHandlers, job_panel
from app.pages.feedback.lineage import lineage
from app.services.arena import Arena
from app.services.engines import EngineManager
from app.services.loop_runner import LoopRunner, NotAllowed, Owner, RoundProgress, open_runner
from app.services.reward_scores import RewardScores
from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.feedback.loop.lock import LockHeldError, round_lock
from hypersd.feedback.loop.rounds import rounds
from hypersd.models.registered import registered_models
from hypersd.utils.environment import Environment
from tests.families import machine
from tests.loops import enter, write_round
from tests.repo_hub import serve, use

SLEEP = "import time; print('at work', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).wait()"


def wait(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def at_work(group: int) -> list[str]:
    """The running processes of a group, according to Linux."""
    states: list[str] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            state, _, its_group, *_ = file.read_text().rpartition(")")[2].split()
            states += [state] if int(its_group) == group and state != "Z" else []
    return states


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Callable[..., LoopRunner]]:
    """Factory of runners of a short script in a separate folder; processes still running at the end are killed."""
    runners: list[LoopRunner] = []

    def make(script: str = SLEEP, **options: object) -> LoopRunner:
        runners.append(
            LoopRunner(tmp_path / "loop", lambda count: [sys.executable, "-c", script, str(count)], **options)
        )
        return runners[-1]

    yield make
    for runner_ in runners:
        if runner_.pid() is not None:
            runner_.grace = 0.1
            runner_.cancel()


@pytest.mark.parametrize(
    ("owner", "token", "name", "allowed"),
    [
        (Owner("sesame"), "sesame", None, True),
        (Owner("sesame"), "Sesame", None, False),
        (Owner("sesame"), "", None, False),
        (Owner("sesame"), None, None, False),
        (Owner("sesame"), "芝麻", None, False),
        (Owner("芝麻"), "芝麻", None, True),
        (Owner(""), "", None, False),
        (Owner(""), None, "", False),
        (Owner("", "ann"), "", "ann", True),
        (Owner("", "ann"), "", "ben", False),
        (Owner("", "ann"), "ann", None, False),
    ],
)
def test_the_owner_and_nobody_else(owner: Owner, token: str | None, name: str | None, allowed: object) -> None:
    if allowed:
        owner.check(token, name)
    else:
        with pytest.raises(NotAllowed, match="Only the owner"):
            owner.check(token, name)
    assert "sesame" not in repr(owner)


def test_the_owner_is_named_by_the_environment() -> None:
    settings = AppSettings.from_environment(
        Environment.read({"HYPERSD_OWNER_TOKEN": "sesame", "SPACE_AUTHOR_NAME": "ann"})
    )
    assert (settings.owner_token, settings.owner_name) == ("sesame", "")
    assert "sesame" not in repr(settings)
    on_space = {"SPACE_AUTHOR_NAME": "ann", "OAUTH_CLIENT_ID": "1", "SPACE_ID": "ann/hyper", "SYSTEM": "spaces"}
    signed_in = AppSettings.from_environment(Environment.read(on_space))
    assert (signed_in.owner_token, signed_in.owner_name, signed_in.signs_in) == ("", "ann", True)
    for name in ("OAUTH_CLIENT_ID", "SPACE_ID", "SYSTEM"):
        elsewhere = {key: value for key, value in on_space.items() if key != name}
        without = AppSettings.from_environment(Environment.read(elsewhere))
        assert (without.owner_name, without.signs_in) == ("", False), "Gradio's mock would let everybody in"


def test_a_round_is_run_by_the_command_line_in_the_page_s_own_places(
    tmp_path: Path, emoji_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERSD_OWNER_TOKEN", "sesame")
    storage = StorageConfig(data=tmp_path, database="sqlite:///elsewhere.sqlite")
    runner = open_runner(AppSettings(storage=storage, emoji=emoji_folder))
    words = ["loop", "--family", "emoji", "--rounds", "3", "--out", str(tmp_path / "loop")]
    assert list(runner.command(3)) == [sys.executable, "-m", "hypersd", *words]
    assert runner.environment["HYPERSD_DATA"] == str(tmp_path)
    assert runner.environment["HYPERSD_EMOJI"] == str(emoji_folder)
    assert runner.environment["DATABASE_URL"] == "sqlite:///elsewhere.sqlite"
    assert "HYPERSD_OWNER_TOKEN" not in runner.environment
    assert not runner.obstacle


def test_a_start_that_is_impossible_gives_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match="no judge"):
        open_runner(AppSettings(family="sdxl", storage=StorageConfig(data=tmp_path))).start()


def test_one_round_at_a_time_and_cancel_ends_all_of_its_processes(runner: Callable[..., LoopRunner]) -> None:
    first = runner(PARENT)
    assert first.pid() is None
    with pytest.raises(NotAllowed, match="No round is running"):
        first.cancel()
    first.start()
    wait(lambda: "at work" in first.log())
    group = first.pid()
    assert group
    assert len(at_work(group)) == 2
    restarted = runner()  # the restarted page, on the same folder
    with pytest.raises(NotAllowed, match="running already"):
        restarted.start()
    assert restarted.progress() == RoundProgress(1, 0, "votes", running=True)
    restarted.cancel()
    assert first.pid() is None
    wait(lambda: not at_work(group))


def test_rounds_of_a_terminal_and_of_the_page_exclude_each_other(runner: Callable[..., LoopRunner]) -> None:
    page = runner()
    page.folder.mkdir()
    holding = f"""
import pathlib, time
from hypersd.feedback.loop.lock import round_lock
with round_lock(pathlib.Path({str(page.folder)!r})):
    print("at work", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", holding]
    terminal = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # in this process's own group
    assert terminal.stdout
    assert terminal.stdout.readline() == "at work\n"
    assert page.pid() == terminal.pid
    with pytest.raises(NotAllowed, match="running already"):
        page.start()
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "LockHeldError: a round is running in" in second.stderr
    reaping = threading.Thread(target=terminal.wait)  # as a shell does
    reaping.start()
    page.cancel()
    reaping.join(20)
    assert terminal.returncode == -signal.SIGTERM
    assert page.pid() is None
    terminal.stdout.close()
    page.start()
    with pytest.raises(LockHeldError), round_lock(page.folder):
        pass


def test_a_round_started_by_the_page_inherits_the_lock(runner: Callable[..., LoopRunner]) -> None:
    page = runner(
        "import pathlib; from hypersd.feedback.loop import lock; lock.round_lock(pathlib.Path('/nowhere')).__enter__()"
    )
    page.start()
    wait(lambda: page.pid() is None)
    assert not page.log(), "it does not acquire the lock again"


def test_a_process_that_ignores_signals_is_killed(runner: Callable[..., LoopRunner]) -> None:
    stubborn = runner(STUBBORN, grace=0.3)
    stubborn.start()
    wait(lambda: "at work" in stubborn.log())
    stubborn.cancel()
    assert stubborn.pid() is None


def test_a_stale_lock_of_a_crash_is_ignored(runner: Callable[..., LoopRunner]) -> None:
    quick = runner("import sys; print('1 %\\r2 %'); print('rounds', sys.argv[1])")
    quick.folder.mkdir()
    (quick.folder / "round.lock").write_text(str(os.getpid()))  # a running process, but not the one with the lock
    assert quick.pid() is None
    write_round(quick.folder, 1)
    write_round(quick.folder, 2, stages=3)
    quick.start()
    wait(lambda: quick.pid() is None)
    assert quick.log() == "2 %\nrounds 2", "the unfinished round is continued"
    assert quick.log(1) == "rounds 2"
    assert quick.progress() == RoundProgress(2, 3, "contestant", running=False)


def test_the_state_of_the_loop(tmp_path: Path) -> None:
    assert "<dd>0</dd>" in page.state([], {}, None)
    assert "not counted yet" in page.state([], {}, None)
    write_round(tmp_path, 1)
    text = page.state(rounds(tmp_path), {"human": 1, "simulated": 3000}, RoundProgress(1, 8, None, running=False))
    assert "<dt>People</dt><dd>1 vote</dd><dd><small>the last round did not learn from them" in text
    assert "<dt>Simulated voters</dt><dd>3,000 votes</dd><dd><small>10 more than the last round read" in text
    write_round(tmp_path, 2, stages=2, taste="vivid")
    text = page.state(rounds(tmp_path), {"human": 0, "simulated": 3000}, RoundProgress(2, 2, "feedback", running=True))
    assert "learned from voters of its own" in text
    assert "Round 2 is running: stage 3 of 8, feedback" in text
    still = page.state(rounds(tmp_path), {}, RoundProgress(2, 2, "feedback", running=False))
    assert "not being run from this page" in still
    assert "kept" in still


def test_the_report_of_a_finished_round(tmp_path: Path) -> None:
    text = page.report(write_round(tmp_path, 1))
    for words in (
        "hyper-a1b2c1-r1",
        "No person voted: these votes are simulated.",
        "25 simulated voters judged",
        '<td style="text-align:right">1</td>\n<td style="text-align:right">67.2%</td>',
        "60.1% to 73.7%",
        "not told apart",
        "Simulated voters agree with themselves",
        "73.1% to 81.1%",
        "stopped itself: diversity fell below 90 % of before",
        "Nothing better than the model as it was",
        "<strong>+0.250 [+0.180, +0.320]</strong>",
        "The same votes by Diffusion-DPO",
        "<code>hyper-d4e5f1-r1</code> was made from <code>hyper</code> too. Against <code>hyper</code>:",
        "Against <code>hyper-a1b2c1-r1</code>, which was made by feedback learning (ReFL):",
    ):
        assert words in text
    assert text.count("<img ") == text.count('alt="') == 5
    assert "<script" not in text


def test_a_round_on_human_votes_is_labelled_and_a_running_one_is_shown_so_far(tmp_path: Path) -> None:
    people = page.report(write_round(tmp_path, 1, kind="human"))
    assert "2,804 votes of 40 people count" in people
    assert "People vote next" in people
    assert "imulated" not in people
    begun = page.report(write_round(tmp_path, 2, stages=1))
    assert "2,804 of them count" in begun
    assert "The reward model" not in begun
    assert "not been counted yet" in page.report(write_round(tmp_path, 3, stages=0))


def test_two_methods_are_not_compared_if_one_has_no_contestant(tmp_path: Path) -> None:
    round_ = write_round(tmp_path, 1, entered=False)
    shown = page.report(round_)
    assert "There were no battles against <code>hyper-a1b2c1-r1</code>" in shown
    report = (round_.folder / "report.md").read_text(encoding="utf-8")
    assert "`hyper-a1b2c1-r1`, made by feedback learning (ReFL): it did not enter the arena." in report
    assert "Against `hyper-a1b2c1-r1`" not in report


def test_text_of_files_is_escaped(tmp_path: Path) -> None:
    text = page.report(write_round(tmp_path, 1, stages=1, taste="<script>alert(1)</script>"))
    assert "<script" not in text
    assert "&lt;script" in text


def test_the_lineage_is_a_tree_newest_first(tmp_path: Path, emoji_folder: Path) -> None:
    assert lineage([], []) == ""
    for number in (1, 2):
        write_round(tmp_path / "loop", number)
        enter(tmp_path / "contestants", number, emoji_folder / "adapters" / "hyper.safetensors")
    text = lineage(registered_models(tmp_path / "contestants"), rounds(tmp_path / "loop"))
    assert text.index("<b>hyper</b><ul>") < text.index("hyper-a1b2c1-r1") < text.index("hyper-a1b2c2-r2")
    assert text.count("<ul>") == 2, "the second was made from the first"
    facts = "simulated voters; votes <code>51b50612</code>; reward model <code>9f8e7d6c</code>; weight hyper 1"
    assert f"round 2; {facts}" in text


class Page:
    """The served tab alone, with its private endpoints for a scripted client."""

    def __init__(self, runner: LoopRunner, owner: Owner) -> None:
        with gr.Blocks(analytics_enabled=False) as self.demo:
            jobs = JobDefaults(space="me/hyper", votes="me/votes")
            build_feedback(self.demo, runner, owner, arena=None, contestants=runner.folder.parent, jobs=jobs)
        self.demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", ssr_mode=False)

    def click(self, name: str, token: str | None, *fields: str) -> str:
        """Call a handler over HTTP; its answer."""
        index = next(one._id for one in self.demo.fns.values() if getattr(one.fn, "__name__", "") == name)
        body = json.dumps({"fn_index": index, "data": [token, *fields], "session_hash": "a"}).encode()
        request = urllib.request.Request(
            f"{self.demo.local_url}gradio_api/run/predict", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()


def test_private_endpoints_accept_only_the_owner(runner: Callable[..., LoopRunner]) -> None:
    work = runner()
    page = Page(work, Owner("sesame"))
    try:
        for token in ("", "wrong", None):
            assert "Only the owner" in page.click("start", token)
            assert work.pid() is None
        assert "The round has begun" in page.click("start", "sesame")
        assert work.pid()
        assert "running already" in page.click("start", "sesame")
        for token in ("", "wrong", None):
            assert "Only the owner" in page.click("cancel", token)
            assert work.pid()
        assert "Finished stages are kept" in page.click("cancel", "sesame")
        assert work.pid() is None
    finally:
        page.demo.close()


def test_a_job_is_shown_and_sent_only_for_the_owner(
    runner: Callable[..., LoopRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(runner(), Owner("sesame"))
    fields = ("me/hyper", "me/votes", "me/rounds", "cpu-upgrade", "2h")
    try:
        with serve() as hub:
            use(hub, monkeypatch)
            for token in ("", "wrong", None):
                for name in ("show_job", "send_job"):
                    assert "Only the owner" in page.click(name, token, *fields)
            assert not hub.jobs
            shown = page.click("show_job", "sesame", *fields)
            assert "hf upload me/rounds" in shown
            assert "hf_test" not in shown
            assert not hub.jobs
            assert "A dataset is named OWNER" in page.click("show_job", "sesame", "me/hyper", "votes", *fields[2:])
            assert "/jobs/me/687f runs now" in page.click("send_job", "sesame", *fields)
            hub.refusal = 402
            assert "Jobs need credit" in page.click("send_job", "sesame", *fields)
            monkeypatch.setenv("HF_TOKEN", "")
            assert "set HF_TOKEN" in page.click("send_job", "sesame", *fields)
        assert [job["timeoutSeconds"] for job in hub.jobs] == [7200]
    finally:
        page.demo.close()


def test_a_job_starts_from_the_page_s_own_space_and_votes(tmp_path: Path) -> None:
    storage = StorageConfig(data=tmp_path)
    there = JobDefaults.of(AppSettings(space="me/hyper", publish="hf://datasets/me/votes", storage=storage))
    assert (there.space, there.votes, there.obstacle) == ("me/hyper", "me/votes", "")
    elsewhere = JobDefaults.of(AppSettings(family="sdxl", publish=str(tmp_path), storage=storage))
    assert (elsewhere.space, elsewhere.votes) == ("", "")
    with gr.Blocks(analytics_enabled=False):
        panel, token = job_panel(elsewhere), gr.State()
    values = dict.fromkeys(panel.fields.values(), "me/hyper") | {token: "sesame"}
    assert "no judge" in JobHandlers(Owner("sesame"), token, panel).send_job(values, None)


def test_without_an_owner_nobody_starts_a_round_and_the_page_explains_the_setting(
    runner: Callable[..., LoopRunner],
) -> None:
    work = runner()
    page = Page(work, Owner(""))
    try:
        labels = [one.get("props", {}).get("label") for one in page.demo.config["components"]]
        assert "The owner's token" not in labels
        assert "HYPERSD_OWNER_TOKEN" in str(page.demo.config)
        assert "Only the owner" in page.click("start", "")
        assert work.pid() is None
    finally:
        page.demo.close()


def test_on_a_space_the_owner_signs_in(runner: Callable[..., LoopRunner]) -> None:
    work = runner()
    with gr.Blocks(analytics_enabled=False):
        parts = layout(Owner(""), JobDefaults())
    handlers = FeedbackHandlers(work, Owner("", "ann"), None, work.folder, parts)
    start, cancel = handlers.start, handlers.cancel
    ann, ben = (
        gr.OAuthProfile({"preferred_username": name, **dict.fromkeys(("name", "profile", "picture"), "")})
        for name in ("ann", "ben")
    )
    for visitor in (None, ben):
        assert "Only the owner" in str(start("", visitor))
        assert work.pid() is None
    assert "has begun" in str(start("", ann))
    assert "Only the owner" in str(cancel("", ben))
    assert work.pid()
    assert "was cancelled" in str(cancel("", ann))
    assert work.pid() is None


def test_a_visitor_keeps_their_round_and_others_see_the_last_finished_one(runner: Callable[..., LoopRunner]) -> None:
    work = runner()
    with gr.Blocks(analytics_enabled=False) as demo:
        build_feedback(demo, work, Owner(""), arena=None, contestants=work.folder.parent, jobs=JobDefaults())
    look = next(one.fn for one in demo.fns.values() if one.name == "look")
    parts = look.__self__.parts

    def chosen(number: int | None, seen: object) -> tuple[object, object]:
        updates = look("", number, seen, None)
        return updates[parts.picker].value, updates[parts.seen]

    write_round(work.folder, 1)
    write_round(work.folder, 2)
    number, seen = chosen(None, None)
    assert number == 2
    assert parts.picker not in look("", 2, seen, None), "nothing has changed"
    write_round(work.folder, 3, stages=2)
    assert chosen(2, seen)[0] == 2
    (work.folder / "round-3" / "votes.json").write_text("{")
    assert "is damaged" in str(look("", 2, seen, None)[parts.state])
    (work.folder / "round-1" / "before.webp").unlink()
    assert look.__self__.pick(1)[parts.pair].visible is False


def test_a_new_contestant_is_used_without_a_restart(tmp_path: Path, emoji_folder: Path) -> None:
    settings = AppSettings(emoji=emoji_folder, storage=StorageConfig(data=tmp_path))
    engines = EngineManager(settings.families(), "emoji", settings.families)
    engines.machine = machine(tmp_path)
    engine = engines._engines.ensure(engines.family("emoji"))
    pictures = ImageStore(str(tmp_path / "pictures"))
    reward_scores = RewardScores(pictures, settings.storage.loop)
    arena = Arena(engines, Store(f"sqlite:///{tmp_path}/votes.sqlite"), pictures, b"key", reward_scores)
    before = arena.labels()
    enter(settings.registered, 1, emoji_folder / "adapters" / "hyper.safetensors")
    assert set(arena.labels()) - set(before) == {"emoji/hyper-a1b2c1-r1@4"}
    assert engine.family is engines.family("emoji")
    assert engine.family.spec("hyper-a1b2c1-r1").title == "Hyper-SD with feedback (1)"
    assert settings.families() == engines.families


def test_the_page_starts_despite_a_damaged_contestant(
    tmp_path: Path, emoji_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = AppSettings(emoji=emoji_folder, storage=StorageConfig(data=tmp_path))
    enter(settings.registered, 1, emoji_folder / "adapters" / "hyper.safetensors")
    (settings.registered / "hyper-a1b2c1-r1" / "contestant.json").write_text("{")
    assert "hyper-a1b2c1-r1" not in {spec.name for spec in settings.families()["emoji"].specs}
    assert "is damaged" in caplog.text
