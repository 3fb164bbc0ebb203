"""The card of a folder of adapters for the Hub: its front matter, how to load them, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence

from hypersd import __version__
from hypersd.cli.folders import KOHYA
from hypersd.models.specs import Family

CARD = "README.md"

_RECIPE = (
    "The scheduler, its timesteps and the guidance decide what few steps give: "
    "`python -m hypersd evaluate --adapter FILE` runs an adapter with its recipe and measures it."
)
_LICENCES = {"apache-2.0", "mit", "openrail", "openrail++", "creativeml-openrail-m"}
"""Licences by the Hub's identifiers; another one is named in the text."""


def adapter_card(family: Family, title: str, command: str, adapters: Sequence[str], remarks: Sequence[str] = ()) -> str:
    """The card in Markdown.

    Args:
        family: of the base.
        title: of the method.
        command: the words after `hypersd` that made them, without folders.
        adapters: the files, relative to the card.
        remarks: a line about each result, if there are any.
    """
    from huggingface_hub import ModelCardData

    licence = family.specs[0].licence
    front = ModelCardData(
        license=licence if licence in _LICENCES else "other",
        license_name=None if licence in _LICENCES else licence,
        library_name="diffusers",
        base_model=family.repository,
        pipeline_tag="text-to-image",
        tags=["lora", "text-to-image", "diffusers", "distillation", *command.split()[:2]],
    )
    base = family.repository or f"the shipped family {family.name}, whose folder is `assets/emoji-xl` of the project"
    plain = [name for name in adapters if not name.endswith(KOHYA)]
    lines = [
        "---",
        front.to_yaml(),
        "---",
        "",
        f"# {family.title}: {title}",
        "",
        f"Adapters of {base}, made by `python -m hypersd {command}` (hypersd {__version__}).",
        "",
        *(f"- `{name}`{': in the keys of ComfyUI and WebUIs' if name.endswith(KOHYA) else ''}" for name in adapters),
        "",
        *([*remarks, ""] if remarks else []),
        "## Loading",
        "",
        "```python",
        "from diffusers import DiffusionPipeline",
        "",
        f'pipeline = DiffusionPipeline.from_pretrained("{family.repository or "FOLDER OF THE FAMILY"}")',
        f'pipeline.load_lora_weights("PATH OF THIS FOLDER", weight_name="{(plain or ["NAME"])[-1]}")',
        "```",
        "",
        _RECIPE,
        "",
    ]
    return "\n".join(lines)
