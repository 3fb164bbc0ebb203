"""A page over a tiny random family, and a real Chromium that looks at it and watches what it does."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.build import launch
from app.services.settings import AppSettings
from hypersd.arena.service.studies import STUDIES
from hypersd.arena.storage import StorageConfig
from hypersd.models.registry import FAMILIES
from tests.families import SMALL_POOL, emoji_family

PATIENCE_MS = 120_000


@dataclass
class Watched:
    """A page and what went wrong on it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    aborted: bool = False

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", lambda message: self._console(message.type, message.text))
        self.page.on("pageerror", lambda error: self._console("error", str(error)))
        self.page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind != "error":
            return
        # As a page is left Gradio aborts what it was reading, and then says of each event under way that its connection
        # broke. A connection that breaks by itself has another cause before it.
        self.aborted = "AbortError" in text or (self.aborted and "Connection errored out" in text)
        if not self.aborted:
            self.complaints.append(text)

    def _request(self, url: str) -> None:
        if url.startswith(("http", "ws")) and not url.startswith(self.url):
            self.complaints.append(f"the page asked for {url}")


@contextmanager
def served(folder: Path, studies: Path = STUDIES) -> Generator[str]:
    """A page over a new family in `folder`; its address."""
    emoji_family(FAMILIES["emoji"], folder / "emoji-xl")
    storage = StorageConfig(data=folder / "data")
    settings = AppSettings(drawing="here", emoji=folder / "emoji-xl", storage=storage, studies=studies, pool=SMALL_POOL)
    demo = launch(settings, block=False, quiet=True, server_name="127.0.0.1")
    yield demo.local_url
    demo.close()


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("browser")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one file; an open one keeps its event loop running in the tests' thread.

    No file that comes after these in the same process could run a loop of its own.
    """
    chromium = shutil.which("chromium")
    assert chromium, "these tests drive Debian's Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield started
        started.close()


@contextmanager
def watching(browser: Browser, url: str) -> Generator[Watched]:
    """A desktop visitor's page; no complaint may be left at its end."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    visit = Watched(page, url)
    yield visit
    page.close()
    assert visit.complaints == []


@pytest.fixture
def watched(browser: Browser, url: str) -> Iterator[Watched]:
    """The page of a new visitor."""
    with watching(browser, url) as visit:
        yield visit


@pytest.fixture(scope="module")
def stayed(browser: Browser, url: str) -> Iterator[Watched]:
    """The page of one visitor, who stays for all tests of a file that ask for it: to load it takes longest."""
    with watching(browser, url) as visit:
        yield visit
