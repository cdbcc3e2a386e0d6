# SPDX-License-Identifier: Apache-2.0
"""tools/compare shows no difference between a proxy and itself, and shows those that are there."""

import os
import shutil
import tempfile
import unittest
from typing import NamedTuple

import corpus_case
from lab import compare


class Options(NamedTuple):
    traffic: str = "hello,bulk:100000,hello@127.0.0.2,pair,reset"
    refuse: tuple = (11009,)
    move: bool = True
    tries: int = 4
    all: bool = False


class WithItself(unittest.TestCase):
    def differences(self, name):
        path = os.path.join(corpus_case.DATA, "valid", name + ".yaml")
        one = corpus_case.binary()
        result = compare.compare(path, one, one, Options())
        self.assertGreater(len(result.rows), 10)
        return result.differences

    def test_one_backend(self):
        self.assertEqual(self.differences("01-tcp-proxy"), [])

    def test_random_clusters(self):
        self.assertEqual(self.differences("04-weighted-clusters"), [])

    def test_access_logs(self):
        self.assertEqual(self.differences("30-access-log-json"), [])

    def test_unix_sockets(self):
        self.assertEqual(self.differences("44-unix-sockets"), [])

    def test_tls_both_ways(self):
        options = Options(traffic="tls,tls:max=1.2,tls:cert=certs/foreign,bulk:40000")
        for name in ("20-mtls-spiffe", "21-tls-originate"):
            path = os.path.join(corpus_case.DATA, "valid", name + ".yaml")
            one = corpus_case.binary()
            result = compare.compare(path, one, one, options)
            seen = {row.key: row.envoy for row in result.rows if row.section == "clients"}
            self.assertEqual(result.differences, [])
            self.assertIn("no handshake", seen["tls:max=1.2"])

    def test_refused_file(self):
        path = os.path.join(corpus_case.DATA, "invalid", "04-port-out-of-range.yaml")
        one = corpus_case.binary()
        result = compare.compare(path, one, one, Options())
        self.assertEqual([(row.key, row.same) for row in result.rows],
                         [("exit status", True), ("reason", True)])


class WithAnother(unittest.TestCase):
    def test_proxy_that_refuses_is_one_difference(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        other = os.path.join(folder, "other")
        with open(other, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho 'static_resources: no' >&2\nexit 1\n")
        os.chmod(other, 0o755)
        path = os.path.join(corpus_case.DATA, "valid", "01-tcp-proxy.yaml")
        result = compare.compare(path, corpus_case.binary(), other, Options(tries=1))
        self.assertEqual([row[:4] for row in result.unknown],
                         [("startup", "outcome", "serves", "refuses: static_resources: no")])


if __name__ == "__main__":
    corpus_case.main()
