"""docs/ as a site: it is built, each page is in its navigation, and each link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.documents import DOCUMENTS, code_blocks


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a link or a page that mkdocs does not know fails it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Links(HTMLParser):
    """The ids of a page and the addresses in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in {"href", "src"} and value:
                self.addresses.append(value)


def test_links_within_the_site_lead_to_a_page_and_a_heading(site: Path) -> None:
    pages = {file: Links(file.read_text()) for file in site.rglob("index.html")}
    assert len(pages) > 15
    broken: list[str] = []
    for file, page in pages.items():
        for address in page.addresses:
            if address.startswith(("http", "data:", "mailto:", "//")):
                continue
            path, _, anchor = address.partition("#")
            target = (file.parent / path).resolve() if path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].ids):
                broken.append(f"{file.parent.name}: {address}")
    assert not broken


def test_each_page_is_in_the_navigation(root: Path) -> None:
    text = re.sub(r"!!python/name:\S+", "''", (root / "mkdocs.yml").read_text())
    named = set(re.findall(r"[\w/-]+\.md", str(yaml.safe_load(text)["nav"])))
    pages = {file.relative_to(root / "docs").as_posix() for file in (root / "docs").rglob("*.md")}
    others = {page for page in pages if page.startswith("loop/") and page not in {"loop/report.md", "loop/claims.md"}}
    assert named == (pages - others) | {"index.md", "contributing.md", "model-card.md"}


def test_links_between_files_of_the_repository_exist(root: Path) -> None:
    missing = [
        f"{document.relative_to(root)}: {target}"
        for document in (root / name for name in DOCUMENTS)
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert not missing


def test_diagrams_and_formulae_are_left_to_their_scripts(site: Path) -> None:
    assert '<div class="mermaid">flowchart' in (site / "architecture" / "index.html").read_text()
    method = (site / "method" / "index.html").read_text()
    assert method.count('class="arithmatex"') > 20
    assert "$$" not in method


def test_every_block_of_code_names_its_language(root: Path) -> None:
    """So that those of bash and Python are known to be run."""
    unnamed = [
        f"{name}:{block.line}"
        for name in DOCUMENTS
        for block in code_blocks((root / name).read_text())
        if not block.language
    ]
    assert not unnamed
