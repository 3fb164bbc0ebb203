"""`models`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hypersd.models.machine import has_gpu_driver
from hypersd.models.registry import FAMILIES, family
from tests.cli.conftest import Call


def test_every_model_of_every_family_is_listed(call: Call) -> None:
    listed = [(model["family"], model["name"]) for model in call("models", "--json").document["models"]]
    assert listed == [(name, spec.name) for name in FAMILIES for spec in family(name).specs]


def test_a_model_says_how_it_is_run_and_whether_it_can_be(call: Call) -> None:
    for model in call("models", "--json").document["models"]:
        assert model["default_steps"] in model["steps"]
        assert model["pixels"] > 0
        assert isinstance(model["available"], bool)
        assert model["available"] == (model["reason"] is None)
        for recipe in model["recipes"]:
            # PNDM evaluates its first step twice.
            evaluations = recipe["steps"] + (recipe["scheduler"]["name"] == "PNDMScheduler")
            assert recipe["calls"] == evaluations * (2 if recipe["guidance_scale"] > 1 else 1)
            assert recipe["scheduler"]["name"].endswith("Scheduler")


def test_one_family_can_be_chosen(call: Call) -> None:
    document = call("models", "--family", "sdxl", "--json").document
    assert {model["family"] for model in document["models"]} == {"sdxl"}


def test_published_weights_that_are_not_here_say_why(call: Call) -> None:
    """The tests have an empty cache and no network."""
    models = call("models", "--family", "sdxl", "--json").document["models"]
    assert models
    assert not [model for model in models if model["available"]]
    assert all(model["reason"] for model in models)


def test_the_table_is_for_people(call: Call) -> None:
    result = call("models", "--family", "emoji")
    assert result.status == 0
    header, *rows = result.out.split("\n\n", maxsplit=1)[0].splitlines()
    assert header.split() == ["family", "model", "steps", "guidance", "scheduler", "pixels", "here"]
    assert [row.split()[1] for row in rows] == [spec.name for spec in family("emoji").specs]


def test_listing_loads_none_of_the_libraries_that_draw(root: Path) -> None:
    """Torch alone takes longer than everything else; a machine without a GPU's driver is known without it."""
    heavy = {"torch", "diffusers", "transformers", "peft", "pandas", "scipy", "PIL", "sqlalchemy", "gradio"}
    script = "import json, sys; from hypersd.cli.main import main; main(['models']); print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    loaded = heavy & set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded - ({"torch"} if has_gpu_driver() else set())


def test_standard_output_is_one_json_document(root: Path) -> None:
    command = [sys.executable, "-m", "hypersd", "models", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {"machine", "models", "bases"}
    assert done.stderr == ""
