"""The files for containers: they parse, and what they name exists. No image is built: that needs a Docker engine."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.services.uploads import LARGEST_BODY
from hypersd.arena.store.database import connect_to
from hypersd.deploy.space_files import space_files
from hypersd.utils.environment import Environment

SHOWN_BY_THE_README = {"docs", "CONTRIBUTING.md"}
VARIABLES = {setting.metadata["variable"] for setting in fields(Environment)}


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> list[tuple[str, str]]:
    """The instructions, with their arguments on one line."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\n\s+", " ", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def nginx(root: Path) -> str:
    return (root / "docker" / "nginx.conf").read_text()


def arguments(dockerfile: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for name, rest in dockerfile if name == instruction]


def readme_commands(root: Path) -> list[str]:
    """The two commands of the README: to run the page, and to test it."""
    return re.findall(r"^pip install -r (?:\S+) && .+$", (root / "README.md").read_text(), re.MULTILINE)


def test_the_image_runs_the_readme_s_command(root: Path, dockerfile: list[tuple[str, str]]) -> None:
    install, run = readme_commands(root)[0].split(" && ")
    assert any(rest.endswith(install) for rest in arguments(dockerfile, "RUN"))
    assert json.loads(arguments(dockerfile, "CMD")[0]) == run.split()
    assert arguments(dockerfile, "FROM") == ["python:3.12-slim"]


def test_the_image_has_what_a_space_has(root: Path, dockerfile: list[tuple[str, str]]) -> None:
    copied = {source for rest in arguments(dockerfile, "COPY") for source in rest.split()[:-1]}
    assert all((root / source).exists() for source in copied)
    assert copied == {file.path.partition("/")[0] for file in space_files(root)} - SHOWN_BY_THE_README
    ignored = (root / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied


def test_the_image_s_variables_are_settings(root: Path, dockerfile: list[tuple[str, str]]) -> None:
    names = set(re.findall(r"([A-Z_]+)=", " ".join(arguments(dockerfile, "ENV")))) - {"PYTHONUNBUFFERED"}
    documented = set(re.findall(r"`(GRADIO_[A-Z_]+)`", (root / "docs" / "settings.md").read_text()))
    assert names <= VARIABLES | documented
    assert "HYPERSD_DATA" in names


def test_the_page_does_not_run_as_root(dockerfile: list[tuple[str, str]]) -> None:
    order = [name for name, _ in dockerfile]
    (user,) = arguments(dockerfile, "USER")
    assert user not in {"root", "0"}
    assert f"useradd --create-home --uid 1000 {user}" in arguments(dockerfile, "RUN")[0]
    assert order.index("USER") < order.index("CMD")


def test_the_image_is_healthy_when_the_page_is(dockerfile: list[tuple[str, str]]) -> None:
    (check,) = arguments(dockerfile, "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    compile(command[2], "healthcheck", "exec")
    (port,) = arguments(dockerfile, "EXPOSE")
    assert f"http://127.0.0.1:{port}/health" in command[2]


def test_the_services_name_settings_and_one_another(compose: dict[str, Any], root: Path) -> None:
    services = compose["services"]
    assert set(services) == {"app", "database", "nginx"}
    assert set(services["app"]["environment"]) <= VARIABLES
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service["networks"]) <= set(compose["networks"])
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (root / source).is_file() if source.startswith(".") else source in compose["volumes"]
    assert (root / services["app"]["build"] / "Dockerfile").is_file()


def test_the_variables_of_the_host_have_a_default_or_are_asked_for(root: Path) -> None:
    references = re.findall(r"\$\{([A-Z_]+)([^}]*)\}", (root / "compose.yaml").read_text())
    assert references
    for name, rest in references:
        assert rest.startswith((":-", ":?")), name
        assert name in VARIABLES | {"POSTGRES_PASSWORD", "PORT"}


def test_the_settings_of_the_page_are_valid(compose: dict[str, Any]) -> None:
    given = {
        name: re.sub(r"\$\{[A-Z_]+:(?:\?[^}]*|-)\}", "chosen", value)
        for name, value in compose["services"]["app"]["environment"].items()
    }
    environment = Environment.read(given)
    assert environment.log == "json"
    database = connect_to(environment.database).url
    of_database = compose["services"]["database"]["environment"]
    assert (database.host, database.username, database.database) == (
        "database",
        of_database["POSTGRES_USER"],
        of_database["POSTGRES_DB"],
    )


def test_the_page_trusts_the_proxy_and_nobody_else(compose: dict[str, Any]) -> None:
    (trusted,) = Environment.read(
        {"HYPERSD_TRUSTED_PROXIES": compose["services"]["app"]["environment"]["HYPERSD_TRUSTED_PROXIES"]}
    ).proxies
    address = ipaddress.ip_address(compose["services"]["nginx"]["networks"]["inside"]["ipv4_address"])
    (network,) = compose["networks"]["inside"]["ipam"]["config"]
    assert trusted.prefixlen == 32
    assert address in trusted
    assert address in ipaddress.ip_network(network["subnet"])
    assert address not in ipaddress.ip_network(network["ip_range"]), "another container could get it"


def test_the_proxy_replaces_forged_addresses_and_hides_the_metrics(
    nginx: str, dockerfile: list[tuple[str, str]]
) -> None:
    (port,) = arguments(dockerfile, "EXPOSE")
    assert nginx.count(f"server app:{port};") == 2
    assert set(re.findall(r"proxy_pass http://(\w+);", nginx)) == set(re.findall(r"upstream (\w+) \{", nginx))
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "proxy_buffering off;" in nginx
    assert f"client_max_body_size {LARGEST_BODY // 2**20}m;" in nginx
    assert re.search(r"location = /metrics \{\s+return 403;", nginx)
    assert nginx.count("{") == nginx.count("}")


def test_the_development_container_installs_what_ci_installs(root: Path) -> None:
    container = json.loads((root / ".devcontainer" / "devcontainer.json").read_text())
    packages = re.search(r"--no-install-recommends (.+)", container["onCreateCommand"])
    assert packages
    assert f"install -y --no-install-recommends {packages[1]}\n" in (root / ".ci" / "run").read_text()
    assert container["updateContentCommand"] == readme_commands(root)[1].split(" && ")[0]
    assert ":3.12" in container["image"]
