# SPDX-License-Identifier: Apache-2.0
"""What the tests of TLS stand on: the corpus's certificates, a TLS client, a TLS backend."""

import os
import socket
import ssl
import threading

from corpus_case import DATA, CorpusCase
from lab import client
from lab.sockets import close_waking

TA = 11011  # Where corpus 21 wants a TLS backend.
CERTS = os.path.join(DATA, "valid", "certs")


def cert(name):
    return os.path.join(CERTS, name + ".pem"), os.path.join(CERTS, name + ".key")


def client_context(who=None, version=None, alpn=()):
    context = ssl.create_default_context(cafile=os.path.join(CERTS, "ca.pem"))
    context.check_hostname = False
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    if who:
        context.load_cert_chain(*cert(who))
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def server_context(who="server", ca="ca", require=True, alpn=()):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*cert(who))
    if require:
        context.load_verify_locations(os.path.join(CERTS, ca + ".pem"))
        context.verify_mode = ssl.CERT_REQUIRED
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class TlsBackend:
    """Greets TA inside TLS, then echoes; `seen` has each connection's version, SNI and client."""

    def __init__(self, port, who="server", ca="ca", require=True):
        context = server_context(who, ca, require)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.names, self.seen = [], []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(20)
        try:
            with self._context.wrap_socket(connection, server_side=True) as tls:
                self.seen.append((tls.version(), tls.getpeercert()))
                tls.sendall(b"TA\n")
                while data := tls.recv(65536):
                    tls.sendall(data)
        except OSError:
            pass

    def close(self):
        close_waking(self._listener)


class TlsCase(CorpusCase):
    def shake(self, name="echo.lab.test", context=None, session=None, where=None, **options):
        """A client whose handshake is done."""
        raw = socket.create_connection(where or self.here(), timeout=20)
        self.addCleanup(raw.close)
        context = context or client_context(**options)
        tls = context.wrap_socket(raw, server_hostname=name, session=session)
        self.addCleanup(tls.close)
        return tls

    def read(self, tls, length):
        data = b""
        while len(data) < length:
            more = tls.recv(length - len(data))
            if not more:
                break
            data += more
        return data

    def say_hi_inside(self, tls):
        self.assertEqual(self.read(tls, 2), b"A\n")
        tls.sendall(b"hi")
        self.assertEqual(self.read(tls, 2), b"hi")

    def shown(self, tls):
        """Whose certificate the proxy shows."""
        return dict(part[0] for part in tls.getpeercert()["subject"])["commonName"]

    def refused(self, reason, **options):
        """The alert that the client gets, at the end of its handshake or right after."""
        with self.assertRaises(ssl.SSLError) as caught:
            tls = self.shake(**options)
            self.read(tls, 1)
        self.assertEqual(caught.exception.reason, reason)

    def raw(self, data):
        with client.Client(self.here()) as connection:
            connection.send(data)
            return connection.end()
