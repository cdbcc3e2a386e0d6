# SPDX-License-Identifier: Apache-2.0
"""Clients that say by SOCKS5 where they go."""

import functools
import http.server
import socket
import struct
import subprocess
import threading
import unittest

import corpus_case
from corpus_case import A, NOBODY, CorpusCase

GREETING = b"\5\1\0"
ACCEPTED = b"\5\0" + b"\5\0\0\1" + bytes(6)


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@unittest.skipIf(corpus_case.IS_ENVOY, "Envoy has no such filter")
class Socks5(CorpusCase):
    FILE = "tunnels/socks5.yaml"

    def request(self, corpus_port):
        return b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + struct.pack("!H", self.port(corpus_port))

    def curl(self, *arguments):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "", "--max-time", "10", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        return done.returncode, done.stdout

    def serve_a_file(self):
        """What to ask a web server for, which ends with the case."""
        with open(self.tmp("hello.txt"), "w", encoding="utf-8") as file:
            file.write("hello\n")
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(QuietFiles, directory=self.folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return "http://127.0.0.1:%d/hello.txt" % server.server_address[1]

    def test_curl_goes_where_it_wants(self):
        url = self.serve_a_file()
        self.serve(self.FILE)
        self.assertEqual(self.curl("--socks5", self.at(10000), url), (0, "hello\n"))
        self.assertEqual(self.log()["to"], url.split("/")[2])
        self.proxy.wait_stats({"socks5.clients.negotiated": 1})

    def test_curl_is_told_that_names_are_not_taken(self):
        self.serve(self.FILE)
        status, output = self.curl("--socks5-hostname", self.at(10000), "http://name.test/")
        self.assertEqual(status, 97, output)  # CURLE_PROXY
        self.assertEqual(self.log(), {"to": self.at(10000), "host": None, "flags": "-",
                                      "details": "socks5_refused_name"})

    def test_all_can_come_at_once(self):
        self.backend("A", A)
        self.serve(self.FILE)
        connection = self.connect_having_sent(GREETING + self.request(A) + b"hi", half_close=True)
        self.ended(connection.end(), ACCEPTED + b"A\nhi", "FIN")
        self.assertEqual(self.log(), {"to": self.at(A), "host": self.at(A), "flags": "-",
                                      "details": None})

    def test_much_comes_whole(self):
        self.backend("A", A)
        self.serve(self.FILE)
        connection = self.connect()
        connection.send(GREETING + self.request(A))
        connection.read_until(ACCEPTED + b"A\n")
        much = bytes(range(256)) * 16384
        threading.Thread(target=lambda: (connection.send(much), connection.half_close()),
                         daemon=True).start()
        self.ended(connection.end(), ACCEPTED + b"A\n" + much, "FIN")

    def test_success_is_told_before_it_is_one(self):
        self.serve(self.FILE)
        connection = self.connect()
        connection.send(GREETING + self.request(NOBODY))
        connection.read_until(ACCEPTED)
        self.assertIn(connection.end().how, ("FIN", "RST"))
        self.assertEqual(self.log()["flags"], "UF,URX")

    def test_who_says_nothing_reaches_nobody(self):
        backend = self.backend("A", A)
        self.serve(self.FILE, self.edited(("negotiation_timeout: 5s", "negotiation_timeout: 0.2s")))
        connection = self.connect()
        connection.send(GREETING)
        self.ended(connection.end(), b"\5\0" + b"\5\1\0\1" + bytes(6), "FIN")
        self.assertEqual(self.log()["details"], "socks5_refused_timeout")
        self.assertEqual(len(backend.visits), 0)


if __name__ == "__main__":
    corpus_case.main()
