"""Internet addresses, as far as the arena tells visitors apart by them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from hypersd.utils.environment import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_PORT = re.compile(r"\[(?P<six>[^\]]+)\](:\d+)?|(?P<four>[\d.]+):\d+")


def network_of(address: str) -> str:
    """Network of one visitor: an IPv4 address, or the /64 of an IPv6 address; other texts as they are.

    Whoever has one address of a /64 has all 2**64, and browsers take another one every day.
    """
    ip = _parsed(address)
    if ip is None:
        return address
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False).network_address)


def is_local_address(address: str) -> bool:
    """Tell if this is the machine itself, which is not limited: its owner, or a proxy that stands for everybody."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def client_address(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Return where a request comes from: the last hop of `X-Forwarded-For` that is not a trusted proxy.

    Each proxy adds the address that it was asked from at the end, so hops before that one are what the visitor says,
    who may say anything. Nobody is forwarded from this machine itself: who says so wants to pass for it.

    Args:
        peer: the address that the connection comes from; it is the answer unless it is a trusted proxy.
        forwarded: the values of all such headers, in their order, between commas.
        proxies: those that are trusted.
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


def _parsed(text: str) -> Address | None:
    """Return an address, IPv4 where IPv6 only wraps it; None if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _without_port(hop: str) -> str:
    """Return a hop's address: some proxies write the port of the connection behind it."""
    matched = _WITH_PORT.fullmatch(hop)
    return (matched["six"] or matched["four"]) if matched else hop


def _within(address: Address, proxies: Sequence[Network]) -> bool:
    return any(address in proxy for proxy in proxies)
