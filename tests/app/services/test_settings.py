from __future__ import annotations

from pathlib import Path

import pytest

from app.services.settings import AppSettings
from hypersd.models.registry import FAMILIES


def test_nothing_set_means_the_registry_s_first_family_where_it_ships() -> None:
    settings = AppSettings.from_environment({})
    assert settings.family == next(iter(FAMILIES))
    assert settings.families() == dict(FAMILIES)


def test_the_embedded_family_can_live_elsewhere(tmp_path: Path) -> None:
    families = AppSettings.from_environment({"HYPERSD_EMOJI": str(tmp_path)}).families()
    assert {name: family.folder for name, family in families.items()} == {
        name: tmp_path if family.folder else None for name, family in FAMILIES.items()
    }


@pytest.mark.parametrize(
    "environment",
    [{"HYPERSD_FAMILY": "dalle"}, {"HYPERSD_EMOJI": "/nowhere/at/all"}, {"HYPERSD_TRUSTED_PROXIES": "nginx"}],
)
def test_a_bad_setting_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(environment))):
        AppSettings.from_environment(environment)


def test_no_secret_is_shown() -> None:
    settings = AppSettings.from_environment({"HYPERSD_SECRET": "rosebud", "HYPERSD_OWNER_TOKEN": "sesame"})
    assert settings.secret == "rosebud"  # noqa: S105 - that is the point
    assert "rosebud" not in repr(settings)
    assert "sesame" not in repr(settings)
