# SPDX-License-Identifier: Apache-2.0
"""The lab's own parts: what it reads out of files and takes out of output."""

import os
import socket
import ssl
import tempfile
import unittest

from lab import backend, bootstrap, client, compare, figures, junit, known, normalize, ports
from lab import report, traffic, tunnel_backend

VALID = os.path.join(os.path.dirname(os.path.realpath(__file__)), "data", "valid")


class Bootstrap(unittest.TestCase):
    TEXT = ("admin:\n  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}\n"
            "  x: {port_value: 10000}\n  path: /tmp/a.log\n  y: {port_value: 10000}\n")

    def test_finds_ports_once_and_in_order(self):
        self.assertEqual(bootstrap.ports_in(self.TEXT), [9901, 10000])
        self.assertEqual(bootstrap.ports_in('{"portValue": "7", "port_value":8}'), [7, 8])

    def test_moves_only_ports(self):
        moved = bootstrap.move_ports(self.TEXT + "id: 10000", {10000: 12345})
        self.assertEqual(moved.count("12345"), 2)
        self.assertIn("id: 10000", moved)

    def test_moves_paths_under_tmp(self):
        self.assertIn("path: /elsewhere/a.log", bootstrap.move_tmp(self.TEXT, "/elsewhere"))

    def test_admin_port(self):
        self.assertEqual(bootstrap.admin_port(self.TEXT), 9901)
        self.assertIsNone(bootstrap.admin_port("static_resources: {}"))

    def test_layout_of_a_dump(self):
        address = {"socket_address": {"address": "127.0.0.1", "port_value": 10000}}
        log = {"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
               "path": "/tmp/a.log"}
        listener = {"name": "in", "address": address,
                    "additional_addresses": [{"address": {"pipe": {"path": "/tmp/s"}}}],
                    "filter_chains": [{"access_log": [{"typed_config": log}]}]}
        cluster = {"name": "c", "load_assignment": {"endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]}]}}
        layout = bootstrap.Layout({"configs": [
            {"static_listeners": [{"listener": listener}]},
            {"static_clusters": [{"cluster": cluster}]}]})
        self.assertEqual([tuple(entry) for entry in layout.listeners],
                         [("in", "127.0.0.1", 10000), ("in", "/tmp/s", 0)])
        self.assertEqual([tuple(entry) for entry in layout.endpoints],
                         [("c", "127.0.0.1", 10000, False, False)])
        self.assertEqual((layout.log_paths, layout.log_formats), (["/tmp/a.log"], [None]))
        self.assertEqual(layout.moved_to("/x").listeners[1].address, "/x/s")


class Normalize(unittest.TestCase):
    def test_validate_error_loses_dump_blanks_and_position(self):
        stderr = ("[2026-11-21 09:59:53.827][1][info][main] [a.cc:1] runtime: {}\n"
                  "[2026-11-21 09:59:53.827][1][critical][main] [s.cc:76] error initializing "
                  "configuration 'x.yaml': goo.gle/debugonly  \nstatic {\n  a: 1\n}\n"
                  ": Proto   broken near   1:354 (offset   353): no\n")
        self.assertEqual(normalize.startup_error(stderr),
                         "Proto broken near L:C (offset N): no")

    def test_serve_error_is_what_follows_the_log(self):
        stderr = "[2026-11-21 09:59:54.493][1][info][main] [s.cc:1] exiting\nreason  one\nreason 2"
        self.assertEqual(normalize.startup_error(stderr), "reason one\nreason 2")

    def test_default_log_line(self):
        line = ('[2026-11-21T02:22:36.907Z] "- - -" 0 UF,URX 3 5 2312 - "-" "-" "-" "-" '
                '"127.0.0.1:11001"')
        self.assertEqual(
            normalize.log_lines([line], [None]),
            ['[<start_time>] "- - -" 0 UF,URX 3 5 <duration> - "-" "-" "-" "-" '
             '"127.0.0.1:11001"'])

    def test_json_log_keeps_order_and_types(self):
        form = {"took": "%DURATION%", "rx": "%BYTES_RECEIVED%", "from": "%UPSTREAM_LOCAL_ADDRESS%"}
        line = '{"from":"127.0.0.1:40001","rx":2,"took":17}'
        self.assertEqual(normalize.log_lines([line], [None, form]),
                         ['{"from":"127.0.0.1:<port>","rx":2,"took":"<masked>"}'])

    def test_line_of_no_known_format_is_masked_in_general(self):
        self.assertEqual(normalize.log_lines(["odd 127.0.0.1:60000 at 127.0.0.1:10000"], ["x%A%"]),
                         ["odd 127.0.0.1:<port> at 127.0.0.1:10000"])


class Figures(unittest.TestCase):
    def setUp(self):
        layout = bootstrap.Layout({"configs": []})
        layout.pools = [{"blue", "green"}]
        layout.endpoints = [bootstrap.Endpoint("blue", "127.0.0.1", 1),
                            bootstrap.Endpoint("green", "127.0.0.1", 2),
                            bootstrap.Endpoint("alone", "127.0.0.1", 3)]
        names = {("127.0.0.1", port): name for port, name in ((1, "A"), (2, "B"), (3, "C"))}
        self.chance = figures.Chance(layout, names)

    def test_random_backends_are_named_together(self):
        self.assertEqual(self.chance.mask_names("'B\\nhi', FIN"), "'A|B\\nhi', FIN")
        self.assertEqual(self.chance.mask_names("'C\\nhi', FIN"), "'C\\nhi', FIN")
        self.assertEqual(self.chance.mask_hosts("to 127.0.0.1:2, green"),
                         "to (a host of blue|green), blue|green")

    def test_pools_are_summed(self):
        stats = {"cluster.blue.upstream_cx_total": 3, "cluster.green.upstream_cx_total": 4,
                 "cluster.alone.upstream_cx_total": 5, "http.admin.downstream_rq_total": 9}
        self.assertEqual(figures.statistics(stats, self.chance, True),
                         {"cluster.blue|green.upstream_cx_total": 7,
                          "cluster.alone.upstream_cx_total": 5})

    def test_only_the_balance_of_pauses_counts(self):
        stem = "tcp.t.downstream_flow_control_%s_reading_total"
        found = figures.statistics({stem % "paused": 9, stem % "resumed": 9}, self.chance, False)
        self.assertEqual(found, {"tcp.t.downstream_flow_control_balance": "even"})

    def test_host_counts_are_summed_where_chance_decides(self):
        text = ("blue::127.0.0.1:1::cx_total::1\nblue::127.0.0.1:1::weight::1\n"
                "green::127.0.0.1:2::cx_total::2\nalone::127.0.0.1:3::cx_total::4\n")
        self.assertEqual(figures.cluster_lines(text, self.chance),
                         {"blue|green::(all hosts)::cx_total": "3",
                          "blue::127.0.0.1:1::weight": "1",
                          "alone::127.0.0.1:3::cx_total": "4"})


class Traffic(unittest.TestCase):
    def test_script(self):
        steps = traffic.parse("hello*2, silent:0.5@127.0.0.2\nbulk:10")
        self.assertEqual([(s.text, s.verb, s.argument, s.source) for s in steps],
                         [("hello", "hello", "", None)] * 2 +
                         [("silent:0.5@127.0.0.2", "silent", "0.5", "127.0.0.2"),
                          ("bulk:10", "bulk", "10", None)])

    def test_text_has_ends_of_lines(self):
        with backend.Backend("A", greet=False) as server:
            [step] = traffic.parse(r"hello:PROXY TCP4 127.0.0.1 127.0.0.2 7 8\r\nhi")
            self.assertEqual(traffic.run(step, ("127.0.0.1", server.port)),
                             r"'PROXY TCP4 127.0.0.1 127.0.0.2 <port> 8\r\nhi', FIN")

    def test_file_with_tls_is_asked_in_tls_too(self):
        script = traffic.script_for("DownstreamTlsContext")
        self.assertIn("tls", [step.verb for step in traffic.parse(script)])
        self.assertEqual(traffic.script_for("filters"), traffic.DEFAULT)

    def test_tunnels_are_asked_for_and_given(self):
        steps = traffic.parse("connect:to=127.0.0.1:7;cert=certs/client", VALID)
        self.assertEqual(traffic.destinations(steps), {("127.0.0.1", 7)})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(os.path.join(VALID, "certs", "server." + kind)
                                  for kind in ("pem", "key")))
        server = tunnel_backend.TunnelBackend("A", tls=context)
        self.addCleanup(server.close)
        seen = traffic.run(steps[0], ("127.0.0.1", server.port))
        self.assertIn(r": :status: 200; 'A\nhi', FIN", seen)
        self.assertEqual([visit[:2] for visit in server.visits], [("FIN", 2)])
        self.assertEqual(server.visits[0].request, ":method: CONNECT, :authority: 127.0.0.1:7")

    def test_unknown_verb_is_named(self):
        with self.assertRaisesRegex(ValueError, "'shout' is no step; verbs are bulk"):
            traffic.parse("hello,shout")

    def test_clients_against_a_backend(self):
        with backend.Backend("A") as server:
            where = ("127.0.0.1", server.port)
            seen = [traffic.run(step, where) for step in traffic.parse(
                "hello,hasty:yo,silent:0.1,bulk:300000,reset,pair")]
            self.assertEqual(seen, [
                r"'A\nhi', FIN", r"'A\nyo', FIN", r"'A\n', stays open; then FIN",
                r"'A\n', all 300000 bytes back, FIN", r"'A\nhi', stays open; leaves with RST",
                r"first 'A\n', FIN; second 'A\nhi', FIN"])

    def test_endings_are_told_apart(self):
        with backend.Backend("A", behave=backend.reset_on_data) as server:
            where = ("127.0.0.1", server.port)
            self.assertEqual(traffic.run(traffic.parse("hello")[0], where), r"'A\n', RST")
        self.assertTrue(client.refuses(where))
        self.assertEqual(traffic.run(traffic.parse("hello")[0], where), "connection refused")


class Ports(unittest.TestCase):
    def test_blocks_do_not_overlap(self):
        with ports.Ports() as one, ports.Ports() as two:
            taken = [block.take() for block in (one, two) for _ in range(10)]
        self.assertEqual(len(set(taken)), 20)

    def test_listening_port_is_not_free(self):
        with backend.Backend("A") as server:
            self.assertFalse(ports.is_free(server.port))

    def test_port_of_datagrams_is_not_free(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            self.assertFalse(ports.is_free(receiver.getsockname()[1]))

    def test_black_hole_swallows_connects(self):
        with backend.Blackhole() as hole, self.assertRaises(TimeoutError):
            client.Client(("127.0.0.1", hole.port), within_s=0.2)


class Differences(unittest.TestCase):
    def page(self, rows):
        file = tempfile.NamedTemporaryFile("w", suffix=".md", delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            file.write("| id | section | pattern | why |\n|---|---|---|---|\n" + rows)
        return known.read(file.name)

    def test_row_explains_its_section_only(self):
        rows = self.page("| `late` | counters | `x\\.(a\\|b): 1 => 2` | because |\n")
        self.assertEqual(known.find(rows, "counters", "x.b", "1", "2"), "late")
        self.assertIsNone(known.find(rows, "counters", "x.c", "1", "2"))
        self.assertIsNone(known.find(rows, "log", "x.b", "1", "2"))

    def result(self, *rows):
        return compare.Comparison("f.yaml", list(rows), [])

    def test_known_differences_are_not_failures(self):
        result = self.result(compare.Row("counters", "a", "1", "2", False, "late"),
                             compare.Row("counters", "b", "1", "1", True, None))
        self.assertEqual((result.summary(), result.unknown),
                         ("1 difference, 1 of them known: late", []))

    def test_text_marks_what_differs(self):
        result = self.result(compare.Row("counters", "a", "1", "2", False, None),
                             compare.Row("counters", "b", "3", "3", True, None),
                             compare.Row("counters", "c", "0", "0", True, None))
        text = report.Text(False, ("Envoy 1", "Culvert 2"), 100).comparison(result, False)
        marked = [line.split() for line in text.splitlines() if line.startswith("!=")]
        self.assertEqual(marked, [["!=", "a", "1", "2"]])
        self.assertIn("and 1 that are 0 on both sides", text)
        self.assertNotIn("\x1b", text)

    def test_json_and_markdown_hold_the_rows(self):
        result = self.result(compare.Row("log", "stdout line 1", "a|b", "c", False, None))
        names = ("Envoy 1", "Culvert 2")
        self.assertIn('"culvert": "c"', report.as_json([result], names))
        self.assertIn("| != | `stdout line 1` | `a\\|b` | `c` |",
                      report.markdown(result, names, False))


if __name__ == "__main__":
    junit.main()
