# SPDX-License-Identifier: Apache-2.0
"""A client that can tell FIN from RST from silence."""

import socket
import struct
import time
from typing import NamedTuple

from lab.wait import until

_CHUNK = 256 * 1024


class Ending(NamedTuple):
    """All bytes that the client has read, and how its connection ended: FIN, RST or open."""

    data: bytes
    how: str
    after_s: float


class Client:
    """One connection to (address, port) or to the path of a unix socket."""

    def __init__(self, where, source=None, within_s=20):
        if isinstance(where, str):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
            self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(within_s)
        self._within_s = within_s
        self.data = b""
        self.how = "open"
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(where)
        self.began = time.monotonic()

    def send(self, data):
        """Writes all. A connection that has ended meanwhile is told by the next read."""
        try:
            self.sock.sendall(data)
        except BrokenPipeError:
            pass  # The kernel's word for a reset after FIN: the FIN is still to be read.
        except ConnectionError:
            self.how = "RST"  # The error is told once, so reads see no more of it.

    def half_close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Over already; the next read tells how.

    def read_some(self, within_s):
        """Adds what comes within the time to self.data. False at the end or when nothing came."""
        if self.how != "open":
            return self._drain()
        self.sock.settimeout(max(within_s, 0.001))
        try:
            data = self.sock.recv(_CHUNK)
        except TimeoutError:
            return False
        except OSError:
            self.how = "RST"
            return False
        if not data:
            self.how = "FIN"
        self.data += data
        return bool(data)

    def _drain(self):
        """After a failed send the bytes that came before the reset are still there."""
        if self.how != "RST":
            return False
        self.sock.settimeout(0.001)
        try:
            data = self.sock.recv(_CHUNK)
        except OSError:
            return False
        self.data += data
        return bool(data)

    def read_until(self, wanted, within_s=None):
        """Reads until the bytes read so far end with `wanted`."""
        deadline = time.monotonic() + (within_s or self._within_s)
        while not self.data.endswith(wanted):
            left = deadline - time.monotonic()
            if left <= 0 or (not self.read_some(left) and self.how != "open"):
                raise AssertionError(
                    "waited for %r, saw %r (%s)" % (wanted, self.data[-200:], self.how))
        return self.data

    def read_length(self, length, within_s=None):
        """Reads until at least `length` bytes have come in all."""
        deadline = time.monotonic() + (within_s or self._within_s)
        while len(self.data) < length:
            left = deadline - time.monotonic()
            if left <= 0 or (not self.read_some(left) and self.how != "open"):
                raise AssertionError(
                    "waited for %d bytes, saw %d (%s)" % (length, len(self.data), self.how))
        return self.data

    def end(self, within_s=None):
        """Reads to the end; how is "open" if it does not come within the time."""
        deadline = time.monotonic() + (within_s or self._within_s)
        while (left := deadline - time.monotonic()) > 0:
            if not self.read_some(left) and self.how != "open":
                break
        return Ending(self.data, self.how, time.monotonic() - self.began)

    def reset(self):
        """Ends with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send_half_close(where, data=b"hi", answer=None, source=None, within_s=20):
    """Connects, writes, waits for the answer if one is named, half-closes, reads to the end."""
    with Client(where, source, within_s) as client:
        client.send(data)
        if answer is not None:
            client.read_until(answer)
        client.half_close()
        return client.end()


def refuses(where):
    """True if nothing accepts there."""
    try:
        Client(where, within_s=5).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except ConnectionResetError:  # It was in the queue of a socket that has just been closed.
        return False
    return False


def wait_refuses(where, within_s=10):
    until(lambda: refuses(where), within_s, "connects to %s to be refused" % (where,))
