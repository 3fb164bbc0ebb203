"""Files that ship with the package: the embedded family, prompts and studies."""

from __future__ import annotations

from pathlib import Path


def assets_folder() -> Path:
    """The folder of these files: inside an installed package, beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "assets"
    return installed if installed.is_dir() else package.parent / "assets"
