"""Tiny random families on disk: the embedded one's folder, and the Hub's cache with the published files' real names.

Everything has the real layout, the real file names and the real key formats; only the weights are few and random.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    ControlNetModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
)

from hypersd.models.families.embedded import CONTROL_LORA, STYLE_LORA, STYLES
from hypersd.models.machine import Machine
from hypersd.models.registry import FAMILIES
from hypersd.models.specs import Family
from hypersd.models.weights import Weights
from hypersd.training.control_lora_training import save_control_lora, trainable_controlnet

SMALL_POOL = 8
"""Pairs that the arena of a test's page keeps ready; the usual 40, and 10 of each study, take a minute to draw."""

_MODELS = tempfile.TemporaryDirectory(prefix="hypersd-models-", ignore_cleanup_errors=True)
"""Folder of the families that were written once for all tests of a process."""

_HUB_CACHES: dict[tuple[str, ...], Path] = {}
"""Folders of published families in it, by the name of the family and its files."""

REVISION = "0123456789abcdef0123456789abcdef01234567"
_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_PUBLISHED_SCHEDULER = {
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
"""Entries of the published schedulers' configurations that other schedulers read."""
_RANK = 4
_TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "ff.net.2", "conv1"]
_EMOJI_PIXELS, _LATENT_CHANNELS, _WIDTH = 32, 12, 32


def _tokenizer(length: int) -> CLIPTokenizer:
    letters = [chr(code) for code in range(33, 127)]
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[], model_max_length=length)


def _text_config(tokenizer: CLIPTokenizer, length: int, width: int = _WIDTH) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=length,
        projection_dim=_WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _unet(channels: int, *, conditioned: bool, sample_size: int, levels: int) -> UNet2DConditionModel:
    """A random UNet of one or two levels; that of one level has half the layers."""
    added = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + _WIDTH,
    }
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(32, 64)[:levels],
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D")[-levels:],
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")[-levels:],
        layers_per_block=1,
        cross_attention_dim=2 * _WIDTH if conditioned else _WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        **(added if conditioned else {}),
    )


def _kl() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.13025,
    )


def sdxl_pipeline(*, emoji: bool, levels: int = 2) -> StableDiffusionXLPipeline:
    """A random pipeline of SDXL's shape: with the embedded family's VAE and 24 tokens, or with the published ones."""
    torch.manual_seed(0)
    length = 24 if emoji else 77
    tokenizer = _tokenizer(length)
    channels = _LATENT_CHANNELS if emoji else 4
    # The published encoders differ in their width, by which diffusers finds them in a single file.
    first, second = (_WIDTH, _WIDTH) if emoji else (_WIDTH - 8, _WIDTH + 8)
    tiny = AutoencoderTiny(
        latent_channels=channels,
        encoder_block_out_channels=(16,) * 4,
        decoder_block_out_channels=(16,) * 4,
        num_encoder_blocks=(0, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 0),
    )
    spaced = DDIMScheduler(**_BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    return StableDiffusionXLPipeline(
        vae=tiny if emoji else _kl(),
        text_encoder=CLIPTextModel(_text_config(tokenizer, length, first)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer, length, second)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(channels, conditioned=True, sample_size=_EMOJI_PIXELS // 8 if emoji else 8, levels=levels),
        scheduler=spaced if emoji else EulerDiscreteScheduler(**_BETAS, steps_offset=1),
        force_zeros_for_empty_prompt=not emoji,
        add_watermarker=False,
    )


def sd_pipeline(*, levels: int = 2) -> StableDiffusionPipeline:
    """A random pipeline of SD1.5's shape."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(77)
    return StableDiffusionPipeline(
        vae=_kl(),
        text_encoder=CLIPTextModel(_text_config(tokenizer, 77)),
        tokenizer=tokenizer,
        unet=_unet(4, conditioned=False, sample_size=8, levels=levels),
        scheduler=PNDMScheduler(**_BETAS, skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def other_pipeline(name: str) -> StableDiffusionXLPipeline | StableDiffusionPipeline:
    """Another base of a family's architecture: its UNet, its text encoders and its VAE are other ones."""
    pipeline = sdxl_pipeline(emoji=False) if name == "sdxl" else sd_pipeline()
    parts: list[torch.nn.Module] = [pipeline.unet, pipeline.vae, pipeline.text_encoder]
    torch.manual_seed(11)
    with torch.no_grad():
        for parameter in (parameter for part in parts for parameter in part.parameters()):
            parameter.add_(0.02 * torch.randn_like(parameter))
    return pipeline


def lora_state(unet: UNet2DConditionModel, seed: int, scale: float = 0.3) -> dict[str, Tensor]:
    """A random LoRA for a UNet in peft's keys (`<path>.lora_A.weight`); the UNet is left as it was."""
    torch.manual_seed(seed)
    config = LoraConfig(r=_RANK, lora_alpha=_RANK, init_lora_weights=False, target_modules=_TARGETS)
    unet.add_adapter(config, adapter_name="made")
    state = {
        name: scale * value.clone() for name, value in get_peft_model_state_dict(unet, adapter_name="made").items()
    }
    unet.unload_lora()
    return state


def write_emoji(folder: Path, adapters: Mapping[str, int] | Iterable[str], *, levels: int = 2) -> None:
    """Write a family folder with the adapters of these names, in half precision; `levels` are the UNet's."""
    pipeline = sdxl_pipeline(emoji=True, levels=levels)
    for index, name in enumerate(adapters):
        state = {key: value.half() for key, value in lora_state(pipeline.unet, seed=index + 1).items()}
        StableDiffusionXLPipeline.save_lora_weights(
            folder / "adapters", unet_lora_layers=state, weight_name=f"{name}.safetensors"
        )
    style = {key: value.half() for key, value in lora_state(pipeline.unet, seed=31).items()}
    StableDiffusionXLPipeline.save_lora_weights(
        folder / STYLES / "noto", unet_lora_layers=style, weight_name=STYLE_LORA
    )
    pipeline.to(torch.float16).save_pretrained(folder)
    _write_world(folder)


def _write_world(folder: Path) -> None:
    for home, colours in ((folder, ("orange", "brown")), (folder / STYLES / "noto", ("green", "red"))):
        (home / "sprites").mkdir()
        for name, colour in zip(("cat", "dog"), colours, strict=True):
            Image.new("RGBA", (64, 64), colour).save(home / "sprites" / f"{name}.webp")
    world = {
        "objects": {"cat": "sprites/cat.webp", "dog": "sprites/dog.webp"},
        "backgrounds": {"blue": [60, 90, 220], "white": [255, 255, 255]},
        "sizes": {"small": [0.35, 0.5], "big": [0.65, 0.85], "pair": [0.35, 0.45]},
        "held_out": [["cat", "white"]],
    }
    (folder / "world.json").write_text(json.dumps(world))


def write_clip(folder: Path) -> None:
    """Write a random CLIP model of 128 pixels with its processor and tokenizer, in half precision."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(24)
    text = _text_config(tokenizer, 24)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=128, patch_size=32
    )
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=_WIDTH)
    CLIPModel(config).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": 128},
        crop_size={"height": 128, "width": 128},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    ).save_pretrained(folder)


def write_image_reward(folder: Path, tokenizer: Path) -> None:
    """Write ImageReward's published files with random weights, and BERT's words into a folder of their own.

    Of 32 pixels: a picture tower of 128 numbers a patch in 2 heads, and a reader of 32 a token in 4, of 2 layers each.
    """
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (tokenizer / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    text = {
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": 32,
        "intermediate_size": 48,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 64,
        "model_type": "bert",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "vocab_size": len(pieces),
        "encoder_width": 128,
        "add_cross_attention": True,
    }
    (folder / "med_config.json").write_text(json.dumps(text), encoding="utf-8")
    torch.manual_seed(0)
    torch.save(_image_reward_weights(len(pieces)), folder / "ImageReward.pt")


def _image_reward_weights(words: int) -> dict[str, Tensor]:
    vision, text = "blip.visual_encoder", "blip.text_encoder"
    weights = {
        f"{vision}.cls_token": torch.randn(1, 1, 128),
        f"{vision}.pos_embed": torch.randn(1, 5, 128),
        f"{vision}.patch_embed.proj.weight": torch.randn(128, 3, 16, 16) / 28,
        f"{vision}.patch_embed.proj.bias": torch.randn(128),
        f"{text}.embeddings.position_ids": torch.arange(64)[None],
        f"{text}.embeddings.word_embeddings.weight": torch.randn(words, 32),
        f"{text}.embeddings.position_embeddings.weight": torch.randn(64, 32),
    }
    norms = {f"{vision}.norm": 128, f"{text}.embeddings.LayerNorm": 32}
    linears = {"blip.vision_proj": (128, 8), "blip.text_proj": (32, 8)}
    for layer in range(2):
        block = f"{vision}.blocks.{layer}"
        norms |= {f"{block}.norm1": 128, f"{block}.norm2": 128}
        linears |= {f"{block}.attn.qkv": (128, 384), f"{block}.attn.proj": (128, 128)}
        linears |= {f"{block}.mlp.fc1": (128, 192), f"{block}.mlp.fc2": (192, 128)}
        block = f"{text}.encoder.layer.{layer}"
        for kind, width in (("attention", 32), ("crossattention", 128)):
            linears |= {f"{block}.{kind}.self.query": (32, 32), f"{block}.{kind}.output.dense": (32, 32)}
            linears |= {f"{block}.{kind}.self.{part}": (width, 32) for part in ("key", "value")}
            norms[f"{block}.{kind}.output.LayerNorm"] = 32
        linears |= {f"{block}.intermediate.dense": (32, 48), f"{block}.output.dense": (48, 32)}
        norms[f"{block}.output.LayerNorm"] = 32
    widths = (32, 24, 16, 8, 4, 1)
    linears |= {f"mlp.layers.{number}": widths[place : place + 2] for place, number in enumerate((0, 2, 4, 6, 7))}
    for name, width in norms.items():
        weights |= {f"{name}.weight": 1 + torch.randn(width) / 4, f"{name}.bias": torch.randn(width) / 4}
    for name, (wide, narrow) in linears.items():
        weights |= {f"{name}.weight": 2 * torch.randn(narrow, wide) / wide**0.5, f"{name}.bias": torch.randn(narrow)}
    return weights


def emoji_family(family: Family, folder: Path, *, without: Iterable[str] = ()) -> Family:
    """`family`, but tiny and in `folder`: with all the adapter files its recipes name, except those named here."""
    files = {recipe.weights.file for spec in family.specs for recipe in spec.recipes if recipe.weights.file}
    names = {Path(file).stem for file in files} - set(without)
    shutil.copytree(_emoji_folder(tuple(sorted(names))), folder, dirs_exist_ok=True)
    specs = tuple(replace(spec, pixels=_EMOJI_PIXELS) for spec in family.specs)
    return replace(family, folder=folder, pixels=_EMOJI_PIXELS, specs=specs)


@functools.cache
def _emoji_folder(adapters: tuple[str, ...]) -> Path:
    """A family's folder with these adapters and a Control-LoRA, which is written once and copied where it is needed."""
    folder = Path(tempfile.mkdtemp(dir=_MODELS.name))
    write_emoji(folder, adapters)
    write_control_lora(folder)
    return folder


def write_control_lora(folder: Path) -> None:
    """Write a random Control-LoRA for the UNet of a family's folder; what it adds is not zero."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", dtype=torch.float32)
    torch.manual_seed(5)
    controlnet = trainable_controlnet(unet, (8, 8, 8, 8), rank=2)
    _randomized(controlnet)
    save_control_lora(controlnet, folder / CONTROL_LORA)


def _randomized(controlnet: ControlNetModel) -> ControlNetModel:
    for parameter in controlnet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return controlnet


def hub_file(cache: Path, repository: str, file: str) -> Path:
    """Path of a repository's file in the Hub's cache, with its folder and the repository's ref made."""
    home = cache / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(REVISION)
    path = home / "snapshots" / REVISION / file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def as_blobs(cache: Path) -> None:
    """Move every file of the cache to `blobs/` and leave a link in its place, as the Hub's client does."""
    for home in cache.glob("models--*"):
        (home / "blobs").mkdir(exist_ok=True)
        for path in [path for path in (home / "snapshots").rglob("*") if path.is_file() and not path.is_symlink()]:
            blob = home / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
            path.replace(blob)
            up = len(path.relative_to(home).parts) - 1
            path.symlink_to(Path(*[".."] * up, "blobs", blob.name))


PUBLISHED = [family for family in FAMILIES.values() if family.repository]
"""The families whose weights are on the Hub."""

SMALLEST_SIDES = {"sdxl": 512, "sd15": 256, "sd21": 256}
"""The smallest pictures that their cards allow."""


def hub_cache(family: Family, cache: Path) -> Family:
    """Fill a Hub cache with what a published family needs, and return the family at a size that a test can draw."""
    weights = {recipe.weights for spec in family.specs for recipe in spec.recipes}
    key = (family.name, *sorted(f"{one.repository}/{one.file}" for one in weights))
    if key not in _HUB_CACHES:
        _HUB_CACHES[key] = Path(tempfile.mkdtemp(dir=_MODELS.name))
        _write_hub_cache(family, _HUB_CACHES[key])
    written = _HUB_CACHES[key]

    def of_another_family(place: str, names: list[str]) -> list[str]:
        """Files of a repository that two families share, and that are there already."""
        there = cache / Path(place).relative_to(written)
        return [name for name in names if (there / name).is_symlink()]

    shutil.copytree(written, cache, symlinks=True, ignore=of_another_family, dirs_exist_ok=True)
    return replace(family, pixels=64, specs=tuple(replace(spec, pixels=64) for spec in family.specs))


def _write_hub_cache(family: Family, cache: Path) -> None:
    published = sd_pipeline() if family.vae is None else sdxl_pipeline(emoji=False)
    half = {"variant": family.variant, "safe_serialization": True}
    assert family.repository is not None
    home = hub_file(cache, family.repository, "model_index.json").parent
    unet = published.unet
    for index, weights in enumerate({recipe.weights for spec in family.specs for recipe in spec.recipes}):
        if weights.repository is None:
            continue
        if weights.kind == "pipeline":
            other = hub_file(cache, weights.repository, "unet/config.json").parent
            _perturbed(unet).half().save_pretrained(other, **half)
            hub_file(cache, weights.repository, "model_index.json").write_text("{}")
        elif weights.kind in {"unet", "delta"}:
            factor = 1.0 if weights.kind == "unet" else 0.05
            state = {key: factor * value for key, value in _perturbed(unet).state_dict().items()}
            save_file(state, hub_file(cache, weights.repository, str(weights.file)))
        else:
            state = {f"unet.{key}": value for key, value in lora_state(unet, seed=index + 1).items()}
            kohya = {key: value.contiguous() for key, value in convert_state_dict_to_kohya(state).items()}
            save_file(kohya, hub_file(cache, weights.repository, str(weights.file)))
    for index, spec in enumerate(family.controlnets):
        torch.manual_seed(index)
        controlnet = _randomized(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8)))
        place = hub_file(cache, str(spec.weights.repository), str(spec.weights.file)).parent
        controlnet.half().save_pretrained(place, **half)
    if family.vae is not None:
        published.vae.save_pretrained(hub_file(cache, family.vae, "config.json").parent)
    if family.tiny_decoder is not None:
        tiny_autoencoder().save_pretrained(hub_file(cache, family.tiny_decoder.repository, "config.json").parent)
    published.to(torch.float16).save_pretrained(home, **half)
    publish_scheduler(home)
    as_blobs(cache)


def tiny_autoencoder() -> AutoencoderTiny:
    """A small random TAESD: four halvings of the picture's sides, as the families' own VAEs have here."""
    torch.manual_seed(8)
    return AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    )


def publish_scheduler(pipeline: Path) -> None:
    """Give the pipeline in a folder the scheduler's configuration that the published ones have."""
    config = pipeline / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **_PUBLISHED_SCHEDULER}))


def with_adapter(family: Family, model: str, file: Path, change: Callable[[Tensor], Tensor]) -> Family:
    """The family with another adapter for a model, in `file`: its own, each weight changed."""
    spec = family.spec(model)
    own = Path(str(family.folder)) / str(spec.recipe().weights.file)
    save_file({key: change(value) for key, value in load_file(own).items()}, file)
    return with_weights(family, model, file)


def with_weights(family: Family, model: str, file: Path) -> Family:
    """The family with this adapter file for all of a model's recipes."""
    spec = family.spec(model)
    weights = Weights(kind="lora", file=str(file.resolve()))
    changed = replace(spec, recipes=tuple(replace(recipe, weights=weights) for recipe in spec.recipes))
    return replace(family, specs=tuple(changed if each is spec else each for each in family.specs))


def _perturbed(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    other = UNet2DConditionModel.from_config(unet.config)
    other.load_state_dict({name: 1.05 * value for name, value in unet.state_dict().items()})
    return other


def machine(cache: Path, **changed: object) -> Machine:
    """A CPU without a network, whose Hub cache is `cache`."""
    plain = Machine(device="cpu", precision="float32", memory_gb=1.0, offline=True, cache=cache)
    return replace(plain, **changed)
