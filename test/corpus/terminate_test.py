# SPDX-License-Identifier: Apache-2.0
"""Corpus 38 and more: CONNECT requests become connections to a cluster."""

import os
import socket
import struct

from corpus_case import A, B, IS_ENVOY
from lab import backend
from lab import http2_client as http2
from lab.client import Client
from lab.wait import until
from tls_case import TlsCase, client_context

CONNECT_ERROR, INTERNAL_ERROR, NO_ERROR, CANCEL = 10, 2, 0, 8
REASON = b"upstream connect error or disconnect/reset before headers. reset reason: "


class Terminate(TlsCase):
    """tunnels/terminate.yaml."""

    FILE = "tunnels/terminate.yaml"

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A)

    def client(self, connection=None, **options):
        if connection is None:
            connection = socket.create_connection(self.here(), timeout=20)
        self.addCleanup(connection.close)
        client = http2.Http2(connection, **options)
        client.wait_settings()
        return client

    def tunnel(self, client=None, authority="10.0.0.7:80", fields=()):
        """A stream that has been accepted and greeted."""
        client = client or self.client()
        stream = client.connect(authority, fields)
        self.assertEqual(client.wait_status(stream), "200")
        client.wait_data(stream, b"A\n")
        return client, stream

    def http(self, **values):
        self.proxy.wait_stats({"http.terminate." + name: value for name, value in values.items()})

    def of_hosts(self, key):
        """The sum of a figure of all hosts."""
        return sum(int(value) for (_, host, name), value in self.proxy.clusters().items()
                   if host and name == key)

    def logged(self, count=1, **values):
        log = self.log(count)
        self.assertEqual({key: log[key] for key in values}, values)


class Streams(Terminate):
    """HTTP/2."""

    def setUp(self):
        super().setUp()
        self.serve(self.FILE)

    def test_settings_are_envoys(self):
        client = self.client()
        self.assertEqual({key: client.settings[key] for key in (3, 4, 8)},
                         {3: 1024, 4: 16 * 1024 * 1024, 8: 0})
        client.wait(lambda: client.window == 24 * 1024 * 1024, "window of the connection")

    def test_bytes_go_both_ways_and_ends_apart(self):
        client, stream = self.tunnel(fields=[("baggage", "k=v")])
        client.send(stream, b"hi")
        client.wait_data(stream, b"A\nhi")
        client.end(stream)
        client.wait_end(stream)
        self.assertEqual((stream.ended, stream.reset), (True, None))
        names = [name for name, _ in stream.fields]
        self.assertEqual(names, [":status", "date", "server"])
        self.logged(method="CONNECT", authority="10.0.0.7:80", baggage="k=v", server="envoy",
                    protocol="HTTP/2", code=200, details="via_upstream", flags="-", route="main",
                    received=2, sent=4, host=self.at(A), cluster="backend", type="DownstreamEnd",
                    state="to 10.0.0.7:80")
        self.http(downstream_cx_http2_total=1, downstream_cx_http2_active=1,
                  downstream_rq_http2_total=1, downstream_rq_total=1, downstream_rq_active=0,
                  downstream_rq_2xx=1, downstream_rq_completed=1, downstream_rq_rx_reset=0,
                  downstream_cx_upgrades_total=1, downstream_cx_upgrades_active=0)
        self.expect(backend={"upstream_cx_total": 1, "upstream_cx_active": 0,
                             "upstream_cx_rx_bytes_total": 4, "upstream_cx_tx_bytes_total": 2})
        self.assertEqual((self.of_hosts("rq_success"), self.of_hosts("rq_error")), (1, 0))

    def test_bytes_may_come_before_the_answer(self):
        client = self.client()
        stream = client.connect("a:1")
        client.send(stream, b"early")
        client.wait_data(stream, b"A\nearly")

    def test_request_that_ends_at_once(self):
        client = self.client()
        stream = client.connect("a:1", end=True)
        client.wait_end(stream)
        self.assertEqual(stream.data, b"A\n")
        self.assertEqual([name for name, _ in stream.fields],
                         [":status", "x-envoy-upstream-service-time", "date", "server"])

    def test_large_flows_on_many_streams(self):
        client = self.client()
        data = [os.urandom(700 * 1024) for _ in range(4)]
        streams = [self.tunnel(client)[1] for _ in data]
        for at in range(0, len(data[0]), 64 * 1024):
            for stream, bytes_ in zip(streams, data):
                client.send(stream, bytes_[at:at + 64 * 1024])
                client.pump(0.001)
        for stream, bytes_ in zip(streams, data):
            client.wait_data(stream, b"A\n" + bytes_)
            client.end(stream)
            client.wait_end(stream)
        self.expect(backend={"upstream_cx_total": 4, "upstream_cx_active": 0})
        self.http(downstream_cx_total=1, downstream_rq_total=4, downstream_rq_active=0)

    def test_stalled_streams_do_not_stall_others(self):
        client, stalled = self.tunnel()
        client.gives_credit = False
        while client.window > 0 and stalled.window > 15 * 1024 * 1024:
            client.send(stalled, b"x" * 16384)
        client.gives_credit = True
        # What the client did not give credit for stays with the proxy; the other stream goes on.
        _, other = self.tunnel(client)
        client.send(other, b"hi")
        client.wait_data(other, b"A\nhi")

    def test_the_backends_end_is_the_end(self):
        self.a.close()
        self.a = self.backend("A", A, behave=backend.fin_first)
        client, stream = self.tunnel()
        self.assertEqual(client.wait_reset(stream), NO_ERROR)
        self.assertTrue(stream.ended)
        self.logged(code=200, details="via_upstream", flags="-", sent=2)

    def test_reset_of_the_backend(self):
        client, stream = self.tunnel()
        self.a.reset_all()
        self.assertEqual(client.wait_reset(stream), CONNECT_ERROR)
        self.assertFalse(stream.ended)
        self.logged(code=200, flags="UC",
                    details="upstream_reset_after_response_started{connection_termination}")

    def test_reset_of_the_client(self):
        client, stream = self.tunnel()
        client.reset(stream, CANCEL)
        self.logged(code=200, flags="DR", details="http2.remote_reset")
        # Envoy ends the connection to the host as if all had been said.
        until(lambda: self.a.visits[-1].end == ("FIN" if IS_ENVOY else "RST"), 10, "its end")
        self.expect(backend={"upstream_cx_active": 0})

    def test_client_that_goes(self):
        client, _ = self.tunnel()
        client.close()
        self.logged(code=200, flags="DC", details="downstream_remote_disconnect")
        self.http(downstream_cx_destroy_remote=1, downstream_cx_destroy_remote_active_rq=1,
                  downstream_cx_active=0, downstream_rq_active=0)

    def refused(self, fields, status, body, more=(), code=NO_ERROR):
        client = self.client()
        stream = client.connect("a:1", fields)
        client.wait_end(stream)
        self.assertEqual(stream.status, status)
        self.assertEqual(stream.data, body)
        wanted = [":status"] + list(more)
        wanted += ["content-length", "content-type"] if body else []
        self.assertEqual([name for name, _ in stream.fields], wanted + ["date", "server"])
        self.assertEqual(client.wait_reset(stream), code)  # No more is wanted.

    def test_host_that_refuses(self):
        self.refused([("to", "dead")], "503", REASON + b"remote connection failure",
                     code=CONNECT_ERROR)
        self.assertEqual((self.of_hosts("rq_success"), self.of_hosts("rq_error")), (0, 1))
        self.logged(code=503, flags="UF", cluster="dead", details="upstream_reset_before_response_"
                    "started{remote_connection_failure|delayed_connect_error:_Connection_refused}")
        self.http(downstream_rq_5xx=1, downstream_rq_response_before_rq_complete=1)

    def test_cluster_without_hosts(self):
        self.refused([("to", "empty")], "503", b"no healthy upstream")
        self.logged(code=503, flags="UH", details="no_healthy_upstream", host=None)

    def test_circuit_breaker(self):
        self.refused([("to", "full")], "503", REASON + b"overflow", ["x-envoy-overloaded"])
        self.logged(code=503, flags="UO", details="upstream_reset_before_response_started{overflow}")

    def test_unknown_cluster(self):
        self.refused([("to", "none")], "503", b"")
        self.logged(code=503, flags="NC", details="cluster_not_found", cluster=None)
        self.http(no_cluster=1)

    def test_direct_response(self):
        self.refused([("to", "denied")], "403", b"denied")
        self.logged(code=403, flags="-", details="direct_response", sent=6)

    def test_no_route(self):
        self.refused([("to", "nowhere")], "404", b"")
        self.logged(code=404, flags="NR", details="route_not_found")
        self.http(no_route=1)

    def test_other_methods(self):
        client = self.client()
        stream = client.request([(":method", "GET"), (":scheme", "http"), (":authority", "a"),
                                 (":path", "/")], end=True)
        client.wait_end(stream)
        self.assertEqual((stream.status, stream.data, stream.reset), ("404", b"", None))
        self.logged(method="GET", code=404, flags="NR")

    def test_virtual_hosts(self):
        self.backend("B", B)
        for authority, greeting in (("x.other.test:80", b"B\n"), ("EXACT.test", b"B\n"),
                                    ("other.test:80", b"A\n"), ("x.other.test", b"A\n")):
            client = self.client()
            stream = client.connect(authority)
            client.wait_data(stream, greeting)

    def test_goodbye_of_the_client(self):
        client, stream = self.tunnel()
        client.send_raw(http2.frame(http2.GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
        client.send(stream, b"still")
        client.wait_data(stream, b"A\nstill")

    def test_ping(self):
        client = self.client()
        client.send_raw(http2.frame(http2.PING, 0, 0, b"12345678"))
        _, stream = self.tunnel(client)
        self.assertEqual(stream.status, "200")


class Hostile(Terminate):
    """Clients that break the rules."""

    def setUp(self):
        super().setUp()
        self.serve(self.FILE)

    def ends(self, client):
        client.wait_closed()
        self.http(downstream_cx_protocol_error=1, downstream_cx_active=0)

    def test_long_headers(self):
        client = self.client()
        blocks = http2.block([(":method", "CONNECT"), (":authority", "a")] +
                              [("x%d" % i, "y" * 8000) for i in range(9)])
        client.send_raw(http2.frame(http2.HEADERS, 0, 1, blocks[:16000]))
        for at in range(16000, len(blocks), 16000):
            last = at + 16000 >= len(blocks)
            client.send_raw(http2.frame(9, 4 if last else 0, 1, blocks[at:at + 16000]))
        stream = http2.Stream(1, 0)
        client.streams[1] = stream
        self.assertEqual(client.wait_reset(stream), INTERNAL_ERROR)

    def test_requests_that_are_none(self):
        for fields in ([(":method", "CONNECT")],
                       [(":method", "CONNECT"), (":authority", "a"), (":path", "/")],
                       [(":method", "CONNECT"), (":authority", "a"), ("X-Upper", "a")],
                       [(":method", "CONNECT"), (":authority", "a"), ("connection", "close")]):
            client = self.client()
            client.request(fields)
            client.wait_closed()
        self.http(downstream_cx_protocol_error=4, downstream_cx_active=0)

    def test_garbage(self):
        client = self.client()
        client.send_raw(http2.frame(http2.HEADERS, 4, 1, b"\xff" * 100))
        self.ends(client)

    def test_frames_without_content(self):
        client, stream = self.tunnel()
        client.send_raw(http2.frame(http2.DATA, 0, stream.number) * 10)
        client.wait_closed()
        self.proxy.wait_stats({"http2.inbound_empty_frames_flood": 1})
        self.http(downstream_cx_protocol_error=0, downstream_cx_active=0)

    def test_other_tunnels_of_a_connection_end_with_it(self):
        client, _ = self.tunnel()
        client.send_raw(http2.frame(http2.HEADERS, 4, 3, b"\xff" * 100))
        self.ends(client)
        self.expect(backend={"upstream_cx_active": 0})
        self.logged(flags="DPE")


class Limits(Terminate):
    """Times and numbers."""

    def served(self, *edits):
        self.serve(self.FILE, self.edited(*edits))

    def test_idle_streams(self):
        self.served(("          codec_type: AUTO\n",
                     "          stream_idle_timeout: 0.5s\n"))
        client, stream = self.tunnel()
        self.assertEqual(client.wait_reset(stream), INTERNAL_ERROR)
        self.logged(flags="SI", details="stream_idle_timeout")
        self.http(downstream_rq_idle_timeout=1, downstream_rq_tx_reset=1)
        self.expect(backend={"upstream_cx_active": 0})

    def test_idle_connections(self):
        self.served(("          codec_type: AUTO\n",
                     "          drain_timeout: 0.2s\n          common_http_protocol_options: "
                     "{idle_timeout: 0.5s}\n"))
        client = self.client()
        client.wait(lambda: client.goaway, "GOAWAY")
        self.assertEqual(client.goaway, (2**31 - 1, 0))
        self.assertEqual(client.wait_closed(), "FIN")
        self.http(downstream_cx_idle_timeout=1, downstream_cx_active=0)

    def test_route_timeout_since_the_clients_end(self):
        self.served(("                route: {cluster: backend,",
                     "                route: {cluster: backend, timeout: 0.5s,"))
        self.a.close()
        self.a = self.backend("A", A, behave=backend.stall)
        client, stream = self.tunnel()
        client.end(stream)
        self.assertEqual(client.wait_reset(stream), INTERNAL_ERROR)
        self.logged(flags="UT", details="response_timeout")

    def test_options_of_http2(self):
        self.served(("          codec_type: AUTO\n",
                     "          codec_type: HTTP2\n          http2_protocol_options: {allow_connect: "
                     "true, max_concurrent_streams: 7, initial_stream_window_size: 70000, "
                     "initial_connection_window_size: 80000, connection_keepalive: {interval: 1s, "
                     "timeout: 0.2s}}\n"))
        client = self.client()
        self.assertEqual({key: client.settings[key] for key in (3, 4, 8)}, {3: 7, 4: 70000, 8: 1})
        client.wait(lambda: client.window == 80000, "window of the connection")
        _, stream = self.tunnel(client)
        data = os.urandom(300 * 1024)
        client.send(stream, data)
        client.wait_data(stream, b"A\n" + data)
        client.answers_pings = False
        client.wait_closed()
        self.proxy.wait_stats({"http2.keepalive_timeout": 1})

    def test_settings_of_any_number(self):
        self.served(("          codec_type: AUTO\n",
                     "          codec_type: HTTP2\n          http2_protocol_options: "
                     "{custom_settings_parameters: [{identifier: 5, value: 1048576}, "
                     "{identifier: 6, value: 9000}]}\n"))
        client = self.client()
        self.assertEqual((client.settings[5], client.settings[6]), (1048576, 9000))
        _, stream = self.tunnel(client)
        data = os.urandom(500 * 1024)
        client.send(stream, data, frame_bytes=len(data))
        client.wait_data(stream, b"A\n" + data)

    def test_server_name(self):
        self.served(("          codec_type: AUTO\n", "          server_name: lab\n"))
        _, stream = self.tunnel()
        self.assertEqual(dict(stream.fields)["server"], "lab")


class Http1(Terminate):
    """CONNECT over HTTP/1.1."""

    def setUp(self):
        super().setUp()
        self.serve(self.FILE)

    def ask(self, text):
        connection = Client(self.here())
        self.addCleanup(connection.close)
        connection.send(text)
        return connection

    def test_connect(self):
        connection = self.ask(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nearly")
        connection.read_until(b"A\nearly")
        head = connection.data.split(b"\r\n\r\n")[0].split(b"\r\n")
        self.assertEqual(head[0], b"HTTP/1.1 200 OK")
        self.assertEqual([line.split(b":")[0] for line in head[1:]], [b"date", b"server"])
        connection.half_close()
        self.assertEqual(connection.end().how, "FIN")
        self.logged(method="CONNECT", authority="a:1", protocol="HTTP/1.1", code=200, route="main")
        self.http(downstream_cx_http1_total=1, downstream_cx_http1_active=0,
                  downstream_rq_http1_total=1, downstream_rq_active=0)

    def test_host_that_refuses(self):
        ending = self.ask(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nto: dead\r\n\r\n").end()
        head, body = ending.data.split(b"\r\n\r\n")
        self.assertEqual(head.split(b"\r\n")[0], b"HTTP/1.1 503 Service Unavailable")
        self.assertIn(b"\r\nconnection: close", head)
        self.assertEqual((body, ending.how), (REASON + b"remote connection failure", "FIN"))

    def test_other_methods(self):
        connection = self.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.read_until(b"\r\n\r\n")
        self.assertTrue(connection.data.startswith(b"HTTP/1.1 404 Not Found\r\n"))

    def test_garbage(self):
        ending = self.ask(b"\x16\x03\x01nonsense\r\n\r\n").end()
        self.assertTrue(ending.data.startswith(b"HTTP/1.1 400 Bad Request\r\n"), ending.data)
        self.assertTrue(ending.data.endswith(b"\r\n\r\nBad Request"), ending.data)
        self.http(downstream_cx_protocol_error=1)


class Hbone(Terminate):
    """38-hbone-terminate: mutual TLS."""

    FILE = "valid/38-hbone-terminate.yaml"

    def http(self, **values):
        self.proxy.wait_stats({"http.connect_terminate." + name: value
                               for name, value in values.items()})

    def test_certificate_of_the_mesh(self):
        self.serve(self.FILE)
        tls = self.shake(who="client", alpn=["h2"])
        self.assertEqual(tls.selected_alpn_protocol(), "h2")
        client, stream = self.tunnel(self.client(tls))
        self.assertEqual(client.settings[8], 1)
        data = os.urandom(600 * 1024)
        client.send(stream, data)
        client.wait_data(stream, b"A\n" + data)
        client.end(stream)
        client.wait_end(stream)
        self.http(downstream_cx_ssl_total=1, downstream_cx_ssl_active=1, downstream_rq_2xx=1)

    def test_certificate_of_another_mesh(self):
        self.serve(self.FILE)
        client = http2.Http2(self.shake(who="foreign", alpn=["h2"]))
        client.wait_closed()
        self.http(downstream_rq_total=0, downstream_cx_active=0)

    def test_config_dump_shows_it(self):
        self.serve(self.FILE)
        self.assertIn("envoy.filters.network.http_connection_manager",
                      self.proxy.text("/config_dump"))


class Istio(Terminate):
    """52-istio-connect-terminate: the authority becomes an address that is dialled."""

    FILE = "valid/52-istio-connect-terminate.yaml"
    TERMINATE = 10008

    def shake_there(self):
        raw = socket.create_connection(self.here(self.TERMINATE), timeout=20)
        self.addCleanup(raw.close)
        tls = client_context(who="client", alpn=["h2"]).wrap_socket(
            raw, server_hostname="echo.lab.test")
        self.addCleanup(tls.close)
        return self.client(tls)

    def test_the_authority_is_dialled(self):
        self.backend("B", B)
        self.serve(self.FILE)
        client = self.shake_there()
        for greeting, port in ((b"A\n", A), (b"B\n", B)):
            stream = client.connect(self.at(port))
            client.send(stream, b"hi")
            client.wait_data(stream, greeting + b"hi")
            client.end(stream)
            client.wait_end(stream)
        self.expect(direct={"upstream_cx_total": 2, "upstream_cx_active": 0},
                    main_internal={"upstream_cx_total": 2, "upstream_cx_active": 0})

    def test_authorities_that_are_no_addresses(self):
        self.serve(self.FILE)
        client = self.shake_there()
        stream = client.connect("nonsense")
        client.wait_end(stream)
        self.assertFalse(stream.data.startswith(b"A"))
        self.expect(direct={"upstream_cx_total": 0})


class Drain(Terminate):
    """The listener comes from a file, and goes."""

    def test_goodbye_when_the_listener_goes(self):
        lds = self.tmp("lds.yaml")

        def edit(text):
            start, end = text.index("  listeners:\n"), text.index("  clusters:\n")
            listener = text[start:end].split("\n", 1)[1].replace("\n    ", "\n  ")
            typed = listener.replace("  - name: terminate\n", "- \"@type\": type.googleapis.com/"
                                     "envoy.config.listener.v3.Listener\n  name: terminate\n", 1)
            with open(lds, "w", encoding="utf-8") as file:
                file.write("version_info: '1'\nresources:\n" + typed.replace(
                    "port_value: 10000", "port_value: %d" % self.here()[1]))
            dynamic = ("node: {id: a, cluster: b}\ndynamic_resources: {lds_config: "
                       "{path_config_source: {path: /tmp/lds.yaml}, resource_api_version: V3}}\n")
            return text[:start] + text[end:] + dynamic
        self.serve(self.FILE, edit, flags=("--drain-strategy", "immediate", "--drain-time-s",
                                             "600"))
        self.proxy.wait_stats({"listener_manager.total_listeners_active": 1})
        client, stream = self.tunnel()
        with open(lds + ".new", "w", encoding="utf-8") as file:
            file.write("version_info: '2'\nresources: []\n")
        os.rename(lds + ".new", lds)
        self.proxy.wait_stats({"listener_manager.listener_removed": 1})
        until(lambda: self.tunnel(client) and client.goaway, 10, "GOAWAY beside an answer")
        client.send(stream, b"still")
        client.wait_data(stream, b"A\nstill")
        self.http(downstream_cx_drain_close=1)


if __name__ == "__main__":
    import corpus_case
    corpus_case.main()
