"""Other bases that are still on the Hub: what they are is known before their weights are fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from huggingface_hub import constants
from safetensors.torch import save_file

from hypersd.models.adapter_file import AdapterError
from hypersd.models.machine import Machine
from hypersd.models.offered_bases import offered_bases
from hypersd.models.other_base import other_base
from hypersd.models.registry import FAMILIES
from hypersd.models.style_file import parse_style
from hypersd.models.style_lora import with_styles
from hypersd.models.user_adapter import with_user_adapter
from tests import families
from tests.http_server import served

CONFIGS = ("unet/config.json", "scheduler/scheduler_config.json")
WEIGHTS = {
    "owner/half": "unet/diffusion_pytorch_model.fp16.safetensors",
    "owner/full": "unet/diffusion_pytorch_model.safetensors",
    "owner/pickle": "unet/diffusion_pytorch_model.bin",
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with SD 1.5 in its cache, the others' configurations, and a Hub that lists their files."""
    cache = tmp_path_factory.mktemp("hub")
    for repository in ("stable-diffusion-v1-5/stable-diffusion-v1-5", *WEIGHTS):
        families.sd_pipeline().save_pretrained(families.hub_file(cache, repository, "model_index.json").parent)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].removeprefix("/api/models/")
            files = [{"rfilename": file} for file in (*CONFIGS, WEIGHTS.get(name)) if file]
            content = json.dumps({"id": name, "siblings": files}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with served(Handler) as address:
        yield families.machine(cache, hub=address, offline=False)


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.parametrize(("repository", "variant"), [("owner/half", "fp16"), ("owner/full", None)])
def test_half_precision_is_fetched_where_a_repository_has_it(
    machine: Machine, repository: str, variant: str | None
) -> None:
    based = other_base(repository, machine, lambda _line: None).family
    assert (based.name, based.repository, based.variant, based.base) == ("sd15", repository, variant, None)
    assert based.spec("base").title == repository.removeprefix("owner/")


def test_a_repository_of_pickles_is_refused(machine: Machine) -> None:
    with pytest.raises(ValueError, match="owner/pickle/unet is a pickle, which is not opened since it can run code"):
        other_base("owner/pickle", machine, lambda _line: None)


def test_the_pictures_of_a_gpu_are_decoded_by_a_vae_that_bears_half_precision(machine: Machine, tmp_path: Path) -> None:
    families.sdxl_pipeline(emoji=False).save_pretrained(tmp_path)
    published = families.hub_file(machine.cache, "stabilityai/stable-diffusion-xl-base-1.0", "model_index.json").parent
    families.sdxl_pipeline(emoji=False).save_pretrained(published)
    half = families.machine(machine.cache, precision="float16")
    assert other_base(str(tmp_path), half, lambda _line: None).family.vae == "madebyollin/sdxl-vae-fp16-fix"
    assert other_base(str(tmp_path), families.machine(machine.cache), lambda _line: None).family.vae is None


WRONG_ENTRIES = {
    "=owner/full": "is no base; write OWNER/NAME, a folder or a .safetensors file, or NAME=SOURCE",
    "Full=": "is no base",
    "<b>=owner/full": "cannot be the name of a base",
    "full=owner/half": "sd15 has a base full already; give this one another name, as NAME=SOURCE",
    "Own=owner/half": "sd15 has a base Own already",
    "owner/pickle": "is a pickle, which is not opened since it can run code",
    "../nowhere/passwd": "there is no file or folder ../nowhere/passwd",
    "http://127.0.0.1:8080/owner": "there is no file or folder http://127.0.0.1:8080/owner",
    "model.ckpt": "there is no file or folder model.ckpt",
}


def test_of_an_owner_s_list_what_can_be_used_is_offered(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    offered = offered_bases(("owner/full", *WRONG_ENTRIES, "Half precision=owner/half"), FAMILIES, machine)
    assert [(base.name, base.family, base.repository) for base in offered] == [
        ("full", "sd15", "owner/full"),
        ("Half precision", "sd15", "owner/half"),
    ]
    complaints = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(complaints) == len(WRONG_ENTRIES)
    for complaint, (entry, reason) in zip(complaints, WRONG_ENTRIES.items(), strict=True):
        assert complaint.startswith(f"HYPERSD_BASES: {entry} is not offered: ")
        assert reason in complaint


def test_a_style_is_offered_with_the_base_that_it_was_made_for(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On the family's own base or on one that is named, from a file or the Hub; what does not fit is not offered."""
    published = families.hub_file(machine.cache, "owner/styles", "sd15/ink.safetensors")
    for file, pipeline in (
        (tmp_path / "wash.safetensors", families.sd_pipeline()),
        (tmp_path / "xl.safetensors", families.sdxl_pipeline(emoji=False)),
        (published, families.sd_pipeline()),
    ):
        state = families.lora_state(pipeline.unet, seed=1)
        StableDiffusionPipeline.save_lora_weights(file.parent, unet_lora_layers=state, weight_name=file.name)
    wash, ink = f"{tmp_path}/wash.safetensors", "owner/styles/sd15/ink.safetensors"
    entries = {
        f"{wash}:0.5": "",
        f"Both=owner/half + {wash}:0.5 + {ink}": "",
        ink: "",
        f"Too strong={ink}:3": "strength must be a number above 0 and up to 2, not 3",
        f"Other=owner/full + {tmp_path}/xl.safetensors": "use an adapter that was made for this family",
        f"Gone=owner/full + {tmp_path}/gone.safetensors": "there is no adapter",
        "owner/nothing/ink.safetensors": "is not downloaded and the Hub cannot be reached",
    }
    offline = replace(machine, offline=True)
    offered = offered_bases(tuple(entries), FAMILIES, offline)
    half, styles = "https://huggingface.co/owner/half", "https://huggingface.co/owner/styles"
    assert [(base.name, base.family, base.repository, base.source) for base in offered] == [
        ("wash", "sd15", None, "wash.safetensors"),
        ("Both", "sd15", "owner/half", f"{half} + wash.safetensors + {styles}"),
        ("ink", "sd15", None, styles),
    ]
    assert [[style.scale for style in base.styles] for base in offered] == [[0.5], [0.5, 1], [1]]
    complaints = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    for complaint, reason in zip(complaints, filter(None, entries.values()), strict=True):
        assert reason in complaint


def test_an_adapter_of_another_architecture_is_refused_before_its_base_is_fetched(tmp_path: Path) -> None:
    layer, file = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k", tmp_path / "sd15.safetensors"
    save_file({f"{layer}.lora_A.weight": torch.ones(4, 768), f"{layer}.lora_B.weight": torch.ones(1280, 4)}, file)
    nothing = families.machine(tmp_path / "hub")
    with pytest.raises(AdapterError, match=r"was made for SD 1\.x, and this is SDXL"):
        with_user_adapter(FAMILIES["sdxl"], file, None, nothing)
    with pytest.raises(AdapterError, match=r"was made for SD 1\.x, and this is SDXL"):
        with_styles(FAMILIES["sdxl"], [parse_style(str(file))], nothing, lambda _line: None)
