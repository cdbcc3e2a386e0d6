# SPDX-License-Identifier: Apache-2.0
"""Corpus 13, 14, 15 and connect timeouts: what ends or retries a connection by itself."""

import time

import corpus_case
from corpus_case import A, CorpusCase, NOBODY
from lab import backend
from lab.wait import until


class IdleTimeout(CorpusCase):
    """13-idle-timeout: 1 s without a byte in either direction."""

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A)
        self.serve("valid/13-idle-timeout.yaml")

    def test_silent_client_gets_fin_after_a_second(self):
        ending = self.connect().end(within_s=8)
        self.ended(ending, b"A\n", "FIN")
        self.assertTrue(0.8 <= ending.after_s <= 4, ending)
        self.expect(tcp={"idle_timeout": 1}, listener={"downstream_cx_destroy": 1},
                    backend={"upstream_cx_destroy": 1, "upstream_cx_destroy_local": 1})

    def test_bytes_put_it_off(self):
        talking = self.connect()
        talking.read_until(b"A\n")
        enough = time.monotonic() + 2.2
        while time.monotonic() < enough:
            talking.send(b"x")
            self.assertFalse(talking.read_some(0.3) is False and talking.how != "open",
                             "closed although bytes flow")
        last = time.monotonic()
        self.assertEqual(talking.end(within_s=8).how, "FIN")
        self.assertGreater(time.monotonic() - last, 0.5)

    def test_data_of_a_client_that_had_sent_still_ends_with_fin(self):
        sent = self.connect()
        sent.send(b"hi")
        self.ended(sent.end(within_s=8), b"A\nhi", "FIN")

    def test_backend_sees_fin(self):
        self.connect().end(within_s=8)
        self.expect(backend={"upstream_cx_active": 0})
        visit = self.a.visit()
        until(lambda: visit.end != "open", 10, "the backend's end")
        self.assertEqual(visit.end, "FIN")


class MaxConnectionDuration(CorpusCase):
    """14-max-connection-duration: 2 s although bytes flow."""

    def test_ends_a_busy_connection(self):
        self.backend("A", A)
        self.serve("valid/14-max-connection-duration.yaml")
        busy = self.connect()
        sent = 0
        while busy.how == "open" and time.monotonic() - busy.began < 10:
            busy.send(b"x")
            sent += 1
            busy.read_length(min(2 + sent, 3))
            busy.read_some(0.2)
        ending = busy.end()
        self.assertTrue(1.8 <= ending.after_s <= 6, ending.after_s)
        # A byte that crosses the close on its way turns the FIN into RST.
        self.assertIn(ending.how, ("FIN", "RST"))
        self.expect(tcp={"max_downstream_connection_duration": 1, "idle_timeout": 0},
                    listener={"downstream_cx_destroy": 1}, backend={"upstream_cx_active": 0})

    def test_silent_client_gets_fin(self):
        self.backend("A", A)
        self.serve("valid/14-max-connection-duration.yaml")
        ending = self.connect().end(within_s=10)
        self.ended(ending, b"A\n", "FIN")
        self.assertTrue(1.8 <= ending.after_s <= 6, ending.after_s)

    def test_log_says_dt(self):
        self.backend("A", A)
        self.serve("ends/duration.yaml")
        self.ended(self.connect().end(within_s=10), b"A\n", "FIN")
        line = self.log()
        self.assertEqual(
            (line["flags"], line["down_reason"], line["up_reason"]),
            ("DT", "max_connection_duration_reached", "max_connection_duration_reached"))


class ConnectAttempts(CorpusCase):
    """15-connect-attempts: the first host refuses, the second answers."""

    def setUp(self):
        super().setUp()
        self.backends("A")
        self.serve("valid/15-connect-attempts.yaml")

    def test_every_client_is_served(self):
        for _ in range(6):
            self.say_hi()
        # Which host the rotation begins with is chance: the first client may find A at once.
        self.expect(flaky={"upstream_cx_connect_fail": lambda count: count in (5, 6),
                           "upstream_cx_total": lambda count: count in (11, 12),
                           "upstream_cx_active": 0, "upstream_cx_connect_attempts_exceeded": 0},
                    tcp={"downstream_cx_total": 6})
        seen = self.proxy.stats("^cluster.flaky.upstream_cx")
        self.assertEqual(seen["cluster.flaky.upstream_cx_total"],
                         6 + seen["cluster.flaky.upstream_cx_connect_fail"])

    def test_admin_shows_the_failing_host(self):
        for _ in range(6):
            self.say_hi()
        self.expect(flaky={"upstream_cx_connect_fail": lambda count: count >= 5})
        shown = self.proxy.clusters()
        self.assertIn(shown[("flaky", self.at(NOBODY), "cx_connect_fail")], ("5", "6"))
        self.assertEqual(shown[("flaky", self.at(A), "cx_connect_fail")], "0")


class TwoAttempts(CorpusCase):
    """What log and counters say of attempts."""

    def test_success_on_the_second_keeps_the_flag(self):
        self.backend("A", corpus_case.B)  # 11001 refuses, 11002 answers
        self.serve("ends/two-attempts.yaml")
        # The rotation may begin with the good host; the second client then meets the bad one.
        for count in (1, 2):
            self.say_hi()
            line = self.log(count)
            if line["attempts"] == 2:
                break
        self.assertEqual((line["flags"], line["attempts"]), ("UF", 2))
        self.assertEqual(line["upstream"], self.at(corpus_case.B))
        self.assertEqual(line["tried"], "%s,%s" % (self.at(A), self.at(corpus_case.B)))

    def test_all_attempts_fail(self):
        self.serve("ends/two-attempts.yaml")
        self.ended(self.connect().end(), b"", "FIN")
        line = self.log()
        self.assertEqual((line["flags"], line["attempts"]), ("UF,URX", 2))
        self.expect(backend={"upstream_cx_connect_fail": 2, "upstream_cx_total": 2,
                             "upstream_cx_connect_attempts_exceeded": 1})


class ConnectTimeout(CorpusCase):
    """A backend that never answers the connect; connect_timeout 0.25 s."""

    def setUp(self):
        super().setUp()
        hole = backend.Blackhole(self.port(A))
        self.addCleanup(hole.close)
        self.serve("ends/tcp.yaml")

    def test_silent_client_gets_fin(self):
        ending = self.connect().end(within_s=10)
        self.ended(ending, b"", "FIN")
        self.assertTrue(0.2 <= ending.after_s <= 4, ending)
        self.expect(backend={"upstream_cx_connect_timeout": 1, "upstream_cx_connect_fail": 1,
                             "upstream_cx_total": 1, "upstream_cx_active": 0,
                             "upstream_cx_connect_attempts_exceeded": 1})

    def test_client_that_had_sent_gets_rst(self):
        self.ended(self.connect_having_sent().end(within_s=10), b"", "RST")

    def test_log_says_why(self):
        self.connect().end(within_s=10)
        line = self.log()
        self.assertEqual((line["flags"], line["attempts"], line["failure"], line["down_reason"]),
                         ("UF,URX", 1, None, "tcp_initializion_failure:0"))


if __name__ == "__main__":
    corpus_case.main()
