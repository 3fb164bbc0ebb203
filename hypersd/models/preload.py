"""Files on the Hub that a published family reads in any case: what a Space's image should hold."""

from __future__ import annotations

from collections.abc import Iterator

from hypersd.models.specs import Family

_TOKENIZER = ("merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json")
_MODULE = "diffusion_pytorch_model"


def preloaded(family: Family) -> tuple[str, ...]:
    """The base, the VAE and the LoRAs of a published family, as lines of a Space's `preload_from_hub`.

    Only with them in its image does a Space start without downloading gigabytes again: its disk is wiped at each start.
    UNets of their own (5 GB each) are left to the first visitor who asks for one. None for a shipped family.
    """
    if family.folder is not None or family.repository is None:
        return ()
    files = {family.repository: list(_base_files(family))}
    if family.vae:
        files[family.vae] = ["config.json", f"{_MODULE}.safetensors"]
    for weights in (recipe.weights for spec in family.specs for recipe in spec.recipes):
        if weights.kind == "lora" and weights.repository and weights.file:
            wanted = files.setdefault(weights.repository, [])
            wanted += [] if weights.file in wanted else [weights.file]
    return tuple(f"{repository} {','.join(names)}" for repository, names in files.items())


def _base_files(family: Family) -> Iterator[str]:
    end = f".{family.variant}.safetensors" if family.variant else ".safetensors"
    yield from ("model_index.json", "scheduler/scheduler_config.json")
    for number in range(1, family.text_encoders + 1):
        suffix = f"_{number}" if number > 1 else ""
        yield from (f"text_encoder{suffix}/config.json", f"text_encoder{suffix}/model{end}")
        yield from (f"tokenizer{suffix}/{name}" for name in _TOKENIZER)
    yield from ("unet/config.json", f"unet/{_MODULE}{end}", "vae/config.json")
    if not family.vae:
        yield f"vae/{_MODULE}{end}"
