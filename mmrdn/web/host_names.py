# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib
import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit


class HostNames:
    """Host names that a server answers to.

    Another site can point its own host name at this server's address, but not a name of this machine
    and not an IP address: ``name in names`` tells them apart.

    Args:
        host (str): Name or IP address that the server listens at. At a loopback address it answers to
            loopback names, elsewhere to the names of this machine and to all IP addresses.
        names (Collection[str]): Further names, such as that of a proxy.
    """

    def __init__(self, host: str, names: Collection[str] = ()) -> None:
        self._names = {name.lower() for name in ('127.0.0.1', 'localhost', '::1', host, *names)}
        self._takes_addresses = not _is_loopback(host)
        if self._takes_addresses:
            own = socket.gethostname()
            self._names |= {own.lower(), socket.getfqdn(own).lower()}

    def __contains__(self, host: str) -> bool:
        """Return whether the host of a request, with or without a port, is this server."""
        with contextlib.suppress(ValueError):
            name = urlsplit(f'//{host}').hostname or ''
            return name in self._names or (self._takes_addresses and bool(ipaddress.ip_address(name)))
        return False


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == 'localhost'
