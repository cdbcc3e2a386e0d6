# SPDX-License-Identifier: Apache-2.0
"""Corpus 45: tags, an inclusion list, buckets, stat_prefix, alt_stat_name; and sinks."""

import re
import socket
import threading

import corpus_case
from corpus_case import A, B, CorpusCase
from lab.sockets import close_waking
from lab.wait import until


class StatsConfig(CorpusCase):
    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/45-stats-config.yaml")

    def test_other_statistics_do_not_exist(self):
        self.say_hi()
        names = [line.partition(": ")[0] for line in self.proxy.text("/stats").splitlines()]
        kept = re.compile(r"listener\.|tcp\.|cluster\.shop_db\.upstream_cx|server\.live$")
        self.assertEqual([name for name in names if not kept.match(name)], [])
        self.assertIn("server.live", names)

    def test_prefix_and_alternative_name_are_used(self):
        self.say_hi()
        self.proxy.wait_stats({"listener.front.downstream_cx_total": 1,
                               "listener.front.downstream_cx_destroy": 1,
                               "tcp.ingress_tcp.downstream_cx_total": 1,
                               "cluster.shop_db.upstream_cx_total": 1,
                               "cluster.shop_db.upstream_cx_destroy": 1})

    def test_clusters_page_keeps_the_name(self):
        self.assertEqual(self.proxy.hosts("backend"), [self.at(A)])

    def test_prometheus_has_the_fixed_tag(self):
        self.say_hi()
        self.proxy.wait_stats({"cluster.shop_db.upstream_cx_destroy": 1})
        page = self.proxy.text("/stats/prometheus").splitlines()
        self.assertIn("# TYPE envoy_server_live gauge", page)
        self.assertIn('envoy_server_live{lab="envoy"} 1', page)
        self.assertIn('envoy_cluster_upstream_cx_total'
                      '{lab="envoy",envoy_cluster_name="shop_db"} 1', page)
        self.assertIn('envoy_tcp_downstream_cx_rx_bytes_total'
                      '{lab="envoy",envoy_tcp_prefix="ingress_tcp"} 2', page)
        samples = [line for line in page if line and not line.startswith("#")]
        self.assertEqual([line for line in samples if 'lab="envoy"' not in line], [])

    def test_length_histograms_have_the_buckets(self):
        self.say_hi()
        self.proxy.wait_stats({"cluster.shop_db.upstream_cx_destroy": 1})
        page = self.proxy.text("/stats/prometheus")
        bounds = re.findall(r'envoy_cluster_upstream_cx_length_ms_bucket\{.*le="([^"]+)"\}', page)
        self.assertEqual(bounds, ["10", "100", "1000", "+Inf"])
        others = re.findall(r'envoy_cluster_upstream_cx_connect_ms_bucket\{.*le="([^"]+)"\}', page)
        self.assertEqual(len(others), 20)


class Receiver:
    """A statsd that keeps what it is told: datagrams, or the bytes of connections."""

    def __init__(self, port, tcp=False):
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.bind(("127.0.0.1", port))
        self.parts = []
        if tcp:
            self._socket.listen()
        threading.Thread(target=self._accept if tcp else self._receive,
                         args=() if tcp else (self._socket,), daemon=True).start()

    def _accept(self):
        try:
            while True:
                self._receive(self._socket.accept()[0])
        except OSError:
            pass

    def _receive(self, source):
        try:
            while data := source.recv(65536):
                self.parts.append(data.decode())
        except OSError:
            pass

    def lines(self, stream=False):
        return ("" if stream else "\n").join(self.parts).splitlines()

    def close(self):
        close_waking(self._socket)


class Statsd(CorpusCase):
    """stats_sinks: what is pushed every stats_flush_interval."""

    _UDP = "address: {socket_address: {address: 127.0.0.1, port_value: 11002}}"

    def receive(self, kind, fields, clusters="", tcp=False):
        sink = {"statsd": "StatsdSink", "dog_statsd": "DogStatsdSink"}[kind]
        receiver = Receiver(self.port(B), tcp)
        self.addCleanup(receiver.close)
        self.backend("A", A)
        self.serve("valid/01-tcp-proxy.yaml", edit=lambda text: (
            "stats_flush_interval: 0.2s\nstats_sinks:\n- name: envoy.stat_sinks.%s\n"
            "  typed_config: {'@type': type.googleapis.com/envoy.config.metrics.v3.%s, %s}\n" %
            (kind, sink, fields) + text + clusters),
                   flags=["--service-node", "lab", "--service-cluster", "lab"])
        return receiver

    def gained(self, lines, name):
        """The sum of all that the counter was told to have gained."""
        return sum(int(line[len(name) + 1:].partition("|c")[0])
                   for line in lines if line.startswith(name + ":"))

    def told(self, receiver, name, wanted, stream=False):
        until(lambda: self.gained(receiver.lines(stream), name) == wanted, 10, name)

    def test_counters_are_told_by_what_they_gained(self):
        receiver = self.receive("statsd", self._UDP)
        for total in (1, 2):
            self.say_hi()
            self.told(receiver, "envoy.cluster.backend.upstream_cx_total", total)
        self.say_hi()
        self.told(receiver, "envoy.tcp.ingress_tcp.downstream_cx_total", 3)

    def test_each_line_is_a_datagram(self):
        receiver = self.receive("statsd", self._UDP + ", prefix: lab")
        self.told(receiver, "lab.cluster_manager.cluster_added", 1)
        until(lambda: "lab.server.live:1|g" in receiver.parts, 10, "the gauge")
        self.assertEqual([part for part in receiver.parts if "\n" in part], [])

    def test_histograms_are_timers(self):
        receiver = self.receive("statsd", self._UDP)
        for _ in range(3):
            self.say_hi()
        start = "envoy.cluster.backend.upstream_cx_connect_ms:"

        def samples():
            rates = [float(line.partition("|@")[2] or 1) for line in receiver.lines()
                     if line.startswith(start) and "|ms" in line]
            return round(sum(1 / rate for rate in rates))

        until(lambda: samples() == 3, 10, "three samples")

    def test_nothing_unused_is_told(self):
        receiver = self.receive("statsd", self._UDP)
        self.say_hi()
        self.told(receiver, "envoy.cluster.backend.upstream_cx_total", 1)
        self.assertEqual([line for line in receiver.lines() if "upstream_cx_none_healthy" in line],
                         [])

    def test_dog_statsd_has_tags(self):
        receiver = self.receive("dog_statsd", self._UDP)
        self.say_hi()
        until(lambda: "envoy.cluster.upstream_cx_total:1|c|#envoy.cluster_name:backend" in
              receiver.parts, 10, "the line with its tag")

    def test_datagrams_are_filled_to_their_limit(self):
        receiver = self.receive("dog_statsd", self._UDP + ", max_bytes_per_datagram: 400")
        self.say_hi()
        until(lambda: len(receiver.lines()) > 50, 10, "lines")
        sizes = [len(part) for part in receiver.parts]
        self.assertLessEqual(max(sizes), 400)
        self.assertGreater(max(sizes), 250)

    def test_over_tcp(self):
        receiver = self.receive("statsd", "tcp_cluster_name: sink", tcp=True, clusters="""
  - name: sink
    connect_timeout: 1s
    load_assignment:
      cluster_name: sink
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 11002}}}
""")
        for total in (1, 2):
            self.say_hi()
            self.told(receiver, "envoy.cluster.backend.upstream_cx_total", total, stream=True)


if __name__ == "__main__":
    corpus_case.main()
