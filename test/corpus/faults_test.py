# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between mesh nodes while bytes flow: nothing hangs, nothing is lost in silence,
nothing stays behind.

Needs root: network namespaces and netfilter.
"""

import hashlib
import os
import random
import shutil
import signal
import ssl
import threading
import unittest

import corpus_case
from lab import authority, backend, client, http2, http2_client, mesh_table, pods
from lab.wait import until

PORT = 8080
MIB = 1 << 20
# What a node keeps for those who come.
TUNNELS = ("cluster.tunnels.upstream_cx_active", "listener.inbound_hbone.downstream_cx_active")


def setUpModule():
    why = "Envoy is no mesh node" if corpus_case.IS_ENVOY else pods.available()
    if why:
        raise unittest.SkipTest(why)


class Transfer(threading.Thread):
    """Sends random bytes to who echoes them, piece by piece, until finish() or the end."""

    def __init__(self, peer, piece_bytes=MIB // 4):
        super().__init__(daemon=True)
        self._peer, self._piece_bytes = peer, piece_bytes
        self._finish = threading.Event()
        self._sent, self._got = hashlib.sha256(), hashlib.sha256()
        self.rounds = 0
        self.how = "open"  # then whole; or what went wrong
        self.start()

    @property
    def moved(self):
        return self.rounds * self._piece_bytes

    def run(self):
        try:
            while not self._finish.is_set():
                self._round()
            self._peer.sock.shutdown(client.socket.SHUT_WR)
            more = self._peer.sock.recv(1)
            same = self._sent.digest() == self._got.digest()
            self.how = "whole" if same and not more else "other bytes came"
        except (OSError, EOFError) as end:
            self.how = type(end).__name__
        self._peer.close()

    def _round(self):
        data, left = os.urandom(self._piece_bytes), self._piece_bytes
        self._peer.sock.sendall(data)
        self._sent.update(data)
        while left:
            got = self._peer.sock.recv(min(left, MIB))
            if not got:
                raise EOFError
            self._got.update(got)
            left -= len(got)
        self.rounds += 1

    def finish(self):
        """How it ended, having sent and read all."""
        self._finish.set()
        return self.ended()

    def ended(self, within_s=20):
        self.join(within_s)
        return self.how


class FaultCase(corpus_case.CorpusCase):
    """Pods web and cart, with nodes; cart's application echoes."""

    BEHAVE = staticmethod(backend.echo)

    def setUp(self):
        super().setUp()
        self.pods = pods.Pods(corpus_case.binary(), self.folder)
        self.addCleanup(self.pods.close)
        self.web, self.cart, self.outside = map(self.pods.add, ("web", "cart", "outside"))
        self.table()
        self.app = self.serve_in(self.cart, self.BEHAVE)

    def serve_in(self, pod, behave):
        with pod.inside():
            server = backend.Backend("A", PORT, "0.0.0.0", behave=behave)
        self.addCleanup(server.close)
        return server

    def table(self, *policies, more=(), services=()):
        self.pods.table([self.pods.workload("web"), self.pods.workload("cart"), *more], policies,
                        services)

    def start_nodes(self, **variables):
        for pod in (self.web, self.cart):
            pod.start_node(**variables)

    def through(self, source=None, target=None, port=PORT):
        """A client in `source` that the application of `target` has greeted."""
        with (source or self.web).inside():
            peer = client.Client(((target or self.cart).ip, port))
        self.addCleanup(peer.close)
        peer.read_until(b"A\n")
        return peer

    def transfers(self, count, at_least=MIB):
        """So many, all of them on their way."""
        made = [Transfer(self.through()) for _ in range(count)]
        until(lambda: all(one.moved >= at_least or not one.is_alive() for one in made), 20,
              "the first bytes")
        self.assertEqual([one.how for one in made], ["open"] * count)
        return made

    def warmed(self):
        """Descriptors of the nodes after a first connection: {pod: count}, but for tunnels."""
        self.assertEqual(Transfer(self.through()).finish(), "whole")
        self.web.wait_stat("cluster.tunnels.upstream_rq_active", 0)
        return {pod: self.descriptors(pod) for pod in (self.web, self.cart)}

    @staticmethod
    def tunnels(pod):
        return sum(pod.stat(name) for name in TUNNELS)

    def descriptors(self, pod):
        return pod.descriptors() - self.tunnels(pod)

    def nothing_stays(self, before):
        for pod, count in before.items():
            def back():  # While the node still ends the connection to its admin page, too.
                tunnels = self.tunnels(pod)
                return any(pod.descriptors() <= count + tunnels for _ in range(200))
            until(back, 30, "the descriptors of " + pod.name)


class Tunnels(FaultCase):
    def test_a_peer_that_is_killed(self):
        self.start_nodes()
        before = self.warmed()
        running = self.transfers(4)
        self.cart.node.send_signal(signal.SIGKILL)
        for one in running:
            self.assertIn(one.ended(), ("EOFError", "ConnectionResetError", "BrokenPipeError"))
        self.web.wait_log('direction="outbound"', 'error="', count=4)
        self.assertEqual(self.web.ask(self.cart.ip, PORT)[1], "")
        self.web.wait_log('error="io error: ', "refused")
        self.nothing_stays({self.web: before[self.web]})
        self.cart.start_node()
        self.assertEqual(Transfer(self.through()).finish(), "whole")

    def test_a_tunnel_that_is_reset(self):
        self.start_nodes()
        before = self.warmed()
        running = self.transfers(4)
        for pod in (self.web, self.cart):
            pod.cut(15008)
        for one in running:
            self.assertIn(one.ended(), ("EOFError", "ConnectionResetError", "BrokenPipeError"))
        self.web.wait_log('direction="outbound"', 'error="', count=4)
        self.cart.wait_log('direction="inbound"', 'error="', count=4)
        self.nothing_stays(before)
        for pod in (self.web, self.cart):
            pod.cut(15008, False)
        self.assertEqual(Transfer(self.through()).finish(), "whole")

    def test_goodbye_during_transfers(self):
        self.start_nodes()
        before = self.warmed()
        running = self.transfers(4)
        self.cart.get(15000, "/healthcheck/fail", "POST")
        told = Transfer(self.through())  # The node says so to who comes.
        self.web.wait_stat("cluster.tunnels.upstream_cx_close_notify", 1)
        moved = [one.moved for one in running]
        self.cart.get(15000, "/healthcheck/ok", "POST")
        new = Transfer(self.through())
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_cx_total"), 2)
        until(lambda: all(one.moved > old + MIB for one, old in zip(running, moved)), 20,
              "bytes after the goodbye")
        self.assertEqual([one.finish() for one in [*running, told, new]], ["whole"] * 6)
        self.web.wait_stat("cluster.tunnels.upstream_cx_active", 1)
        self.assertEqual(self.web.log('error="'), [])
        self.nothing_stays(before)


class Stalled(FaultCase):
    SIZE = 48 * MIB

    def send_much(self, visit, _):
        """Who asks for much gets it, all others their own words."""
        data = visit.read()
        if data != b"much":
            visit.write(data)
            backend.echo(visit, None)
            return
        piece = random.Random(1).randbytes(MIB)
        self.much_sent = 0
        for _ in range(self.SIZE // MIB):
            visit.write(piece)
            self.much_sent += MIB

    def BEHAVE(self, visit, server):
        self.send_much(visit, server)

    def test_a_reader_that_stalls_stops_nobody_else(self):
        self.start_nodes(HTTP2_STREAM_WINDOW_SIZE=str(MIB))
        before = self.warmed()
        stalled = self.through()
        stalled.send(b"much")
        running = self.transfers(8, at_least=4 * MIB)
        self.assertEqual([one.finish() for one in running], ["whole"] * 8)
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_cx_total"), 1)
        self.assertLess(self.much_sent, self.SIZE // 2)
        stalled.read_length(2 + self.SIZE)
        stalled.half_close()
        self.ended(stalled.end(), b"A\n" + random.Random(1).randbytes(MIB) * (self.SIZE // MIB),
                   "FIN")
        self.nothing_stays(before)


class Certificates(FaultCase):
    """Peers that are no nodes of ours, with certificates that are not right."""

    def setUp(self):
        super().setUp()
        self.start_nodes()
        ca = self.pods.authority_path()
        self.lab = authority.Authority(ca, self.folder)

    def context(self, name, side, **options):
        chain, key = self.lab.issue(name, "spiffe://%s/ns/shop/sa/%s" % (
            options.pop("domain", "cluster.local"), name), **options)
        context = ssl.SSLContext(side)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(chain, key)
        context.set_alpn_protocols(["h2"])
        return context

    def is_refused(self, reason, **options):
        """A client in the pod `outside` is told no, and cart's log says why."""
        before = self.descriptors(self.cart)
        context = self.context("web", ssl.PROTOCOL_TLS_CLIENT, **options)
        with self.outside.inside():
            raw = client.Client((self.cart.ip, 15008))
        with self.assertRaises(ssl.SSLError), raw.sock, context.wrap_socket(raw.sock) as peer:
            peer.recv(1)
        self.cart.wait_log("connection failed", "src.addr=%s:" % self.outside.ip, reason)
        self.nothing_stays({self.cart: before})

    def is_left(self, reason, **options):
        """A node in the pod `outside` is not spoken to, and web's log says why."""
        with self.outside.inside():
            server = http2.Server(15008, context=self.context(
                "outside", ssl.PROTOCOL_TLS_SERVER, **options), address="0.0.0.0")
        self.addCleanup(server.close)
        self.table(more=[self.pods.workload("outside")])
        until(lambda: self.web.ask(self.outside.ip, PORT) and
              self.web.log("dst.hbone_addr=%s:" % self.outside.ip), 10, "the table")
        before = self.descriptors(self.web)
        self.assertEqual(self.web.ask(self.outside.ip, PORT)[1], "")
        self.assertIn(reason, self.web.wait_log("dst.hbone_addr=%s:" % self.outside.ip, 'error="'))
        self.assertEqual(server.streams(), [])
        self.nothing_stays({self.web: before})

    def test_what_a_tunnel_may_ask_for(self):
        with self.outside.inside():
            raw = client.Client((self.cart.ip, 15008))
        context = self.context("web", ssl.PROTOCOL_TLS_CLIENT)
        peer = http2_client.Http2(context.wrap_socket(raw.sock))
        self.addCleanup(peer.close)
        peer.wait_settings()
        self.assertEqual({key: peer.settings[key] for key in (3, 4, 5)},
                         {3: 200, 4: 4 * MIB, 5: MIB})
        for authority_, status, reason in (
                ("%s:%d" % (self.cart.ip, PORT), "200", None),
                ("10.99.0.9:8080", "400", "ip mismatch: %s != 10.99.0.9" % self.cart.ip),
                ("nobody.shop:80", "503", "no service or workload for hostname: nobody.shop"),
                ("%s:15001" % self.cart.ip, "503", "attempted recursive call to ourselves"),
                ("%s:9" % self.cart.ip, "503", "connection failed: "),
                (self.cart.ip, "400", "no valid authority pseudo header: " + self.cart.ip)):
            with self.subTest(authority_):
                self.assertEqual(peer.wait_status(peer.connect(authority_)), status)
                if reason:
                    self.cart.wait_log("src.addr=%s:" % self.outside.ip, 'error="' + reason)

    def test_a_client_that_has_expired(self):
        self.is_refused("certificate has expired", expired=True)

    def test_a_server_that_has_expired(self):
        self.is_left("certificate has expired", expired=True)

    def test_a_client_of_another_trust_domain(self):
        self.is_refused("elsewhere", domain="elsewhere")

    def test_a_server_of_another_trust_domain(self):
        self.is_left("elsewhere", domain="elsewhere")


class Policies(FaultCase):
    def test_a_change_ends_those_who_are_denied(self):
        self.table(more=[self.pods.workload("outside")])
        self.start_nodes()
        self.outside.start_node()
        self.assertEqual(Transfer(self.through(self.outside)).finish(), "whole")
        before = {**self.warmed(), self.outside: self.descriptors(self.outside)}
        denied = [self.through(self.web) for _ in range(500)]
        allowed = [self.through(self.outside) for _ in range(500)]
        self.table({"name": "no-web", "namespace": "shop", "scope": "Namespace", "action": "Deny",
                    "dryRun": False, "rules": [[[{"principals": [
                        {"Exact": "cluster.local/ns/shop/sa/web"}]}]]]},
                   more=[self.pods.workload("outside")])
        self.assertEqual({one.end().how for one in denied}, {"RST"})
        self.cart.wait_log("policy change", "sa/web", count=500)
        self.assertEqual(len(self.cart.log('error="')), 500)
        for one in allowed:
            one.send(b"still")
        for one in allowed:
            one.read_until(b"A\nstill")
        self.assertEqual(self.counts("closed", "sa/web", 'response_flags="DENY"'), 500)
        self.assertEqual(self.counts("opened", "sa/outside") - self.counts("closed", "sa/outside"),
                         500)
        for one in allowed:
            one.half_close()
        self.assertEqual({one.end().how for one in allowed}, {"FIN"})
        self.nothing_stays(before)

    def counts(self, what, *labels):
        lines = self.cart.get(15020, "/metrics").splitlines()
        return sum(int(line.rsplit(" ", 1)[1]) for line in lines
                   if line.startswith("istio_tcp_connections_%s_total" % what) and
                   all(label in line for label in labels))


class Tables(FaultCase):
    COUNT = 100_000
    VIP = "10.99.1.1"

    def test_a_large_table_arrives_under_traffic(self):
        small = self.tmp("small.json")
        shutil.copy(self.pods.table_path, small)
        self.cart.start_node(LOCAL_XDS_PATH=small)
        self.web.start_node()
        before = self.warmed()
        running, asking = self.transfers(1), Transfer(self.through(), 64)
        asked = asking.rounds
        self.table(more=mesh_table.workloads(self.COUNT), services=[
            *mesh_table.services(self.COUNT),
            {"name": "shop", "namespace": "shop", "hostname": "shop.svc", "ports": {"80": PORT},
             "vips": ["/" + self.VIP], "endpoints": {"c1//Pod/shop/cart": {
                 "workloadUid": "c1//Pod/shop/cart", "port": {"80": PORT}}}}])
        until(lambda: "%d workloads" % (self.COUNT + 2) in self.web.errors(), 120, "the table")
        self.assertEqual(self.web.ask(self.VIP, 80)[1], "A\nhello")
        self.assertGreater(asking.rounds, asked + 100)
        self.assertEqual([one.finish() for one in [*running, asking]], ["whole"] * 2)
        self.nothing_stays(before)


if __name__ == "__main__":
    corpus_case.main()
