"""The Python of the documents, run as it stands; only a training is made short."""

from __future__ import annotations

import ast
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import hypersd
from hypersd.arena.dataset.export import export
from tests.arena.voted import fresh, vote
from tests.documents import DOCUMENTS, ROOT, code_blocks

EXAMPLES = {
    (name, block.line): block.text
    for name in DOCUMENTS
    for block in code_blocks((ROOT / name).read_text())
    if block.language == "python"
}
RUN_ELSEWHERE = {"gradio_client": "tests/app/test_page.py"}
"""Modules of examples that another test runs, on a page that is served."""


class _Short(ast.NodeTransformer):
    """Adds `shorten` to trainings."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if ast.unparse(node.func) == "hypersd.feedback.tune":
            node.keywords.append(ast.keyword("shorten", ast.Constant(0.02)))
        self.generic_visit(node)
        return node


def run(text: str) -> dict[str, Any]:
    """The names that an example leaves."""
    names: dict[str, Any] = {}
    tree = ast.fix_missing_locations(_Short().visit(ast.parse(text)))
    exec(compile(tree, "example", "exec"), names)  # noqa: S102 - our own documents
    return names


def test_every_example_is_run_somewhere() -> None:
    assert len(EXAMPLES) == 3
    for text in EXAMPLES.values():
        modules = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
        for module in modules & RUN_ELSEWHERE.keys():
            assert (ROOT / RUN_ELSEWHERE[str(module)]).is_file()
    named = [text for text in EXAMPLES.values() if "import hypersd" in text or "assets/emoji-xl" in text]
    assert len(named) == len(EXAMPLES) - len(RUN_ELSEWHERE)


def test_the_package_s_example_runs(
    reward: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = (text for text in EXAMPLES.values() if "import hypersd" in text)
    monkeypatch.chdir(tmp_path)
    family = shutil.copytree(folder, tmp_path / "family")
    world = json.loads((family / "world.json").read_text())
    world["objects"]["fox"] = "sprites/dog.webp"  # a scene of two takes two others than the cat
    (family / "world.json").write_text(json.dumps(world))
    monkeypatch.setenv("HYPERSD_EMOJI", str(family))
    store, pictures = fresh(tmp_path, "arena")
    votes = [vote(store, pictures, number, "simulated", voter=f"voter {number % 3}") for number in range(6)]
    store.engine.dispose()
    export(votes, pictures, "arena", tmp_path / "out" / "votes", kind="simulated")
    shutil.copytree(reward, tmp_path / "out" / "reward")
    names = run(text)
    assert (tmp_path / "hyper.png").stat().st_size > 100
    assert [picture.model for picture in names["pictures"]] == ["hyper", "base"]
    assert isinstance(names["reward"], hypersd.RewardModel)
    assert names["boards"]["toy"].kept == 6
    assert list((tmp_path / "out" / "tuned").rglob("adapter.safetensors"))


def test_the_model_card_s_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = (text for text in EXAMPLES.values() if "StableDiffusionXLPipeline" in text)
    monkeypatch.chdir(ROOT)
    assert os.path.isdir("assets/emoji-xl")  # noqa: PTH112 - as the example names it
    shown = run(text.replace("num_inference_steps=25", "num_inference_steps=1"))
    assert shown["pipeline"].unet.config["in_channels"] == 12
