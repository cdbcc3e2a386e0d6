# SPDX-License-Identifier: Apache-2.0
"""Corpus 12: a cluster of the addresses that connections were meant for."""

import corpus_case
from corpus_case import CorpusCase
from lab import proxy
from lab.wait import until

LISTENER_FILTERS = """    listener_filters:
    - name: envoy.filters.listener.original_dst
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}
"""
SET_ADDRESS = """      - name: envoy.filters.network.set_filter_state
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config
          on_new_connection:
          - object_key: envoy.network.transport_socket.original_dst_address
            format_string: {text_format_source: {inline_string: "ADDRESS"}}
"""
LOG = """          access_log:
          - name: out
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {flags: "%RESPONSE_FLAGS%", host: "%UPSTREAM_HOST%", name: "%UPSTREAM_HOST_NAME%"}}
"""
CLUSTER_TYPE = """    cluster_type:
      name: envoy.clusters.original_dst
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.clusters.original_dst.v3.OriginalDstCluster
        upstream_port_override: %d
"""


class Passthrough(CorpusCase):
    """12-original-dst, with the address from a filter instead of from iptables."""

    FILE = "valid/12-original-dst.yaml"

    def serve_edited(self, *changes, address=True):
        def edit(text):
            self.assertIn(LISTENER_FILTERS, text)
            text = text.replace(LISTENER_FILTERS, "")
            if address:
                text = text.replace("    - filters:\n", "    - filters:\n" + SET_ADDRESS.replace("ADDRESS", self.at(11001)))
            text = text.replace("          cluster: passthrough\n",
                                "          cluster: passthrough\n" + LOG)
            return self.edited(*changes)(text)
        self.serve(self.FILE, edit)

    def shown(self, key):
        return self.proxy.clusters().get(("passthrough", self.at(11001), key))

    def test_the_address_becomes_a_host(self):
        self.backend("A", 11001)
        self.serve_edited()
        self.say_hi()
        self.say_hi()
        self.assertEqual(self.shown("hostname"), "passthrough" + self.at(11001))
        self.assertEqual(self.shown("cx_total"), "2")
        self.assertEqual(self.log(2), {"flags": "-", "host": self.at(11001),
                                       "name": "passthrough" + self.at(11001)})
        self.expect(passthrough={"membership_total": 1, "membership_healthy": 1,
                                 "membership_change": 1, "default.total_match_count": 1,
                                 "upstream_cx_total": 2, "lb_healthy_panic": 0})

    def test_it_is_forgotten_when_it_is_not_used(self):
        self.backend("A", 11001)
        self.serve_edited(("cleanup_interval: 5s", "cleanup_interval: 0.2s"))
        with self.connect() as held:
            self.assertEqual(held.read_length(2), b"A\n")
            self.expect(passthrough={"membership_total": 1})
            held.half_close()
            held.end()
        until(lambda: self.shown("cx_total") is None, 10, "the host to go")
        self.expect(passthrough={"membership_total": 0, "membership_change": 2})
        self.say_hi()

    def test_a_connection_that_was_not_redirected_goes_nowhere(self):
        self.serve_edited(address=False)
        with self.connect() as connection:
            self.assertEqual(connection.end().data, b"")
        self.assertEqual(self.log()["flags"], "UH")
        self.expect(passthrough={"upstream_cx_none_healthy": 1, "membership_total": 0})

    def test_the_port_can_be_another(self):
        self.backend("B", 11002)
        self.serve_edited(("    cleanup_interval: 5s\n",
                           "    original_dst_lb_config: {upstream_port_override: %d}\n"
                           % self.port(11002)))
        self.say_hi(b"B\n")

    def test_a_host_that_does_not_answer_is_a_host(self):
        self.serve_edited()
        with self.connect() as connection:
            connection.end()
        self.assertEqual(self.log()["flags"], "UF,URX")
        self.expect(passthrough={"upstream_cx_connect_fail": 1, "membership_total": 1})

    def test_it_can_be_a_cluster_type(self):
        self.backend("B", 11002)
        self.serve_edited(("    type: ORIGINAL_DST\n", CLUSTER_TYPE % self.port(11002)))
        self.say_hi(b"B\n")
        self.expect(passthrough={"membership_total": 1})

    def test_it_needs_its_own_policy(self):
        path = self.config(self.FILE, lambda text: text.replace(LISTENER_FILTERS, "").replace(
            "    lb_policy: CLUSTER_PROVIDED\n", ""))
        status, _, said = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"])
        self.assertEqual(status, 1)
        self.assertIn("LB policy ROUND_ROBIN is not valid for Cluster type ORIGINAL_DST. Only "
                      "'CLUSTER_PROVIDED' is allowed", said)


class Inside(CorpusCase):
    """Behind an internal listener, where the address comes along with the connection."""

    CLUSTER = """  - name: backend
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 1s
"""

    def setUp(self):
        super().setUp()
        self.backends("AB")

    def serve_with(self, metadata, more=""):
        """The host of the outer cluster says `metadata` under the listener filter's name."""
        def edit(text):
            self.assertIn('local: "127.0.0.9:81"', text)
            text = text[:text.index("  - name: backend\n")] + self.CLUSTER + more
            return text.replace('local: "127.0.0.9:81"', metadata).replace(
                "    internal_listener: {}\n", "    internal_listener: {}\n" + LISTENER_FILTERS)
        self.serve("internal/passing.yaml", edit)

    def test_metadata_says_where_it_was_meant_to_go(self):
        self.serve_with('local: "%s"' % self.at(11001))
        self.say_hi(b"A\n")
        self.say_hi(b"A\n")
        self.assertEqual(self.proxy.hosts("backend"), [self.at(11001)])
        self.expect(backend={"upstream_cx_total": 2, "membership_total": 1})

    def test_the_cluster_may_look_elsewhere_in_it(self):
        self.serve_with('local: "%s", waypoint: "%s"' % (self.at(11001), self.at(11002)),
                        "    original_dst_lb_config: {metadata_key: {key: "
                        "envoy.filters.listener.original_dst, path: [{key: waypoint}]}}\n")
        self.say_hi(b"B\n")
        self.assertEqual(self.proxy.hosts("backend"), [self.at(11002)])

    def test_without_such_metadata_it_is_the_original_address(self):
        self.serve_with('local: "127.0.0.1:1"',
                        "    original_dst_lb_config: {upstream_port_override: %d, metadata_key: "
                        "{key: envoy.filters.listener.original_dst, path: [{key: waypoint}]}}\n"
                        % self.port(11002))
        self.say_hi(b"B\n")

    def test_an_address_that_is_none_is_counted(self):
        self.serve_with('local: "%s", waypoint: nowhere' % self.at(11001),
                        "    original_dst_lb_config: {metadata_key: {key: "
                        "envoy.filters.listener.original_dst, path: [{key: waypoint}]}}\n")
        self.say_hi(b"A\n")
        self.expect(backend={"original_dst_host_invalid": 1})


if __name__ == "__main__":
    corpus_case.main()
