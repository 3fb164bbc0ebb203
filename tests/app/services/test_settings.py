from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from app.services.settings import AppSettings
from hypersd.arena.storage import StorageConfig
from hypersd.models.registry import FAMILIES, living_in
from hypersd.utils.environment import Environment


def test_the_default_is_the_registry_s_first_family_in_its_shipped_folder() -> None:
    settings = AppSettings.from_environment(Environment.read({}))
    assert settings.family == next(iter(FAMILIES))
    assert settings.families() == {name: living_in(None, family) for name, family in FAMILIES.items()}


def test_the_embedded_family_can_be_in_another_folder(tmp_path: Path) -> None:
    families = AppSettings.from_environment(Environment.read({"HYPERSD_EMOJI": str(tmp_path)})).families()
    assert {name: family.folder for name, family in families.items()} == {
        name: tmp_path if family.folder else None for name, family in FAMILIES.items()
    }


def test_each_variable_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "reward.json").touch()
    names = ("HYPERSD_DATA", "HYPERSD_EMOJI", "HYPERSD_STUDIES", "HYPERSD_REWARD", "HYPERSD_PICTURES")
    variables = dict.fromkeys(names, str(tmp_path)) | {"DATABASE_URL": "sqlite://", "HYPERSD_PUBLISH": "out"}
    variables |= {"HYPERSD_FAMILY": "sdxl", "SPACE_ID": "ann/space", "HYPERSD_TRUSTED_PROXIES": "10.0.0.0/8"}
    variables |= {"HYPERSD_POOL": "12"}
    assert AppSettings.from_environment(Environment.read(variables)) == AppSettings(
        family="sdxl",
        emoji=tmp_path,
        storage=StorageConfig(data=tmp_path, database="sqlite://", pictures=str(tmp_path)),
        studies=tmp_path,
        pool=12,
        proxies=(ipaddress.ip_network("10.0.0.0/8"),),
        publish="out",
        reward=tmp_path,
        space="ann/space",
    )


def test_the_default_is_the_process_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERSD_FAMILY", "sdxl")
    assert AppSettings.from_environment().family == "sdxl"


@pytest.mark.parametrize(
    "environment",
    [
        {"HYPERSD_FAMILY": "dalle"},
        {"HYPERSD_EMOJI": "/nowhere/at/all"},
        {"HYPERSD_STUDIES": "/nowhere/at/all"},
        {"HYPERSD_REWARD": "/nowhere/at/all"},
        {"HYPERSD_TRUSTED_PROXIES": "nginx"},
        {"HF_HUB_OFFLINE": "maybe"},
    ],
)
def test_a_bad_setting_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(environment))):
        AppSettings.from_environment(Environment.read(environment))


def test_no_secret_is_shown() -> None:
    settings = AppSettings.from_environment(
        Environment.read({"HYPERSD_SECRET": "rosebud", "HYPERSD_OWNER_TOKEN": "sesame"})
    )
    assert settings.secret == "rosebud"  # noqa: S105 - that is the point
    assert "rosebud" not in repr(settings)
    assert "sesame" not in repr(settings)
