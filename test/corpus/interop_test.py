# SPDX-License-Identifier: Apache-2.0
"""Tunnels to and from the programs of nghttp2: nghttpx and nghttp, with certificates of one authority."""

import hashlib
import os
import shutil
import subprocess
import threading
import unittest

import corpus_case
from corpus_case import A, CorpusCase
from lab import authority, client
from lab.wait import until

CART = "spiffe://cluster.local/ns/shop/sa/cart"
WEB = "spiffe://cluster.local/ns/shop/sa/web"
OURS, THEIRS, BEHIND = 10008, 10009, 11004


def setUpModule():
    os.environ["PATH"] += ":/usr/sbin"
    missing = [name for name in ("nghttpx", "nghttp") if not shutil.which(name)]
    if corpus_case.IS_ENVOY or missing:
        raise unittest.SkipTest("Envoy is not asked" if corpus_case.IS_ENVOY else
                                "no " + ", ".join(missing))


def take_connect(visit, _):
    """What a proxy of HTTP/1.1 does with CONNECT; all that comes is sent back."""
    head = b""
    while b"\r\n\r\n" not in head and (data := visit.read()):
        head += data
    visit.write(b"HTTP/1.1 200 OK\r\n\r\nA\n")
    while data := visit.read():
        visit.write(data)


class Interop(CorpusCase):
    def setUp(self):
        super().setUp()
        # Our client asks at THEIRS, our server is at OURS.
        self.serve("mesh/hbone_pair.yaml", lambda text: text.replace(
            "address: 127.0.0.1, port_value: 10008}}}}]", "address: 127.0.0.1, port_value: %d}}}}]"
            % THEIRS).replace("127.0.0.1:11001", self.at(A)))
        self.lab = authority.Authority(self.tmp("ca.pem"), self.folder)

    def start(self, port, *command):
        """A program of nghttp2 that serves at `port`."""
        with open(self.tmp("peer.log"), "wb") as log:
            peer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    cwd=self.folder)
        self.addCleanup(peer.wait)
        self.addCleanup(peer.terminate)
        until(lambda: peer.poll() is not None or not client.refuses(self.here(port)), 10, command[0])
        with open(self.tmp("peer.log"), encoding="utf-8") as log:
            self.assertIsNone(peer.poll(), log.read())

    def nghttpx(self, port, *options):
        self.start(port, "nghttpx", "--conf=/dev/null", "--http2-proxy", "--workers=1",
                   "--single-process", "--no-ocsp", "--accesslog-file=/dev/null",
                   "--cacert=ca.crt", *options)

    def much(self, connection, size=4 << 20):
        """So many bytes go and come back."""
        sent, at = os.urandom(size), len(connection.data)
        sender = threading.Thread(target=connection.send, args=(sent,))
        sender.start()
        got = connection.read_length(at + size)[at:]
        sender.join()
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(sent).digest())

    def test_nghttpx_asks_us(self):
        self.backend("A", A)
        chain, key = self.lab.issue("web", WEB)
        self.nghttpx(THEIRS, "-f127.0.0.1,%d;no-tls" % self.port(THEIRS),
                     "-b127.0.0.1,%d;;proto=h2;tls" % self.port(OURS), "--insecure",
                     "--client-cert-file=" + chain, "--client-private-key-file=" + key)
        for _ in range(2):
            connection = self.connect(THEIRS)
            connection.send(b"CONNECT %s HTTP/1.1\r\nhost: x\r\n\r\n" % self.at(A).encode())
            connection.read_until(b"A\n")
            self.assertIn(b" 200 ", connection.data)
            self.much(connection)
            connection.half_close()
            self.assertEqual(connection.end().how, "FIN")
        self.proxy.wait_stats({"hbone.inbound.tunnels_total": 2, "mesh.inbound.ssl.handshake": 1})

    def test_we_ask_nghttpx(self):
        self.backend("A", BEHIND, behave=take_connect, greet=False)
        chain, key = self.lab.issue("cart", CART)
        self.nghttpx(THEIRS, "-f127.0.0.1,%d" % self.port(THEIRS),
                     "-b127.0.0.1,%d" % self.port(BEHIND), "--verify-client",
                     "--verify-client-cacert=ca.crt", key, chain)
        for _ in range(2):
            connection = self.connect()
            connection.read_until(b"A\n")
            self.much(connection)
            connection.reset()  # nghttpx keeps a half-closed one.
        log = self.log(2)
        self.assertEqual((log["failure"], log["peer"], log["tls"]), (None, CART, "TLSv1.3"))
        self.expect(hbone={"upstream_cx_total": 1, "upstream_rq_total": 2})

    def test_nghttp_wants_no_tunnel(self):
        chain, key = self.lab.issue("web", WEB)
        done = subprocess.run(
            ["nghttp", "--verbose", "--no-verify-peer", "--cert=" + chain, "--key=" + key,
             "https://" + self.at(OURS)], stdout=subprocess.PIPE, text=True, timeout=20)
        self.assertIn(":status: 400", done.stdout)
        self.proxy.wait_stats({"hbone.inbound.requests_refused": 1,
                               "hbone.inbound.protocol_error": 0})


if __name__ == "__main__":
    corpus_case.main()
