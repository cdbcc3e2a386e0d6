# SPDX-License-Identifier: Apache-2.0
"""Corpus 37: listeners inside the process, and what goes along with connections to them."""

import os

import corpus_case
from corpus_case import A, CorpusCase
from lab import client, proxy

ORIGINAL_DST = ("    internal_listener: {}\n    listener_filters:\n    - name: original\n"
                "      typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters."
                "listener.original_dst.v3.OriginalDst}\n")


class Internal(CorpusCase):
    """37-internal-listener."""

    FILE = "valid/37-internal-listener.yaml"

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A)

    def inner(self, **values):
        self.proxy.wait_stats({"listener.envoy_internal_inner." + name: value
                               for name, value in values.items()})

    def test_connections_pass_through_both(self):
        self.serve(self.FILE)
        self.say_hi()
        self.inner(downstream_cx_total=1, downstream_cx_active=0, downstream_cx_destroy=1)
        self.expect(to_inner={"upstream_cx_total": 1, "upstream_cx_active": 0,
                              "upstream_cx_rx_bytes_total": 4, "upstream_cx_tx_bytes_total": 2},
                    backend={"upstream_cx_total": 1},
                    listener={"downstream_cx_total": 1, "downstream_cx_active": 0})

    def test_admin_shows_them(self):
        self.serve(self.FILE)
        self.assertIn("inner::envoy://inner/", self.proxy.listeners())
        self.assertIn("to_inner::envoy://inner/x::cx_active::0", self.proxy.text("/clusters"))

    def test_without_the_transport_socket_nothing_goes_along(self):
        def edit(text):
            start, end = text.index("    transport_socket:"), text.index("  - name: backend")
            return text[:start] + text[end:]
        self.serve("internal/passing.yaml", edit)
        self.say_hi()
        log = self.log()
        self.assertEqual((log["host"], log["once"]), (None, None))

    def test_large_flows_go_both_ways(self):
        self.serve(self.FILE, lambda text: text.replace(
            "internal_listener.v3.InternalListener}",
            "internal_listener.v3.InternalListener, buffer_size_kb: 1}"))
        data = os.urandom(3 * 1024 * 1024)
        with client.Client(self.here()) as connection:
            for end in range(0, len(data), 64 * 1024):
                connection.send(data[end:end + 64 * 1024])
                connection.read_length(2 + min(end + 64 * 1024, len(data)))
            connection.half_close()
            self.ended(connection.end(), b"A\n" + data, "FIN")

    def test_reset_of_the_backend_reaches_the_client(self):
        self.serve(self.FILE)
        connection = self.connect()
        connection.read_until(b"A\n")
        self.a.reset_all()
        self.ended(connection.end(), b"A\n", "RST")

    def test_reset_of_the_client_reaches_the_backend(self):
        self.serve(self.FILE)
        connection = self.connect()
        connection.read_until(b"A\n")
        connection.reset()
        self.inner(downstream_cx_total=1, downstream_cx_active=0)
        self.expect(backend={"upstream_cx_active": 0})

    def test_nobody_listens_to_that_name(self):
        self.serve(self.FILE, lambda text: text.replace("server_listener_name: inner",
                                                        "server_listener_name: nobody"))
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(to_inner={"upstream_cx_connect_fail": 1, "upstream_cx_total": 1})
        self.inner(downstream_cx_total=0)

    def test_backend_that_refuses(self):
        self.a.close()
        self.serve(self.FILE)
        ending = self.connect().end()
        self.assertEqual(ending.data, b"")
        self.inner(downstream_cx_total=1, downstream_cx_active=0)

    def serve_chain(self, match):
        """The inner listener's chain wants this of its connections."""
        def edit(text):
            before, after = text.rsplit("    - filters:", 1)
            return "%s    - filter_chain_match: {%s}\n      filters:%s" % (before, match, after)
        self.serve(self.FILE, edit)

    def test_clients_inside_are_external(self):
        self.serve_chain("source_type: EXTERNAL, source_prefix_ranges: "
                         "[{address_prefix: 0.0.0.0, prefix_len: 0}]")
        self.say_hi()

    def test_names_are_no_addresses(self):
        self.serve_chain("prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]")
        self.assertEqual(self.connect().end().data, b"")
        self.inner(no_filter_chain_match=1)

    def test_stat_prefix(self):
        self.serve(self.FILE, lambda text: text.replace(
            "internal_listener: {}", "internal_listener: {}\n    stat_prefix: mine"))
        self.say_hi()
        self.proxy.wait_stats({"listener.mine.downstream_cx_total": 1})

    def test_header_is_taken_off_inside(self):
        self.serve(self.FILE, lambda text: text.replace(
            "    internal_listener: {}\n", ORIGINAL_DST.replace(
                "original_dst.v3.OriginalDst", "proxy_protocol.v3.ProxyProtocol")))
        with client.Client(self.here()) as connection:
            connection.send(b"PROXY TCP4 10.1.2.3 ")
            self.inner(downstream_pre_cx_active=1)
            connection.send(b"10.4.5.6 1111 2222\r\nhi")
            connection.read_until(b"A\nhi")
        with client.Client(self.here()) as connection:
            connection.send(b"no header comes here")
            self.ended(connection.end(), b"", "RST")
        self.proxy.wait_stats({"proxy_proto.versions.v1.found": 1,
                               "proxy_proto.not_found_disallowed": 1})


class Refused(CorpusCase):
    """What an internal listener cannot have."""

    def refused(self, before, after, field, sentence):
        path = self.config(Internal.FILE, lambda text: text.replace(before, after))
        status, _, stderr = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"])
        self.assertEqual(status, 1, stderr)
        self.assertIn(sentence, stderr)
        if not corpus_case.IS_ENVOY:
            self.assertIn("static_resources.listeners[1]." + field, stderr)

    def test_without_the_extension(self):
        self.refused("\n- name: envoy.bootstrap.internal_listener\n  typed_config: {\"@type\": type."
                     "googleapis.com/envoy.extensions.bootstrap.internal_listener.v3."
                     "InternalListener}", " []", "internal_listener",
                     "error adding listener named 'inner': InternalListener bootstrap extension is "
                     "mandatory")

    def test_with_an_address(self):
        address = "address: {socket_address: {address: 127.0.0.1, port_value: 10000}}"
        for field in (address, "additional_addresses: [{%s}]" % address):
            self.refused("internal_listener: {}", "internal_listener: {}\n    " + field,
                         field[:field.index(":")],
                         "error adding listener 'inner': address should not be used when an "
                         "internal listener config is provided")

    def test_with_an_internal_address_instead(self):
        self.refused("internal_listener: {}",
                     "address: {envoy_internal_address: {server_listener_name: inner}}",
                     "address.envoy_internal_address",
                     "use internal_listener field instead of address for internal listeners")

    def test_with_options_of_sockets(self):
        for field in ("connection_balance_config: {exact_balance: {}}", "freebind: true",
                      "tcp_backlog_size: 3", "enable_reuse_port: false", "transparent: true",
                      "tcp_fast_open_queue_length: 3"):
            self.refused("internal_listener: {}", "internal_listener: {}\n    " + field,
                         field[:field.index(":")], "error adding listener named 'inner': has "
                         "unsupported tcp listener feature")
        self.refused("internal_listener: {}", "internal_listener: {}\n    "
                     "socket_options: [{level: 1, name: 9, int_value: 1}]", "socket_options",
                     "error adding listener named 'inner': does not support socket option")


class Passing(Internal):
    """What internal_upstream takes along, and what original_dst makes of it."""

    FILE = "internal/passing.yaml"

    def served(self, *edits):
        self.serve(self.FILE, self.edited(*edits))
        self.say_hi()
        return self.log()

    def test_metadata_and_state_go_along(self):
        self.assertEqual(self.served(), {
            "remote": "envoy://internal_client_address/", "local": "envoy://inner/x",
            "direct": "envoy://inner/x", "endpoint": "x", "host": {"local": "127.0.0.9:81"},
            "cluster": {"k": "v"}, "other": None, "once": "o", "ever": "e", "mine": None})
        self.proxy.wait_stats({"cluster.to_inner.internal_upstream.no_metadata": 1})

    def test_addresses_of_the_hosts_metadata(self):
        log = self.served(("    internal_listener: {}\n", ORIGINAL_DST))
        self.assertEqual((log["local"], log["direct"]), ("127.0.0.9:81", "envoy://inner/x"))

    STATE = ("object_key: once, factory_key: envoy.string, format_string: {text_format_source: "
             "{inline_string: o}}", "object_key: envoy.filters.listener.original_dst.local_ip, "
             "format_string: {text_format_source: {inline_string: \"127.0.0.5:555\"}}")
    REMOTE = ("object_key: ever, factory_key: envoy.string, format_string: {text_format_source: "
              "{inline_string: e}}", "object_key: envoy.filters.listener.original_dst.remote_ip, "
              "format_string: {text_format_source: {inline_string: \"127.0.0.6:666\"}}")

    def test_addresses_of_filter_state(self):
        log = self.served(("    internal_listener: {}\n", ORIGINAL_DST), self.STATE, self.REMOTE,
                          ("original_dst: {local:", "original_dst: {elsewhere:"))
        self.assertEqual((log["local"], log["remote"]), ("127.0.0.5:555", "127.0.0.6:666"))

    def test_metadata_goes_before_filter_state(self):
        log = self.served(("    internal_listener: {}\n", ORIGINAL_DST), self.STATE, self.REMOTE)
        self.assertEqual((log["local"], log["remote"]), ("127.0.0.9:81", "127.0.0.6:666"))

    def test_metadata_that_is_no_address(self):
        log = self.served(("    internal_listener: {}\n", ORIGINAL_DST), self.STATE,
                          ("\"127.0.0.9:81\"", "\"nonsense\""))
        self.assertEqual(log["local"], "envoy://inner/x")

    def test_chains_match_the_restored_address(self):
        log = self.served(("    internal_listener: {}\n    filter_chains:\n    - ",
                           ORIGINAL_DST + "    filter_chains:\n    - filter_chain_match: "
                           "{destination_port: 81, prefix_ranges: [{address_prefix: 127.0.0.9, "
                           "prefix_len: 32}]}\n      "))
        self.assertEqual(log["local"], "127.0.0.9:81")


if __name__ == "__main__":
    corpus_case.main()
