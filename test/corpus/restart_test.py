# SPDX-License-Identifier: Apache-2.0
"""Hot restart: processes follow one another, and no client is refused."""

import json
import os
import signal
import threading
import unittest

import corpus_case
from corpus_case import A, ADMIN, INGRESS, IS_ENVOY, CorpusCase
from lab import client, proxy
from lab.wait import until

_TCP = "valid/01-tcp-proxy.yaml"
_STORM_CLIENTS = 4
_ENOUGH = 100
# The start waits for a check whose answer does not come.
_NEVER_CHECKED = """    connect_timeout: 1s
    health_checks:
    - {timeout: 60s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1,
       tcp_health_check: {send: {text: "61"}, receive: [{text: "7a7a7a"}]}}
"""


class Storm:
    """Clients that connect, say hi and leave, over and over."""

    def __init__(self, where):
        self._where = where
        self._stopping = False
        self.count = 0
        self.failures = []
        self._threads = [threading.Thread(target=self._run) for _ in range(_STORM_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stopping:
            try:
                ending = client.send_half_close(self._where, b"hi", b"A\nhi")
                if (ending.data, ending.how) != (b"A\nhi", "FIN"):
                    self.failures.append(ending)
            except (OSError, AssertionError) as problem:
                self.failures.append(problem)
            self.count += 1

    def wait_more(self):
        """Until a number of clients have come and gone since now."""
        before = self.count
        until(lambda: self.count >= before + _ENOUGH, 30, "clients")

    def stop(self):
        self._stopping = True
        for thread in self._threads:
            thread.join()


class Restart(CorpusCase):
    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.port(ADMIN)
        # As good as any number that nobody else on this machine has.
        self.base_id = str(self.port(INGRESS))
        self.addCleanup(proxy.forget_base_id, self.base_id)

    def start(self, epoch, name=_TCP, edit=None, flags=(), concurrency=2, shutdown_s=2):
        folder = self.tmp("epoch%d" % epoch)
        os.makedirs(folder, exist_ok=True)
        started = proxy.Proxy(
            corpus_case.binary(), self.config(name, edit), self.port(ADMIN), folder,
            flags=["--base-id", self.base_id, "--restart-epoch", str(epoch),
                   "--concurrency", str(concurrency), "--drain-time-s", "1",
                   "--parent-shutdown-time-s", str(shutdown_s)] + list(flags))
        self.addCleanup(started.kill)
        return started

    def serve_epoch(self, epoch, **options):
        """Starts a process and waits until it is the one that serves."""
        started = self.start(epoch, **options)
        until(lambda: self.is_live(started, epoch), 30, "epoch %d" % epoch)
        return started

    def is_live(self, started, epoch):
        if not started.alive():
            raise AssertionError(started.stderr())
        try:
            info = json.loads(started.text("/server_info"))
        except OSError:
            return False
        here = info["command_line_options"].get("restart_epoch", 0)
        return here == epoch and info["state"] == "LIVE"

    def storm(self, where=None):
        storm = Storm(where or self.here())
        self.addCleanup(storm.stop)
        storm.wait_more()
        return storm

    def no_failures(self, storm):
        storm.wait_more()
        storm.stop()
        self.assertEqual(storm.failures, [])

    def follow(self, **options):
        """Three processes, one after the other, while clients come and go."""
        where = options.pop("where", None)
        edit = options.pop("edit", None)
        workers = options.pop("workers", (2, 2, 2))
        first = self.serve_epoch(0, edit=edit, concurrency=workers[0])
        storm = self.storm(where)
        second = self.serve_epoch(1, edit=edit, concurrency=workers[1])
        storm.wait_more()
        self.assertEqual(first.wait_exit(), 0)
        storm.wait_more()
        third = self.serve_epoch(2, edit=edit, concurrency=workers[2])
        storm.wait_more()
        self.assertEqual(second.wait_exit(), 0)
        self.no_failures(storm)
        return third

    def test_nobody_is_refused(self):
        third = self.follow()
        third.wait_stats({"server.hot_restart_epoch": 2, "server.hot_restart_generation": 3})
        self.assertEqual(third.stop(), 0)

    def test_one_socket_for_all_workers(self):
        self.follow(edit=lambda text: text.replace(
            "  - name: ingress", "  - enable_reuse_port: false\n    name: ingress"))

    def test_unix_socket(self):
        path = self.tmp("listen.sock")
        self.follow(where=path, edit=lambda text: text.replace(
            "socket_address: {address: 127.0.0.1, port_value: 10000}",
            "pipe: {path: /tmp/listen.sock}"))

    @unittest.skipIf(IS_ENVOY, "Envoy leaves sockets of workers that are no more to nobody")
    def test_other_numbers_of_workers(self):
        self.follow(workers=(3, 1, 4))

    def test_open_connections_end_with_their_process(self):
        first = self.serve_epoch(0)
        held = self.connect()
        held.read_until(b"A\n")
        first.wait_stats({self.listener_stat("downstream_cx_total"): 1})
        second = self.serve_epoch(1, shutdown_s=2)
        second.wait_stats({"server.parent_connections": 1, "server.total_connections": 1,
                           "server.hot_restart_epoch": 1, "server.hot_restart_generation": 2,
                           self.listener_stat("downstream_cx_total"): 1})
        held.send(b"hi")
        held.read_until(b"A\nhi")
        self.assertEqual(held.end().how, "FIN")
        self.assertEqual(first.wait_exit(), 0)
        second.wait_stats({"server.parent_connections": 0, "server.total_connections": 0})
        said = first.stderr()
        for line in ("shutting down admin due to child startup", "terminating parent process",
                     "closing and draining listeners", "shutting down due to child request"):
            self.assertIn(line, said)
        self.assertIn("shutting down parent after drain", second.stderr())
        info = json.loads(second.text("/server_info"))
        self.assertGreaterEqual(int(info["uptime_all_epochs"][:-1]),
                                int(info["uptime_current_epoch"][:-1]))

    @unittest.skipIf(IS_ENVOY, "Envoy's admin page is gone by then")
    def test_child_with_a_bad_file_changes_nothing(self):
        first = self.serve_epoch(0)
        held = self.connect()
        storm = self.storm()
        failed = self.start(1, edit=lambda text: text.replace("connect_timeout: 1s",
                                                              "connect_timeout: 0s"))
        self.assertEqual(failed.wait_exit(), 1)
        self.no_failures(storm)
        self.assertEqual(first.get("/ready"), (200, "LIVE\n"))
        held.send(b"hi")
        held.read_until(b"A\nhi")
        self.serve_epoch(1)  # A good one may come afterwards.
        self.assertEqual(first.wait_exit(), 0)

    @unittest.skipIf(IS_ENVOY, "Envoy's admin page is gone by then")
    def test_child_that_dies_gives_the_admin_page_back(self):
        first = self.serve_epoch(0)
        child = self.start(1, edit=lambda text: text.replace("    connect_timeout: 1s\n",
                                                             _NEVER_CHECKED))
        until(lambda: "shutting down admin" in first.stderr(), 10, "the child")
        child.signal(signal.SIGKILL)
        child.wait_exit()
        until(lambda: "serving on" in first.stderr(), 10, "the parent to go on")
        self.assertEqual(first.get("/ready"), (200, "LIVE\n"))
        self.say_hi()

    def test_base_id_is_taken(self):
        self.serve_epoch(0)
        self.config(_TCP)
        other = self.start(0)
        self.assertEqual(other.wait_exit(), 1)
        self.assertRegex(other.stderr(),
                         r"unable to bind domain socket with base_id=\d+, id=0, errno=98")

    @unittest.skipIf(IS_ENVOY, "Envoy panics")
    def test_without_a_parent(self):
        alone = self.start(1)
        self.assertEqual(alone.wait_exit(), 1)
        self.assertIn("--restart-epoch 1: nobody answers at", alone.stderr())
        started = self.serve_epoch(1, flags=["--skip-hot-restart-on-no-parent"])
        self.assertIn("there is no process to take over from", started.stderr())
        self.say_hi()


if __name__ == "__main__":
    corpus_case.main()
