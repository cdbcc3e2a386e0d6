# SPDX-License-Identifier: Apache-2.0
"""The program as an operator meets it: forms of configuration, flags, signals, what it says."""

import json
import os
import signal
import socket
import unittest

import corpus_case
from corpus_case import A, ADMIN, B, INGRESS, IS_ENVOY, CorpusCase
from lab import client, normalize, proxy
from lab.wait import until

_TCP = "valid/01-tcp-proxy.yaml"


class Forms(CorpusCase):
    """One proxy, written down in several ways."""

    def works(self, name, flags=()):
        self.backend("A", A)
        self.serve(name, flags=flags)
        self.say_hi()
        self.expect(backend={"upstream_cx_total": 1})

    def test_json_with_both_spellings(self):
        self.works("forms/tcp.json")

    def test_text_proto(self):
        self.works("forms/tcp.pb_text")

    def test_config_yaml_is_merged_into_the_file(self):
        # A scalar overrides, a repeated field is appended to.
        self.works(_TCP, ["--config-yaml", "{node: {id: lab}, static_resources: {clusters: [{"
                          "name: second, connect_timeout: 2s}]}}"])
        self.assertEqual(sorted({key[0] for key in self.proxy.clusters()}), ["backend", "second"])
        self.proxy.wait_stats({"cluster_manager.cluster_added": 2})

    def test_config_yaml_alone(self):
        path = self.config(_TCP)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        status, stdout, stderr = proxy.run_to_end(
            corpus_case.binary(), ["--config-yaml", text, "--mode", "validate",
                                   "--use-dynamic-base-id"])
        self.assertEqual((status, stdout), (0, "configuration '' OK\n"), stderr)


class Flags(unittest.TestCase):
    def run_with(self, *flags):
        return proxy.run_to_end(corpus_case.binary(), list(flags))

    def test_missing_file(self):
        status, stdout, stderr = self.run_with("-c", "/nonexist.yaml", "--use-dynamic-base-id")
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn("/nonexist.yaml", stderr)

    def test_no_configuration(self):
        status, _, stderr = self.run_with("--use-dynamic-base-id")
        self.assertEqual(status, 1)
        self.assertIn("At least one of --config-path or --config-yaml", stderr)

    def test_bad_flags_say_which(self):
        for flags, said in ((["--mode", "bogus"], "error: unknown mode 'bogus'"),
                            (["-l", "bogus"], "error: invalid log level specified 'bogus'"),
                            (["--bogus"], "Argument: --bogus"),
                            (["--concurrency", "abc"], "Couldn't read argument value")):
            with self.subTest(flags=flags):
                status, stdout, stderr = self.run_with("-c", "x.yaml", *flags)
                self.assertEqual(status, 1)
                self.assertIn(said, stdout + stderr)

    def test_version(self):
        status, stdout, stderr = self.run_with("--version")
        self.assertEqual(status, 0)
        self.assertRegex(stdout + stderr, r"version: ?\S+")

    def test_empty_object_is_a_configuration(self):
        status, stdout, stderr = self.run_with("--config-yaml", "{}", "--mode", "validate",
                                               "--use-dynamic-base-id")
        self.assertEqual((status, stdout), (0, "configuration '' OK\n"), stderr)


class Signals(CorpusCase):
    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve(_TCP)

    def test_sigint_stops(self):
        self.proxy.signal(signal.SIGINT)
        self.assertEqual(self.proxy.wait_exit(), 0)
        self.assertIn("SIGINT", self.proxy.stderr())

    def test_sigterm_is_logged(self):
        self.assertEqual(self.proxy.stop(), 0)
        self.assertIn("SIGTERM", self.proxy.stderr())
        self.assertTrue(client.refuses(self.here()))

    def test_sighup_is_eaten(self):
        self.proxy.signal(signal.SIGHUP)
        self.wait_error_text("SIGHUP")
        self.say_hi()
        self.assertTrue(self.proxy.alive())

    def test_quitquitquit_stops(self):
        self.assertEqual(self.proxy.post("/quitquitquit"), (200, "OK\n"))
        self.assertEqual(self.proxy.wait_exit(), 0)

    def test_get_does_not_change_anything(self):
        self.assertEqual(self.proxy.get("/quitquitquit")[0], 405)
        self.say_hi()

    def test_healthcheck_fail_turns_ready_off(self):
        self.assertEqual(self.proxy.post("/healthcheck/fail"), (200, "OK\n"))
        self.assertEqual(self.proxy.get("/ready"), (503, "DRAINING\n"))
        self.proxy.wait_stats({"server.live": 0, "server.state": 1})
        self.say_hi()  # new connections are still served
        self.assertEqual(self.proxy.post("/healthcheck/ok"), (200, "OK\n"))
        self.assertEqual(self.proxy.get("/ready"), (200, "LIVE\n"))

    def test_drained_listener_keeps_its_connections(self):
        held = self.connect()
        held.read_until(b"A\n")
        self.assertEqual(self.proxy.post("/drain_listeners"), (200, "OK\n"))
        client.wait_refuses(self.here())
        held.send(b"hi")
        held.read_until(b"A\nhi")
        self.assertEqual(self.proxy.get("/ready"), (200, "LIVE\n"))

    def test_reset_counters_leaves_gauges(self):
        held = self.connect()
        held.read_until(b"A\n")
        self.expect(listener={"downstream_cx_total": 1, "downstream_cx_active": 1})
        self.assertEqual(self.proxy.post("/reset_counters"), (200, "OK\n"))
        self.expect(listener={"downstream_cx_total": 0, "downstream_cx_active": 1})


class Starting(CorpusCase):
    """A start that waits for the first check of a host, whose answer does not come."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        path = self.config("valid/41-sds-from-file.yaml", lambda text: text.replace(
            "    connect_timeout: 1s\n", """    connect_timeout: 1s
    health_checks:
    - {timeout: 60s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1,
       tcp_health_check: {send: {text: "61"}, receive: [{text: "7a7a7a"}]}}
"""))
        self.proxy = proxy.Proxy(corpus_case.binary(), path, self.port(ADMIN), self.folder,
                                 cwd=os.path.join(corpus_case.DATA, "valid"))
        self.addCleanup(self.proxy.kill)
        until(self.answers, 20, "the admin page")

    def answers(self):
        try:
            return self.proxy.get("/ready") == (503, "PRE_INITIALIZING\n")
        except OSError:
            return False

    def unready(self, query=""):
        dump = json.loads(self.proxy.text("/init_dump" + query))
        return {unready["name"]: unready["target_names"]
                for unready in dump.get("unready_targets_dumps", [])}

    def test_init_dump_names_what_listeners_wait_for(self):
        (name, targets), = self.unready("?mask=listener").items()
        self.assertRegex(name, r"^init manager Listener-local-init-manager ingress \d+$")
        self.assertEqual(targets, ["shared target SdsApi server_cert"])

    @unittest.skipIf(IS_ENVOY, "Envoy does not tell of clusters")
    def test_init_dump_names_clusters(self):
        self.assertEqual(self.unready()["init manager cluster_manager"], ["cluster backend"])


class Draining(CorpusCase):
    """tcp_proxy with check_drain_close: a connection ends after its next bytes."""

    FIELDS = '''          check_drain_close: true
          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {
                closed: "%DOWNSTREAM_LOCAL_CLOSE_REASON% %UPSTREAM_LOCAL_CLOSE_REASON%",
                flags: "%RESPONSE_FLAGS%", details: "%CONNECTION_TERMINATION_DETAILS%",
                bytes: "%BYTES_RECEIVED%/%BYTES_SENT%"}}
'''

    def hold(self, drain_type="DEFAULT", strategy="immediate"):
        self.host = self.backend("A", A)
        self.serve(_TCP, edit=lambda text: text.replace(
            "          cluster: backend", self.FIELDS + "          cluster: backend").replace(
                "    filter_chains:", "    drain_type: %s\n    filter_chains:" % drain_type),
                   flags=["--drain-time-s", "600", "--drain-strategy", strategy])
        held = self.connect()
        held.read_until(b"A\n")
        return held

    def ends(self, held):
        held.send(b"hi")
        self.assertEqual(held.end().how, "FIN")
        self.proxy.wait_stats({"tcp.ingress_tcp.downstream_cx_drain_close": 1})

    def goes_on(self, held):
        held.send(b"hi")
        held.read_until(b"A\nhi")
        self.proxy.wait_stats({"tcp.ingress_tcp.downstream_cx_drain_close": 0})

    def test_nothing_drains(self):
        self.goes_on(self.hold())

    def test_healthcheck_fail(self):
        held = self.hold()
        self.proxy.post("/healthcheck/fail")
        self.ends(held)

    def test_healthcheck_ok_ends_that(self):
        held = self.hold()
        self.proxy.post("/healthcheck/fail")
        self.proxy.post("/healthcheck/ok")
        self.goes_on(held)

    def test_bytes_of_the_host_end_it_too_and_reach_the_client(self):
        held = self.hold()
        self.proxy.post("/healthcheck/fail")
        self.host.visit().write(b"last words")
        self.ended(held.end(), b"A\nlast words", "FIN")

    def test_the_host_has_had_what_ended_it(self):
        held = self.hold()
        self.proxy.post("/healthcheck/fail")
        self.ends(held)
        visit = self.host.visit()
        until(lambda: visit.end != "open", 10, "the end at the host")
        self.assertEqual(visit.first_bytes, b"hi")
        self.assertEqual(self.log(), {
            "closed": "tcp_proxy_drain_close tcp_proxy_drain_close", "flags": "-",
            "details": None, "bytes": "2/2"})

    def test_modify_only_is_deaf_to_healthcheck_fail(self):
        held = self.hold("MODIFY_ONLY")
        self.proxy.post("/healthcheck/fail")
        self.goes_on(held)

    def test_modify_only_heeds_drain_listeners(self):
        held = self.hold("MODIFY_ONLY")
        self.proxy.post("/drain_listeners?graceful")
        self.ends(held)

    def test_graceful_accepts_on(self):
        held = self.hold()
        self.proxy.post("/drain_listeners?graceful")
        self.ends(held)
        self.connect().read_until(b"A\n")

    def test_skip_exit(self):
        held = self.hold()
        self.proxy.post("/drain_listeners?graceful&skip_exit")
        self.ends(held)
        self.connect().read_until(b"A\n")

    def test_at_once(self):
        held = self.hold()
        self.proxy.post("/drain_listeners")
        self.ends(held)
        client.wait_refuses(self.here())  # Whose tries may be drained, too.

    def test_inbound_only_leaves_others(self):
        held = self.hold()
        self.proxy.post("/drain_listeners?graceful&inboundonly")
        self.goes_on(held)

    def test_gradually_means_hardly_any_at_first(self):
        held = self.hold(strategy="gradual")
        self.proxy.post("/drain_listeners?graceful")
        self.goes_on(held)

    @unittest.skipIf(IS_ENVOY, "Envoy does not tell")
    def test_the_admin_page_tells_how_long(self):
        self.hold()
        self.assertNotIn("drain_remaining", self.proxy.text("/server_info"))
        self.proxy.post("/drain_listeners?graceful")
        self.assertRegex(self.proxy.text("/server_info"), r'"drain_remaining": "(600|59\d)s"')
        self.assertRegex(self.proxy.text("/listeners?format=json"),
                         r'"drain_remaining": "(600|59\d)s"')


@unittest.skipIf(IS_ENVOY, "Envoy closes every connection at the first signal")
class Termination(CorpusCase):
    """SIGTERM while somebody is connected."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def hold(self, flags=("--drain-time-s", "20")):
        self.serve(_TCP, flags=flags)
        held = self.connect()
        held.read_until(b"A\n")
        self.proxy.signal(signal.SIGTERM)
        client.wait_refuses(self.here())
        return held

    def test_open_connections_go_on(self):
        held = self.hold()
        held.send(b"hi")
        held.read_until(b"A\nhi")
        held.half_close()
        self.assertEqual(held.end().how, "FIN")
        self.assertEqual(self.proxy.wait_exit(), 0)

    def test_second_signal_ends_them(self):
        held = self.hold(["--drain-time-s", "600"])
        self.proxy.signal(signal.SIGTERM)
        self.assertEqual(self.proxy.wait_exit(), 0)
        self.assertEqual(held.end().how, "FIN")

    def test_drain_time_ends_them(self):
        held = self.hold(["--drain-time-s", "1"])
        self.assertEqual(self.proxy.wait_exit(), 0)
        self.assertEqual(held.end().how, "FIN")

    def test_admin_page_answers_meanwhile(self):
        held = self.hold()
        self.assertEqual(self.proxy.get("/ready"), (503, "DRAINING\n"))
        held.close()
        self.assertEqual(self.proxy.wait_exit(), 0)


class BindFailures(CorpusCase):
    """A port that somebody holds alone."""

    def refusal(self, name=_TCP, edit=None):
        path = self.config(name, edit)
        status, _, stderr = proxy.run_to_end(corpus_case.binary(),
                                             ["-c", path, "--use-dynamic-base-id"])
        self.assertEqual(status, 1, stderr)
        return stderr

    def hold(self, corpus_port):
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(holder.close)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(self.here(corpus_port))
        holder.listen(1)

    def test_listener_port_is_taken(self):
        self.hold(INGRESS)
        stderr = self.refusal()
        self.assertIn("cannot bind '%s'" % self.at(INGRESS), stderr)
        self.assertIn("Address already in use", stderr)

    def test_admin_port_is_taken(self):
        self.hold(ADMIN)
        self.assertIn("Address already in use", self.refusal())


@unittest.skipIf(IS_ENVOY, "Envoy takes these without a word; Culvert says what is wrong")
class SaidPlainly(CorpusCase):
    """What leads a learner astray is refused at start."""

    def reason(self, edit):
        path = self.config(_TCP, edit)
        status, _, stderr = proxy.run_to_end(corpus_case.binary(),
                                             ["-c", path, "--use-dynamic-base-id"])
        self.assertEqual(status, 1, stderr)
        return normalize.startup_error(stderr)

    def test_listener_name_used_twice(self):
        def twice(text):
            head, listener = text.split("  listeners:\n")
            listener, clusters = listener.split("  clusters:\n")
            other = listener.replace("10000", "10001")
            return head + "  listeners:\n" + listener + other + "  clusters:\n" + clusters

        reason = self.reason(twice)
        self.assertTrue(reason.startswith("static_resources.listeners[1]"), reason)
        self.assertIn("ingress", reason)

    def test_listener_whose_cluster_is_itself(self):
        reason = self.reason(lambda text: text.replace("11001", "10000"))
        self.assertTrue(reason.startswith("static_resources."), reason)

    def test_port_that_another_proxy_serves(self):
        other = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(other.close)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(self.here())
        other.listen(1)
        # Refused or served with a warning: the operator must hear of it either way.
        try:
            self.serve(_TCP)
        except proxy.Refused as refused:
            self.assertEqual(refused.status, 1)
        said = [line for line in self.said().splitlines() if str(self.port(INGRESS)) in line]
        self.assertTrue([line for line in said if "already" in line or "another" in line], said)

    def said(self):
        with open(self.tmp("stderr"), encoding="utf-8") as file:
            return file.read()


class ManyErrors(CorpusCase):
    """Two mistakes in one file."""

    @unittest.skipIf(IS_ENVOY, "Envoy stops at the first")
    def test_both_are_said(self):
        path = self.config(_TCP, lambda text: text.replace("stat_prefix", "stat_prefx").replace(
            "connect_timeout: 1s", "connect_timeout: 0s"))
        status, _, stderr = proxy.run_to_end(corpus_case.binary(), [
            "-c", path, "--mode", "validate", "--use-dynamic-base-id"])
        self.assertEqual(status, 1)
        reason = normalize.startup_error(stderr)
        self.assertIn("did you mean 'stat_prefix'?", reason)
        self.assertIn("static_resources.clusters[0].connect_timeout", reason)
        self.assertIn("%s:14:" % os.path.basename(path), reason)


class Reload(CorpusCase):
    """The proxy outlives its backend."""

    def test_backend_restarts(self):
        first = self.backend("A", A)
        self.serve(_TCP)
        self.say_hi()
        first.close()
        self.assertEqual(self.connect().end().data, b"")
        self.backend("A", A)
        self.say_hi()
        self.assertEqual(self.proxy.hosts("backend"), [self.at(A)])
        self.assertTrue(client.refuses(self.here(B)))


if __name__ == "__main__":
    corpus_case.main()
