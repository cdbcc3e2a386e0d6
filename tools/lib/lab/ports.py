# SPDX-License-Identifier: Apache-2.0
"""Free ports that no other lab on this machine takes at the same time."""

import random
import socket

# Below the kernel's ephemeral range (32768 and up), so that no client's source port collides.
_FIRST = 12000
_LAST = 32000
_BLOCK = 32


def is_free(port):
    """True if nothing listens on the port and no datagram goes there, on any local address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stream.bind(("0.0.0.0", port))
            stream.listen(1)
            datagrams.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


class Ports:
    """A block of ports. Whoever holds its first one owns the rest, until close()."""

    def __init__(self):
        self._lead = None
        self._left = []
        starts = list(range(_FIRST, _LAST, _BLOCK))
        random.shuffle(starts)
        for start in starts:
            if self._claim(start):
                return
        raise RuntimeError("no free block of ports between %d and %d" % (_FIRST, _LAST))

    def _claim(self, start):
        lead = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            lead.bind(("127.0.0.1", start))
        except OSError:
            lead.close()
            return False
        self._lead = lead
        self._left = [port for port in range(start + 1, start + _BLOCK) if is_free(port)]
        return True

    def take(self):
        """The next free port; nothing is bound to it yet."""
        return self._left.pop(0)

    def close(self):
        self._lead.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
