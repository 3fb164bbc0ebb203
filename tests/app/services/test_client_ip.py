"""Client addresses."""

from __future__ import annotations

import pytest

from app.services.client_ip import client_address, is_local_address, network_of
from hypersd.utils.environment import Environment


@pytest.mark.parametrize(
    ("address", "known_as"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:0db8:0001:0002:ffff::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::1"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_address_is_mapped_to_the_network_of_one_visitor(address: str, known_as: str) -> None:
    assert network_of(address) == known_as


def test_this_machine_is_itself() -> None:
    assert is_local_address("127.0.0.1")
    assert is_local_address("::1")
    assert not is_local_address("203.0.113.9")
    assert not is_local_address("")


DOCKER = Environment.read({"HYPERSD_TRUSTED_PROXIES": "172.17.0.1, 10.0.0.0/8 fd00::/8"}).proxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "known_as"),
    [
        ("172.17.0.1", "203.0.113.9", "203.0.113.9"),
        ("172.17.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first hop is forged
        ("172.17.0.1", "10.1.2.3, 203.0.113.9", "203.0.113.9"),  # and claims to be a proxy
        ("172.17.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"),  # or this machine
        ("172.17.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),  # two proxies
        ("172.17.0.1", "1.1.1.1,203.0.113.9,10.1.2.3 ,\t10.9.9.9", "203.0.113.9"),
        ("172.17.0.1", "203.0.113.9:51234", "203.0.113.9"),
        ("172.17.0.1", "[2001:db8:1:2:3::4]:51234", "2001:db8:1:2::"),
        ("172.17.0.1", "2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("172.17.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:172.17.0.1", "203.0.113.9", "203.0.113.9"),
        ("fd00::5", "203.0.113.9", "203.0.113.9"),
        ("172.17.0.1", "", "172.17.0.1"),
        ("172.17.0.1", "unknown", "172.17.0.1"),
        ("172.17.0.1", "203.0.113.9, unknown, 10.1.2.3", "10.1.2.3"),  # earlier hops are unknown
        ("172.17.0.1", "127.0.0.1", "172.17.0.1"),  # a forged address of this machine
        ("172.17.0.1", "10.1.2.3", "10.1.2.3"),  # a visitor from the proxies' own network
        ("172.17.0.2", "203.0.113.9", "172.17.0.2"),  # this one is not trusted
        ("198.51.100.7", "203.0.113.9, 10.1.2.3", "198.51.100.7"),
        ("testclient", "203.0.113.9", "testclient"),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_last_untrusted_hop_is_the_visitor(peer: str, forwarded: str, known_as: str) -> None:
    assert client_address(peer, forwarded, DOCKER) == known_as


def test_without_trusted_proxies_the_header_is_ignored() -> None:
    assert client_address("172.17.0.1", "203.0.113.9", ()) == "172.17.0.1"
