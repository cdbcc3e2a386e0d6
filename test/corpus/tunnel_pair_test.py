# SPDX-License-Identifier: Apache-2.0
"""Corpus 39 against corpus 38: a proxy asks another one for its tunnels."""

import os
import random
import socket
import threading

import corpus_case
from corpus_case import A, ADMIN, INGRESS, IS_ENVOY, CorpusCase
from lab import backend, client, proxy
from lab.sockets import close_waking
from lab.wait import until

BETWEEN, FAR, FAR_ADMIN = 10008, 10007, 9902


class Wire:
    """What lies between the two proxies: it carries bytes until it is cut."""

    def __init__(self, port, to_port):
        self._to_port = to_port
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port), timeout=20)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(256 * 1024):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for sock in (source, sink):
                backend.reset_from_outside(sock)

    def cut(self):
        """RST to both proxies on every connection that there has been."""
        for pair in self._pairs:
            for sock in pair:
                backend.reset_from_outside(sock)
        self._pairs = []

    def close(self):
        close_waking(self._listener)
        self.cut()


class Pair(CorpusCase):
    """`near` has the clients, `far` has the backend."""

    BEHAVE = staticmethod(backend.echo)

    def setUp(self):
        super().setUp()
        self.host = self.backend("A", A, behave=self.BEHAVE)

    def both(self, far_flags=(), near_flags=(), wire=False):
        self.far = self._start("38-hbone-terminate", FAR, FAR_ADMIN, far_flags)
        if wire:
            self.wire = Wire(self.port(BETWEEN), self.port(FAR))
            self.addCleanup(self.wire.close)
        self.near = self._start("39-hbone-originate", BETWEEN if wire else FAR, ADMIN, near_flags)

    def _start(self, name, port, admin_port, flags):
        """One of the two, in a folder of its own."""
        there = "10000" if name.startswith("38") else "10008"
        path = self.config("valid/%s.yaml" % name, lambda text: text.replace(
            "port_value: " + there, "port_value: %d" % port).replace(
                "port_value: 9901", "port_value: %d" % admin_port))
        os.mkdir(self.tmp(name))
        started = proxy.Proxy(corpus_case.binary(), path, self.port(admin_port), self.tmp(name),
                              cwd=os.path.join(corpus_case.DATA, "valid"), flags=flags)
        self.addCleanup(self._end, started)
        return started.wait_ready()

    def _end(self, started):
        status = started.stop()
        self.assertEqual(status, 0, started.stderr())

    def near_is(self, **values):
        self.near.wait_stats({"cluster.hbone." + name: value for name, value in values.items()})

    def far_is(self, **values):
        self.far.wait_stats({"http.connect_terminate." + name: value
                             for name, value in values.items()})

    def nothing_is_left(self):
        """No session, no stream, on either side; the connection between them may stay."""
        self.near_is(upstream_rq_active=0, upstream_rq_pending_active=0,
                     **{"http2.streams_active": 0})
        self.near.wait_stats({"listener.127.0.0.1_%d.downstream_cx_active" % self.port(INGRESS): 0})
        self.far_is(downstream_rq_active=0, downstream_cx_upgrades_active=0)
        self.far.wait_stats({"http2.streams_active": 0,
                             "cluster.backend.upstream_cx_active": 0,
                             "cluster.backend.upstream_rq_active": 0,
                             "cluster.backend.upstream_rq_pending_active": 0})

    def connections(self):
        return self.near.stats("hbone.upstream_cx_active")["cluster.hbone.upstream_cx_active"]

    def nothing_stays(self):
        """Once the near one is gone, the far one has nobody."""
        self.nothing_is_left()
        self.far_is(downstream_cx_active=self.connections())
        self.near.stop()
        self.far_is(downstream_cx_active=0, downstream_cx_http2_active=0, downstream_cx_ssl_active=0)

    def through(self):
        connection = self.connect()
        connection.read_until(b"A\n")
        return connection


class Traffic(Pair):
    def test_large_flows_both_ways_and_ends_apart(self):
        self.both()
        data = os.urandom(8 * 1024 * 1024)
        connection = self.connect()
        sender = threading.Thread(target=lambda: (connection.send(data), connection.half_close()))
        sender.start()
        self.ended(connection.end(), b"A\n" + data, "FIN")
        sender.join()
        self.assertEqual(self.host.visit().end, "FIN")
        self.near_is(upstream_cx_total=1, upstream_rq_total=1, upstream_rq_tx_reset=0,
                     upstream_rq_rx_reset=0)
        self.far_is(downstream_rq_total=1, downstream_rq_2xx=1, downstream_rq_rx_reset=0,
                    downstream_rq_tx_reset=0)
        self.nothing_stays()

    def test_200_tunnels_at_a_time(self):
        self.both()
        held = [self.through() for _ in range(200)]
        self.near_is(upstream_rq_active=200)
        self.far_is(downstream_rq_active=200)
        for number, connection in enumerate(held):
            connection.send(b"%d" % number * 5000)
        for number, connection in enumerate(held):
            connection.read_length(2 + len(b"%d" % number * 5000))
            connection.half_close()
        for number, connection in enumerate(held):
            self.ended(connection.end(), b"A\n" + b"%d" % number * 5000, "FIN")
        self.nothing_stays()

    def test_reset_of_the_client(self):
        self.both()
        self.through().reset()
        until(lambda: self.host.visit().end != "open", 10, "the end at the backend")
        self.near_is(upstream_rq_tx_reset=1)
        self.far_is(downstream_rq_rx_reset=1)
        self.nothing_stays()

    def test_reset_of_the_backend(self):
        self.both()
        connection = self.through()
        self.host.reset_all()
        self.ended(connection.end(), b"A\n", "FIN" if IS_ENVOY else "RST")
        self.near_is(**{"http2.rx_reset": 1})
        self.far_is(downstream_rq_tx_reset=1, downstream_rq_rx_reset=1)
        self.nothing_stays()

    def test_backend_that_refuses(self):
        self.both()
        self.host.close()
        self.assertEqual(self.connect().end().data, b"")
        self.far_is(downstream_rq_5xx=1)
        self.nothing_stays()

    def test_the_wire_is_cut(self):
        self.both(wire=True)
        held = [self.through() for _ in range(20)]
        self.wire.cut()
        for connection in held:
            self.ended(connection.end(), b"A\n", "FIN")
        self.near_is(upstream_cx_active=0)
        self.far_is(downstream_cx_active=0)
        self.say_hi()
        self.nothing_stays()


class AnswersLate(Pair):
    BEHAVE = staticmethod(backend.answer_after_fin)

    def test_the_answer_comes_after_the_clients_end(self):
        self.both()
        connection = self.connect()
        connection.send(b"question")
        connection.half_close()
        self.ended(connection.end(), b"A\nsixteen bytes ok", "FIN")
        self.nothing_stays()


class Draining(Pair):
    """The far one wants its clients to leave."""

    FLAGS = ("--drain-strategy", "immediate", "--drain-time-s", "600")

    def test_tunnels_go_on_and_new_ones_take_another_connection(self):
        self.both(far_flags=self.FLAGS)
        old = self.through()
        self.far.post("/healthcheck/fail")
        told = self.through()
        self.near_is(upstream_cx_close_notify=1)
        self.far_is(downstream_cx_drain_close=1)
        new = self.through()
        self.near_is(upstream_cx_total=2, upstream_cx_active=2)
        self.far.post("/healthcheck/ok")
        for connection in (old, told, new):
            connection.send(b"still")
            connection.read_until(b"A\nstill")
            connection.half_close()
            self.ended(connection.end(), b"A\nstill", "FIN")
        self.nothing_is_left()
        self.far_is(downstream_cx_active=0)
        self.near_is(upstream_cx_active=0, upstream_rq_tx_reset=0, upstream_rq_rx_reset=0)
        self.say_hi()
        self.nothing_stays()

    def test_nobody_is_lost_while_connections_change(self):
        self.both(far_flags=self.FLAGS)
        held = self.through()
        self.far.post("/healthcheck/fail")
        for _ in range(60):
            self.say_hi()
        self.far.post("/healthcheck/ok")
        held.send(b"still")
        held.read_until(b"A\nstill")
        held.half_close()
        held.end()
        self.near_is(upstream_rq_tx_reset=0, upstream_rq_rx_reset=0)
        self.nothing_stays()


class Storm(Pair):
    """Everything that can go wrong does, again and again; nothing may stay behind."""

    CLIENTS, ROUNDS = 8, 150

    def setUp(self):
        super().setUp()
        self.both(wire=True, far_flags=("--concurrency", "2", "-l", "error"),
                  near_flags=("--concurrency", "2", "-l", "error"))

    def _visit(self, choose):
        """One client, well behaved or not."""
        with client.Client(self.here()) as connection:
            kind = choose.randrange(6)
            if kind == 0:
                connection.reset()
                return
            if kind == 1:
                return  # Gone before it is connected.
            connection.send(os.urandom(choose.choice((1, 1000, 300000))))
            if kind == 2:
                connection.read_some(5)
            if kind == 3:
                connection.half_close()
                connection.end(10)
            if kind == 4:
                connection.read_some(5)
                connection.reset()

    def _client(self, seed):
        choose = random.Random(seed)
        for _ in range(self.ROUNDS):
            try:
                self._visit(choose)
            except OSError:
                pass  # A reset while it was sending.

    def test_no_request_stays_open(self):
        threads = [threading.Thread(target=self._client, args=(seed,))
                   for seed in range(self.CLIENTS)]
        for thread in threads:
            thread.start()
        faults, choose = 0, random.Random(99)
        while any(thread.is_alive() for thread in threads):
            faults += 1
            threads[0].join(0.05)
            choose.choice((self.wire.cut, self.host.reset_all, self._drain))()
        for thread in threads:
            thread.join()
        self.nothing_is_left()
        self.say_hi()
        self.nothing_stays()

    def _drain(self):
        self.far.post("/healthcheck/fail")
        self.far.post("/healthcheck/ok")


if __name__ == "__main__":
    corpus_case.main()
