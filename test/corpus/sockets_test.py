# SPDX-License-Identifier: Apache-2.0
"""Corpus 44 and 49: unix sockets, and a listener with two addresses."""

import os
import socket
import stat
import unittest

import corpus_case
from corpus_case import A, INGRESS, IS_ENVOY, CorpusCase
from lab import backend, client, proxy


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


def _ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@unittest.skipUnless(_ipv6(), "needs IPv6")
class Ipv4Compat(CorpusCase):
    """Sockets of IPv6 that serve IPv4, too."""

    LOG = """    access_log:
    - name: log
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
        log_format: {json_format: {remote: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
          local: "%DOWNSTREAM_LOCAL_ADDRESS%", chain: "%FILTER_CHAIN_NAME%",
          failure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%", source: "%UPSTREAM_LOCAL_ADDRESS%"}}
"""
    V4, V6, MAPPED = "127.0.0.1", "::1", "::ffff:127.0.0.1"

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def serve_logging(self, *edits):
        self.serve("valid/01-tcp-proxy.yaml", self.edited(
            ("    filter_chains:", self.LOG + "    filter_chains:"), *edits))

    def listen(self, address, *edits):
        """Listens there with ipv4_compat."""
        self.serve_logging(("127.0.0.1, port_value: 10000",
                            "'%s', ipv4_compat: true, port_value: 10000" % address), *edits)

    def match(self, *prefixes):
        ranges = ", ".join("{address_prefix: '%s', prefix_len: %d}" % pair for pair in prefixes)
        return ("    - filters:", "    - name: matched\n      filter_chain_match: "
                "{source_prefix_ranges: [%s]}\n      filters:" % ranges)

    def test_both_families_come_to_the_any_address(self):
        self.listen("::")
        for count, address in ((1, self.V4), (2, self.V6)):
            self.say_hi(where=self.here(address=address))
            log = self.log(count)
            self.assertEqual(log["remote"], address)
            self.assertEqual(log["local"], ("%s:%d" if address == self.V4 else "[%s]:%d")
                             % self.here(address=address))
        self.assertEqual(self.proxy.listeners(), ["ingress::[::]:%d" % self.port(INGRESS)])
        self.proxy.wait_stats({"listener.[__]_%d.downstream_cx_total" % self.port(INGRESS): 2})

    def test_without_it_ipv4_is_refused(self):
        self.serve("valid/01-tcp-proxy.yaml",
                   lambda text: text.replace("127.0.0.1, port_value: 10000",
                                             "'::', port_value: 10000"))
        self.assertTrue(client.refuses(self.here()))
        self.say_hi(where=self.here(address=self.V6))

    def test_chains_match_ipv4_addresses(self):
        self.listen("::", self.match((self.V4, 32)))
        self.say_hi()
        self.assertEqual(self.connect_from(self.V6).end().data, b"")
        self.assertEqual(self.log(2)["chain"], None)

    def test_chains_do_not_match_the_long_form(self):
        self.listen("::", self.match((self.MAPPED, 128), (self.V6, 128)))
        self.say_hi(where=self.here(address=self.V6))
        self.assertEqual(self.connect().end().data, b"")

    def connect_from(self, address):
        connection = client.Client(self.here(address=address))
        self.addCleanup(connection.close)
        return connection

    def test_an_ipv4_address_in_the_long_form(self):
        self.listen(self.MAPPED)
        self.say_hi()
        self.assertEqual(self.proxy.listeners(),
                         ["ingress::[%s]:%d" % (self.MAPPED, self.port(INGRESS))])

    def test_other_addresses_have_none(self):
        for address in (self.V4, self.V6):
            path = self.config("valid/01-tcp-proxy.yaml", lambda text: text.replace(
                "127.0.0.1, port_value: 10000",
                "'%s', ipv4_compat: true, port_value: 10000" % address))
            status, _, stderr = proxy.run_to_end(corpus_case.binary(), [
                "-c", path, "--use-dynamic-base-id"])
            self.assertEqual(status, 1)
            self.assertIn("Only IPv6 address '::' or valid IPv4-mapped IPv6 address can set "
                          "ipv4_compat: ", stderr)
            if not IS_ENVOY:
                self.assertIn("static_resources.listeners[0].address.socket_address.ipv4_compat",
                              stderr)

    def host(self, address, more=""):
        self.serve_logging(("{address: 127.0.0.1, port_value: 11001}", address),
                           ("    connect_timeout: 1s", "    connect_timeout: 1s\n" + more))

    def test_a_host_in_the_long_form(self):
        self.host("{address: '%s', port_value: 11001, ipv4_compat: true}" % self.MAPPED)
        self.say_hi()
        self.assertIn("[%s]:%d" % (self.MAPPED, self.port(A)), self.proxy.text("/clusters"))

    def test_a_host_in_the_long_form_without_it(self):
        self.host("{address: '%s', port_value: 11001}" % self.MAPPED)
        self.assertEqual(self.connect().end().data, b"")
        self.assertIn("Network_is_unreachable", self.log()["failure"])

    def test_a_source_in_the_long_form(self):
        self.host("{address: '%s', port_value: 11001, ipv4_compat: true}" % self.MAPPED,
                  "    upstream_bind_config: {source_address: {address: '::ffff:127.0.0.7', "
                  "port_value: 0, ipv4_compat: true}}\n")
        self.say_hi()
        self.assertTrue(self.log()["source"].startswith("127.0.0.7:"))


class OwnListener(CorpusCase):
    """A cluster that leads back to the listener that uses it."""

    def refused(self, *edits):
        path = self.config("valid/01-tcp-proxy.yaml", self.edited(
            ("port_value: 11001", "port_value: 10000"), *edits))
        status, _, stderr = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"])
        self.assertEqual(status, 1, stderr)
        self.assertIn("every connection would come back for ever", stderr)

    @unittest.skipIf(IS_ENVOY, "Envoy dials itself until max_connections")
    def test_is_refused(self):
        self.refused()

    @unittest.skipIf(IS_ENVOY, "Envoy dials itself until max_connections")
    def test_is_refused_without_a_name(self):
        self.refused(("  - name: ingress\n    address", "  - address"))

    @unittest.skipIf(IS_ENVOY, "Envoy dials itself until max_connections")
    def test_is_refused_at_any_address(self):
        self.refused(("127.0.0.1, port_value: 10000}}\n    filter_chains",
                      "'::', ipv4_compat: true, port_value: 10000}}\n    filter_chains"))

    def test_another_listener_may_be_the_host(self):
        self.backend("A", A)
        self.serve("valid/01-tcp-proxy.yaml", lambda text: text.replace(
            "  clusters:\n", "  - address: {socket_address: {address: 127.0.0.1, port_value: 10001}}\n"
            "    filter_chains:\n    - filters:\n      - name: tcp\n        typed_config: {\"@type\": "
            "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, "
            "stat_prefix: second, cluster: backend}\n  clusters:\n  - name: first\n"
            "    load_assignment: {cluster_name: first, endpoints: [{lb_endpoints: [{endpoint: "
            "{address: {socket_address: {address: 127.0.0.1, port_value: 10001}}}}]}]}\n").replace(
                "stat_prefix: ingress_tcp\n          cluster: backend",
                "stat_prefix: ingress_tcp\n          cluster: first"))
        self.say_hi()


if __name__ == "__main__":
    corpus_case.main()
