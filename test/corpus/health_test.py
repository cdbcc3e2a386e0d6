# SPDX-License-Identifier: Apache-2.0
"""Corpus 32, 33, 35: active health checks over TCP and HTTP, failover, the log of events."""

import collections
import json

import corpus_case
from corpus_case import CorpusCase
from lab import proxy
from lab.http2 import frame
from lab.wait import until

OFTEN = "interval: 0.1s, no_traffic_interval: 0.1s"


def often(text):
    """Checks come every 0.1 s, with traffic or without."""
    block = "      interval: 1s\n"
    return (text.replace(block, "      interval: 0.1s\n      no_traffic_interval: 0.1s\n")
            .replace("interval: 1s,", OFTEN + ","))


class Checked(CorpusCase):
    """What the cases below have in common."""

    CLUSTER = "checked"

    def flags(self, port):
        return self.proxy.clusters()[(self.CLUSTER, self.at(port), "health_flags")]

    def wait_flags(self, port, wanted):
        until(lambda: self.flags(port) == wanted, 10, "flags " + wanted)

    def shares(self, count):
        return collections.Counter(self.greeting() for _ in range(count))

    def events(self, count):
        return [json.loads(line) for line in proxy.wait_lines(self.tmp("events"), count)]


class Tcp(Checked):
    """32-tcp-health-check: of two hosts one listens."""

    FILE = "valid/32-tcp-health-check.yaml"

    def test_hosts_are_known_when_the_proxy_is_live(self):
        self.backend("A", 11001)
        self.serve(self.FILE)
        self.assertEqual([self.flags(11001), self.flags(11009)], ["healthy", "/failed_active_hc"])
        self.assertEqual(self.shares(10), {"A": 10})
        self.expect(checked={"membership_healthy": 1, "health_check.attempt": 2,
                             "health_check.success": 1, "health_check.failure": 1,
                             "health_check.network_failure": 1, "health_check.healthy": 1,
                             "health_check.degraded": 0, "health_check.passive_failure": 0,
                             "health_check.verify_cluster": 0, "lb_healthy_panic": 0})

    def test_json_page_tells_it(self):
        self.backend("A", 11001)
        self.serve(self.FILE)
        page = json.loads(self.proxy.text("/clusters?format=json"))
        hosts = page["cluster_statuses"][0]["host_statuses"]
        self.assertEqual([host["health_status"] for host in hosts],
                         [{"eds_health_status": "HEALTHY"},
                          {"eds_health_status": "HEALTHY", "failed_active_health_check": True}])

    def test_a_host_that_comes_up_is_used(self):
        self.backend("A", 11001)
        self.serve(self.FILE, often)
        self.backend("B", 11009)
        self.wait_flags(11009, "healthy")
        self.expect(checked={"membership_healthy": 2})
        self.assertEqual(self.shares(10), {"A": 5, "B": 5})

    def test_a_host_that_goes_down_is_left(self):
        a = self.backend("A", 11001)
        self.backend("B", 11009)
        self.serve(self.FILE, often)
        self.wait_flags(11001, "healthy")
        a.close()
        self.wait_flags(11001, "/failed_active_hc")
        self.expect(checked={"membership_healthy": 1})
        self.assertEqual(self.shares(6), {"B": 6})

    def test_without_traffic_checks_wait_for_the_first_connection(self):
        self.backend("A", 11001)
        self.serve(self.FILE, lambda text: text.replace("interval: 1s", "interval: 0.1s"))
        self.greeting()
        self.expect(checked={"health_check.attempt": 2})

    def test_another_port_answers_for_a_host(self):
        self.backend("A", 11001)
        self.serve(self.FILE, lambda text: text.replace(
            "port_value: 11009}}",
            "port_value: 11009}}, health_check_config: {port_value: 11001}"))
        self.assertEqual(self.flags(11009), "healthy")

    def test_a_host_can_be_left_unchecked(self):
        self.backend("A", 11001)
        self.serve(self.FILE, lambda text: text.replace(
            "port_value: 11009}}",
            "port_value: 11009}}, health_check_config: {disable_active_health_check: true}"))
        self.assertEqual(self.flags(11009), "healthy")
        self.expect(checked={"health_check.attempt": 1, "membership_healthy": 2})

    def test_events_of_all_kinds(self):
        def edit(text):
            return often(text).replace(
                "      tcp_health_check", "      event_log_path: /tmp/events\n"
                                          "      tcp_health_check")
        a = self.backend("A", 11001)
        self.serve(self.FILE, edit)
        first = {event["host"]["socket_address"]["port_value"]: event for event in self.events(2)}
        self.assertEqual(list(first[self.port(11001)]), [
            "health_checker_type", "host", "cluster_name", "add_healthy_event", "timestamp",
            "locality"])
        self.assertEqual(first[self.port(11001)]["add_healthy_event"], {"first_check": True})
        self.assertEqual(list(first[self.port(11009)]), [
            "health_checker_type", "host", "cluster_name", "timestamp",
            "health_check_failure_event", "locality"])
        self.assertEqual(first[self.port(11009)]["health_check_failure_event"], {
            "failure_type": "NETWORK", "first_check": True, "http_status_code": 0})
        a.close()
        last = self.events(3)[2]
        self.assertEqual(last["eject_unhealthy_event"],
                         {"failure_type": "NETWORK", "http_status_code": 0})
        self.assertEqual(last["health_checker_type"], "TCP")
        self.assertEqual(last["cluster_name"], "checked")

    def test_the_log_says_how_often(self):
        if corpus_case.IS_ENVOY:
            self.skipTest("Envoy says nothing")
        self.backend("A", 11001)
        self.serve(self.FILE)
        self.wait_error_text("cluster 'checked': TCP health checks every 1 s.* 60 s while")


class Closing(Checked):
    """32 with connections that end when their host fails its checks."""

    def test_connections_to_a_failed_host_are_closed(self):
        self.connection_after_failure("close_connections_on_host_health_failure: true")
        self.expect(checked={"upstream_cx_active": 0, "upstream_cx_destroy_local": 1,
                             "upstream_cx_destroy_local_with_active_rq": 1})
        ending = self.held.end()
        self.assertEqual((ending.data, ending.how), (b"A\n", "FIN"))

    def test_or_else_they_go_on(self):
        self.connection_after_failure("connect_timeout: 2s")
        self.held.send(b"hi")
        self.assertEqual(self.held.read_length(4), b"A\nhi")
        self.expect(checked={"upstream_cx_active": 1, "upstream_cx_destroy": 0})

    def connection_after_failure(self, line):
        """Leaves self.held, to A, which refuses new connections by now."""
        a = self.backend("A", 11001)
        self.serve("valid/32-tcp-health-check.yaml", lambda text: often(text).replace(
            "connect_timeout: 1s", line))
        self.wait_flags(11001, "healthy")
        self.held = self.connect()
        self.assertEqual(self.held.read_length(2), b"A\n")
        a.refuse()
        self.wait_flags(11001, "/failed_active_hc")


class SlowStart(Checked):
    """32 with a host that comes up later, and gets its load little by little."""

    CONFIG = "{slow_start_config: {slow_start_window: 2s}}"

    def share_of_the_new_host(self, lines):
        self.backend("A", 11001)
        self.serve("valid/32-tcp-health-check.yaml", lambda text: often(text).replace(
            "connect_timeout: 1s", lines))
        # By then A has been healthy for longer than the window.
        self.expect(checked={"health_check.success": lambda count: count >= 22})
        self.backend("B", 11009)
        self.wait_flags(11009, "healthy")
        return self.shares(40)["B"]

    def test_round_robin(self):
        share = self.share_of_the_new_host("round_robin_lb_config: " + self.CONFIG)
        self.assertTrue(1 <= share <= 16, share)

    def test_least_request(self):
        share = self.share_of_the_new_host(
            "lb_policy: LEAST_REQUEST\n    least_request_lb_config: " + self.CONFIG)
        self.assertTrue(1 <= share <= 16, share)

    def test_without_it_all_are_alike(self):
        share = self.share_of_the_new_host("connect_timeout: 2s")
        self.assertEqual(share, 20)


class Payload(Checked):
    """33-tcp-health-check-payload: A answers as it should, B with another name."""

    FILE = "valid/33-tcp-health-check-payload.yaml"

    def test_only_the_right_answer_counts(self):
        a = self.backends("AB")["A"]
        self.serve(self.FILE)
        self.assertEqual([self.flags(11001), self.flags(11002)],
                         ["healthy", "/failed_active_hc/active_hc_timeout"])
        self.assertEqual(self.shares(6), {"A": 6})
        self.assertEqual(a.visit(0).first_bytes, b"PING")
        self.expect(checked={"health_check.success": 1, "health_check.failure": 1,
                             "health_check.network_failure": 1})

    def test_one_connection_serves_many_checks(self):
        a = self.backends("AB")["A"]
        self.serve(self.FILE, lambda text: often(text).replace("410a50494e47", "50494e47"))
        self.expect(checked={"health_check.success": lambda count: count >= 6})
        self.assertEqual(len(a.visits), 1)

    def test_or_each_has_its_own(self):
        a = self.backends("AB")["A"]
        self.serve(self.FILE, lambda text: often(text).replace(
            "      tcp_health_check", "      reuse_connection: false\n      tcp_health_check"))
        until(lambda: len(a.visits) >= 3, 10, "three checks")


class Failover(Checked):
    """35-priority-failover: nobody listens in the first priority."""

    CLUSTER = "tiers"
    FILE = "valid/35-priority-failover.yaml"

    def test_there_and_back(self):
        b = self.backend("B", 11002)
        self.serve(self.FILE, often)
        self.assertEqual(self.shares(5), {"B": 5})
        self.backend("A", 11009)
        self.wait_flags(11009, "healthy")
        self.assertEqual(self.shares(5), {"A": 5})
        b.close()


def http(status="200 OK", headers=b"content-length: 2\r\n", body=b"ok"):
    """A behaviour: answers each request so."""
    def behave(visit, backend):
        seen = b""
        while data := visit.read():
            seen += data
            while b"\r\n\r\n" in seen:
                backend.requests.append(seen[:seen.index(b"\r\n\r\n")].decode().split("\r\n"))
                seen = seen[seen.index(b"\r\n\r\n") + 4:]
                visit.write(b"HTTP/1.1 %s\r\n%s\r\n%s" % (backend.status.encode(), headers, body))
    behave.status = status
    return behave


class WithHttp(Checked):
    """The checks of 32 as HTTP."""

    def serve_http(self, check="path: /ready", more="", edit=often):
        self.serve("valid/32-tcp-health-check.yaml", lambda text: edit(text).replace(
            "tcp_health_check: {}", "http_health_check: {%s}%s" % (check, more)))


class Http(WithHttp):
    """Over HTTP/1.1."""

    def server(self, behave, port=11001):
        server = self.backend("H", port, greet=False, behave=behave)
        server.requests = []
        server.status = behave.status
        return server

    def test_a_status_of_200_is_healthy(self):
        server = self.server(http())
        self.serve_http()
        self.wait_flags(11001, "healthy")
        request = server.requests[0]
        self.assertEqual(request[0], "GET /ready HTTP/1.1")
        self.assertIn("host: checked", request)
        self.assertIn("user-agent: Envoy/HC", request)
        self.assertEqual(len([v for v in server.visits if v.end == "open"]), 1)

    def test_another_status_is_not(self):
        server = self.server(http("503 Busy"))
        self.serve_http()
        self.wait_flags(11001, "/failed_active_hc")
        self.expect(checked={"health_check.network_failure": lambda count: count >= 1})
        server.status = "200 OK"
        self.wait_flags(11001, "healthy")
        server.status = "503 Busy"
        self.wait_flags(11001, "/failed_active_hc")

    def test_which_statuses_are_expected_is_configured(self):
        self.server(http("204 None", headers=b"", body=b""))
        self.serve_http("path: /, method: HEAD, host: me.test, "
                        "expected_statuses: [{start: 200, end: 205}]")
        self.wait_flags(11001, "healthy")

    def test_the_request_is_as_configured(self):
        server = self.server(http(headers=b"", body=b""))
        self.serve_http("path: \"/x?y=1\", method: HEAD, host: me.test")
        until(lambda: server.requests, 10, "a request")
        self.assertEqual(server.requests[0][0], "HEAD /x?y=1 HTTP/1.1")
        self.assertIn("host: me.test", server.requests[0])

    def test_the_request_may_have_headers_of_its_own(self):
        server = self.server(http())
        self.serve_http("path: /, request_headers_to_add: [{header: {key: X-One, value: a%%b}}], "
                        "request_headers_to_remove: [user-agent]")
        until(lambda: server.requests, 10, "a request")
        self.assertEqual(server.requests[0][1:], ["host: checked", "x-one: a%b"])

    def test_a_retriable_status_needs_the_threshold(self):
        server = self.server(http())
        self.serve_http("path: /, retriable_statuses: [{start: 429, end: 430}]",
                        edit=lambda text: often(text).replace("unhealthy_threshold: 1",
                                                              "unhealthy_threshold: 100"))
        self.wait_flags(11001, "healthy")
        server.status = "429 Later"
        self.expect(checked={"health_check.failure": lambda count: count >= 10})
        self.assertEqual(self.flags(11001), "healthy")
        server.status = "500 Bad"
        self.wait_flags(11001, "/failed_active_hc")

    def test_a_host_may_call_itself_degraded(self):
        self.server(http(headers=b"x-envoy-degraded: 1\r\ncontent-length: 2\r\n"))
        self.serve_http()
        self.wait_flags(11001, "/degraded_active_hc")
        self.expect(checked={"membership_degraded": 1, "membership_healthy": 0,
                             "health_check.degraded": 1})

    def test_events_name_the_status(self):
        self.server(http("503 Busy"))
        self.backend("B", 11009)
        self.serve_http(more="\n      event_log_path: /tmp/events\n"
                             "      always_log_health_check_failures: true")
        mine = next(event for event in self.events(2)
                    if event["host"]["socket_address"]["port_value"] == self.port(11001))
        self.assertEqual(mine["health_checker_type"], "HTTP")
        self.assertEqual(mine["health_check_failure_event"], {
            "failure_type": "ACTIVE", "first_check": True, "http_status_code": 503})


def frames(data):
    """[(kind, flags, stream, payload)] of the whole frames in data, and what is left."""
    found = []
    while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
        end = 9 + int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:end]))
        data = data[end:]
    return found, data


def http2(visit, backend):
    """Answers each request over HTTP/2 with backend.answer(stream)."""
    visit.write(frame(4, 0, 0))
    seen = b""
    while data := visit.read():
        seen += data
        if len(seen) >= 24 and seen.startswith(b"PRI * HTTP/2.0"):
            seen = seen[24:]
        whole, seen = frames(seen)
        for kind, flags, stream, payload in whole:
            if kind == 0:
                backend.requests.append(payload)
            if kind in (0, 1) and flags & 1:
                visit.write(backend.answer(stream))
            elif kind == 4 and not flags & 1:
                visit.write(frame(4, 1, 0))


def text(value):
    """A string of HPACK, not compressed."""
    return bytes([len(value)]) + value


def field(name, value):
    """A header of HPACK that is in no table."""
    return b"\0" + text(name) + text(value)


def serving(status, code=b"0"):
    """What answers a call of grpc.health.v1.Health.Check."""
    def answer(stream):
        head = b"\x88" + field(b"content-type", b"application/grpc")
        return (frame(1, 4, stream, head) + frame(0, 0, stream, b"\0\0\0\0\2\x08" + status) +
                frame(1, 5, stream, field(b"grpc-status", code)))
    return answer


class Http2(WithHttp):
    """The checks of 32 over HTTP/2."""

    SPEAKS = """typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    health_checks"""

    def http2_server(self, answer):
        server = self.backend("H", 11001, greet=False, behave=http2)
        server.requests = []
        server.answer = answer
        return server

    def serve_grpc(self, check="", more=""):
        self.serve("valid/32-tcp-health-check.yaml", lambda text: often(text).replace(
            "health_checks", self.SPEAKS).replace(
                "tcp_health_check: {}", "grpc_health_check: {%s}%s" % (check, more)))

    def test_http_statuses(self):
        server = self.http2_server(lambda stream: frame(1, 5, stream, b"\x88"))
        self.serve_http("path: /ready, codec_client_type: HTTP2")
        self.wait_flags(11001, "healthy")
        server.answer = lambda stream: frame(1, 5, stream, b"\x8d")  # 404
        self.wait_flags(11001, "/failed_active_hc")
        self.assertEqual(len(server.visits), 1)

    def test_grpc_says_serving(self):
        server = self.http2_server(serving(b"\1"))
        self.serve_grpc("service_name: a.b")
        self.wait_flags(11001, "healthy")
        self.assertEqual(server.requests[0], b"\0\0\0\0\5\n\3a.b")
        self.expect(checked={"health_check.success": lambda count: count >= 3})
        self.assertEqual(len(server.visits), 1)

    def test_grpc_says_not_serving(self):
        server = self.http2_server(serving(b"\2"))
        self.serve_grpc(more="\n      event_log_path: /tmp/events")
        self.wait_flags(11001, "/failed_active_hc")
        self.assertEqual(server.requests[0], b"\0\0\0\0\0")
        mine = next(event for event in self.events(2)
                    if event["host"]["socket_address"]["port_value"] == self.port(11001))
        self.assertEqual(mine["health_checker_type"], "GRPC")
        self.assertEqual(mine["health_check_failure_event"], {
            "failure_type": "ACTIVE", "first_check": True, "http_status_code": 0})
        server.answer = serving(b"\1")
        self.wait_flags(11001, "healthy")

    def test_grpc_knows_no_such_service(self):
        self.http2_server(lambda stream: frame(
            1, 5, stream, b"\x88" + field(b"content-type", b"application/grpc") +
            field(b"grpc-status", b"5")))
        self.serve_grpc()
        self.wait_flags(11001, "/failed_active_hc")

    def test_grpc_needs_http2(self):
        path = self.config("valid/32-tcp-health-check.yaml", lambda text: text.replace(
            "tcp_health_check: {}", "grpc_health_check: {}"))
        status, _, said = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"])
        self.assertEqual(status, 1)
        self.assertIn("checked cluster must support HTTP/2 for gRPC healthchecking", said)


if __name__ == "__main__":
    corpus_case.main()
