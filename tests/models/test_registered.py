"""Contestants that were made here: whole or not there at all, and run as the model that they were made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypersd.models.engine import Engine
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine
from hypersd.models.registered import RegisteredModel, register, registered_folder, registered_models, with_registered
from hypersd.models.registry import FAMILIES, availability, family
from hypersd.models.specs import Family
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run
from tests import families
from tests.families import emoji_family


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return emoji_family(FAMILIES["emoji"], tmp_path_factory.mktemp("family") / "emoji-xl")


def registered_model(name: str = "hyper-r1", **changed: object) -> RegisteredModel:
    given = {
        "family": "emoji",
        "adapters": {"2": "tuned.safetensors", "4": "tuned.safetensors"},
        "lineage": {"kind": "simulated"},
    }
    return RegisteredModel(name=name, title="Tuned", parent="hyper", **{**given, **changed})  # type: ignore[arg-type]


def adapter(tiny: Family) -> Path:
    return Path(str(tiny.folder)) / "adapters" / "turbo.safetensors"


def test_an_entrant_draws_with_its_own_adapter_at_its_parents_steps(tiny: Family, tmp_path: Path) -> None:
    register(registered_model(), {"tuned.safetensors": adapter(tiny)}, tmp_path)
    both = with_registered(tiny, tmp_path)
    spec = both.spec("hyper-r1")
    assert [recipe.steps for recipe in spec.recipes] == [2, 4]
    assert spec.recipe(4).scheduler == tiny.spec("hyper").recipe(4).scheduler
    machine = Machine.here()
    assert availability(both, spec, machine).available
    runs = (Run(model="hyper", steps=2), Run(model="hyper-r1", steps=2))
    drawn = [
        event
        for event in compare(Request(prompt="a cat", seed=1, family="emoji", runs=runs), Engine(both, machine))
        if isinstance(event, Generation)
    ]
    assert all(one.image is not None for one in drawn), [one.error for one in drawn]
    assert drawn[0].image is not None
    assert drawn[1].image is not None
    assert drawn[0].image.tobytes() != drawn[1].image.tobytes()


def test_the_registry_knows_them(tiny: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERSD_DATA", str(tmp_path))
    register(registered_model(), {"tuned.safetensors": adapter(tiny)}, registered_folder(tmp_path))
    assert "hyper-r1" in {spec.name for spec in family("emoji").specs}
    assert "hyper-r1" not in {spec.name for spec in family("sdxl").specs}


def test_a_retired_one_meets_nobody(tiny: Family, tmp_path: Path) -> None:
    register(registered_model(retired=True), {"tuned.safetensors": adapter(tiny)}, tmp_path)
    assert with_registered(tiny, tmp_path) is tiny
    assert [one.name for one in registered_models(tmp_path)] == ["hyper-r1"]


def test_one_of_a_published_family_is_there_like_any_other(sdxl: Family, cache: Path, tmp_path: Path) -> None:
    machine = families.machine(cache)
    weights = sdxl.spec("hyper").recipe(4).weights
    file = Loader(sdxl, machine, lambda _told: None).file(weights)
    register(
        registered_model(family="sdxl", adapters={"4": "tuned.safetensors"}), {"tuned.safetensors": file}, tmp_path
    )
    both = with_registered(sdxl, tmp_path)
    spec = both.spec("hyper-r1")
    assert availability(both, spec, machine).available
    with Engine(both, machine).use(spec.recipe()) as loaded:
        assert loaded.unet.config["sample_size"] == 8


def test_names_are_unique_and_plain(tiny: Family, tmp_path: Path) -> None:
    files = {"tuned.safetensors": adapter(tiny)}
    register(registered_model(), files, tmp_path)
    with pytest.raises(ValueError, match="another name"):
        register(registered_model(), files, tmp_path)
    for name in ("", "../hyper", "Hyper", "a@4", "x" * 41):
        with pytest.raises(ValueError, match="cannot be a name"):
            register(registered_model(name), files, tmp_path)


def test_half_an_entrant_is_none(tiny: Family, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        register(registered_model(), {"tuned.safetensors": tmp_path / "gone.safetensors"}, tmp_path)
    assert registered_models(tmp_path) == []
    register(registered_model(), {"tuned.safetensors": adapter(tiny)}, tmp_path)
    (tmp_path / "hyper-r1" / "contestant.json").write_text("{")
    with pytest.raises(ValueError, match=r"contestant\.json is damaged"):
        with_registered(tiny, tmp_path)
