# SPDX-License-Identifier: Apache-2.0
"""Corpus 39: tunnels through hosts that are asked by CONNECT."""

import os
import threading
import unittest

import corpus_case
from corpus_case import CorpusCase
from lab import backend, http2, proxy
from lab.wait import until
from tls_case import server_context

HOST = 10008
LOG = """          access_log:
          - name: out
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {flags: "%RESPONSE_FLAGS%", host: "%UPSTREAM_HOST%",
                failure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%", attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
                local: "%DOWNSTREAM_LOCAL_CLOSE_REASON%", id: "%UPSTREAM_CONNECTION_ID%",
                down: "%DOWNSTREAM_DETECTED_CLOSE_TYPE%", up: "%UPSTREAM_DETECTED_CLOSE_TYPE%",
                tls: "%UPSTREAM_TLS_VERSION%", peer: "%UPSTREAM_PEER_URI_SAN%", rx: "%BYTES_RECEIVED%",
                tx: "%BYTES_SENT%", answer: "%FILTER_STATE(envoy.tcp_proxy.propagate_response_headers:TYPED)%"}}
          tunneling_config:"""


def answers(status, end=True):
    def answer(stream, data, _):
        if data is None:
            stream.respond(status, end=end)
    return answer


def resets(code, after=None):
    """RST_STREAM at once, or after the tunnel carried bytes."""
    def answer(stream, data, _):
        if data is None and after:
            stream.respond()
            stream.send(after)
        else:
            stream.reset(code)
    return answer


def opens(stream, data, _):
    """Greets and leaves the rest to the test."""
    if data is None:
        stream.respond()
        stream.send(b"H\n")


class TunnelCase(CorpusCase):
    FILE = "valid/39-hbone-originate.yaml"

    def host(self, answer=http2.echo, context=None, first=None):
        server = http2.Server(self.port(HOST), answer, context, first)
        self.addCleanup(server.close)
        return server

    def serve_with(self, *edits, tls=False, log=True):
        """Serves the file with these replaced: [(before, after)]."""
        def edit(text):
            if log:
                text = text.replace("          tunneling_config:", LOG)
            if not tls:
                start, end = text.index("    transport_socket:"), text.index("    load_assignment")
                text = text[:start] + text[end:]
            return self.edited(*edits)(text)
        self.serve(self.FILE, edit)

    def through(self, greeting=b"H\n"):
        """A client whose tunnel is open."""
        connection = self.connect()
        connection.read_until(greeting)
        return connection

    def refused(self, flags, failure, **stats):
        """The host did not let the client through."""
        self.ended(self.connect_having_sent().end(), b"", "RST")
        log = self.log()
        self.assertEqual((log["flags"], log["failure"], log["attempts"], log["local"]),
                         (flags, failure, 1, "tcp_initializion_failure:0"))
        self.expect(hbone={"upstream_cx_connect_attempts_exceeded": 1, **stats})


class Originate(TunnelCase):
    """39-hbone-originate, as it stands."""

    def start(self):
        self.server = self.host(context=server_context(alpn=("h2",)))
        self.serve_with(tls=True)

    def test_the_request(self):
        self.start()
        self.say_hi(b"H\n")
        self.assertEqual(self.server.stream().fields, [
            (":method", "CONNECT"), (":authority", "10.0.0.7:8080"),
            ("baggage", "k8s.namespace.name=default")])
        until(lambda: self.server.stream().end == "END", 10, "END_STREAM")
        self.assertEqual(self.server.stream().data, b"hi")

    def test_the_preface(self):
        self.start()
        self.say_hi(b"H\n")
        connection = self.server.connections[0]
        self.assertEqual((connection.settings[2], connection.settings[4]), (0, 16777216))
        self.assertEqual(connection.frames[1], (http2.WINDOW_UPDATE, 0, 0, 4))
        self.assertEqual(connection.alpn, "h2")

    def test_one_connection_carries_all(self):
        self.start()
        clients = [self.through() for _ in range(8)]
        self.assertEqual(len(self.server.connections), 1)
        self.expect(hbone={"upstream_cx_active": 1, "upstream_cx_http2_total": 1,
                           "upstream_rq_active": 8, "http2.streams_active": 8,
                           "ssl.handshake": 1})
        for number, connection in enumerate(clients):
            connection.send(b"%d" % number)
            connection.read_until(b"H\n%d" % number)
            connection.half_close()
            self.ended(connection.end(), b"H\n%d" % number, "FIN")
        self.expect(hbone={"upstream_cx_active": 1, "upstream_rq_active": 0,
                           "upstream_rq_total": 8, "upstream_rq_tx_reset": 0,
                           "upstream_cx_destroy": 0, "http2.streams_active": 0})

    def test_the_log_tells_of_the_connection(self):
        self.start()
        self.say_hi(b"H\n")
        log = self.log()
        self.assertEqual(
            (log["flags"], log["host"], log["tls"], log["peer"], log["rx"], log["tx"], log["up"]),
            ("-", self.at(HOST), "TLSv1.2", "spiffe://lab.test/ns/default/sa/server", 2, 4,
             "Normal"))

    def test_a_host_of_another_name(self):
        self.server = self.host(context=server_context("intruder"))
        self.serve_with(tls=True)
        self.ended(self.connect_having_sent().end(), b"", "RST")
        log = self.log()
        self.assertEqual(log["flags"], "UF,URX")
        self.assertIn("CERTIFICATE_VERIFY_FAILED", log["failure"])
        self.expect(hbone={"upstream_cx_connect_fail": 1, "upstream_rq_pending_failure_eject": 1,
                           "upstream_rq_total": 0})


class Answers(TunnelCase):
    """What the host may say to the request."""

    def test_no_status_but_200_opens(self):
        for status in (201, 204, 403, 503):
            with self.subTest(status):
                server = self.host(answers(status))
                self.serve_with()
                self.refused("UF,URX", "tunnel_response:%d" % status, upstream_rq_total=1,
                             upstream_cx_active=1, upstream_rq_active=0, upstream_rq_tx_reset=1)
                server.close()
                self._stop()
                self.doCleanups()
                self.setUp()

    def test_200_that_ends_at_once(self):
        self.host(answers(200))
        self.serve_with()
        self.refused("UF,URX", "tunnel_response:200", upstream_rq_total=1)

    def test_interim_answers_are_passed_over(self):
        def answer(stream, data, end):
            if data is None:
                stream.connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, stream.id,
                                                   http2.block([(":status", "100")])))
            http2.echo(stream, data, end)
        self.host(answer)
        self.serve_with()
        self.say_hi(b"H\n")

    def test_reset(self):
        self.host(resets(8))
        self.serve_with()
        self.refused("UF,URX", None, upstream_rq_rx_reset=1, upstream_rq_total=1,
                     **{"http2.rx_reset": 1})

    def test_refused_stream(self):
        self.host(resets(7))
        self.serve_with()
        self.refused("UF,URX", None, upstream_rq_rx_reset=0, upstream_rq_total=1)

    def test_every_attempt_asks_again(self):
        server = self.host(answers(503))
        self.serve_with(("cluster: hbone\n", "cluster: hbone\n          max_connect_attempts: 3\n"))
        self.ended(self.connect().end(), b"", "FIN")
        self.assertEqual(self.log()["attempts"], 3)
        self.assertEqual((len(server.streams()), len(server.connections)), (3, 1))

    def test_second_attempt_gets_through(self):
        def answer(stream, data, end):
            if stream.id == 1:
                stream.reset(7)
            else:
                http2.echo(stream, data, end)
        self.host(answer)
        self.serve_with(("cluster: hbone\n", "cluster: hbone\n          max_connect_attempts: 2\n"))
        self.say_hi(b"H\n")
        self.assertEqual(self.log()["attempts"], 2)

    def test_headers_without_end(self):
        self.host(lambda stream, data, _: data is None and stream.respond(
            200, [("x-%d" % number, "v" * 8000) for number in range(9)]))
        self.serve_with()
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(hbone={"upstream_rq_total": 1, "upstream_rq_active": 0})

    def test_no_http2_at_all(self):
        self.host(lambda stream, data, _: stream.connection.send(b"\xff" * 100))
        self.serve_with()
        self.refused("UF,URX", None, upstream_cx_protocol_error=1, upstream_cx_destroy_local=1,
                     upstream_rq_tx_reset=1)

    def test_nobody_there(self):
        self.serve_with()
        self.refused("UF,URX", "delayed_connect_error:_Connection_refused",
                     upstream_cx_connect_fail=1, upstream_cx_destroy_remote=1,
                     upstream_rq_pending_failure_eject=1, upstream_rq_pending_total=1,
                     upstream_rq_total=0)

    def test_host_that_does_not_answer_the_connect(self):
        hole = backend.Blackhole(self.port(HOST))
        self.addCleanup(hole.close)
        self.serve_with(("connect_timeout: 1s", "connect_timeout: 0.3s"))
        self.refused("UF,URX", None, upstream_cx_connect_timeout=1, upstream_cx_connect_fail=1,
                     upstream_rq_pending_failure_eject=1)

    def test_the_answer_is_kept_for_the_log(self):
        self.host(lambda stream, data, end: stream.respond(200, [("x-r", "1"), ("x-r", "2")])
                  if data is None else stream.send(data, end))
        self.serve_with(("hostname:", "propagate_response_headers: true\n            hostname:"))
        self.say_hi(b"")
        self.assertEqual(self.log()["answer"], {"headers": [
            {"key": ":status", "value": "200"}, {"key": "x-r", "value": "1"},
            {"key": "x-r", "value": "2"}]})


class Ends(TunnelCase):
    """How tunnels end."""

    def test_the_hosts_end_is_a_half_close(self):
        server = self.host(opens)
        self.serve_with()
        connection = self.through()
        server.stream().send(end=True)
        self.ended(connection.end(), b"H\n", "FIN")
        connection.send(b"more")
        until(lambda: server.stream().data == b"more", 10, "bytes after the end")
        connection.half_close()
        until(lambda: server.stream().end == "END", 10, "END_STREAM")

    def test_the_clients_end_is_a_half_close(self):
        server = self.host(opens)
        self.serve_with()
        connection = self.through()
        connection.half_close()
        until(lambda: server.stream().end == "END", 10, "END_STREAM")
        server.stream().send(b"late", end=True)
        self.ended(connection.end(), b"H\nlate", "FIN")
        self.expect(hbone={"upstream_rq_tx_reset": 0, "upstream_rq_active": 0})

    def test_trailers_end_it(self):
        server = self.host(opens)
        self.serve_with()
        connection = self.through()
        server.stream().trailers([("x-t", "1")])
        self.ended(connection.end(), b"H\n", "FIN")

    def test_reset_of_the_stream_resets_the_client(self):
        self.host(resets(8, after=b"H\n"))
        self.serve_with()
        connection = self.through()
        connection.send(b"hi")
        self.ended(connection.end(), b"H\n", "RST")
        log = self.log()
        self.assertEqual((log["flags"], log["down"], log["up"]), ("UR", "LocalReset", "RemoteReset"))
        self.expect(hbone={"upstream_rq_rx_reset": 1, "upstream_cx_active": 1})

    def test_reset_of_the_client_resets_the_stream(self):
        server = self.host(opens)
        self.serve_with()
        connection = self.through()
        connection.reset()
        until(lambda: server.stream().end == "RST", 10, "RST_STREAM")
        self.expect(hbone={"upstream_rq_tx_reset": 1, "upstream_rq_active": 0,
                           "upstream_cx_active": 1, "http2.tx_reset": 1})

    @unittest.skipIf(corpus_case.IS_ENVOY, "Envoy waits on for an answer that nobody wants")
    def test_a_client_may_leave_before_the_answer(self):
        server = self.host(lambda stream, data, end: None)
        self.serve_with()
        connection = self.connect()
        server.stream()
        connection.reset()
        until(lambda: server.stream().end == "RST", 10, "RST_STREAM")
        self.expect(hbone={"upstream_rq_active": 0, "upstream_cx_active": 1})

    def test_idle_timeout_resets_the_stream(self):
        server = self.host(opens)
        self.serve_with(("cluster: hbone\n", "cluster: hbone\n          idle_timeout: 0.3s\n"))
        self.ended(self.through().end(), b"H\n", "FIN")
        until(lambda: server.stream().end == "RST", 10, "RST_STREAM")

    def test_lost_connection_ends_the_client(self):
        server = self.host(opens)
        self.serve_with()
        clients = [self.through() for _ in range(3)]
        server.connections[0].kill()
        for connection in clients:
            self.ended(connection.end(), b"H\n", "FIN")
        log = self.log(3)
        self.assertEqual((log["flags"], log["down"], log["up"]), ("-", "Normal", "Normal"))
        self.expect(hbone={"upstream_cx_destroy_remote_with_active_rq": 1, "upstream_cx_active": 0,
                           "upstream_rq_pending_failure_eject": 3, "upstream_rq_active": 0})

    def test_lost_before_the_answer(self):
        self.host(lambda stream, _, __: stream.connection.kill())
        self.serve_with()
        self.refused("UF,URX", None, upstream_rq_pending_failure_eject=1, upstream_rq_total=1,
                     upstream_cx_destroy_remote_with_active_rq=1, upstream_cx_connect_fail=0)

    def test_unanswered_ping(self):
        def answer(stream, data, end):
            stream.connection.pings_answered = False
            http2.echo(stream, data, end)
        self.host(answer)
        self.serve_with(("http2_protocol_options: {}", "http2_protocol_options: "
                         "{connection_keepalive: {interval: 0.2s, timeout: 0.2s}}"))
        self.ended(self.through().end(), b"H\n", "FIN")
        self.expect(hbone={"http2.keepalive_timeout": 1,
                           "upstream_cx_destroy_local_with_active_rq": 1})

    def test_answered_pings(self):
        server = self.host()
        self.serve_with(("http2_protocol_options: {}", "http2_protocol_options: "
                         "{connection_keepalive: {interval: 0.05s, timeout: 5s}}"))
        connection = self.through()
        until(lambda: [one for one in server.connections[0].frames if one[0] == http2.PING][2:],
              10, "three PINGs")
        connection.send(b"hi")
        connection.read_until(b"hi")


class Pool(TunnelCase):
    """Which connections carry which tunnels."""

    def test_goodbye_of_the_host(self):
        server = self.host()
        self.serve_with()
        first = self.through()
        server.connections[0].say_goaway(1)
        self.expect(hbone={"upstream_cx_close_notify": 1})
        second = self.through()
        first.send(b"hi")
        first.read_until(b"hi")
        self.assertEqual(len(server.connections), 2)
        first.half_close()
        self.ended(first.end(), b"H\nhi", "FIN")
        until(lambda: server.connections[0].end == "FIN", 10, "the first connection to end")
        self.expect(hbone={"upstream_cx_active": 1, "upstream_cx_destroy_local": 1})
        second.send(b"ho")
        second.read_until(b"ho")

    def test_goodbye_to_the_request(self):
        self.host(lambda stream, _, __: stream.connection.say_goaway(0))
        self.serve_with()
        self.ended(self.connect().end(), b"", "FIN")
        self.assertEqual(self.log()["flags"], "UF,URX")
        self.expect(hbone={"upstream_cx_active": 0, "upstream_cx_close_notify": 1,
                           "upstream_rq_active": 0})

    def test_hosts_limit_of_streams(self):
        server = self.host(first=http2.settings(max_concurrent_streams=1))
        self.serve_with()
        clients = [self.through() for _ in range(3)]
        self.assertEqual(len(server.connections), 3)
        self.expect(hbone={"upstream_cx_active": 3, "upstream_rq_active": 3})
        for connection in clients:
            connection.half_close()
            self.ended(connection.end(), b"H\n", "FIN")
        self.expect(hbone={"upstream_cx_active": 3, "upstream_rq_active": 0})
        self.through()
        self.assertEqual(len(server.connections), 3)

    def test_own_limit_of_streams(self):
        server = self.host()
        self.serve_with(("http2_protocol_options: {}",
                         "http2_protocol_options: {max_concurrent_streams: 2}"))
        clients = [self.through() for _ in range(5)]
        self.assertEqual(len(server.connections), 3)
        self.assertEqual(len(clients), 5)

    def test_limit_of_requests(self):
        server = self.host()
        self.serve_with(("explicit_http_config", "common_http_protocol_options: "
                         "{max_requests_per_connection: 2}\n        explicit_http_config"))
        clients = [self.through() for _ in range(3)]
        self.assertEqual(len(server.connections), 2)
        self.expect(hbone={"upstream_cx_max_requests": 1, "upstream_cx_active": 2})
        for connection in clients:
            connection.half_close()
            self.ended(connection.end(), b"H\n", "FIN")
        self.expect(hbone={"upstream_cx_active": 1, "upstream_cx_destroy_local": 1})

    def test_idle_connections_end(self):
        server = self.host()
        self.serve_with(("explicit_http_config", "common_http_protocol_options: "
                         "{idle_timeout: 0.3s}\n        explicit_http_config"))
        self.say_hi(b"H\n")
        until(lambda: server.connections[0].end == "FIN", 10, "the end of the connection")
        self.expect(hbone={"upstream_cx_idle_timeout": 1, "upstream_cx_active": 0,
                           "upstream_cx_destroy_local": 1})
        self.say_hi(b"H\n")
        self.assertEqual(len(server.connections), 2)

    def test_old_connections_take_no_more(self):
        server = self.host()
        self.serve_with(("explicit_http_config", "common_http_protocol_options: "
                         "{max_connection_duration: 0.3s}\n        explicit_http_config"))
        first = self.through()
        self.expect(hbone={"upstream_cx_max_duration_reached": 1})
        first.send(b"hi")
        first.read_until(b"hi")
        self.through()
        self.assertEqual(len(server.connections), 2)
        first.close()
        until(lambda: server.connections[0].end == "FIN", 10, "the first connection to end")

    def breaker(self, limit):
        return ("    connect_timeout: 1s", "    connect_timeout: 1s\n    circuit_breakers: "
                "{thresholds: [{%s: 1, track_remaining: true}]}" % limit)

    def test_breaker_of_requests(self):
        self.host()
        self.serve_with(self.breaker("max_requests"))
        first = self.through()
        self.ended(self.connect().end(), b"", "FIN")
        self.assertEqual(self.log()["flags"], "URX")
        self.expect(hbone={"upstream_rq_active_overflow": 1, "upstream_rq_total": 1,
                           "circuit_breakers.default.rq_open": 1})
        first.half_close()
        self.ended(first.end(), b"H\n", "FIN")
        self.expect(hbone={"circuit_breakers.default.remaining_rq": 1})
        self.through()

    def test_breaker_of_requests_that_wait(self):
        self.host()
        self.serve_with(self.breaker("max_pending_requests"))
        with self.proxy.paused():
            clients = [self.connect() for _ in range(3)]
        ends = sorted(one.end(1.5).how for one in clients)
        self.assertEqual(ends, ["FIN", "FIN", "open"])
        self.expect(hbone={"upstream_rq_pending_overflow": 2, "upstream_cx_total": 1,
                           "circuit_breakers.default.remaining_pending": 1})

    def test_breaker_of_connections(self):
        self.host()
        self.serve_with(self.breaker("max_connections"))
        self.through()
        self.ended(self.connect().end(), b"", "FIN")
        self.assertEqual(self.log()["flags"], "UO")
        self.expect(hbone={"upstream_cx_overflow": 1, "circuit_breakers.default.cx_open": 1})


class Flow(TunnelCase):
    """Bytes in bulk."""

    def test_large_flows_go_both_ways(self):
        self.host()
        self.serve_with()
        data = os.urandom(8 * 1024 * 1024)
        connection = self.through()
        sender = threading.Thread(target=connection.send, args=(data,))
        sender.start()
        connection.read_length(2 + len(data))
        sender.join()
        connection.half_close()
        ending = connection.end()
        self.assertEqual(ending.how, "FIN")
        self.assertTrue(ending.data == b"H\n" + data)

    def test_many_flows_share_a_connection(self):
        server = self.host()
        self.serve_with()
        data = os.urandom(1024 * 1024)
        clients = [self.through() for _ in range(8)]
        senders = [threading.Thread(target=one.send, args=(data,)) for one in clients]
        for sender in senders:
            sender.start()
        for connection in clients:
            connection.read_length(2 + len(data))
        for sender in senders:
            sender.join()
        self.assertTrue(all(one.data == b"H\n" + data for one in clients))
        self.assertEqual(len(server.connections), 1)

    def test_a_host_that_does_not_read_stops_only_one(self):
        def answer(stream, data, end):
            if data is None:
                stream.reads = stream.header("x-reads") != "no" and stream.id != 1
            http2.echo(stream, data, end)
        server = self.host(answer)
        self.serve_with()
        stalled = self.through()
        sender = threading.Thread(target=stalled.send, args=(b"x" * (8 * 1024 * 1024),))
        sender.start()
        until(lambda: len(server.stream(0).data) == 65535, 10, "a full window")
        self.say_hi(b"H\n")
        server.stream(0).credit()
        stalled.read_length(2 + 8 * 1024 * 1024)
        sender.join()

    def test_a_client_that_does_not_read_stops_only_one(self):
        size = 24 * 1024 * 1024
        server = self.host(opens)
        self.serve_with(("http2_protocol_options: {}", "http2_protocol_options: "
                         "{initial_stream_window_size: 65536, "
                         "custom_settings_parameters: [{identifier: 5, value: 1048576}]}"))
        stalled, other = self.through(), self.through()
        server.stream(0).send(b"x" * size)
        server.stream(1).send(b"hello")
        other.read_until(b"hello")
        settings = server.connections[0].settings
        self.assertEqual((settings[4], settings[5]), (65536, 1048576))
        stalled.read_length(2 + size)


class Requests(TunnelCase):
    """What tunneling_config makes of the request."""

    def fields(self, *edits):
        server = self.host()
        self.serve_with(*edits)
        self.say_hi(b"H\n")
        return server.stream().fields

    def test_hostname_with_operators(self):
        fields = self.fields(("\"10.0.0.7:8080\"", "\"%DOWNSTREAM_LOCAL_ADDRESS%\""))
        self.assertEqual(fields[1], (":authority", self.at(corpus_case.INGRESS)))

    def test_hostname_without_a_value(self):
        fields = self.fields(("\"10.0.0.7:8080\"", "\"%REQUESTED_SERVER_NAME%:80\""))
        self.assertEqual(fields[1], (":authority", "-:80"))

    def test_post(self):
        fields = self.fields(("hostname:", "use_post: true\n            hostname:"))
        self.assertEqual(fields[:4], [(":method", "POST"), (":authority", "10.0.0.7:8080"),
                                      (":path", "/"), (":scheme", "http")])

    def test_post_path(self):
        fields = self.fields(("hostname:",
                              "use_post: true\n            post_path: /p\n            hostname:"))
        self.assertEqual(fields[2], (":path", "/p"))

    def test_headers_of_the_largest_size(self):
        fields = self.fields(("k8s.namespace.name=default", "v" * 16384))
        self.assertEqual(fields[2], ("baggage", "v" * 16384))

    def test_headers(self):
        fields = self.fields(("- {header: {key: baggage, value: \"k8s.namespace.name=default\"}}",
                              """- {header: {key: X-From, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
            - {header: {key: x-a, value: "1"}}
            - {header: {key: x-a, value: "2"}, append_action: APPEND_IF_EXISTS_OR_ADD}
            - {header: {key: x-b, value: "1"}}
            - {header: {key: x-b, value: "2"}, append_action: ADD_IF_ABSENT}
            - {header: {key: x-c, value: "1"}}
            - {header: {key: x-c, value: "2"}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
            - {header: {key: x-c, value: "3"}, append_action: OVERWRITE_IF_EXISTS}
            - {header: {key: x-d, value: "2"}, append_action: OVERWRITE_IF_EXISTS}
            - {header: {key: x-e, value: ""}}
            - {header: {key: x-f, value: ""}, keep_empty_value: true}
            - {header: {key: x-g, value: "%REQUESTED_SERVER_NAME%"}}
            - {header: {key: x-h, value: "a%%b %FILTER_STATE(x:PLAIN)%c"}}"""))
        self.assertEqual(fields[2:], [
            ("x-c", "2"), ("x-from", "127.0.0.1"), ("x-a", "1"), ("x-a", "2"), ("x-b", "1"),
            ("x-b", "2"), ("x-c", "1"), ("x-f", ""), ("x-h", "a%b c")])

    STATE = """    - filters:
      - name: state
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config
          on_new_connection:
          - object_key: envoy.tcp_proxy.disable_tunneling
            format_string: {text_format_source: {inline_string: "%s"}}
"""

    def test_a_filter_may_be_against_it(self):
        server = self.backend("P", HOST)
        self.serve_with(("    - filters:\n", self.STATE % "true"))
        self.say_hi(b"P\n")
        self.assertEqual(server.visit().first_bytes, b"hi")

    def test_a_filter_may_be_for_it(self):
        server = self.host()
        self.serve_with(("    - filters:\n", self.STATE % "false"))
        self.say_hi(b"H\n")
        self.assertEqual(len(server.streams()), 1)


class Mesh(TunnelCase):
    """51-istio-connect-originate: what the endpoint says of the target becomes the request."""

    FILE = "valid/51-istio-connect-originate.yaml"
    LOG = """          access_log:
          - name: out
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {local: "%DOWNSTREAM_LOCAL_ADDRESS%", host: "%UPSTREAM_HOST%",
                direct: "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%", tls: "%UPSTREAM_TLS_VERSION%"}}
          tunneling_config:"""

    def setUp(self):
        super().setUp()
        self.server = self.host(context=server_context(alpn=("h2",)))

    def start(self):
        def edit(text):
            text = text.replace("override: 10008", "override: %d" % self.port(HOST))
            text = text.replace("127.0.0.1:11001", self.at(corpus_case.A))
            return text.replace("          tunneling_config:", self.LOG)
        self.serve(self.FILE, edit)

    def test_the_request_names_the_target(self):
        self.start()
        self.say_hi(b"H\n")
        self.assertEqual(self.server.stream().fields, [
            (":method", "CONNECT"), (":authority", self.at(corpus_case.A))])
        self.assertEqual(self.server.connections[0].settings[8], 1)

    def test_the_log(self):
        self.start()
        self.say_hi(b"H\n")
        self.assertEqual(self.log(), {
            "local": self.at(corpus_case.A), "host": self.at(HOST), "tls": "TLSv1.3",
            "direct": "envoy://connect_originate/" + self.at(corpus_case.A)})

    def test_one_connection_carries_all(self):
        self.start()
        clients = [self.through() for _ in range(5)]
        self.assertEqual(len(self.server.connections), 1)
        self.expect(connect_originate={"upstream_cx_http2_total": 1, "upstream_rq_active": 5},
                    app={"upstream_cx_active": 5})
        self.assertEqual(len(clients), 5)

    def test_reset_passes_all_of_it(self):
        self.start()
        connection = self.through()
        self.server.stream().reset(8)
        self.ended(connection.end(), b"H\n", "RST")

    def test_refusal_passes_all_of_it(self):
        self.server.answer = answers(503)
        self.start()
        self.ended(self.connect_having_sent().end(), b"", "RST")
        self.expect(connect_originate={"upstream_cx_connect_attempts_exceeded": 1})


def http1(answer):
    """A host that reads one request, says this, and echoes."""
    def behave(visit, server):
        head = b""
        while not head.endswith(b"\r\n\r\n") and (data := visit.read()):
            head += data
        server.heads.append(head)
        visit.write(answer)
        backend.echo(visit, server)
    return behave


class Http1(TunnelCase):
    """A cluster that says nothing of HTTP/2."""

    OPTIONS = "http2_protocol_options: {}", "http_protocol_options: {}"
    HEAD = (b"CONNECT 10.0.0.7:8080 HTTP/1.1\r\nhost: 10.0.0.7:8080\r\n"
            b"baggage: k8s.namespace.name=default\r\n\r\n")

    def start(self, answer, *edits):
        self.server = self.backend("H", HOST, greet=False, behave=http1(answer))
        self.server.heads = []
        self.serve_with(*(edits or (self.OPTIONS,)))

    def test_the_request(self):
        self.start(b"HTTP/1.1 200 OK\r\n\r\nH\n")
        self.say_hi(b"H\n")
        self.assertEqual(self.server.heads, [self.HEAD])
        self.expect(hbone={"upstream_cx_http1_total": 1, "upstream_cx_http2_total": 0,
                           "upstream_rq_total": 1, "upstream_cx_destroy_local_with_active_rq": 1})

    def test_is_what_a_cluster_speaks_unless_told(self):
        def edit(text):
            start = text.index("    typed_extension_protocol_options")
            text = text[:start] + text[text.index("    load_assignment"):]
            return text
        self.server = self.backend("H", HOST, greet=False,
                                   behave=http1(b"HTTP/1.1 200 OK\r\n\r\nH\n"))
        self.server.heads = []
        self.serve(self.FILE, edit)
        self.say_hi(b"H\n")
        self.assertEqual(self.server.heads, [self.HEAD])

    def test_any_2xx_opens(self):
        self.start(b"HTTP/1.1 201 Created\r\nx: y\r\n\r\nH\n")
        self.say_hi(b"H\n")

    def test_interim_answers_are_passed_over(self):
        self.start(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nH\n")
        self.say_hi(b"H\n")

    def test_each_client_has_its_connection(self):
        self.start(b"HTTP/1.1 200 OK\r\n\r\nH\n")
        clients = [self.through() for _ in range(3)]
        self.assertEqual(len(self.server.visits), len(clients))

    def test_refusal(self):
        self.start(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        self.refused("UF,URX", "tunnel_response:403", upstream_rq_total=1,
                     upstream_cx_connect_fail=0, upstream_cx_destroy_local_with_active_rq=1)

    @unittest.skipIf(corpus_case.IS_ENVOY, "Envoy sends chunks")
    def test_post_is_not_there(self):
        self.start(b"", self.OPTIONS, ("hostname:", "use_post: true\n            hostname:"))
        for _ in range(2):
            self.ended(self.connect().end(), b"", "FIN")
        self.assertEqual(self.log(2)["flags"], "URX")
        self.wait_error_text("cluster 'hbone': tunnels by POST need HTTP/2")
        self.assertEqual(self.server.visits, [])

    def test_no_http_at_all(self):
        self.start(b"nonsense\r\n\r\n")
        self.refused("UF,URX", None, upstream_rq_total=1)

    def test_the_clients_end_ends_it(self):
        self.start(b"HTTP/1.1 200 OK\r\n\r\nH\n")
        self.server._behave = http1_mute(b"HTTP/1.1 200 OK\r\n\r\nH\n")
        connection = self.through()
        connection.half_close()
        self.ended(connection.end(), b"H\n", "FIN")
        until(lambda: self.server.visit().end == "FIN", 10, "the end at the host")

    def test_the_answer_is_kept_for_the_log(self):
        self.start(b"HTTP/1.1 200 OK\r\nX-R: 1\r\n\r\nH\n", self.OPTIONS, (
            "hostname:", "propagate_response_headers: true\n            hostname:"))
        self.say_hi(b"H\n")
        self.assertEqual(self.log()["answer"], {"headers": [
            {"key": ":status", "value": "200"}, {"key": "x-r", "value": "1"}]})


def http1_mute(answer):
    def behave(visit, server):
        head = b""
        while not head.endswith(b"\r\n\r\n") and (data := visit.read()):
            head += data
        visit.write(answer)
        visit.read_all()
    return behave


class Refused(CorpusCase):
    """What tunneling_config does not take."""

    def refused(self, before, after, field, sentence):
        path = self.config(TunnelCase.FILE, lambda text: text.replace(before, after))
        status, _, stderr = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"],
            cwd=os.path.join(corpus_case.DATA, "valid"))
        self.assertEqual(status, 1, stderr)
        self.assertIn(sentence, stderr)
        if not corpus_case.IS_ENVOY:
            self.assertIn("filters[0].typed_config.tunneling_config." + field, stderr)

    def test_names_of_headers(self):
        for name in ("host", "\":authority\"", "\":path\""):
            self.refused("key: baggage", "key: " + name, "headers_to_add[0].header.key",
                         ":-prefixed or host headers may not be modified")

    def test_operators(self):
        self.refused("10.0.0.7:8080", "%NOSUCH%", "hostname",
                     "Not supported field in StreamInfo: NOSUCH")
        self.refused("k8s.namespace.name=default", "%NOSUCH%", "headers_to_add[0].header.value",
                     "Not supported field in StreamInfo: NOSUCH")

    def test_a_path_without_post(self):
        self.refused("hostname:", "post_path: /x\n            hostname:", "post_path",
                     "Can't set a post path when POST method isn't used")


if __name__ == "__main__":
    corpus_case.main()
