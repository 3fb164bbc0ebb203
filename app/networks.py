"""Internet addresses, as far as the arena tells visitors apart by them."""

from __future__ import annotations

import ipaddress


def network(address: str) -> str:
    """What one visitor has of the internet: an IPv4 address, or the /64 of an IPv6 address; other texts as they are.

    Whoever has one address of a /64 has all 2**64, and browsers take another one every day.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(found) if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False).network_address)


def local(address: str) -> bool:
    """Whether this is the machine itself, which is not limited: its owner, or a proxy that stands for everybody."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
