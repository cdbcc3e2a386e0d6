# SPDX-License-Identifier: Apache-2.0
"""How connections end: half-close and reset in both directions, and each way to fail.

The outcomes are those of the real Envoy: a connection that the proxy closes with bytes of the
client still unread ends in RST, a silent client sees FIN.
"""

import hashlib
import os

import corpus_case
from corpus_case import A, CorpusCase
from lab import backend
from lab.wait import until


class HalfClose(CorpusCase):
    def serve_with(self, behave):
        self.a = self.backend("A", A, behave=behave)
        self.serve("ends/tcp.yaml")

    def test_backend_may_answer_after_the_clients_fin(self):
        self.serve_with(backend.answer_after_fin)
        asking = self.connect()
        asking.send(b"question")
        asking.half_close()
        self.ended(asking.end(), b"A\nsixteen bytes ok", "FIN")
        self.assertEqual(self.a.visit().received, 8)
        self.expect(backend={"upstream_cx_destroy": 1}, listener={"downstream_cx_active": 0})

    def test_client_may_go_on_after_the_backends_fin(self):
        self.serve_with(backend.fin_first)
        going_on = self.connect()
        self.ended(going_on.end(), b"A\n", "FIN")
        going_on.send(b"still here")
        until(lambda: self.a.visit().received == 10, 10, "the client's bytes")
        self.expect(listener={"downstream_cx_active": 1}, backend={"upstream_cx_active": 1})
        going_on.half_close()
        until(lambda: self.a.visit().end == "FIN", 10, "FIN at the backend")
        self.expect(listener={"downstream_cx_active": 0}, backend={"upstream_cx_active": 0})

    def test_hasty_client_loses_nothing(self):
        self.serve_with(backend.echo)
        for _ in range(10):
            hasty = self.connect_having_sent(half_close=True)
            self.ended(hasty.end(), b"A\nhi", "FIN")

    def test_log_of_a_clean_end(self):
        self.serve_with(backend.echo)
        self.say_hi()
        line = self.log()
        self.assertEqual(
            {name: line[name] for name in ("flags", "rx", "tx", "attempts", "cluster",
                                           "upstream", "failure")},
            {"flags": "-", "rx": 2, "tx": 4, "attempts": 1, "cluster": "backend",
             "upstream": self.at(A), "failure": None})

    def test_bulk_comes_back_whole(self):
        self.serve_with(backend.echo)
        sent = os.urandom(4 << 20)
        bulk = self.connect()
        bulk.read_until(b"A\n")
        back = b""
        for start in range(0, len(sent), 1 << 16):
            bulk.send(sent[start:start + (1 << 16)])
            bulk.read_some(0.001)
        bulk.half_close()
        ending = bulk.end(within_s=60)
        back = ending.data[2:]
        self.assertEqual((len(back), ending.how), (len(sent), "FIN"))
        self.assertEqual(hashlib.sha256(back).digest(), hashlib.sha256(sent).digest())
        self.expect(tcp={"downstream_cx_rx_bytes_total": len(sent),
                         "downstream_cx_tx_bytes_total": len(sent) + 2})


class Reset(CorpusCase):
    def test_of_the_client_reaches_the_backend(self):
        a = self.backend("A", A)
        self.serve("ends/tcp.yaml")
        leaving = self.connect()
        leaving.send(b"hi")
        leaving.read_until(b"A\nhi")
        leaving.reset()
        until(lambda: a.visit().end != "open", 10, "the backend's end")
        self.assertEqual(a.visit().end, "RST")
        line = self.log()
        self.assertEqual((line["flags"], line["down_type"]), ("-", "RemoteReset"))
        self.expect(listener={"downstream_cx_destroy": 1}, backend={"upstream_cx_active": 0,
                                                                    "upstream_cx_destroy": 1})

    def test_of_the_backend_reaches_the_client(self):
        self.backend("A", A, behave=backend.reset_on_data)
        self.serve("ends/tcp.yaml")
        losing = self.connect()
        losing.read_until(b"A\n")
        losing.send(b"hi")
        self.ended(losing.end(), b"A\n", "RST")
        line = self.log()
        self.assertEqual((line["flags"], line["up_type"], line["down_type"]),
                         ("UR", "RemoteReset", "LocalReset"))
        self.expect(backend={"upstream_cx_destroy_remote": 1, "upstream_cx_active": 0})

    def test_of_the_backend_reaches_a_silent_client(self):
        a = self.backend("A", A)
        self.serve("ends/tcp.yaml")
        silent = self.connect()
        silent.read_until(b"A\n")
        a.reset_all()
        self.ended(silent.end(), b"A\n", "RST")


class Failures(CorpusCase):
    """For each cause: a silent client, one that had sent, the log line, the counters."""

    def both_clients_fail(self, flags, reason, attempts):
        self.ended(self.connect().end(), b"", "FIN")
        line = self.log(1)
        self.assertEqual((line["flags"], line["down_reason"], line["attempts"]),
                         (flags, reason, attempts))
        self.ended(self.connect_having_sent().end(), b"", "RST")
        self.assertEqual(self.log(2)["flags"], flags)

    def test_backend_refuses(self):
        self.serve("ends/tcp.yaml")
        self.both_clients_fail("UF,URX", "tcp_initializion_failure:0", 1)
        self.assertEqual(self.log()["failure"], "delayed_connect_error:_Connection_refused")
        self.expect(backend={"upstream_cx_connect_fail": 2, "upstream_cx_total": 2,
                             "upstream_cx_connect_attempts_exceeded": 2,
                             "upstream_cx_connect_timeout": 0})

    def test_no_host(self):
        self.serve("ends/no-host.yaml")
        self.both_clients_fail("UH", "tcp_initializion_failure:1", 0)
        self.expect(backend={"upstream_cx_none_healthy": 2,
                             "upstream_cx_total": 0, "membership_total": 0})

    def test_unknown_cluster(self):
        self.serve("ends/unknown-cluster.yaml")
        self.both_clients_fail("NC", "tcp_initializion_failure:3", 0)
        self.expect(tcp={"downstream_cx_no_route": 2})

    def test_circuit_breaker(self):
        self.backend("A", A)
        self.serve("ends/overflow.yaml")
        first = self.connect()
        first.read_until(b"A\n")
        self.both_clients_fail("UO", "tcp_initializion_failure:2", 0)
        self.expect(backend={"upstream_cx_overflow": 2,
                             "upstream_cx_total": 1})

    def test_idle_timeout_in_the_log(self):
        self.backend("A", A)
        self.serve("ends/idle.yaml")
        self.ended(self.connect().end(within_s=10), b"A\n", "FIN")
        line = self.log()
        self.assertEqual((line["flags"], line["down_reason"], line["up_reason"]),
                         ("-", "tcp_session_idle_timeout", "tcp_session_idle_timeout"))

    def test_proxy_serves_on_after_failures(self):
        self.serve("ends/tcp.yaml")
        self.ended(self.connect().end(), b"", "FIN")
        self.backend("A", A)
        self.say_hi()
        self.expect(backend={"upstream_cx_connect_fail": 1, "upstream_cx_total": 2})


if __name__ == "__main__":
    corpus_case.main()
