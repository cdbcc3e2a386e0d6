# SPDX-License-Identifier: Apache-2.0
"""Corpus 30 and 31: access logs."""

import os
import re
import signal

import corpus_case
from corpus_case import A, CorpusCase
from lab import proxy


class JsonLog(CorpusCase):
    """30-access-log-json: on standard output."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/30-access-log-json.yaml")

    def test_line_is_exactly_envoys(self):
        self.say_hi()
        line = self.proxy.wait_stdout(1)[0]
        self.assertEqual(
            line, '{"attempts":1,"cluster":"backend","flags":"-","rx":2,"sni":null,"tx":4,'
                  '"upstream":"%s"}' % self.at(A))

    def test_one_line_for_each_connection_in_order(self):
        for size in (1, 2, 3):
            with self.connect() as talking:
                talking.send(b"x" * size)
                talking.read_until(b"A\n" + b"x" * size)
                talking.half_close()
                talking.end()
            self.assertEqual(self.log(size)["rx"], size)


class ListenerLogAndFile(CorpusCase):
    """31-access-log-listener-and-file: a line for every connection, and a file for one chain."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.path = self.tmp("envoy-lab-31.log")
        self.serve("valid/31-access-log-listener-and-file.yaml")

    def default_line(self, rx, tx):
        return (r'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "- - -" 0 - %d %d \d+ - "-" "-" "-" '
                r'"-" "%s"' % (rx, tx, re.escape(self.at(A))))

    def test_matched_connection_has_both_lines(self):
        self.say_hi(source="127.0.0.2")
        self.assertRegex(proxy.wait_lines(self.path, 1)[0], "^" + self.default_line(2, 4) + "$")
        self.assertEqual(self.proxy.wait_stdout(1),
                         ["listener-level flags=- details=- chain=only_loopback_two"])

    def test_unmatched_connection_is_closed_and_logged(self):
        self.ended(self.connect().end(), b"", "FIN")
        self.assertEqual(
            self.proxy.wait_stdout(1),
            ["listener-level flags=NR details=filter_chain_not_found chain=-"])
        self.expect(listener={"no_filter_chain_match": 1, "downstream_cx_total": 0})
        self.assertEqual(os.path.getsize(self.path), 0)

    def test_unmatched_connection_that_had_sent_sees_rst(self):
        self.ended(self.connect_having_sent().end(), b"", "RST")

    def test_file_is_opened_again_on_sigusr1(self):
        self.say_hi(source="127.0.0.2")
        proxy.wait_lines(self.path, 1)
        os.rename(self.path, self.path + ".1")
        self.proxy.signal(signal.SIGUSR1)
        self.wait_error_text("SIGUSR1")
        self.proxy.wait_stats({"filesystem.write_total_buffered": 0})
        self.say_hi(source="127.0.0.2")
        self.assertEqual(len(proxy.wait_lines(self.path, 1)), 1)
        self.assertEqual(len(proxy.wait_lines(self.path + ".1", 1)), 1)

    def test_everything_is_written_at_exit(self):
        for _ in range(5):
            self.say_hi(source="127.0.0.2")
        self.expect(listener={"downstream_cx_destroy": 5})
        self.assertEqual(self.proxy.stop(), 0)
        self.assertEqual(len(proxy.wait_lines(self.path, 5)), 5)

    def test_open_connection_is_logged_at_exit(self):
        held = self.connect(source="127.0.0.2")
        held.read_until(b"A\n")
        self.assertEqual(self.proxy.stop(), 0)
        self.assertRegex(proxy.wait_lines(self.path, 1)[0], self.default_line(0, 2))


class UnwritableLog(CorpusCase):
    """A log that cannot be opened is an error at start."""

    def test_is_refused(self):
        path = self.config("valid/31-access-log-listener-and-file.yaml", lambda text: text.replace(
            "/tmp/envoy-lab-31.log", "/nonexist/dir/a.log"))
        status, _, stderr = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--use-dynamic-base-id", "--mode", "validate"])
        self.assertEqual(status, 1)
        self.assertIn("unable to open file '/nonexist/dir/a.log': No such file or directory",
                      stderr)


if __name__ == "__main__":
    corpus_case.main()
