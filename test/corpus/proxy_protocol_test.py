# SPDX-License-Identifier: Apache-2.0
"""Corpus 28 and 29: PROXY headers in front of what clients send, and of what hosts get."""

import subprocess

import corpus_case
from corpus_case import A, INGRESS, CorpusCase
from lab import backend, client
from lab.hello import client_hello, proxy_v1, proxy_v2
from lab.wait import until


def with_fields(fields):
    """An edit of the filter's configuration."""
    return lambda text: text.replace("proxy_protocol.v3.ProxyProtocol}",
                                     "proxy_protocol.v3.ProxyProtocol, %s}" % fields)


def with_format(text):
    """An edit of the log line."""
    return lambda config: config.replace(
        "seen=%DOWNSTREAM_REMOTE_ADDRESS% direct=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% "
        "dst=%DOWNSTREAM_LOCAL_ADDRESS%", text)


READS = ("    listener_filters:\n    - name: header\n      typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol, "
         "pass_through_tlvs: {match_type: INCLUDE_ALL}}\n")


class ProxyProtocolIn(CorpusCase):
    """28-proxy-protocol-in."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def serves(self, *edits):
        def edit(text):
            for one in edits:
                text = one(text)
            return text
        self.serve("valid/28-proxy-protocol-in.yaml", edit)

    def says_hi(self, header):
        """Served, with nothing of the header left for the backend."""
        ending = client.send_half_close(self.here(), header + b"hi", b"A\nhi")
        self.assertEqual((ending.data, ending.how), (b"A\nhi", "FIN"))
        return self.proxy.wait_stdout(1)[-1]

    def refused(self, first):
        with client.Client(self.here()) as connection:
            connection.send(first)
            self.ended(connection.end(), b"", "RST")

    def test_version_1(self):
        self.serves()
        self.assertRegex(self.says_hi(proxy_v1()),
                         r"^seen=10\.1\.2\.3:1111 direct=127\.0\.0\.1:\d+ dst=10\.4\.5\.6:2222$")
        self.proxy.wait_stats({"proxy_proto.versions.v1.found": 1, "proxy_proto.versions.v2.found": 0,
                               "downstream_cx_proxy_proto_error": 0})
        self.expect(tcp={"downstream_cx_rx_bytes_total": 2})

    def test_version_2(self):
        self.serves()
        self.assertIn("seen=10.1.2.3:1111 ", self.says_hi(proxy_v2()))
        self.proxy.wait_stats({"proxy_proto.versions.v2.found": 1})

    def test_ipv6(self):
        self.serves()
        self.assertIn("seen=[1::2]:1111 ", self.says_hi(proxy_v1("1::2", "5:6::7:8", "TCP6")))
        body = bytes(15) + b"\1" + bytes(15) + b"\2" + b"\x04\x57\x08\xae"
        self.says_hi(proxy_v2(family=0x21, body=body))
        self.assertIn("seen=[::1]:1111 ", self.proxy.wait_stdout(2)[-1])

    def test_headers_without_addresses_leave_the_sockets(self):
        self.serves()
        headers = [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN and more\r\n", proxy_v2(command=0),
                   proxy_v2(command=0, family=0, body=b"")]
        for count, header in enumerate(headers, 1):
            self.says_hi(header)
            self.assertRegex(self.proxy.wait_stdout(count)[-1],
                             r"^seen=(127\.0\.0\.1:\d+) direct=\1 dst=127\.0\.0\.1:%d$" %
                             self.port(INGRESS))

    def test_header_may_come_in_pieces(self):
        self.serves()
        for header in (proxy_v1(), proxy_v2()):
            connection = self.connect()
            for at in range(0, len(header), 7):
                connection.send(header[at:at + 7])
                self.expect(listener={"downstream_pre_cx_active": int(at + 7 < len(header))})
            connection.send(b"hi")
            connection.read_until(b"A\nhi")
            connection.close()

    def test_what_is_no_header_is_refused(self):
        self.serves()
        self.refused(b"hello world, no header here")
        self.refused(b"PROXYTCP4 10.1.2.3 10.4.5.6 1111 2222\r\n")
        self.proxy.wait_stats({"proxy_proto.not_found_disallowed": 2,
                               "proxy_proto.versions.v1.error": 0,
                               "downstream_cx_proxy_proto_error": 2})
        self.expect(listener={"downstream_cx_total": 0})

    def test_malformed_lines_are_refused(self):
        self.serves()
        lines = ["TCP4 10.1.2.300 10.4.5.6 1111 2222", "TCP4 10.1.2.3 10.4.5.6 1111 99999",
                 "TCP4 10.1.2.3 10.4.5.6 1111", "TCP4 10.1.2.3 10.4.5.6 1111 2222 9",
                 "UDP4 10.1.2.3 10.4.5.6 1111 2222", "TCP4 1::2 10.4.5.6 1111 2222",
                 " TCP4 10.1.2.3 10.4.5.6 1111 2222", "UNKNOWNX", "TCP4 " + 120 * "1",
                 "TCP4 0.0.0.0 10.4.5.6 1111 2222", "TCP4 224.0.0.1 10.4.5.6 1111 2222",
                 "TCP4 255.255.255.255 10.4.5.6 1111 2222"]
        for line in lines:
            self.refused(b"PROXY " + line.encode() + b"\r\nhi")
        self.proxy.wait_stats({"proxy_proto.versions.v1.error": len(lines),
                               "downstream_cx_proxy_proto_error": len(lines)})

    def test_malformed_binary_headers_are_refused(self):
        self.serves()
        good = proxy_v2()
        headers = [proxy_v2(family=0, body=b""), proxy_v2(family=0x31, body=bytes(216)),
                   proxy_v2(command=2), good[:12] + b"\x11" + good[13:], proxy_v2(body=b"abcd"),
                   proxy_v2(family=0x22), proxy_v2(body=bytes(4) + b"\n\0\0\1\0\1\0\2"),
                   proxy_v2(body=b"\n\0\0\1\n\0\0\2\0\1\0\2" + b"\5\xff"),
                   proxy_v2(body=b"\n\0\0\1\n\0\0\2\0\1\0\2" + b"\5\xff\xff\0")]
        for header in headers:
            self.refused(header + b"hi")
        self.proxy.wait_stats({"proxy_proto.versions.v2.error": len(headers)})

    def test_long_headers(self):
        self.serves()
        self.says_hi(b"PROXY UNKNOWN " + 92 * b"1" + b"\r\n")  # 108 bytes
        self.says_hi(proxy_v2(tlvs=[(5, 65520 * b"x")]))

    def test_no_header_can_be_allowed(self):
        self.serves(with_fields("allow_requests_without_proxy_protocol: true"))
        self.says_hi(b"")
        self.says_hi(proxy_v1())
        self.refused(b"PROXY TCP4 bad\r\nhi")
        self.proxy.wait_stats({"proxy_proto.not_found_allowed": 1,
                               "proxy_proto.versions.v1.found": 1,
                               "proxy_proto.versions.v1.error": 1})

    def test_versions_can_be_disallowed(self):
        self.serves(with_fields("disallowed_versions: [V1], stat_prefix: mine"))
        self.refused(proxy_v1() + b"hi")
        self.says_hi(proxy_v2())
        self.proxy.wait_stats({"proxy_proto.mine.versions.v1.disallowed": 1,
                               "proxy_proto.mine.versions.v1.found": 1,
                               "proxy_proto.mine.versions.v2.found": 1,
                               "downstream_cx_proxy_proto_error": 0})

    TLVS = [(2, b"lab.test"), (0xEA, b"\x01vpc-1"), (2, b"again"), (5, b"\xff\xc3\xa9")]

    def test_rules_pick_tlvs_for_metadata(self):
        self.serves(
            with_fields("rules: [{tlv_type: 2, on_tlv_present: {key: name}}, {tlv_type: 5, "
                        "on_tlv_present: {key: odd}}, {tlv_type: 234, on_tlv_present: "
                        "{metadata_namespace: cloud, key: vpc, value_string_encoding: BASE64}}]"),
            with_format("%DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:name)% "
                        "%DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:odd)% "
                        "%DYNAMIC_METADATA(cloud:vpc)%"))
        self.assertEqual(self.says_hi(proxy_v2(tlvs=self.TLVS)), "lab.test !\u00e9 AXZwYy0x")

    def test_rules_pick_tlvs_for_filter_state(self):
        self.serves(
            with_fields("tlv_location: FILTER_STATE, rules: [{tlv_type: 2, on_tlv_present: "
                        "{key: name}}]"),
            with_format("%FILTER_STATE(envoy.network.proxy_protocol.tlv)% "
                        "%FILTER_STATE(envoy.network.proxy_protocol.tlv:PLAIN)% "
                        "%FILTER_STATE(envoy.network.proxy_protocol.tlv:FIELD:name)% "
                        "%FILTER_STATE(envoy.network.proxy_protocol_options:PLAIN)%"))
        self.assertEqual(self.says_hi(proxy_v2(tlvs=self.TLVS)),
                         '{"name":"again"} {"name":"again"} again -')

    def test_hello_behind_a_header_is_inspected(self):
        self.serves(lambda text: text.replace(
            "    filter_chains:\n    - ", "    - name: tls\n      typed_config: {\"@type\": "
            "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}\n"
            "    filter_chains:\n    - filter_chain_match: {server_names: [a.test]}\n      "))
        hello = client_hello("a.test")
        ending = client.send_half_close(self.here(), proxy_v2() + hello, b"A\n" + hello)
        self.assertEqual((ending.data, ending.how), (b"A\n" + hello, "FIN"))

    def test_old_field_asks_for_the_filter_too(self):
        def edit(text):
            start, end = text.index("    listener_filters:"), text.index("    filter_chains:")
            return (text[:start] + text[end:]).replace("    - filters:",
                                                       "    - use_proxy_proto: true\n      filters:")
        self.serves(edit)
        self.assertIn("seen=10.1.2.3:1111 ", self.says_hi(proxy_v1()))
        self.wait_error_text("does not respect listener filter order")

    def test_curl_writes_headers_too(self):
        self.serves()
        run = subprocess.run(
            ["curl", "--silent", "--show-error", "--http0.9", "--haproxy-protocol", "--max-time",
             "2", "http://%s:%d/" % self.here()],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertTrue(run.stdout.startswith(b"A\nGET / HTTP/1.1\r\n"), run)
        self.proxy.wait_stats({"proxy_proto.versions.v1.found": 1})

    def test_chains_match_what_the_header_says(self):
        self.serves(lambda text: text.replace(
            "    filter_chains:\n    - ", "    filter_chains:\n    - filter_chain_match: "
            "{destination_port: 2222, source_prefix_ranges: [{address_prefix: 10.1.0.0, "
            "prefix_len: 16}], direct_source_prefix_ranges: [{address_prefix: 127.0.0.0, "
            "prefix_len: 8}]}\n      "))
        self.says_hi(proxy_v2())
        self.refused(proxy_v1("10.2.2.3") + b"hi")
        self.expect(listener={"no_filter_chain_match": 1})


class ProxyProtocolOut(CorpusCase):
    """29-proxy-protocol-out."""

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A, behave=backend.mute)

    def received(self, ending):
        """What the backend has read when it has read the ending."""
        visit = self.a.visit()
        until(lambda: visit.first_bytes.endswith(ending), 10, "%r at the backend" % ending)
        return visit.first_bytes

    def header(self, first=b"", edit=None):
        """What the backend reads before hi."""
        self.serve("valid/29-proxy-protocol-out.yaml", edit)
        with client.Client(self.here()) as connection:
            connection.send(first + b"hi")
            return self.received(b"hi")[:-2]

    @staticmethod
    def with_config(config):
        """Headers are read, all of them, and written so."""
        return lambda text: text.replace("config: {version: V1}", "config: {%s}" % config).replace(
            "    filter_chains:", READS + "    filter_chains:")

    def test_version_1(self):
        self.assertRegex(self.header(), b"^PROXY TCP4 127.0.0.1 127.0.0.1 [0-9]+ %d\r\n$" %
                         self.port(INGRESS))
        self.expect(backend={"upstream.proxyprotocol.v2_tlvs_exceed_max_length": 0})

    def test_version_1_of_ipv6(self):
        self.serve("valid/29-proxy-protocol-out.yaml",
                   lambda text: text.replace("address: 127.0.0.1, port_value: 10000",
                                             "address: \"::1\", port_value: 10000"))
        with client.Client(self.here(address="::1")) as connection:
            connection.send(b"hi")
            self.assertTrue(self.received(b"hi").startswith(b"PROXY TCP6 ::1 ::1 "))

    def test_header_goes_on_in_another_version(self):
        self.assertEqual(self.header(proxy_v1(), self.with_config("version: V2")), proxy_v2())

    def test_hosts_that_speak_first_get_it_first(self):
        self.serve("valid/29-proxy-protocol-out.yaml")
        with client.Client(self.here()) as connection:
            connection.read_until(b"A\n")
            self.assertTrue(self.received(b"\r\n").startswith(b"PROXY TCP4 "))

    def test_no_tlvs_go_on_unasked(self):
        self.assertEqual(self.header(proxy_v2(tlvs=ProxyProtocolIn.TLVS),
                                     self.with_config("version: V2")), proxy_v2())

    def test_chosen_tlvs_go_on(self):
        self.assertEqual(
            self.header(proxy_v2(tlvs=ProxyProtocolIn.TLVS), self.with_config(
                "version: V2, pass_through_tlvs: {match_type: INCLUDE, tlv_type: [234]}")),
            proxy_v2(tlvs=[(0xEA, b"\x01vpc-1")]))

    def test_added_tlvs_replace_those_of_their_type(self):
        self.assertEqual(
            self.header(proxy_v2(tlvs=ProxyProtocolIn.TLVS), self.with_config(
                "version: V2, pass_through_tlvs: {match_type: INCLUDE_ALL}, "
                "added_tlvs: [{type: 2, value: eHh4}, {type: 0xf1, value: YWRk}]")),
            proxy_v2(tlvs=[(2, b"xxx"), (0xF1, b"add"), (0xEA, b"\x01vpc-1"),
                           (5, b"\xff\xc3\xa9")]))

    def test_header_comes_before_the_handshake(self):
        self.serve("valid/29-proxy-protocol-out.yaml",
                   lambda text: text.replace("raw_buffer.v3.RawBuffer", "tls.v3.UpstreamTlsContext")
                   .replace("transport_sockets.raw_buffer", "transport_sockets.tls"))
        with client.Client(self.here()):
            visit = self.a.visit()
            until(lambda: b"\r\n\x16\x03" in visit.first_bytes, 10, "the handshake")
            self.assertTrue(visit.first_bytes.startswith(b"PROXY TCP4 "))

    def test_its_bytes_are_the_clusters(self):
        header = self.header()
        self.expect(backend={"upstream_cx_tx_bytes_total": len(header) + 2},
                    tcp={"downstream_cx_rx_bytes_total": 2})


if __name__ == "__main__":
    corpus_case.main()
