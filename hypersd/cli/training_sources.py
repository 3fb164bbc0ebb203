"""Base and examples of `distill`: of the family's own, or of the Hub and from a source of captioned pictures."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypersd.cli.output import note
from hypersd.distill.catalog import METHODS, Need
from hypersd.models.families.embedded import training_scenes
from hypersd.models.specs import Capability, Family
from hypersd.training.records import RECORD
from hypersd.training.sources.opening import FORMS, open_source
from hypersd.training.sources.picture_folder import METADATA, PictureFolder
from hypersd.utils.model_folders import FAMILY_FOLDER, INDEX, picture_side

if TYPE_CHECKING:
    from hypersd.models.model_source import ModelSource
    from hypersd.training.data import CaptionedData
    from hypersd.training.sources.picture_source import PictureSource

log = logging.getLogger(__name__)

PICTURES = "pictures"
"""Name of the folder in `--out` for what was seen of the pictures."""

_CACHES = ("latents", "pairs", "jumps")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSource:
    """A source of examples that the user named, or a family's own scenes.

    Args:
        family: that is trained.
        folder: of an emoji training, where its encoded scenes are; None if there is none.
        pictures: captioned pictures; None for scenes of the family's own.
    """

    family: Family
    folder: Path | None = None
    pictures: PictureSource | None = None

    @classmethod
    def of(cls, options: argparse.Namespace, family: Family) -> TrainingSource:
        """The source that the options name; pictures are listed, and none is looked at.

        Raises:
            ValueError: the options contradict each other or miss one, or they name no source of pictures.
            OSError: the source is missing or cannot be read.
        """
        if family.folder is None:
            _check_named(options, family)
        own = family.has(Capability.SCENES)
        if own and options.data is not None and _is_empty(Path(options.data)):
            raise ValueError(f"{options.data} is empty: it holds nothing to train on; leave out --data for new scenes")
        if options.data is None or (own and _is_emoji_training(Path(options.data))):
            if options.caption_column is not None:
                raise ValueError("--caption-column is for pictures; name them with --data")
            family.require(Capability.SCENES, "be distilled")
            return cls(family=family, folder=None if options.data is None else Path(options.data))
        pictures = open_source(options.data, options.caption_column)
        out: Path | None = options.out
        within = out is not None and out.resolve().is_relative_to(Path(options.data).resolve())
        if isinstance(pictures, PictureFolder) and within:
            raise ValueError(f"{options.out} is among the pictures in {options.data}; choose another folder with --out")
        return cls(family=family, pictures=pictures)

    def base(self, folder: Path | None) -> ModelSource:
        """The base on disk, fetched from the Hub if need be; `folder` is the user's own in its place, or None.

        Raises:
            DownloadError: it cannot be fetched.
        """
        from hypersd.models.loading import Loader
        from hypersd.models.machine import Machine
        from hypersd.models.model_source import ModelSource

        if folder is not None:
            return ModelSource(folder)
        if self.family.folder is None:
            machine = Machine.here()
            return Loader(self.family, machine, note if machine.online else log.debug).source()
        return ModelSource(self._home(self.family.folder))

    def examples(self, base: ModelSource, out: Path) -> CaptionedData:
        """Captioned data for a base; what is seen of pictures is kept in `out`.

        Raises:
            ValueError: no picture can be used, or `out` has what was seen of others.
            OSError: `out` cannot be written, or a world is missing.
        """
        if self.pictures is None:
            return training_scenes(self._home(self.family.require(Capability.SCENES, "be distilled").parent))
        from hypersd.training.sources.captioned_pictures import CaptionedPictures

        return CaptionedPictures.prepare(self.pictures, picture_side(base.folder, base.vae), out / PICTURES)

    def _home(self, usual: Path) -> Path:
        """The family that was trained on the scenes, whose latents another autoencoder would not know; or `usual`."""
        trained = self.folder / FAMILY_FOLDER if self.folder else None
        return trained if trained and (trained / INDEX).is_file() else usual


def _check_named(options: argparse.Namespace, family: Family) -> None:
    """See that what a family of the Hub lacks is named.

    Raises:
        ValueError: it is not.
    """
    if options.data is None:
        raise ValueError(
            f"{family.name} cannot be distilled without pictures: it has no {Capability.SCENES.value}; name {FORMS} "
            "with --data"
        )
    needs = METHODS[options.method].needs
    if options.base is None and Need.CLIP in needs:
        raise ValueError(f"{options.method} needs {Need.CLIP.value}, and {family.name} has none")
    if options.base is None and Need.ADAPTER in needs and options.adapter is None:
        raise ValueError(f"{options.method} needs {Need.ADAPTER.value}; name one for {family.name} with --adapter")


def _is_emoji_training(folder: Path) -> bool:
    """True for what `emoji train` or a distillation left."""
    if not folder.is_dir() or (folder / METADATA).exists():
        return False
    if (folder / FAMILY_FOLDER / INDEX).is_file() or (folder / RECORD).is_file() or any(folder.glob("*.npy")):
        return True
    from hypersd.training.shared_files import MANIFEST

    return any((folder / name / MANIFEST).is_file() for name in _CACHES)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
