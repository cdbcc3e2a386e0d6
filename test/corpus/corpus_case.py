# SPDX-License-Identifier: Apache-2.0
"""What every corpus test stands on: a file of the corpus, served on ports of its own.

The binary under test is $CULVERT_BINARY (or the first argument, a path); with
$CULVERT_BINARY_IS_ENVOY=1 it is the real Envoy, which the same cases must pass.
"""

import json
import os
import re
import shutil
import tempfile
import unittest

from lab import backend, bootstrap, client, junit, ports, proxy
from lab.wait import until

DATA = os.path.join(os.path.dirname(os.path.realpath(__file__)), "data")
IS_ENVOY = os.environ.get("CULVERT_BINARY_IS_ENVOY") == "1"

# The ports as the corpus writes them.
ADMIN, INGRESS, A, B, C, NOBODY = 9901, 10000, 11001, 11002, 11003, 11009


def binary():
    path = os.environ.get("CULVERT_BINARY", "")
    if not os.access(path, os.X_OK):
        raise RuntimeError("CULVERT_BINARY=%r is no program" % path)
    return os.path.abspath(path)


class CorpusCase(unittest.TestCase):
    """Has one proxy at a time; ports, backends and files go away with the case."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="culvert-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self._ports = ports.Ports()
        self.addCleanup(self._ports.close)
        self._moved = {}
        self.proxy = None

    def port(self, corpus_port):
        """The port that stands for a port of the corpus in this case."""
        if corpus_port not in self._moved:
            self._moved[corpus_port] = self._ports.take()
        return self._moved[corpus_port]

    def here(self, corpus_port=INGRESS, address="127.0.0.1"):
        """Where a client connects to."""
        return (address, self.port(corpus_port))

    def at(self, corpus_port):
        """127.0.0.1:PORT as the proxy prints it."""
        return "127.0.0.1:%d" % self.port(corpus_port)

    def tmp(self, name):
        """What /tmp/NAME of the corpus is in this case."""
        return os.path.join(self.folder, name)

    def config(self, name, edit=None):
        """Writes the corpus file with this case's ports and paths; returns the new path."""
        with open(os.path.join(DATA, name), encoding="utf-8") as file:
            text = file.read()
        text = edit(text) if edit else text
        moved = {old: self.port(old) for old in bootstrap.ports_in(text) if old <= 65535}
        text = bootstrap.move_tmp(bootstrap.move_ports(text, moved), self.folder)
        path = os.path.join(self.folder, os.path.basename(name))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def edited(self, *edits):
        """An edit that replaces each (before, after) of edits; before must be there."""
        def edit(text):
            for before, after in edits:
                self.assertIn(before, text)
                text = text.replace(before, after)
            return text
        return edit

    def serve(self, name, edit=None, flags=()):
        """Starts the proxy on a corpus file and waits until it is live."""
        path = self.config(name, edit)
        self.proxy = proxy.Proxy(binary(), path, self.port(ADMIN), self.folder,
                                 cwd=os.path.dirname(os.path.join(DATA, name)), flags=flags)
        self.proxy.wait_ready()
        self.addCleanup(self._stop)
        return self.proxy

    def _stop(self):
        status = self.proxy.stop()
        if status != 0:
            self.fail("exit status %d:\n%s" % (status, self.proxy.stderr()))

    def backend(self, name, corpus_port, **options):
        server = backend.Backend(name, self.port(corpus_port), **options)
        self.addCleanup(server.close)
        return server

    def backends(self, names):
        """Backends "A", "B", "C" at their ports."""
        return {name: self.backend(name, 11001 + ord(name) - ord("A")) for name in names}

    def connect(self, corpus_port=INGRESS, source=None):
        connection = client.Client(self.here(corpus_port), source)
        self.addCleanup(connection.close)
        return connection

    def connect_having_sent(self, data=b"hi", half_close=False):
        """A client whose bytes are there before the proxy looks at the connection."""
        with self.proxy.paused():
            connection = self.connect()
            connection.send(data)
            if half_close:
                connection.half_close()
        return connection

    def say_hi(self, greeting=b"A\n", source=None, where=None):
        """Connects, sends hi, gets greeting and echo, half-closes, and sees FIN."""
        ending = client.send_half_close(where or self.here(), b"hi", greeting + b"hi", source)
        self.assertEqual((ending.data, ending.how), (greeting + b"hi", "FIN"))

    def greeting(self, source=None):
        """Which backend greets: one byte. The connection is over when this returns."""
        with client.Client(self.here(), source) as connection:
            connection.read_length(2)
            connection.half_close()
            ending = connection.end()
        self.assertEqual(ending.how, "FIN")
        return ending.data[:1].decode()

    def listener_stat(self, name, corpus_port=INGRESS):
        return "listener.127.0.0.1_%d.%s" % (self.port(corpus_port), name)

    def expect(self, **groups):
        """Waits for statistics: expect(listener={...}, tcp={...}, backend={...}).

        `listener` is the one at the ingress port, `tcp` has stat_prefix ingress_tcp, any
        other word is a cluster's name.
        """
        prefixes = {"listener": self.listener_stat(""), "tcp": "tcp.ingress_tcp."}
        wanted = {}
        for group, values in groups.items():
            prefix = prefixes.get(group, "cluster." + group + ".")
            wanted.update({prefix + name: value for name, value in values.items()})
        self.proxy.wait_stats(wanted)

    def log(self, count=1):
        """The last JSON line of standard output, when there are `count` lines."""
        return json.loads(self.proxy.wait_stdout(count)[-1])

    def ended(self, ending, data, how):
        self.assertEqual((ending.data, ending.how), (data, how))

    def wait_error_text(self, pattern, within_s=10):
        """Waits for a text in the proxy's own log."""
        until(lambda: re.search(pattern, self.proxy.stderr()), within_s, "the log line " + pattern)


main = junit.main
