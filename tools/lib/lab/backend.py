# SPDX-License-Identifier: Apache-2.0
"""Backends that greet with their name, and what they saw of each connection."""

import hashlib
import os
import socket
import struct
import threading

from lab.sockets import close_waking
from lab.wait import until

_CHUNK = 256 * 1024


def _reset(sock):
    """Closes so that the peer sees RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Visit:
    """One accepted connection, seen from the backend. Fields are written by its thread only."""

    def __init__(self, sock, peer):
        self.sock = sock
        self.peer = peer
        self.received = 0
        self.end = "open"  # then FIN or RST, as the proxy ended its direction
        self.digest = hashlib.sha256()
        self.first_bytes = b""

    def read(self):
        """The next bytes, b"" at FIN or RST."""
        try:
            data = self.sock.recv(_CHUNK)
        except OSError:
            self.end = "RST"
            return b""
        if not data:
            self.end = "FIN"
        self.received += len(data)
        self.digest.update(data)
        if len(self.first_bytes) < 256:
            self.first_bytes += data[:256]
        return data

    def write(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            self.end = "RST"

    def read_all(self):
        while self.read():
            pass


def echo(visit, backend):
    """Sends back what comes, until FIN."""
    while data := visit.read():
        visit.write(data)


def mute(visit, backend):
    """Reads to the end and answers nothing."""
    visit.read_all()


def stall(visit, backend):
    """Reads nothing until the backend is released, then echoes."""
    backend.released.wait()
    echo(visit, backend)


def reset_on_data(visit, backend):
    """Answers the first bytes with RST."""
    if visit.read():
        _reset(visit.sock)


def answer_after_fin(visit, backend):
    """Reads to FIN, then sends 16 bytes and closes."""
    visit.read_all()
    visit.write(b"sixteen bytes ok")


def fin_first(visit, backend):
    """Ends its own direction at once and goes on reading."""
    visit.sock.shutdown(socket.SHUT_WR)
    visit.read_all()


class Backend:
    """A server on loopback. Greets with its name and a newline, then behaves.

    `tls` is the ssl.SSLContext of one that does so within TLS. Threads: one accepts, one for each connection. close() ends all of them.
    """

    def __init__(self, name, port=0, address="127.0.0.1", path=None, behave=echo, greet=True,
                 tls=None):
        self.name = name
        self.visits = []
        self.released = threading.Event()
        self._behave = behave
        self._greeting = name.encode() + b"\n" if greet else b""
        self._path = path
        self._tls = tls
        if path:
            self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._server.bind(path)
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._server = socket.socket(family, socket.SOCK_STREAM)
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._server.bind((address, port))
            self.port = self._server.getsockname()[1]
        self._server.listen(1024)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, peer = self._server.accept()
            except OSError:
                return
            visit = Visit(sock, peer)
            self.visits.append(visit)
            threading.Thread(target=self._serve, args=(visit,), daemon=True).start()

    def _serve(self, visit):
        try:
            if self._tls:
                visit.sock = self._tls.wrap_socket(visit.sock, server_side=True)
            visit.write(self._greeting)
            self._behave(visit, self)
        except OSError:
            visit.end = "RST"
        finally:
            visit.sock.close()

    def visit(self, index=-1, within_s=10):
        """The connection of that index, as soon as it has come."""
        wanted = index + 1 if index >= 0 else 1
        until(lambda: len(self.visits) >= wanted, within_s, "a connection at backend " + self.name)
        return self.visits[index]

    def reset_all(self):
        """RST on every open connection."""
        for visit in self.visits:
            if visit.end == "open":
                reset_from_outside(visit.sock)

    def refuse(self):
        """No more connections; those that there are go on."""
        close_waking(self._server)

    def close(self):
        self.released.set()
        self.refuse()
        for visit in self.visits:
            try:
                visit.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self._path and os.path.exists(self._path):
            os.unlink(self._path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def reset_from_outside(sock):
    """RST while another thread sits in recv: disconnecting a TCP socket sends it at once."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        libc_disconnect(sock)
    except OSError:
        pass


def libc_disconnect(sock):
    """connect(AF_UNSPEC), which Python's socket cannot express."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    address = struct.pack("H14x", socket.AF_UNSPEC)
    if libc.connect(sock.fileno(), address, len(address)) != 0:
        raise OSError(ctypes.get_errno(), "connect(AF_UNSPEC)")


class Blackhole:
    """A port where connects neither succeed nor fail: its accept queue is full."""

    def __init__(self, port=0, address="127.0.0.1"):
        self._server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.bind((address, port))
        self._server.listen(0)
        self.port = self._server.getsockname()[1]
        self._fill = []
        for _ in range(8):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.settimeout(0.2)
            self._fill.append(sock)
            try:
                sock.connect((address, self.port))
            except TimeoutError:
                return
        raise RuntimeError("the accept queue of the black hole does not fill")

    def close(self):
        for sock in self._fill:
            sock.close()
        self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
