"""Ports for the daemons of a test."""
import random
import socket

_reserved = []  # one socket for each ten ports, until this process ends


def _reserve(ports):
    """The sockets that keep other tests off these ports, or none when another has them.

    A port is free as well while the daemon that a test gave it to is dead, and no test may take it
    then: so they agree by names that only one process can hold.
    """
    held = []
    try:
        for port in ports:
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].bind(f"\0dynamo-test-ports-{port}")
    except OSError:
        _close(held)
    return held


def _close(sockets):
    while sockets:
        sockets.pop().close()


def free_base_port(nodes):
    """A port such that every port of so many nodes is free, below those the system gives out, and
    stays this process's."""
    for _ in range(200):
        base = random.randrange(20000, 30000, 10)
        first_ports = range(base, base + 10 * nodes, 10)
        reserved = _reserve(first_ports)
        probes = []
        try:
            for first in first_ports if reserved else ():
                for port in (first, first + 1):
                    probes.append(socket.socket())
                    probes[-1].bind(("127.0.0.1", port))
            if reserved:
                _reserved.extend(reserved)
                return base
        except OSError:
            _close(reserved)
        finally:
            _close(probes)
    raise RuntimeError("no free ports")
