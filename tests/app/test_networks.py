"""By what visitors are told apart."""

from __future__ import annotations

import pytest

from app.networks import local, network


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
def test_an_address_stands_for_what_one_visitor_has(address: str, known_as: str) -> None:
    assert network(address) == known_as


def test_this_machine_is_itself() -> None:
    assert local("127.0.0.1")
    assert local("::1")
    assert not local("203.0.113.9")
    assert not local("")
