# SPDX-License-Identifier: Apache-2.0
"""A backend that is reached through tunnels: HTTP/2 CONNECT, each request a visit."""

from typing import NamedTuple

from lab import http2


class Visit(NamedTuple):
    """What backend.Visit tells of a connection, of a request."""

    end: str  # "open", or how the client ended it: "FIN" or "RST"
    received: int
    request: str  # The header fields.


class TunnelBackend:
    """Opens every tunnel, greets in it with its name and sends back what comes, as Backend does.

    `tls` is the ssl.SSLContext of one that does so within TLS. close() ends all connections.
    """

    def __init__(self, name, port=0, tls=None):
        self._greeting = ("%s\n" % name).encode()
        self._server = http2.Server(port, self._answer, tls)

    def _answer(self, stream, data, end):
        if data is None:
            stream.respond()
            stream.send(self._greeting)
        else:
            stream.send(data, end)

    @property
    def port(self):
        return self._server.port

    @property
    def visits(self):
        ends = {"END": "FIN"}
        return [Visit(ends.get(stream.end, stream.end), len(stream.data),
                      ", ".join("%s: %s" % field for field in stream.fields))
                for stream in self._server.streams()]

    def close(self):
        self._server.close()
