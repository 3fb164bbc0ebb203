"""Pages of the site that lie outside of docs/: the README, CONTRIBUTING and the model card of the embedded family."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "assets/emoji-xl/README.md": "model-card.md",
}
"""Files of the repository, each with its name on the site."""

_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages to those of docs/."""
    root = Path(config.config_file_path).parent
    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, content=_FRONT.sub("", (root / source).read_text(encoding="utf-8"))))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, **_others: object) -> str:
    """Turn links between files of the repository into links between pages; of other files only the text stays."""
    names = {name: source for source, name in OUTSIDE.items()}
    source = names.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    known = set(files.src_uris)

    def link(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        if not target or "://" in target:
            return match[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        name = OUTSIDE.get(place, place.removeprefix("docs/"))
        if name not in known:
            return match["text"]
        relative = posixpath.relpath(name, posixpath.dirname(page.file.src_uri) or ".")
        return f"{match['picture']}[{match['text']}]({relative}{anchor})"

    parts = re.split(f"({_FENCE.pattern})", markdown, flags=_FENCE.flags)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)
