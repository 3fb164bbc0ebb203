"""The environment, read once and typed: what is set is what is given, and what makes no sense is named."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from hypersd.utils.environment import PAGE_SECRETS, Environment, disable_telemetry

SET = Environment(
    data=Path("/data"),
    database="postgresql+psycopg://ann:rosebud@db/votes",
    pictures="s3://pictures",
    publish="hf://datasets/ann/votes",
    secret="sesame",  # noqa: S106 - of nobody
    proxies=(ipaddress.ip_network("172.17.0.1/32"), ipaddress.ip_network("fd00::/8")),
    family="sdxl",
    emoji=Path("/family"),
    bases=("ann/base", "My base=/bases/mine.safetensors"),
    studies=Path("/studies"),
    pool=12,
    reward=Path("/reward"),
    owner_token="abracadabra",  # noqa: S106 - of nobody
    log="json",
    drawing="elsewhere",
    backend="openvino-int8",
    offline=True,
    space="ann/hyper",
    platform="spaces",
    space_hosts=("ann-hyper.hf.space", "hyper.example"),
    zero_gpu=True,
    ray="10.0.0.1:6379",
    space_author="ann",
    signs_in=True,
    holds_round_lock=True,
)


def test_nothing_set_is_the_defaults() -> None:
    assert Environment.read({}) == Environment()
    assert Environment().data == Path("data")
    assert Environment().variables() == {}


def test_an_empty_variable_is_not_set() -> None:
    assert Environment.read(dict.fromkeys(SET.variables(), "")) == Environment()


def test_every_setting_is_read_back_from_its_variable() -> None:
    assert all(getattr(SET, setting.name) != setting.default for setting in fields(SET)), "nothing is left out above"
    assert Environment.read(SET.variables()) == SET
    assert SET.variables()["HYPERSD_TRUSTED_PROXIES"] == "172.17.0.1/32, fd00::/8"


def test_without_variables_those_of_the_process_are_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("/one", "/other"):
        monkeypatch.setenv("HYPERSD_DATA", folder)
        assert Environment.read().data == Path(folder)


@pytest.mark.parametrize("text", ["1", "on", "YES", "True", " 1 "])
def test_a_switch_is_on(text: str) -> None:
    assert Environment.read({"HF_HUB_OFFLINE": text}).offline


@pytest.mark.parametrize("text", ["0", "off", "NO", "false", ""])
def test_a_switch_is_off(text: str) -> None:
    assert not Environment.read({"HF_HUB_OFFLINE": text}).offline


def test_a_switch_that_is_neither_is_named() -> None:
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is 'maybe', which is neither on nor off; write 1 or 0"):
        Environment.read({"HF_HUB_OFFLINE": "maybe"})


@pytest.mark.parametrize("text", ["0", "-3", "many", "1.5", "10001", "٣٣٣٣٣٣"])
def test_a_pool_that_cannot_be_is_named(text: str) -> None:
    assert Environment.read({"HYPERSD_POOL": " 12 "}).pool == 12
    with pytest.raises(ValueError, match=r"^HYPERSD_POOL is .*; write a whole number of pairs from 1 to 10000$"):
        Environment.read({"HYPERSD_POOL": text})


@pytest.mark.parametrize("text", ["", " ", " , "])
def test_no_proxies_are_none(text: str) -> None:
    assert Environment.read({"HYPERSD_TRUSTED_PROXIES": text}).proxies == ()


@pytest.mark.parametrize("word", ["nginx", "*", "10.0.0.0/33", "10.0.0.5/8", "0.0.0.0/0", "::/0", "172.17.0.1:80"])
def test_a_proxy_that_is_none_is_named_in_one_sentence(word: str) -> None:
    with pytest.raises(ValueError, match=r"^HYPERSD_TRUSTED_PROXIES contains ") as raised:
        Environment.read({"HYPERSD_TRUSTED_PROXIES": f"172.17.0.1, {word}"})
    assert word in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_secret_is_shown() -> None:
    for secret in ("rosebud", "sesame", "abracadabra"):
        assert secret not in repr(SET).replace("owner", "")


def test_a_child_gets_what_is_set_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PAGE_SECRETS:
        monkeypatch.setenv(name, "rosebud")
    monkeypatch.setenv("HYPERSD_DATA", "elsewhere")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///here.sqlite")
    monkeypatch.setenv("PYTHONPATH", "/more")
    child = replace(SET, database="").for_child(Path("/packages"))
    assert not PAGE_SECRETS & child.keys(), "neither of the process nor of the settings"
    assert child["HYPERSD_DATA"] == "/data"
    assert child["DATABASE_URL"] == "sqlite:///here.sqlite", "what is not set is inherited"
    assert child["PATH"] == os.environ["PATH"]
    assert child["PYTHONPATH"].split(os.pathsep) == ["/packages", "/more"]
    monkeypatch.delenv("PYTHONPATH")
    assert SET.for_child(Path("/packages"))["PYTHONPATH"] == "/packages"


def test_telemetry_is_off_unless_somebody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY")
    disable_telemetry()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    disable_telemetry()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "0"


def test_the_place_of_drawing_is_one_of_three() -> None:
    assert Environment.read({"HYPERSD_DRAWING": " Here "}).drawing == "here"
    with pytest.raises(ValueError, match="HYPERSD_DRAWING is 'there'; write one of: apart, here, elsewhere"):
        Environment.read({"HYPERSD_DRAWING": "there"})


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(ValueError, match="HYPERSD_BACKEND is 'onnx'; write one of: torch, openvino, openvino-int8"):
        Environment.read({"HYPERSD_BACKEND": "onnx"})
