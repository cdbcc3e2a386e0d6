# SPDX-License-Identifier: Apache-2.0
"""Corpus 18 and 22: what a TLS client says chooses the chain and the cluster; waiting for it."""

import os
import subprocess

import corpus_case
from corpus_case import A, B, IS_ENVOY, DATA, CorpusCase
from lab import client
from lab.hello import client_hello
from lab.wait import until

TA, TB = 11011, 11012
CERTS = os.path.join(DATA, "valid", "certs")


def with_timeout(timeout, more=""):
    """An edit that gives the listener filters less time."""
    return lambda text: text.replace(
        "    filter_chains:", "    listener_filters_timeout: %s\n%s    filter_chains:" %
        (timeout, more), 1)


LOG = """    access_log:
    - name: log
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
        log_format:
          json_format: {sni: "%REQUESTED_SERVER_NAME%", flags: "%RESPONSE_FLAGS%",
                        details: "%RESPONSE_CODE_DETAILS%", rx: "%BYTES_RECEIVED%",
                        why: "%DYNAMIC_METADATA(envoy.filters.listener.tls_inspector:failure_reason)%",
                        failure: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"}
"""


def with_log(text):
    return text.replace("    filter_chains:", LOG + "    filter_chains:", 1)


class SniPassthrough(CorpusCase):
    """18-sni-passthrough, before backends that show who was reached."""

    def setUp(self):
        super().setUp()
        self.backend("A", TA)
        self.backend("B", TB)

    def serves(self, edit=None):
        self.serve("valid/18-sni-passthrough.yaml", edit)

    def reached(self, first):
        """Who greets a client that begins with these bytes; "" when nobody does."""
        with client.Client(self.here()) as connection:
            connection.send(first)
            try:
                connection.read_length(2 + len(first))
            except AssertionError:
                self.assertEqual(connection.end().how, "RST")
                return ""
            self.assertEqual(connection.data[2:], first)  # The hello itself, untouched.
            return connection.data[:1].decode()

    def test_names_choose_backends(self):
        self.serves()
        wanted = {"echo.lab.test": "A", "ECHO.LAB.TEST": "A", "x.lab.test": "B",
                  "a.b.lab.test": "B", "lab.test": "", "other.test": "", None: ""}
        self.assertEqual({name: self.reached(client_hello(name)) for name in wanted}, wanted)
        self.proxy.wait_stats({
            "tls_inspector.tls_found": 7, "tls_inspector.sni_found": 6,
            "tls_inspector.sni_not_found": 1, "tls_inspector.alpn_not_found": 7,
            "tls_inspector.alpn_found": 0, "tls_inspector.tls_not_found": 0})
        self.expect(listener={"no_filter_chain_match": 3, "downstream_cx_total": 4,
                              "downstream_pre_cx_active": 0, "downstream_pre_cx_timeout": 0})

    def test_plain_text_has_no_chain(self):
        self.serves()
        self.assertEqual(self.reached(b"GET / HTTP/1.1\r\n\r\n"), "")
        self.proxy.wait_stats({"tls_inspector.tls_not_found": 1, "tls_inspector.tls_found": 0})
        self.expect(listener={"no_filter_chain_match": 1})

    def test_hello_may_come_in_pieces(self):
        self.serves()
        hello = client_hello("echo.lab.test")
        connection = self.connect()
        for piece in (hello[:1], hello[1:30], hello[30:]):
            self.expect(listener={"downstream_pre_cx_active": 1})
            connection.send(piece)
        connection.read_length(2 + len(hello))
        self.assertEqual(connection.data, b"A\n" + hello)
        self.expect(listener={"downstream_pre_cx_active": 0, "downstream_cx_active": 1})

    def test_openssl_sees_the_chosen_backends_certificate(self):
        self.serves()
        names = {"echo.lab.test": "server", "x.lab.test": "server2"}
        for backend in names.values():
            self.s_server(backend)
        for name, certificate in names.items():
            shown = subprocess.run(
                ["openssl", "s_client", "-connect", "%s:%d" % self.here(), "-servername", name,
                 "-showcerts"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, timeout=60, check=False).stdout.decode()
            with open(os.path.join(CERTS, certificate + ".pem"), encoding="ascii") as file:
                self.assertIn(file.read().strip().splitlines()[1], shown)

    def s_server(self, certificate):
        """A real TLS server in the place of TA or TB."""
        port = self.port(TA if certificate == "server" else TB)
        for plain in self.plain.pop(port, ()):
            plain.close()
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-quiet",
             "-cert", os.path.join(CERTS, certificate + ".pem"),
             "-key", os.path.join(CERTS, certificate + ".key")],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        until(lambda: not client.refuses(("127.0.0.1", port)), 20, "openssl s_server")

    def backend(self, name, corpus_port, **options):
        server = super().backend(name, corpus_port, **options)
        self.plain = getattr(self, "plain", {})
        self.plain[self.port(corpus_port)] = [server]
        return server

    def test_protocols_choose_backends(self):
        self.serves(lambda text: text.replace("{server_names: [echo.lab.test]}",
                                              "{application_protocols: [h2], "
                                              "transport_protocol: tls}"))
        self.assertEqual(self.reached(client_hello("x.lab.test", ["h2"])), "B")
        self.assertEqual(self.reached(client_hello("other.test", ["lab/1", "h2"])), "A")
        self.assertEqual(self.reached(client_hello("other.test", ["lab/1"])), "")
        self.proxy.wait_stats({"tls_inspector.alpn_found": 3})

    def test_transport_protocol_tells_tls_from_plain_text(self):
        self.serves(lambda text: text.replace("server_names: [echo.lab.test]",
                                              "transport_protocol: raw_buffer"))
        self.assertEqual(self.reached(b"GET / HTTP/1.1\r\n\r\n"), "A")
        self.assertEqual(self.reached(client_hello("x.lab.test")), "B")

    def test_log_names_the_server_also_without_a_chain(self):
        self.serves(with_log)
        self.reached(client_hello("other.test"))
        self.assertEqual(self.log(), {"sni": "other.test", "flags": "NR", "rx": 0, "why": None,
                                      "details": "filter_chain_not_found", "failure": None})

    def test_log_says_why_plain_text_is_no_tls(self):
        self.serves(with_log)
        self.reached(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(self.log()["why"], "ClientHelloNotDetected")
        self.assertEqual(self.log()["failure"], "TLS_error|error:1000009c:SSL_routines:"
                         "OPENSSL_internal:HTTP_REQUEST:TLS_error_end")

    def test_hello_that_is_too_large_is_refused(self):
        self.serves(lambda text: with_log(text).replace(
            "tls_inspector.v3.TlsInspector", "tls_inspector.v3.TlsInspector, "
            "max_client_hello_size: 256"))
        self.assertEqual(self.reached(client_hello("echo.lab.test", ["x" * 200])), "")
        self.proxy.wait_stats({"tls_inspector.client_hello_too_large": 1,
                               "tls_inspector.tls_found": 0})
        self.assertEqual(self.log()["why"], "ClientHelloTooLarge")

    def test_plain_text_can_be_refused_before_any_chain(self):
        self.serves(lambda text: text.replace(
            "tls_inspector.v3.TlsInspector", "tls_inspector.v3.TlsInspector, "
            "close_connection_on_client_hello_parsing_errors: true"))
        self.assertEqual(self.reached(b"GET / HTTP/1.1\r\n\r\n"), "")
        self.expect(listener={"no_filter_chain_match": 0, "downstream_cx_total": 0})


class SniCluster(CorpusCase):
    """22-sni-cluster: the name that the client asks for is the cluster's."""

    def setUp(self):
        super().setUp()
        self.backend("T", TA)
        self.backend("A", A)
        self.serve("valid/22-sni-cluster.yaml")

    def test_name_is_the_cluster(self):
        hello = client_hello("echo.lab.test")
        self.ended(client.send_half_close(self.here(), hello, b"T\n" + hello), b"T\n" + hello,
                   "FIN")

    def test_unknown_name_has_no_route(self):
        asking = self.connect()
        asking.send(client_hello("unknown.test"))
        self.ended(asking.end(), b"", "RST")
        self.proxy.wait_stats({"tcp.sni.downstream_cx_no_route": 1})

    def test_plain_text_goes_to_the_configured_cluster(self):
        self.ended(client.send_half_close(self.here(), b"hello", b"A\nhello"), b"A\nhello", "FIN")


class Waiting(CorpusCase):
    """What becomes of a client that does not say enough."""

    def setUp(self):
        super().setUp()
        self.backend("A", TA)
        self.backend("B", TB)

    def serves(self, edit):
        self.serve("valid/18-sni-passthrough.yaml", edit)

    def test_silent_client_is_closed_in_time(self):
        self.serves(with_timeout("0.3s", LOG))
        silent = self.connect()
        ending = silent.end()
        self.assertEqual((ending.data, ending.how), (b"", "FIN"))
        self.assertGreaterEqual(ending.after_s, 0.25)
        self.expect(listener={"downstream_pre_cx_timeout": 1, "downstream_pre_cx_active": 0,
                              "downstream_cx_total": 0})
        self.assertEqual(self.log()["flags"], "-")
        if not IS_ENVOY:
            self.wait_error_text("a client sent nothing while listener filter tls_inspector")

    def test_silence_is_told_once(self):
        self.serves(with_timeout("0.1s"))
        for _ in range(3):
            self.ended(self.connect().end(), b"", "FIN")
        self.expect(listener={"downstream_pre_cx_timeout": 3})
        if not IS_ENVOY:
            self.assertEqual(self.proxy.stderr().count("a client sent nothing"), 1)

    def test_half_a_hello_is_reset_in_time(self):
        self.serves(with_timeout("0.3s"))
        partial = self.connect()
        partial.send(client_hello("echo.lab.test")[:50])
        self.ended(partial.end(), b"", "RST")
        self.expect(listener={"downstream_pre_cx_timeout": 1})
        self.assertNotIn("a client sent nothing", self.proxy.stderr())

    def test_goes_on_without_an_answer_when_told_to(self):
        self.serves(lambda text: with_timeout(
            "0.2s", "    continue_on_listener_filters_timeout: true\n")(text).replace(
                "filter_chain_match: {server_names: [echo.lab.test]}", "filter_chain_match: {}"))
        self.connect().read_until(b"A\n")
        self.expect(listener={"downstream_pre_cx_timeout": 1, "downstream_cx_total": 1})

    def test_zero_waits_for_ever(self):
        self.serves(with_timeout("0s"))
        silent = self.connect()
        self.ended(silent.end(within_s=0.5), b"", "open")
        self.expect(listener={"downstream_pre_cx_active": 1})
        silent.close()
        self.expect(listener={"downstream_pre_cx_active": 0,
                              "downstream_listener_filter_remote_close": 1})

    def test_client_that_half_closes_is_gone(self):
        self.serves(with_timeout("10s"))
        for data, how in ((b"", "FIN"), (client_hello("echo.lab.test")[:50], "RST")):
            leaving = self.connect()
            leaving.send(data)
            leaving.half_close()
            self.ended(leaving.end(), b"", how)
        self.expect(listener={"downstream_listener_filter_remote_close": 2,
                              "downstream_pre_cx_active": 0})

    def test_whole_hello_with_a_fin_behind_it(self):
        # Envoy closes most of these: it looks for the end before it looks at the bytes.
        if IS_ENVOY:
            self.skipTest("chance decides")
        self.serves(None)
        hello = client_hello("echo.lab.test")
        with self.proxy.paused():
            hasty = self.connect()
            hasty.send(hello)
            hasty.half_close()
        self.ended(hasty.end(), b"A\n" + hello, "FIN")

    def test_filter_can_be_off_for_some_ports(self):
        self.serves(lambda text: text.replace(
            "    filter_chains:", "      filter_disabled: {destination_port_range: "
            "{start: 1, end: 65536}}\n    filter_chains:", 1).replace(
                "filter_chain_match: {server_names: [echo.lab.test]}", "filter_chain_match: {}"))
        self.connect().read_until(b"A\n")  # Nobody waited for the client.
        self.proxy.wait_stats({"tls_inspector.tls_not_found": 0})

    def test_waiting_clients_do_not_hold_up_the_end(self):
        self.serves(None)
        waiting = self.connect()
        waiting.send(b"\x16\x03\x01")
        self.expect(listener={"downstream_pre_cx_active": 1})
        self.assertEqual(self.proxy.stop(), 0)
        self.assertIn(waiting.end().how, ("FIN", "RST"))


if __name__ == "__main__":
    corpus_case.main()
