# SPDX-License-Identifier: Apache-2.0
"""Corpus 45: tags, an inclusion list, buckets, stat_prefix and alt_stat_name."""

import re

import corpus_case
from corpus_case import A, CorpusCase


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


if __name__ == "__main__":
    corpus_case.main()
