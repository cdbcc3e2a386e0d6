# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 for tests: frames by hand, so that a test can also send what no library would.

Headers are decoded by libnghttp2, which the proxy is linked with.
"""

import socket
import struct
import time

from lab.http2 import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE,
                       RST_STREAM, SETTINGS, WINDOW_UPDATE, Inflater, block, frame)

INITIAL_WINDOW_SIZE = 4


class Stream:
    """What came of one stream."""

    def __init__(self, number, window):
        self.number = number
        self.fields = []
        self.data = b""
        self.ended = False
        self.reset = None  # The code.
        self.window = window  # For what is sent.

    @property
    def status(self):
        return dict(self.fields).get(":status")

    def __repr__(self):
        return "stream %d: %s, %d bytes %r, ended %s, reset %s" % (
            self.number, self.fields, len(self.data), self.data[-60:], self.ended, self.reset)


class Http2:
    """One connection. Nothing is read but by pump() and the wait_* calls."""

    def __init__(self, connection, settings=(), timeout_s=20):
        self._socket = connection
        self._timeout_s = timeout_s
        self._in = b""
        self._inflater = Inflater()
        self._next = 1
        self.streams = {}
        self.settings = {}
        self.window = 65535
        self.goaway = None  # (last stream, code)
        self.closed = None  # "FIN" or "RST"
        self.answers_pings = True
        self.gives_credit = True
        payload = b"".join(struct.pack(">HI", *setting) for setting in settings)
        self.send_raw(PREFACE + frame(SETTINGS, 0, 0, payload))

    def send_raw(self, data):
        self._socket.settimeout(self._timeout_s)
        try:
            self._socket.sendall(data)
        except OSError:
            self.closed = self.closed or "RST"

    def request(self, fields, end=False):
        stream = Stream(self._next, self.settings.get(INITIAL_WINDOW_SIZE, 65535))
        self._next += 2
        self.streams[stream.number] = stream
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.send_raw(frame(HEADERS, flags, stream.number, block(fields)))
        return stream

    def connect(self, authority, fields=(), end=False):
        return self.request([(":method", "CONNECT"), (":authority", authority)] + list(fields), end)

    def send(self, stream, data, end=False, frame_bytes=16384):
        while data:
            self.wait(lambda: min(stream.window, self.window) > 0 or self.closed or stream.reset,
                      "room in a window")
            size = min(len(data), stream.window, self.window, frame_bytes)
            if size <= 0:
                return
            self.send_raw(frame(DATA, 0, stream.number, data[:size]))
            stream.window -= size
            self.window -= size
            data = data[size:]
        if end:
            self.end(stream)

    def end(self, stream):
        self.send_raw(frame(DATA, END_STREAM, stream.number))

    def reset(self, stream, code=8):
        self.send_raw(frame(RST_STREAM, 0, stream.number, struct.pack(">I", code)))

    def pump(self, seconds):
        """Reads what comes within that time; false when nothing did."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            self.closed = self.closed or "RST"
            return False
        if not data:
            self.closed = self.closed or "FIN"
        self._in += data
        while len(self._in) >= 9:
            size = int.from_bytes(self._in[:3], "big")
            if len(self._in) < 9 + size:
                break
            kind, flags, number = self._in[3], self._in[4], struct.unpack(">I", self._in[5:9])[0]
            payload, self._in = self._in[9:9 + size], self._in[9 + size:]
            self._take(kind, flags, self.streams.get(number), payload)
        return bool(data)

    def _take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                self.settings[key] = value
            for each in self.streams.values():
                each.window += self.settings.get(INITIAL_WINDOW_SIZE, 65535) - 65535
            self.send_raw(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK and self.answers_pings:
            self.send_raw(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])
        elif kind == WINDOW_UPDATE:
            more = struct.unpack(">I", payload)[0]
            if stream is None:
                self.window += more
            else:
                stream.window += more
        elif kind == HEADERS:
            fields = self._inflater.fields(payload)
            if stream is not None:
                stream.fields += fields
        elif kind == DATA and stream is not None:
            stream.data += payload
            if payload and self.gives_credit:
                credit = struct.pack(">I", len(payload))
                self.send_raw(frame(WINDOW_UPDATE, 0, 0, credit) +
                              frame(WINDOW_UPDATE, 0, stream.number, credit))
        elif kind == RST_STREAM and stream is not None:
            stream.reset = struct.unpack(">I", payload)[0]
        if stream is not None and kind in (HEADERS, DATA) and flags & END_STREAM:
            stream.ended = True

    def wait(self, condition, what):
        """Reads until `condition` holds."""
        deadline = time.monotonic() + self._timeout_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0 or (self.closed and not self.pump(0.001) and not condition()):
                raise AssertionError("no %s; connection %s, %s" % (
                    what, self.closed or "open", list(self.streams.values())))
            self.pump(min(left, 0.2))

    def wait_settings(self):
        self.wait(lambda: self.settings, "SETTINGS")

    def wait_status(self, stream):
        self.wait(lambda: stream.status, "answer")
        return stream.status

    def wait_data(self, stream, data):
        self.wait(lambda: len(stream.data) >= len(data), "%r" % data[-60:])
        if stream.data != data:
            raise AssertionError("%r instead of %r" % (stream.data[-60:], data[-60:]))

    def wait_end(self, stream):
        self.wait(lambda: stream.ended or stream.reset is not None, "end of the stream")

    def wait_reset(self, stream):
        self.wait(lambda: stream.reset is not None, "reset")
        return stream.reset

    def wait_closed(self):
        self.wait(lambda: self.closed, "end of the connection")
        return self.closed

    def close(self):
        self._socket.close()


def over_tcp(address, **options):
    return Http2(socket.create_connection(address, timeout=20), **options)
