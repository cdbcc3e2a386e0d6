# SPDX-License-Identifier: Apache-2.0
"""Corpus 23 to 27 and 47: whom filters let in, and what they tell the filters behind them."""

import json
import unittest

import corpus_case
from corpus_case import A, INGRESS, IS_ENVOY, CorpusCase
from lab import client, proxy

_FORMAT = ('{src: "%s", flags: "%%RESPONSE_FLAGS%%", why: "%%DOWNSTREAM_LOCAL_CLOSE_REASON%%", '
           'attempts: "%%UPSTREAM_REQUEST_ATTEMPT_COUNT%%"}')
_STDOUT = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"


def access_log(source, form=_FORMAT):
    """An access_log field that writes JSON lines, each with its source, to standard output."""
    return ("access_log: [{name: out, typed_config: {'@type': %s, log_format: {json_format: %s}}}]"
            % (_STDOUT, form % source))


def with_logs(text, form=_FORMAT):
    """The listener and tcp_proxy both log."""
    text = text.replace("    filter_chains:", "    %s\n    filter_chains:"
                        % access_log("listener", form), 1)
    tail = "stat_prefix: ingress_tcp, cluster: backend"
    return text.replace(tail, tail + ", " + access_log("tcp_proxy", form))


def with_admin_layer(text):
    return text + "layered_runtime: {layers: [{name: operator, admin_layer: {}}]}\n"


class ConnectionLimit(CorpusCase):
    """26-connection-limit: two at a time; the third is closed after half a second."""

    STATS = "connection_limit.limited."

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A)

    def counts(self, active, limited):
        self.proxy.wait_stats({self.STATS + "active_connections": active,
                               self.STATS + "limited_connections": limited})

    def open_one(self):
        opened = self.connect()
        opened.read_until(b"A\n")
        return opened

    def test_third_is_closed_after_the_delay(self):
        self.serve("valid/26-connection-limit.yaml", with_logs)
        self.counts(active=0, limited=0)
        self.open_one(), self.open_one()
        silent, hasty = self.connect(), self.connect_having_sent()
        self.counts(active=4, limited=2)
        ending = silent.end()
        self.ended(ending, b"", "FIN")
        self.assertGreater(ending.after_s, 0.4)
        self.ended(hasty.end(), b"", "RST")
        self.counts(active=2, limited=2)
        self.expect(listener={"downstream_cx_total": 4, "downstream_cx_active": 2},
                    tcp={"downstream_cx_total": 4}, backend={"upstream_cx_total": 2})
        lines = [json.loads(line) for line in self.proxy.wait_stdout(4)]
        self.assertCountEqual([line["src"] for line in lines], ["listener", "tcp_proxy"] * 2)
        for line in lines:
            self.assertEqual((line["why"], line["flags"], line["attempts"]),
                             ("over_connection_limit", "-", 0))

    def test_place_is_free_when_one_has_left(self):
        self.serve("valid/26-connection-limit.yaml")
        first, _ = self.open_one(), self.open_one()
        first.half_close()
        self.ended(first.end(), b"A\n", "FIN")
        self.counts(active=1, limited=0)
        self.open_one()

    def test_delayed_one_keeps_its_place_until_it_is_closed(self):
        self.serve("valid/26-connection-limit.yaml")
        first, _ = self.open_one(), self.open_one()
        delayed = self.connect()
        self.counts(active=3, limited=1)
        first.reset()
        self.counts(active=2, limited=1)
        self.ended(self.connect().end(), b"", "FIN")
        self.counts(active=1, limited=2)
        self.ended(delayed.end(), b"", "FIN")
        self.open_one()

    def test_without_delay_it_is_closed_at_once(self):
        self.serve("valid/26-connection-limit.yaml",
                   lambda text: text.replace("          delay: 0.5s\n", ""))
        self.open_one(), self.open_one()
        self.ended(self.connect().end(), b"", "FIN")
        self.counts(active=2, limited=1)

    def test_runtime_key_turns_it_off(self):
        self.serve("valid/26-connection-limit.yaml", lambda text: with_admin_layer(text.replace(
            "delay: 0.5s", "runtime_enabled: {default_value: true, runtime_key: limit.on}")))
        self.open_one(), self.open_one()
        self.ended(self.connect().end(), b"", "FIN")
        self.proxy.post("/runtime_modify?limit.on=false")
        self.open_one()
        self.counts(active=2, limited=1)

    def test_workers_share_the_limit(self):
        self.serve("valid/26-connection-limit.yaml", flags=["--concurrency", "4"])
        crowd = [self.connect() for _ in range(20)]
        self.counts(active=20, limited=18)
        served = [one for one in crowd if one.end(within_s=1.5).data == b"A\n"]
        self.assertEqual(len(served), 2)


class LocalRateLimit(CorpusCase):
    """27-local-ratelimit: three at first, then one a minute."""

    RATE = "tokens_per_fill: 1, fill_interval: 60s"

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def limited(self, count):
        self.proxy.wait_stats({"local_rate_limit.burst.rate_limited": count})

    def test_fourth_is_closed(self):
        self.serve("valid/27-local-ratelimit.yaml", with_logs)
        for _ in range(3):
            self.say_hi()
        self.limited(0)
        self.ended(self.connect().end(), b"", "FIN")
        self.ended(self.connect_having_sent().end(), b"", "RST")
        self.limited(2)
        self.expect(tcp={"downstream_cx_total": 5}, backend={"upstream_cx_total": 3})
        lines = [json.loads(line) for line in self.proxy.wait_stdout(10)]
        refused = [line for line in lines if line["attempts"] == 0]
        self.assertEqual(len(refused), 4)
        for line in refused:
            self.assertEqual((line["why"], line["flags"]),
                             ("local_ratelimit_close_over_limit", "URX"))

    def test_bucket_fills_steadily(self):
        """Forty tokens in twenty seconds: one each half second, not forty after twenty."""
        self.serve("valid/27-local-ratelimit.yaml", lambda text: text.replace(
            self.RATE, "tokens_per_fill: 40, fill_interval: 20s"))
        first = self.connect()
        served, tried = 1, 1
        while served < 6 and tried < 10000:
            served += self.connect().end(within_s=0.5).how == "open"
            tried += 1
        took_s = first.end(within_s=0.01).after_s
        self.assertTrue(1.2 < took_s < 10, took_s)
        self.limited(tried - 6)

    def test_workers_share_the_bucket(self):
        self.serve("valid/27-local-ratelimit.yaml", flags=["--concurrency", "4"])
        crowd = [self.connect() for _ in range(20)]
        self.limited(17)
        self.assertEqual(sum(one.end(within_s=0.3).how == "open" for one in crowd), 3)

    def test_share_key_joins_listeners(self):
        port = self.port(10001)

        def two_listeners(text):
            text = text.replace("          stat_prefix: burst",
                                "          stat_prefix: burst\n          share_key: both")
            begin, end = text.index("  - name: limited"), text.index("  clusters:")
            second = text[begin:end].replace("name: limited", "name: second")
            second = second.replace("port_value: 10000", "port_value: 10001")
            return text[:end] + second + text[end:]

        self.serve("valid/27-local-ratelimit.yaml", two_listeners)
        self.say_hi()
        self.say_hi(where=("127.0.0.1", port))
        self.say_hi()
        with client.Client(("127.0.0.1", port)) as late:
            self.ended(late.end(), b"", "FIN")
        self.limited(1)

    def test_runtime_key_turns_it_off(self):
        self.serve("valid/27-local-ratelimit.yaml", lambda text: with_admin_layer(text.replace(
            "60s}", "60s}\n          runtime_enabled: {default_value: true, runtime_key: rate.on}")))
        for _ in range(3):
            self.say_hi()
        self.ended(self.connect().end(), b"", "FIN")
        self.proxy.post("/runtime_modify?rate.on=false")
        self.say_hi()
        self.limited(1)


_RBAC_FORMAT = ('{src: "%s", details: "%%CONNECTION_TERMINATION_DETAILS%%", '
                'down: "%%DOWNSTREAM_LOCAL_CLOSE_REASON%%", up: "%%UPSTREAM_LOCAL_CLOSE_REASON%%", '
                'shadow: "%%DYNAMIC_METADATA(envoy.filters.network.rbac)%%", '
                'hint: "%%DYNAMIC_METADATA(envoy.common:access_log_hint)%%", '
                'received: "%%BYTES_RECEIVED%%", flags: "%%RESPONSE_FLAGS%%"}')


class Rbac(CorpusCase):
    """Corpus 23 to 25, with the listener's log."""

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A)

    def serve_guarded(self, name, *replacements, port=None):
        """Each replacement is (old, new); `port` is the one that the policy allows."""
        def edit(text):
            text = text.replace("destination_port: 10000",
                                "destination_port: %d" % (port or self.port(INGRESS)))
            for old, new in replacements:
                self.assertIn(old, text)
                text = text.replace(old, new)
            return with_logs(text, _RBAC_FORMAT)

        self.serve("valid/" + name, edit)

    def guard(self, **counts):
        self.proxy.wait_stats({"guard.rbac." + name: count for name, count in counts.items()})

    def greeted(self, source=None):
        opened = self.connect(source=source)
        opened.read_until(b"A\n")
        return opened

    def says(self, source=None, data=b"hi"):
        """A greeted client that says something; how that ends."""
        opened = self.greeted(source)
        opened.send(data)
        return opened.end(within_s=0.3)


class RbacAllowsSource(Rbac):
    """23-rbac-allow-source: 127.0.0.2 may, nobody else."""

    def test_allowed_source_is_served(self):
        self.serve_guarded("23-rbac-allow-source.yaml")
        self.say_hi(source="127.0.0.2")
        self.guard(allowed=1, denied=0, shadow_allowed=0, shadow_denied=0)

    def test_denied_client_reads_the_greeting_until_it_speaks(self):
        self.serve_guarded("23-rbac-allow-source.yaml")
        silent = self.greeted()
        self.ended(silent.end(within_s=0.2), b"A\n", "open")
        self.guard(allowed=0, denied=0)
        silent.send(b"hi")
        self.ended(silent.end(), b"A\n", "FIN")
        self.guard(allowed=0, denied=1)
        self.expect(backend={"upstream_cx_total": 1, "upstream_cx_tx_bytes_total": 0},
                    tcp={"downstream_cx_rx_bytes_total": 2})
        line = self.log()
        self.assertEqual((line["details"], line["down"], line["up"], line["received"], line["flags"]),
                         ("rbac_access_denied_matched_policy[none]", "rbac_deny_close",
                          "rbac_deny_close", 2, "-"))

    def test_denied_client_that_only_half_closes(self):
        self.serve_guarded("23-rbac-allow-source.yaml")
        opened = self.greeted()
        opened.half_close()
        self.ended(opened.end(), b"A\n", "FIN")
        self.guard(denied=1)

    def test_backend_sees_nothing_of_what_was_denied(self):
        self.serve_guarded("23-rbac-allow-source.yaml")
        self.says(data=b"secret")
        until_over = self.a.visit()
        self.guard(denied=1)
        self.expect(backend={"upstream_cx_active": 0})
        self.assertEqual(until_over.received, 0)

    def test_delay_puts_the_close_off(self):
        self.serve_guarded("23-rbac-allow-source.yaml",
                           ("stat_prefix: guard", "stat_prefix: guard.\n          delay_deny: 0.7s"))
        opened = self.greeted()
        opened.send(b"x")
        self.guard(denied=1)
        self.a.visit().write(b"more")
        ending = opened.end()
        self.ended(ending, b"A\nmore", "FIN")
        self.assertGreater(ending.after_s, 0.6)
        self.assertEqual(self.log()["received"], 1)

    def test_waiting_for_the_byte_keeps_the_backend_out_of_it(self):
        self.serve_guarded("23-rbac-allow-source.yaml", (
            "          cluster: backend", "          cluster: backend\n          "
            "upstream_connect_mode: ON_DOWNSTREAM_DATA\n          max_early_data_bytes: 1000"))
        hasty = self.connect()
        hasty.send(b"hi")
        self.ended(hasty.end(), b"", "FIN")
        self.expect(backend={"upstream_cx_total": 0})

    def test_port_matters(self):
        self.serve_guarded("23-rbac-allow-source.yaml", port=1)
        self.ended(self.says("127.0.0.2"), b"A\n", "FIN")


    @unittest.skipIf(IS_ENVOY, "Envoy passes over some of them")
    def test_conditions_that_nobody_would_check_are_refused(self):
        for old, new, error in (
                ("permissions:", "condition: {}\n                permissions:",
                 r"policies\[lab-hosts\]\.condition .*no CEL expressions"),
                ("{destination_port: ", "{url_path: {path: {exact: /}}}, {destination_port: ",
                 r"permissions\[0\]\.url_path .*not supported by RBAC network filter")):
            path = self.config("valid/23-rbac-allow-source.yaml",
                               lambda text: text.replace(old, new))
            status, _, stderr = proxy.run_to_end(
                corpus_case.binary(), ["-c", path, "--mode", "validate"], cwd=self.folder)
            self.assertEqual(status, 1)
            self.assertRegex(stderr, error)


class RbacShadow(Rbac):
    """24-rbac-deny-with-shadow: 127.0.0.3 is denied; a dry run allows only 127.0.0.2."""

    def test_counts_both_sets_of_rules(self):
        self.serve_guarded("24-rbac-deny-with-shadow.yaml")
        self.ended(self.says("127.0.0.1"), b"A\nhi", "open")
        self.ended(self.says("127.0.0.2"), b"A\nhi", "open")
        self.ended(self.says("127.0.0.3"), b"A\n", "FIN")
        self.guard(**{"allowed": 2, "denied": 1, "dry_.shadow_allowed": 1,
                      "dry_.shadow_denied": 2})

    def test_log_tells_the_policies(self):
        self.serve_guarded("24-rbac-deny-with-shadow.yaml")
        self.ended(self.says("127.0.0.3"), b"A\n", "FIN")
        line = self.log()
        self.assertEqual((line["details"], line["shadow"]),
                         ("rbac_access_denied_matched_policy[blocked]",
                          {"dry_shadow_engine_result": "denied"}))
        allowed = self.greeted("127.0.0.2")
        allowed.send(b"hi")
        allowed.read_until(b"hi")
        allowed.half_close()
        allowed.end()
        self.assertEqual(self.log(2)["shadow"],
                         {"dry_shadow_engine_result": "allowed",
                          "dry_shadow_effective_policy_id": "would-allow"})


class RbacLog(Rbac):
    """25-rbac-log-only: never denies, looks at each read."""

    def test_counts_each_read_and_leaves_a_hint(self):
        self.serve_guarded("25-rbac-log-only.yaml")
        talker = self.greeted()
        for count in (1, 2, 3):
            talker.send(b"x")
            talker.read_length(2 + count)
            self.guard(allowed=count, denied=0)
        talker.half_close()
        self.assertEqual(talker.end().how, "FIN")
        self.guard(allowed=4)
        self.assertEqual(self.log()["hint"], True)

    def test_carries_much(self):
        self.serve_guarded("25-rbac-log-only.yaml")
        sent = b"0123456789" * 100_000
        self.ended(client.send_half_close(self.here(), sent, b"A\n" + sent), b"A\n" + sent, "FIN")


@unittest.skipIf(IS_ENVOY, "Envoy always dials first")
class RbacBeforeDialling(Rbac):
    """A runtime key asks for the verdict before the upstream is dialled."""

    KEY = ("static_resources:", "layered_runtime: {layers: [{name: s, static_layer: "
           "{culvert.rbac_before_dialling: true}}]}\nstatic_resources:")

    def test_denied_client_is_closed_at_once(self):
        self.serve_guarded("23-rbac-allow-source.yaml", self.KEY)
        self.ended(self.connect().end(), b"", "FIN")
        self.guard(denied=1)
        self.expect(backend={"upstream_cx_total": 0})
        self.assertEqual(self.log()["details"], "rbac_access_denied_matched_policy[none]")

    def test_allowed_client_is_served(self):
        self.serve_guarded("23-rbac-allow-source.yaml", self.KEY)
        self.say_hi(source="127.0.0.2")
        self.guard(allowed=1, denied=0)


class SetFilterState(CorpusCase):
    """47-set-filter-state-cluster: the client's address picks the cluster."""

    FORMAT = ('{src: "%s", cluster: "%%UPSTREAM_CLUSTER%%", flags: "%%RESPONSE_FLAGS%%", '
              'state: "%%FILTER_STATE(k:PLAIN)%%"}')
    KEY = "object_key: envoy.tcp_proxy.cluster"

    def serve_picker(self, *replacements):
        edit = self.edited(*replacements)
        self.serve("valid/47-set-filter-state-cluster.yaml",
                   lambda text: with_logs(edit(text), self.FORMAT))

    def test_address_picks_the_cluster(self):
        self.backends("AB")
        self.serve_picker()
        self.assertEqual(self.greeting("127.0.0.1"), "A")
        self.assertEqual(self.greeting("127.0.0.2"), "B")
        self.proxy.wait_stats({"cluster.pool_127.0.0.1.upstream_cx_total": 1,
                               "cluster.pool_127.0.0.2.upstream_cx_total": 1,
                               "tcp.picker.downstream_cx_no_route": 0})
        self.assertEqual(self.log(2)["cluster"], "pool_127.0.0.2")

    def test_cluster_that_is_not_there(self):
        self.serve_picker()
        self.ended(self.connect(source="127.0.0.3").end(), b"", "FIN")
        self.proxy.wait_stats({"tcp.picker.downstream_cx_no_route": 1})
        self.assertEqual(self.log()["flags"], "NC")

    def test_log_sees_what_was_written(self):
        self.backends("A")
        self.serve_picker((self.KEY, self.KEY + "\n            format_string: "
                           "{text_format_source: {inline_string: 'pool_127.0.0.1'}}\n"
                           "          - object_key: k\n            factory_key: envoy.string"))
        self.say_hi()
        self.assertEqual(self.log()["state"], "pool_127.0.0.1")

    def test_first_bytes_are_seen(self):
        self.backends("A")
        self.serve_picker(("on_new_connection:", "on_downstream_data:"),
                          (self.KEY, "object_key: k\n            factory_key: envoy.string"),
                          ("pool_%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "%BYTES_RECEIVED%"),
                          ("cluster: unused", "cluster: pool_127.0.0.1"))
        talker = self.connect()
        talker.read_until(b"A\n")
        for text in (b"hi", b"more"):
            talker.send(text)
            talker.read_until(text)
        talker.half_close()
        self.ended(talker.end(), b"A\nhimore", "FIN")
        self.assertEqual(self.log()["state"], "2")

    def test_idle_timeout_of_one_connection(self):
        self.backends("A")
        self.serve_picker((self.KEY, "object_key: envoy.tcp_proxy.per_connection_idle_timeout_ms"),
                          ("pool_%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "400"),
                          ("cluster: unused", "cluster: pool_127.0.0.1"))
        ending = self.connect().end()
        self.ended(ending, b"A\n", "FIN")
        self.assertGreater(ending.after_s, 0.3)
        self.proxy.wait_stats({"tcp.picker.idle_timeout": 1})


if __name__ == "__main__":
    corpus_case.main()
