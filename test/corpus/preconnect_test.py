# SPDX-License-Identifier: Apache-2.0
"""Corpus 01 with preconnect_policy: connections that are made before somebody wants them."""

import socket

import corpus_case
from corpus_case import A, B, CorpusCase
from lab import backend
from lab.wait import until

ENDPOINT = ("        - endpoint: {address: {socket_address: {address: 127.0.0.1, "
            "port_value: %d}}}\n")
TCP_OPTIONS = "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions"


class Preconnect(CorpusCase):
    def serve_ahead(self, policy, more="", hosts=1):
        def edit(text):
            text = text.replace("    connect_timeout: 1s\n", "    connect_timeout: 1s\n"
                                "    preconnect_policy: {%s}\n%s" % (policy, more), 1)
            more_hosts = ENDPOINT % B if hosts > 1 else ""
            return text.rstrip("\n") + "\n" + more_hosts
        self.serve("valid/01-tcp-proxy.yaml", edit)

    def open_one(self):
        opened = self.connect()
        opened.read_until(b"\n")
        return opened

    def end(self, connection):
        connection.half_close()
        self.ended(connection.end(), b"A\n", "FIN")

    def test_each_connection_brings_another(self):
        server = self.backend("A", A)
        self.serve_ahead("per_upstream_preconnect_ratio: 2")
        first = self.open_one()
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_active": 2,
                             "upstream_rq_total": 1, "upstream_rq_pending_total": 1})
        second = self.open_one()
        self.expect(backend={"upstream_cx_total": 4, "upstream_cx_active": 4,
                             "upstream_rq_total": 2, "upstream_rq_pending_total": 1})
        self.end(first)
        self.expect(backend={"upstream_cx_active": 3, "upstream_cx_destroy": 1,
                             "upstream_cx_destroy_with_active_rq": 1})
        third = self.open_one()
        self.expect(backend={"upstream_cx_total": 5, "upstream_cx_active": 4})
        self.end(second)
        self.end(third)
        self.expect(backend={"upstream_cx_active": 2, "upstream_cx_destroy": 3})
        self.say_hi()  # Two wait for it and for its follower.
        self.expect(backend={"upstream_cx_total": 5, "upstream_rq_total": 4,
                             "upstream_cx_connect_fail": 0, "upstream_cx_preconnect_skipped": 0})
        self.assertEqual(len(server.visits), 5)

    def test_a_ratio_is_rounded_up(self):
        self.backend("A", A)
        self.serve_ahead("per_upstream_preconnect_ratio: 1.5")
        for total in (2, 3, 5, 6, 8):
            self.open_one()
            self.expect(backend={"upstream_cx_total": total})

    def test_the_breaker_is_for_all_of_them(self):
        self.backend("A", A)
        self.serve_ahead("per_upstream_preconnect_ratio: 2",
                         "    circuit_breakers: {thresholds: [{max_connections: 3}]}\n")
        first = self.open_one()
        self.open_one()
        self.expect(backend={"upstream_cx_total": 3, "upstream_cx_overflow": 1,
                             "circuit_breakers.default.cx_open": 1})
        self.ended(self.connect().end(), b"", "FIN")  # Though one is spare.
        self.expect(backend={"upstream_cx_overflow": 2, "upstream_rq_total": 2})
        self.end(first)
        self.open_one()
        self.expect(backend={"upstream_cx_total": 4, "upstream_cx_overflow": 3})

    def test_so_is_the_limit_of_the_host(self):
        self.backend("A", A)
        self.serve_ahead("per_upstream_preconnect_ratio: 2",
                         "    circuit_breakers: {per_host_thresholds: [{max_connections: 3}]}\n")
        opened = []
        for overflow in (0, 1, 2):
            opened.append(self.open_one())
            self.expect(backend={"upstream_cx_overflow": overflow})
        waits = self.connect()
        self.expect(backend={"upstream_cx_total": 3, "upstream_rq_pending_active": 1,
                             "upstream_cx_overflow": 3})
        self.end(opened[0])
        waits.read_until(b"A\n")
        self.expect(backend={"upstream_cx_total": 4, "upstream_cx_overflow": 4})

    def test_the_host_may_end_a_spare_one(self):
        server = self.backend("A", A)
        self.serve_ahead("per_upstream_preconnect_ratio: 2")
        self.end(self.open_one())
        self.expect(backend={"upstream_cx_active": 1})
        until(lambda: len(server.visits) == 2, 10, "the second connection")
        for visit in server.visits:
            if visit.end == "open":
                visit.sock.shutdown(socket.SHUT_RDWR)
        self.expect(backend={"upstream_cx_active": 0, "upstream_cx_destroy_remote": 2,
                             "upstream_cx_destroy_with_active_rq": 1})
        self.say_hi()
        self.expect(backend={"upstream_cx_total": 4, "upstream_rq_pending_total": 2})

    def test_a_spare_one_is_given_up_after_a_while(self):
        self.backend("A", A)
        self.serve_ahead("per_upstream_preconnect_ratio: 2",
                         '    typed_extension_protocol_options: {%s: {"@type": '
                         "type.googleapis.com/%s, idle_timeout: 0.2s}}\n"
                         % (TCP_OPTIONS, TCP_OPTIONS))
        self.open_one()
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_active": 1,
                             "upstream_cx_idle_timeout": 1, "upstream_cx_destroy_local": 1})
        self.say_hi()
        self.expect(backend={"upstream_cx_total": 5, "upstream_cx_active": 1,
                             "upstream_cx_idle_timeout": 3})

    def test_each_that_fails_is_counted(self):
        self.serve_ahead("per_upstream_preconnect_ratio: 2")
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_connect_fail": 2,
                             "upstream_cx_destroy_remote": 2,
                             "upstream_rq_pending_failure_eject": 1})

    def test_each_has_its_time_to_connect(self):
        hole = backend.Blackhole(self.port(A))
        self.addCleanup(hole.close)
        self.serve_ahead("per_upstream_preconnect_ratio: 2")
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_connect_timeout": 2,
                             "upstream_cx_connect_fail": 2, "upstream_cx_destroy_local": 2})

    def foreseen(self, policy, totals):
        self.backends("AB")
        self.serve_ahead("predictive_preconnect_ratio: 2", "    lb_policy: %s\n" % policy, hosts=2)
        for total in totals:
            self.open_one()
            self.expect(backend={"upstream_cx_total": total})

    def test_the_next_hosts_are_connected_before(self):
        self.foreseen("ROUND_ROBIN", (2, 3, 4, 5, 6))
        self.expect(backend={"upstream_rq_pending_total": lambda waited: waited < 5})

    def test_who_is_chosen_by_load_is_not_foreseen(self):
        self.foreseen("LEAST_REQUEST", (1, 2, 3))

    def test_nor_who_is_chosen_by_hash(self):
        self.foreseen("MAGLEV", (1, 2, 3))

    def test_a_single_host_is_foreseen_once(self):
        self.backend("A", A)
        self.serve_ahead("predictive_preconnect_ratio: 3")
        for total in (1, 2, 3):
            self.open_one()
            self.expect(backend={"upstream_cx_total": total})


if __name__ == "__main__":
    corpus_case.main()
