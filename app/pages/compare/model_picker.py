"""Picker of models and their numbers of steps: a panel for each family, with a tile for each of its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import gradio as gr

from app.pages.compare import result_cards
from app.services.engines import EngineManager
from app.templating import render
from hypersd.models.changed_base import ChangedBase
from hypersd.models.specs import Capability, Family, ModelSpec
from hypersd.sampling.request import Run

Updates = dict[Any, Any]

_NO_VALUES: Mapping[Any, Any] = MappingProxyType({})

_FREE_STEPS = (1, 2, 4, 8, 25, 50)
_SCENES = (
    "a big cat on a blue background",
    "an owl left of a cactus on a pink background",
    "a small rocket on a black background",
    "a penguin left of a pizza on a yellow background",
    "unicorn, green background",
)
_PROMPTS = (
    "a lighthouse on a cliff in a storm, oil painting",
    "portrait of an old fisherman, soft window light, 85 mm photograph",
    "a red fox sleeping in fresh snow",
    "an isometric cutaway of a tiny bookshop at night",
)


@dataclass(frozen=True, eq=False)
class Tile:
    """A model on the page: whether it runs, at which numbers of steps, a word about it, and the weights' licence."""

    spec: ModelSpec
    chosen: gr.Checkbox
    steps: gr.CheckboxGroup
    note: gr.HTML
    licence: gr.HTML

    def closed(self, reason: str) -> Updates:
        """Untick the model for good, and say why."""
        return {
            self.chosen: gr.Checkbox(value=False, interactive=False),
            self.steps: gr.CheckboxGroup(interactive=False),
            self.note: _note(reason, unavailable=True),
        }


@dataclass(frozen=True, eq=False)
class ModelPanel:
    """A family on the page."""

    family: Family
    examples: gr.Column
    models: gr.Row
    tiles: tuple[Tile, ...]

    @property
    def inputs(self) -> set[Any]:
        """The components that `runs` reads."""
        return {part for tile in self.tiles for part in (tile.chosen, tile.steps)}

    @property
    def outputs(self) -> set[Any]:
        """The components that this panel's updates change."""
        notes = {note for tile in self.tiles for note in (tile.note, tile.licence)}
        return {self.examples, self.models} | self.inputs | notes

    def runs(self, values: Mapping[Any, Any]) -> tuple[Run, ...]:
        """Runs that are chosen; a model without steps runs at its default."""
        return tuple(
            Run(model=tile.spec.name, steps=steps)
            for tile in self.tiles
            if values[tile.chosen]
            for steps in sorted(values[tile.steps]) or [tile.spec.default_steps]
        )

    def shown(self, visible: bool) -> Updates:  # noqa: FBT001 - it is what the function sets
        """Show the panel, or hide it."""
        return {self.examples: gr.Column(visible=visible), self.models: gr.Row(visible=visible)}

    def restored(self, changed: ChangedBase, runs: tuple[Run, ...], engines: EngineManager) -> Updates:
        """Tick what these runs need, and nothing else; tiles of models that do not run on the base are closed."""
        updates = self.on_base(changed, engines)
        for tile in self._tiles_on(changed):
            steps = [run.steps or tile.spec.default_steps for run in runs if run.model == tile.spec.name]
            updates[tile.chosen] = gr.Checkbox(value=bool(steps), label=tile.spec.title)
            if steps:
                choices = sorted({*_choices(tile.spec), *steps})
                updates[tile.steps] = gr.CheckboxGroup(choices=_numbered(choices), value=steps)
        return updates

    def on_base(self, changed: ChangedBase, engines: EngineManager, values: Mapping[Any, Any] = _NO_VALUES) -> Updates:
        """Show the models as they are on a base: those that do not run on it are closed, and say why.

        Args:
            changed: the family on the base.
            engines: know what cannot run here.
            values: of the tiles' components; steps that a model does not have on the base are taken out of them.
        """
        updates: Updates = {}
        for tile in self.tiles:
            if reason := changed.left_out.get(tile.spec.name):
                updates |= tile.closed(f"Not on this base: {reason}")
        for tile in self._tiles_on(changed):
            choices = _choices(tile.spec)
            chosen = [steps for steps in values.get(tile.steps, ()) if steps in choices]
            value: dict[str, Any] = {"value": chosen or [tile.spec.default_steps]} if tile.steps in values else {}
            updates[tile.chosen] = gr.Checkbox(label=tile.spec.title, interactive=True)
            updates[tile.steps] = gr.CheckboxGroup(_numbered(choices), interactive=True, **value)
            updates |= {tile.note: _about(tile.spec), tile.licence: _note(f"licence: {tile.spec.licence}")}
        return {**updates, **self.available(engines)}

    def _tiles_on(self, changed: ChangedBase) -> list[Tile]:
        """The tiles of models that run on a base, with their specifications on it."""
        specs = {spec.name: spec for spec in changed.family.specs}
        open_tiles = [tile for tile in self.tiles if tile.spec.name not in changed.left_out]
        return [replace(tile, spec=specs.get(tile.spec.name, tile.spec)) for tile in open_tiles]

    def available(self, engines: EngineManager) -> Updates:
        """Close the tiles of models that cannot run here, and say why on them."""
        updates: Updates = {}
        for tile in self.tiles:
            can = engines.availability(self.family, tile.spec)
            if can and not can.available:
                updates |= tile.closed(f"Not here: {can.reason}")
        return updates


def examples(family: Family, prompt: gr.Textbox, *, visible: bool) -> gr.Column:
    """Lay out a family's examples, and its vocabulary."""
    with gr.Column(visible=visible, elem_classes="hs-examples") as column:
        prompts = _SCENES if family.has(Capability.SCENES) else _PROMPTS
        gr.Examples([[text] for text in prompts], inputs=[prompt], label="Try", api_visibility="private")
        if family.has(Capability.SCENES):
            gr.HTML(result_cards.vocabulary(family))
    return column


def models(family: Family, *, visible: bool) -> tuple[gr.Row, tuple[Tile, ...]]:
    """Lay out a family's tiles."""
    with gr.Row(visible=visible, elem_classes="hs-models") as row:
        tiles = tuple(_tile(spec, licensed=not family.is_reimplementation) for spec in family.specs)
    return row, tiles


def _tile(spec: ModelSpec, *, licensed: bool) -> Tile:
    with gr.Column(elem_classes="hs-tile", min_width=0):
        chosen = gr.Checkbox(value=not spec.variant, label=spec.title, container=False, elem_classes="hs-name")
        steps = gr.CheckboxGroup(
            _numbered(_choices(spec)),
            value=[spec.default_steps],
            label=f"Steps of {spec.title}",
            show_label=False,
            container=False,
            elem_classes="hs-steps",
        )
        note = gr.HTML(_about(spec))
        licence = gr.HTML(_note(f"licence: {spec.licence}"), visible=licensed)
    return Tile(spec=spec, chosen=chosen, steps=steps, note=note, licence=licence)


def _choices(spec: ModelSpec) -> list[int]:
    listed = [recipe.steps for recipe in spec.recipes]
    if spec.max_steps is None:
        return listed
    free = _FREE_STEPS if spec.max_steps >= max(_FREE_STEPS) else range(1, spec.max_steps + 1)
    return sorted({*listed, *free})


def _numbered(steps: Sequence[int]) -> list[tuple[str, int]]:
    return [(str(count), count) for count in steps]


def _about(spec: ModelSpec) -> str:
    return _note(spec.note or _guidance(spec))


def _guidance(spec: ModelSpec) -> str:
    scale = spec.recipe().guidance_scale
    return f"guidance {scale:g}: two calls a step" if scale > 1 else "no guidance: one call a step"


def _note(text: str, *, unavailable: bool = False) -> str:
    return render("note", text=text, unavailable=unavailable)
