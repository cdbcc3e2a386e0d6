# SPDX-License-Identifier: Apache-2.0
"""Corpus 16, 43 and 48: circuit breakers, runtime limits, small buffers."""

import hashlib
import json
import os
import threading

import corpus_case
from corpus_case import A, CorpusCase
from lab import backend, client


class CircuitBreaker(CorpusCase):
    """16-circuit-breaker: one upstream connection at a time, with remaining_cx tracked."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/16-circuit-breaker.yaml")

    def test_is_closed_at_first(self):
        self.expect(narrow={"circuit_breakers.default.cx_open": 0,
                            "circuit_breakers.default.remaining_cx": 1})

    def test_second_client_is_closed_at_once(self):
        first = self.connect()
        first.read_until(b"A\n")
        self.expect(narrow={"circuit_breakers.default.cx_open": 1,
                            "circuit_breakers.default.remaining_cx": 0})
        self.ended(self.connect().end(), b"", "FIN")
        self.ended(self.connect_having_sent().end(), b"", "RST")
        self.expect(narrow={"upstream_cx_overflow": 2, "upstream_cx_total": 1,
                            "upstream_cx_active": 1},
                    tcp={"downstream_cx_total": 3})

    def test_works_again_when_the_first_has_left(self):
        first = self.connect()
        first.read_until(b"A\n")
        self.ended(self.connect().end(), b"", "FIN")
        first.half_close()
        self.ended(first.end(), b"A\n", "FIN")
        self.expect(narrow={"circuit_breakers.default.cx_open": 0,
                            "circuit_breakers.default.remaining_cx": 1})
        self.say_hi()
        self.expect(narrow={"upstream_cx_total": 2, "upstream_cx_overflow": 1})

    def test_clusters_page_shows_the_limit(self):
        shown = self.proxy.clusters()
        self.assertEqual(shown[("narrow", "default_priority", "max_connections")], "1")
        self.assertEqual(shown[("narrow", "high_priority", "max_connections")], "1024")


class HostLimit(CorpusCase):
    """01 with one connection to a host at a time: further ones wait."""

    def serve_limited(self, more=""):
        self.serve("valid/01-tcp-proxy.yaml", lambda text: text.replace(
            "    connect_timeout: 1s\n",
            "    connect_timeout: 1s\n    circuit_breakers: {per_host_thresholds: "
            "[{max_connections: 1}]%s}\n" % more, 1), flags=("--concurrency", "1"))

    def open_one(self):
        opened = self.connect()
        opened.read_until(b"A\n")
        return opened

    def end(self, connection):
        connection.half_close()
        self.ended(connection.end(), b"A\n", "FIN")

    def test_one_after_the_other(self):
        self.backend("A", A)
        self.serve_limited()
        first = self.open_one()
        second = self.connect()
        self.expect(backend={"upstream_rq_pending_active": 1})
        third = self.connect()
        self.expect(backend={"upstream_rq_pending_active": 2, "upstream_cx_overflow": 2,
                             "upstream_cx_active": 1, "upstream_cx_total": 1,
                             "upstream_rq_pending_total": 3})
        self.end(first)
        second.read_until(b"A\n")
        self.expect(backend={"upstream_rq_pending_active": 1, "upstream_cx_overflow": 4,
                             "upstream_cx_active": 1, "upstream_cx_total": 2})
        self.end(second)
        third.read_until(b"A\n")
        self.end(third)
        self.expect(backend={"upstream_cx_overflow": 4, "upstream_cx_total": 3,
                             "upstream_rq_total": 3, "upstream_rq_pending_active": 0,
                             "upstream_cx_destroy": 3})

    def test_so_many_wait(self):
        self.backend("A", A)
        self.serve_limited(", thresholds: [{max_pending_requests: 1}]")
        self.open_one()
        self.connect()
        self.expect(backend={"upstream_rq_pending_active": 1})
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(backend={"upstream_rq_pending_overflow": 1, "upstream_cx_overflow": 1,
                             "upstream_cx_connect_attempts_exceeded": 1})

    def test_who_waits_fails_with_who_is_before(self):
        hole = backend.Blackhole(self.port(A))
        self.addCleanup(hole.close)
        self.serve_limited()
        first, second = self.connect(), self.connect()
        self.ended(first.end(), b"", "FIN")
        self.ended(second.end(), b"", "FIN")
        self.expect(backend={"upstream_rq_pending_failure_eject": 2, "upstream_cx_total": 1,
                             "upstream_cx_connect_timeout": 1, "upstream_cx_connect_fail": 1,
                             "upstream_rq_pending_active": 0})


class RuntimeLayers(CorpusCase):
    """43-runtime-layers: a static layer limits the listener, an admin layer lifts the limit."""

    LIMIT = "envoy.resource_limits.listener.ingress.connection_limit"

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/43-runtime-layers.yaml")

    def open_one(self):
        opened = self.connect()
        opened.read_until(b"A\n")
        return opened

    def closed_at_once(self):
        ending = self.connect().end()
        self.assertEqual((ending.data, ending.how in ("FIN", "RST")), (b"", True))

    def test_second_client_is_closed(self):
        self.open_one()
        self.closed_at_once()
        self.expect(listener={"downstream_cx_overflow": 1, "downstream_cx_active": 1})

    def test_admin_layer_lifts_the_limit_live(self):
        self.open_one()
        self.closed_at_once()
        self.assertEqual(self.proxy.post("/runtime_modify?%s=2" % self.LIMIT)[0:2], (200, "OK\n"))
        self.open_one()
        self.closed_at_once()
        self.expect(listener={"downstream_cx_overflow": 2, "downstream_cx_active": 2})

    def test_runtime_page_shows_layers(self):
        self.proxy.post("/runtime_modify?lab.greeting=hey")
        page = json.loads(self.proxy.text("/runtime"))
        self.assertEqual(page["layers"], ["defaults", "operator"])
        self.assertEqual(page["entries"]["lab.greeting"],
                         {"layer_values": ["hello", "hey"], "final_value": "hey"})
        self.assertEqual(page["entries"]["lab.percent"]["final_value"], "40")
        self.assertEqual(page["entries"]["lab.on"]["final_value"], "true")
        self.assertEqual(page["entries"][self.LIMIT]["layer_values"], ["1", ""])

    def test_runtime_statistics(self):
        self.proxy.wait_stats({"runtime.num_layers": 2, "runtime.num_keys": 4,
                               "runtime.admin_overrides_active": 0})
        self.proxy.post("/runtime_modify?lab.greeting=hey")
        self.proxy.wait_stats({"runtime.admin_overrides_active": 1})


class OverloadManager(CorpusCase):
    """42-overload-max-connections: two connections in the whole process; and a full heap."""

    _FILE = "valid/42-overload-max-connections.yaml"

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def held(self):
        opened = self.connect()
        opened.read_until(b"A\n")
        return opened

    def with_heap(self, triggered):
        """The file with a heap limit that is always exceeded, and one action."""
        return lambda text: text.replace("  resource_monitors:\n", (
            '  refresh_interval: 0.1s\n  actions:\n  - {name: envoy.overload_actions.%s}\n'
            '  resource_monitors:\n  - name: envoy.resource_monitors.fixed_heap\n'
            '    typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.'
            'fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 1000}\n') % triggered)

    def test_third_client_is_closed_at_once(self):
        self.serve(self._FILE)
        first = self.held()
        self.held()
        ending = self.connect().end()
        self.assertEqual((ending.data, ending.how in ("FIN", "RST")), (b"", True))
        self.expect(listener={"downstream_global_cx_overflow": 1, "downstream_cx_active": 2})
        first.half_close()
        first.end()
        self.expect(listener={"downstream_cx_active": 1})
        self.held()

    def test_monitor_shows_itself(self):
        self.serve(self._FILE)
        name = "overload.envoy.resource_monitors.global_downstream_max_connections."
        self.proxy.wait_stats({name + "pressure": 0, name + "failed_updates": 0,
                               name + "skipped_updates": 0})

    def test_full_heap_rejects(self):
        self.serve(self._FILE, edit=self.with_heap(
            "reject_incoming_connections, triggers: [{name: envoy.resource_monitors.fixed_heap, "
            "scaled: {scaling_threshold: 0.5, saturation_threshold: 0.9}}]"))
        name = "overload.envoy.overload_actions.reject_incoming_connections."
        self.proxy.wait_stats({name + "active": 1, name + "scale_percent": 100})
        ending = self.connect().end()
        self.assertEqual((ending.data, ending.how in ("FIN", "RST")), (b"", True))
        self.expect(listener={"downstream_cx_overload_reject": 1, "downstream_cx_total": 0})

    def test_full_heap_accepts_nobody(self):
        self.serve(self._FILE, edit=self.with_heap(
            "stop_accepting_connections, triggers: [{name: envoy.resource_monitors.fixed_heap, "
            "threshold: {value: 0.95}}]"))
        name = "overload.envoy.overload_actions.stop_accepting_connections."
        self.proxy.wait_stats({name + "active": 1})
        self.assertFalse(self.connect().read_some(0.5), "it waits in the kernel")
        self.expect(listener={"downstream_cx_total": 0})


class SmallBuffers(CorpusCase):
    """48-small-buffers: 4 KiB each way."""

    def roundtrip(self, sent):
        through = self.connect()
        through.read_until(b"A\n")
        writer = threading.Thread(target=lambda: (through.sock.sendall(sent),
                                                  through.half_close()))
        writer.start()
        ending = through.end(within_s=60)
        writer.join()
        return ending

    def test_three_million_bytes_come_back_whole(self):
        self.backend("A", A)
        self.serve("valid/48-small-buffers.yaml")
        sent = os.urandom(3_000_000)
        ending = self.roundtrip(sent)
        self.assertEqual((len(ending.data) - 2, ending.how), (len(sent), "FIN"))
        self.assertEqual(hashlib.sha256(ending.data[2:]).digest(), hashlib.sha256(sent).digest())
        self.expect(tcp={"downstream_cx_rx_bytes_total": len(sent),
                         "downstream_cx_tx_bytes_total": len(sent) + 2},
                    backend={"upstream_cx_active": 0})

    def test_stalled_backend_pauses_the_client(self):
        a = self.backend("A", A, behave=backend.stall)
        self.serve("valid/48-small-buffers.yaml")
        pushing = self.connect()
        pushing.sock.setblocking(False)
        sent = push_until_blocked(pushing)
        self.expect(tcp={"downstream_flow_control_paused_reading_total": lambda count: count >= 1})
        # What the proxy holds is bounded by its buffers, not by what the client would send.
        held = self.proxy.stats()["tcp.ingress_tcp.downstream_cx_rx_bytes_buffered"]
        self.assertLessEqual(held, 1 << 20)
        a.released.set()
        pushing.sock.setblocking(True)
        pushing.half_close()
        ending = pushing.end(within_s=60)
        self.assertEqual((len(ending.data) - 2, ending.how), (sent, "FIN"))
        self.pairs_are_even()

    def test_client_that_does_not_read_pauses_the_backend(self):
        self.backend("A", A, behave=gush)
        self.serve("valid/48-small-buffers.yaml")
        lazy = self.connect()
        self.expect(backend={"upstream_flow_control_paused_reading_total":
                             lambda count: count >= 1})
        ending = lazy.end(within_s=60)
        self.assertEqual((len(ending.data), ending.how), (2 + GUSH, "FIN"))
        lazy.half_close()
        self.pairs_are_even()

    def pairs_are_even(self):
        self.expect(listener={"downstream_cx_active": 0})
        seen = self.proxy.stats("flow_control")
        for prefix in ("tcp.ingress_tcp.downstream", "cluster.backend.upstream"):
            pair = [seen["%s_flow_control_%s_reading_total" % (prefix, word)]
                    for word in ("paused", "resumed")]
            self.assertEqual(pair[0], pair[1], prefix)


GUSH = 16 << 20


def gush(visit, server):
    """Sends far more than the kernel's buffers hold, then FIN."""
    block = bytes(1 << 20)
    for _ in range(GUSH // len(block)):
        visit.write(block)


def push_until_blocked(pushing, quiet_s=0.5):
    """Writes until the socket has taken nothing for a while; how much it took."""
    import select

    block = bytes(64 * 1024)
    sent = 0
    while select.select([], [pushing.sock], [], quiet_s)[1]:
        sent += pushing.sock.send(block)
    return sent


class ManyClients(CorpusCase):
    """The breaker counts down again, also after a crowd."""

    def test_crowd_leaves_no_trace(self):
        self.backend("A", A)
        self.serve("valid/01-tcp-proxy.yaml")
        crowd = [client.Client(self.here()) for _ in range(100)]
        for one in crowd:
            one.read_until(b"A\n")
        self.expect(listener={"downstream_cx_active": 100}, backend={"upstream_cx_active": 100})
        for one in crowd[:50]:
            one.reset()
        for one in crowd[50:]:
            one.close()
        self.expect(listener={"downstream_cx_active": 0, "downstream_cx_destroy": 100},
                    backend={"upstream_cx_active": 0, "upstream_cx_destroy": 100})


if __name__ == "__main__":
    corpus_case.main()
