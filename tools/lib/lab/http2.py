# SPDX-License-Identifier: Apache-2.0
"""Frames of HTTP/2, headers by libnghttp2, and a server whose every frame a test can decide."""

import ctypes
import socket
import threading

from lab.sockets import close_waking
from lab.wait import until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_WINDOW, _FRAME = 65535, 16384


def frame(kind, flags, stream, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") +
            payload)


def number(value):
    return value.to_bytes(4, "big")


def settings(**values):
    """A SETTINGS frame: settings(max_concurrent_streams=1)."""
    ids = {"header_table_size": 1, "enable_push": 2, "max_concurrent_streams": 3,
           "initial_window_size": 4, "max_frame_size": 5, "max_header_list_size": 6,
           "enable_connect_protocol": 8}
    return frame(SETTINGS, 0, 0, b"".join(ids[name].to_bytes(2, "big") + number(value)
                                          for name, value in values.items()))


def _length(value):
    """The length of a string, in HPACK's prefix of 7 bits."""
    if value < 127:
        return bytes([value])
    coded, value = b"\x7f", value - 127
    while value >= 128:
        coded, value = coded + bytes([value % 128 + 128]), value // 128
    return coded + bytes([value])


def block(fields):
    """Headers in HPACK: in no table, not compressed."""
    return b"".join(b"\0" + _length(len(name)) + name.encode() + _length(len(value)) +
                    value.encode() for name, value in fields)


class Inflater:
    """What the headers of one connection say. Blocks come in order."""

    class _Field(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("value", ctypes.c_void_p),
                    ("name_size", ctypes.c_size_t), ("value_size", ctypes.c_size_t),
                    ("flags", ctypes.c_uint8)]

    def __init__(self):
        self._library = ctypes.CDLL("libnghttp2.so.14")
        self._library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self._handle = ctypes.c_void_p()
        self._library.nghttp2_hd_inflate_new(ctypes.byref(self._handle))

    def fields(self, coded):
        found = []
        while True:
            field, flags = self._Field(), ctypes.c_int()
            taken = self._library.nghttp2_hd_inflate_hd2(
                self._handle, ctypes.byref(field), ctypes.byref(flags), coded,
                ctypes.c_size_t(len(coded)), 1)
            if taken < 0:
                raise ValueError("no HPACK")
            coded = coded[taken:]
            if flags.value & 2:
                found.append((ctypes.string_at(field.name, field.name_size).decode(),
                              ctypes.string_at(field.value, field.value_size).decode()))
            if flags.value & 1 or not taken:
                self._library.nghttp2_hd_inflate_end_headers(self._handle)
                return found


class Stream:
    """One request at the server. What it does is decided by Server.answer, in its thread."""

    def __init__(self, connection, number_, fields):
        self.connection, self.id, self.fields = connection, number_, fields
        self.data, self.end = b"", "open"  # then END or RST, as the client ended it
        self.code = None  # of its RST_STREAM
        self.window, self.reads = connection.initial_window, True
        self._owed = 0
        self._waiting, self._ends = bytearray(), False

    def header(self, name):
        return dict(self.fields).get(name)

    def respond(self, status=200, fields=(), end=False):
        self.connection.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), self.id,
                                   block([(":status", str(status)), *fields])))

    def send(self, data=b"", end=False):
        """As soon as the client's windows allow."""
        with self.connection.lock:
            self._waiting += data
            self._ends |= end
            self.pump()

    def trailers(self, fields):
        self.connection.send(frame(HEADERS, END_HEADERS | END_STREAM, self.id, block(fields)))

    def reset(self, code):
        self.connection.send(frame(RST_STREAM, 0, self.id, number(code)))

    def credit(self):
        """Lets the client send what it was not let while `reads` was false."""
        self.reads, owed, self._owed = True, self._owed, 0
        if owed:
            self.connection.send(frame(WINDOW_UPDATE, 0, self.id, number(owed)))

    def take(self, data):
        self.data += data
        if data:
            self.connection.send(frame(WINDOW_UPDATE, 0, 0, number(len(data))))
            self._owed += len(data)
            if self.reads:
                self.credit()

    def pump(self):
        while self._waiting:
            size = min(len(self._waiting), self.window, self.connection.window, _FRAME)
            if size <= 0:
                return
            piece = bytes(self._waiting[:size])
            del self._waiting[:size]
            self.window -= size
            self.connection.window -= size
            self.connection.send(frame(DATA, 0, self.id, piece))
        if self._ends:
            self._ends = False
            self.connection.send(frame(DATA, END_STREAM, self.id))


class Connection:
    """One client at the server, in a thread of its own."""

    def __init__(self, server, sock):
        self.server, self._sock, self.lock = server, sock, threading.RLock()
        self.streams, self.settings = {}, {}
        self.frames = []  # (kind, flags, stream, length)
        self.window, self.initial_window = _WINDOW, _WINDOW
        self.pings_answered = True
        self.end = "open"  # then FIN or RST
        self.alpn = sock.selected_alpn_protocol() if hasattr(sock, "selected_alpn_protocol") else None
        self.goaway = None  # The client's (last stream, code).
        self._inflater, self._headers = Inflater(), b""

    def serve(self):
        try:
            self._serve()
            self.end = "FIN"
        except OSError:
            self.end = "RST"
        self._sock.close()

    def _serve(self):
        self._sock.sendall(self.server.settings)
        seen = self._read(len(PREFACE))
        if seen != PREFACE:
            raise ConnectionResetError("no preface: %r" % seen)
        while head := self._read(9):
            payload = self._read(int.from_bytes(head[:3], "big"))
            stream = int.from_bytes(head[5:9], "big")
            self.frames.append((head[3], head[4], stream, len(payload)))
            with self.lock:
                self._take(head[3], head[4], stream, payload)

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self._sock.recv(size - len(data))
            if not more:
                return b""
            data += more
        return data

    def send(self, data):
        with self.lock:
            try:
                self._sock.sendall(data)
            except OSError:
                pass  # The reading thread sees why.

    def say_goaway(self, last=2**31 - 1, code=0):
        self.send(frame(GOAWAY, 0, 0, number(last) + number(code)))

    def kill(self):
        self._sock.shutdown(socket.SHUT_RDWR)

    def _take(self, kind, flags, number_, payload):
        stream = self.streams.get(number_)
        if kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK and self.pings_answered:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.goaway = (int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big"))
        elif kind == WINDOW_UPDATE:
            self._widen(stream, int.from_bytes(payload, "big"))
        elif kind in (HEADERS, 9):
            self._take_headers(number_, flags, payload)
        elif kind == DATA and stream:
            stream.take(payload)
            self.server.answer(stream, payload, bool(flags & END_STREAM))
            stream.end = "END" if flags & END_STREAM else stream.end
        elif kind == RST_STREAM and stream:
            stream.end, stream.code = "RST", int.from_bytes(payload, "big")

    def _take_settings(self, payload):
        for at in range(0, len(payload), 6):
            name = int.from_bytes(payload[at:at + 2], "big")
            self.settings[name] = int.from_bytes(payload[at + 2:at + 6], "big")
        self.initial_window = self.settings.get(4, _WINDOW)

    def _take_headers(self, number_, flags, payload):
        self._headers += payload
        if flags & END_HEADERS:
            fields, self._headers = self._inflater.fields(self._headers), b""
            stream = self.streams[number_] = Stream(self, number_, fields)
            self.server.answer(stream, None, bool(flags & END_STREAM))

    def _widen(self, stream, size):
        if stream:
            stream.window += size
            stream.pump()
        else:
            self.window += size
            for one in self.streams.values():
                one.pump()


def echo(stream, data, end):
    """Opens the tunnel with a greeting, then sends back what comes; data is None at first."""
    if data is None:
        stream.respond()
        stream.send(b"H\n")
    else:
        stream.send(data, end)


class Server:
    """HTTP/2 at a port, over TLS with a context; `answer` is called as echo is."""

    def __init__(self, port=0, answer=echo, context=None, first=None, address="127.0.0.1"):
        self.answer, self.settings = answer, first or settings()
        self.connections = []
        self._context = context
        self._listener = socket.create_server((address, port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        connection = Connection(self, sock)
        self.connections.append(connection)
        connection.serve()

    def streams(self):
        return [stream for one in self.connections for stream in list(one.streams.values())]

    def stream(self, index=-1, within_s=10):
        """The request of that index, as soon as it has come."""
        wanted = index + 1 if index >= 0 else 1
        until(lambda: len(self.streams()) >= wanted, within_s, "request %d" % wanted)
        return self.streams()[index]

    def close(self):
        close_waking(self._listener)
        for connection in self.connections:
            try:
                connection.kill()
            except OSError:
                pass
