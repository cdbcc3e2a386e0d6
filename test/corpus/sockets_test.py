# SPDX-License-Identifier: Apache-2.0
"""Corpus 44 and 49: unix sockets, and a listener with two addresses."""

import os
import stat

import corpus_case
from corpus_case import A, CorpusCase
from lab import backend, client


class UnixSockets(CorpusCase):
    """44-unix-sockets: a pipe in, a pipe out."""

    def setUp(self):
        super().setUp()
        self.inward = self.tmp("envoy-lab-44.sock")
        self.outward = self.tmp("envoy-lab-44-backend.sock")
        self.serve("valid/44-unix-sockets.yaml")

    def with_backend(self):
        server = backend.Backend("A", path=self.outward)
        self.addCleanup(server.close)

    def test_greets_and_echoes(self):
        self.with_backend()
        self.say_hi(where=self.inward)
        self.proxy.wait_stats({"listener.%s.downstream_cx_total" % self.inward: 1,
                               "listener.%s.downstream_cx_destroy" % self.inward: 1,
                               "tcp.uds.downstream_cx_rx_bytes_total": 2,
                               "tcp.uds.downstream_cx_tx_bytes_total": 4,
                               "cluster.uds_out.upstream_cx_destroy": 1})

    def test_socket_file_has_the_mode(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.inward).st_mode), 0o600)

    def test_pages_show_the_paths(self):
        self.assertEqual(self.proxy.listeners(), ["uds_in::" + self.inward])
        self.assertEqual(self.proxy.hosts("uds_out"), [self.outward])

    def test_missing_backend_is_a_failed_connect(self):
        self.assertEqual(client.send_half_close(self.inward, b"").data, b"")
        self.proxy.wait_stats({"cluster.uds_out.upstream_cx_connect_fail": 1,
                               "cluster.uds_out.upstream_cx_active": 0})


class TwoAddresses(CorpusCase):
    """49-two-addresses: one listener on 127.0.0.1 and 127.0.0.2."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/49-two-addresses.yaml")
        self.second = self.here(address="127.0.0.2")

    def test_both_answer_and_count_under_the_first(self):
        self.say_hi()
        self.say_hi(where=self.second)
        self.expect(listener={"downstream_cx_total": 2, "downstream_cx_destroy": 2},
                    tcp={"downstream_cx_total": 2})

    def test_listeners_page_has_two_lines_with_one_name(self):
        self.assertEqual(self.proxy.listeners(),
                         ["ingress::%s:%d" % self.here(), "ingress::%s:%d" % self.second])

    def test_inbound_drain_closes_both(self):
        open_one = self.connect()
        open_one.read_until(b"A\n")
        self.assertEqual(self.proxy.post("/drain_listeners?inboundonly"), (200, "OK\n"))
        client.wait_refuses(self.here())
        client.wait_refuses(self.second)
        open_one.send(b"hi")
        open_one.read_until(b"A\nhi")
        self.assertEqual(len(self.proxy.listeners()), 2)
        self.proxy.wait_stats({"listener_manager.listener_stopped": lambda count: count >= 1})


if __name__ == "__main__":
    corpus_case.main()
