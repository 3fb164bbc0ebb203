"""Client addresses for rate limits."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from hypersd.utils.environment import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_PORT = re.compile(r"\[(?P<six>[^\]]+)\](:\d+)?|(?P<four>[\d.]+):\d+")


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Network of one visitor: an IPv4 address, or the /64 of an IPv6 address; other strings are unchanged.

    A visitor owns all 2**64 addresses of a /64, and browsers change theirs every day.
    """
    ip = _parsed(address)
    if ip is None:
        return address
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False).network_address)


@lru_cache(maxsize=1024)
def is_local_address(address: str) -> bool:
    """True for this machine itself, which is not limited: it is its owner, or a proxy for all visitors."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def client_address(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Return the client's address: the last hop of `X-Forwarded-For` that is not a trusted proxy.

    Each proxy appends its client's address, so earlier hops come from the visitor and may be forged. A hop that claims
    to be this machine itself is always forged.

    Args:
        peer: the address of the connection; it is the result unless it is a trusted proxy.
        forwarded: the values of all such headers, in order, separated by commas.
        proxies: the trusted proxies.
    """
    nearest = _parsed(peer)
    if nearest is None or not _within(nearest, proxies):
        return network_of(peer)
    for hop in reversed(forwarded.split(",")):
        address = _parsed(_without_port(hop.strip()))
        if address is None:
            break
        if address.is_loopback:
            continue
        nearest = address
        if not _within(address, proxies):
            break
    return network_of(str(nearest))


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    """Parse an address, with IPv4-mapped IPv6 as IPv4; None if it is invalid."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _without_port(hop: str) -> str:
    """Return a hop's address without the port that some proxies add."""
    matched = _WITH_PORT.fullmatch(hop)
    return (matched["six"] or matched["four"]) if matched else hop


def _within(address: Address, proxies: Sequence[Network]) -> bool:
    return any(address in proxy for proxy in proxies)
