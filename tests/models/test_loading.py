"""Downloads, from a Hub on this machine: they report, are resumed and explained, and a run need not wait for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from hypersd.models.downloads import DownloadError, fetched
from hypersd.models.engine import Engine
from hypersd.models.loading import Loader
from hypersd.models.machine import Machine
from hypersd.models.registry import is_local
from hypersd.models.specs import Family
from hypersd.models.weights import Weights
from hypersd.sampling.comparison import compare
from hypersd.sampling.request import Generation, Request, Run
from hypersd.utils.errors import Cancelled
from tests import families
from tests.models.hub import Hub, serve

WEIGHTS = Weights(kind="lora", repository="someone/adapter", file="adapter.safetensors")
PIECE = constants.DOWNLOAD_CHUNK_SIZE
DATA = bytes(range(256)) * (4 * PIECE // 256)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """With a file that comes in four pieces."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    file = tmp_path / "hub" / "someone" / "adapter" / "adapter.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    with serve(tmp_path / "hub") as served:
        yield served
        served.flowing.set()


def online(cache: Path, hub: Hub) -> Machine:
    return families.machine(cache, offline=False, hub=hub.address)


def test_a_download_says_how_far_it_is(sdxl: Family, hub: Hub, tmp_path: Path) -> None:
    said: list[str] = []
    file = Loader(sdxl, online(tmp_path, hub), said.append).file(WEIGHTS)
    assert file.read_bytes() == DATA
    expected = ["", ": 25 %", ": 50 %", ": 75 %", ": 100 %"]
    assert said == [f"fetching adapter.safetensors{progress}" for progress in expected]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(sdxl: Family, hub: Hub, tmp_path: Path) -> None:
    hub.breaks = 1
    file = Loader(sdxl, online(tmp_path, hub), lambda _: None).file(WEIGHTS)
    assert file.read_bytes() == DATA
    assert hub.begun == [0, 2 * PIECE]


def test_what_the_hub_does_not_give_is_explained(sdxl: Family, hub: Hub, tmp_path: Path) -> None:
    loader = Loader(sdxl, online(tmp_path, hub), lambda _: None)
    out_of_order = r"other.safetensors is not downloaded and the Hub cannot be reached \(.*507.*\); connect once"
    with pytest.raises(DownloadError, match=out_of_order):
        loader.file(replace(WEIGHTS, file="other.safetensors"))


def test_a_run_need_not_wait_for_its_weights(sdxl: Family, cache: Path, hub: Hub) -> None:
    machine = online(cache, hub)
    engine = Engine(sdxl, machine)
    recipe = replace(sdxl.spec("hyper").recipe(), weights=WEIGHTS)
    engine.load()
    hub.flowing.clear()
    with pytest.raises(Cancelled), engine.use(recipe, hub.asked.is_set):
        pass
    with engine.use(sdxl.spec("base").recipe()) as loaded:
        assert loaded.unet is engine.load().unet, "others draw meanwhile"
    assert not is_local(sdxl, WEIGHTS, machine)
    hub.flowing.set()
    with pytest.raises(OSError, match="damaged or incomplete"), engine.use(recipe):
        pass  # it has come, and is no adapter
    assert is_local(sdxl, WEIGHTS, machine)
    assert hub.begun == [0], "the download went on without the run that began it"


def test_a_download_that_failed_is_begun_anew(sdxl: Family, cache: Path, hub: Hub, tmp_path: Path) -> None:
    engine = Engine(sdxl, online(cache, hub))
    recipe = replace(sdxl.spec("hyper").recipe(), weights=replace(WEIGHTS, file="late.safetensors"))
    hub.refusals["someone/adapter"] = (404, "EntryNotFound")  # at other errors the Hub's client waits, and asks again
    with pytest.raises(DownloadError, match=r"late.safetensors"), engine.use(recipe):
        pass
    assert engine.state == "ready", "the base is"
    hub.refusals.clear()
    (tmp_path / "hub" / "someone" / "adapter" / "late.safetensors").write_bytes(b"it has come")
    with pytest.raises(OSError, match="damaged or incomplete"), engine.use(recipe):
        pass


def test_without_a_network_what_is_missing_is_named(sdxl: Family, cache: Path, tmp_path: Path) -> None:
    with serve(tmp_path) as gone:
        pass
    loader = Loader(sdxl, online(cache, gone), lambda _: None)
    missing = replace(WEIGHTS, file="missing.safetensors")
    not_asked = r"missing.safetensors is not downloaded and the Hub cannot be reached; connect once"
    with pytest.raises(DownloadError, match=not_asked):
        loader.file(missing)
    assert loader.file(sdxl.spec("hyper").recipe().weights).is_file(), "what is in the cache needs none"


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (403, "GatedRepo", r"is in a gated repository; accept its terms at https?://\S+/someone/refused, and log in"),
        (404, "RepoNotFound", "there is no repository someone/refused on the Hub, or it is private; log in"),
        (404, "EntryNotFound", "there is no adapter.safetensors in someone/refused on the Hub"),
    ],
)
def test_what_the_hub_refuses_says_what_to_do_and_the_others_go_on(  # noqa: PLR0917 - a row of the table
    sdxl: Family, cache: Path, hub: Hub, status: int, error: str, said: str
) -> None:
    weights = replace(WEIGHTS, repository="someone/refused")  # another test has fetched the adapter
    hub.refusals["someone/refused"] = (status, error)
    hyper = sdxl.spec("hyper")
    refused = replace(hyper, recipes=tuple(replace(recipe, weights=weights) for recipe in hyper.recipes))
    engine = Engine(replace(sdxl, specs=(refused, sdxl.spec("lcm"))), online(cache, hub))
    runs = (Run(model="hyper", steps=2), Run(model="lcm", steps=2))
    events = list(compare(Request(prompt="a fox", seed=1, family="sdxl", runs=runs), engine))
    results = {event.model: event for event in events if isinstance(event, Generation)}
    assert re.search(said, str(results["hyper"].error))
    assert "\n" not in str(results["hyper"].error)
    assert results["lcm"].error is None
    assert engine.state == "ready"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_says_so() -> None:
    def fetch() -> str:
        Path("/dev/full").write_bytes(DATA)
        return ""

    with pytest.raises(
        DownloadError, match=r"there is no room for it.safetensors in .*; free some, or set HF_HUB_CACHE"
    ):
        fetched("it.safetensors", fetch, "someone/adapter")
