# SPDX-License-Identifier: Apache-2.0
"""A node of ours and Istio's ztunnel, at either end of a tunnel: each sees a node of its own kind.

Needs root, and $ZTUNNEL, the path of a ztunnel, with grpcio for its certificates.
"""

import re
import subprocess
import unittest

import corpus_case
import node_test
from lab import binaries, revocations
from lab.wait import until

PORT = node_test.PORT


def setUpModule():
    node_test.setUpModule()
    if binaries.find_ztunnel() is None:
        raise unittest.SkipTest("no ztunnel here ($ZTUNNEL)")


class Pair:
    """What is seen of a pair besides: how alike they speak."""

    def ours(self):
        return self.cart if "web" in self.ZTUNNELS else self.web

    def talk(self, host=None, port=PORT):
        self.assertEqual(self.web.ask(host or self.cart.ip, port),
                         ("FIN", "from %s\nhello" % self.web.ip),
                         self.web.errors() + self.cart.errors())

    def line(self, pod, direction):
        """The only line of the pod's access log, without what differs from run to run."""
        line = pod.wait_log("access", 'direction="%s"' % direction)
        level, _, rest = line.partition("Z\t")[2].partition("\t")
        rest = re.sub(r'(duration="|src.addr=[0-9.]+:)\d+', r"\1N", rest)
        return (level + "\t" + rest).replace(self.web.ip, "WEB").replace(self.cart.ip, "CART")

    def names(self, *fields):
        """Those of both ends as they stand in a line."""
        web, cart = (
            ['%s.workload="%s"' % (end, name), '%s.namespace="shop"' % end,
             '%s.identity="spiffe://cluster.local/ns/shop/sa/%s"' % (end, name),
             '%s.cluster="c1"' % end] for end, name in (("src", "web"), ("dst", "cart")))
        return " ".join(["src.addr=WEB:N", *web, *fields, *cart])

    def test_they_talk_and_say_so_alike(self):
        self.start_nodes()
        self.talk()
        ends = self.names("dst.addr=CART:15008", "dst.hbone_addr=CART:8080")
        told = '%s direction="%s" bytes_sent=%d bytes_recv=%d duration="Nms"'
        begin = "info\taccess\tconnection complete\t"
        self.assertEqual(self.line(self.web, "outbound"), begin + told % (ends, "outbound", 5, 20))
        self.assertEqual(self.line(self.cart, "inbound"), begin + told % (ends, "inbound", 20, 5))

    def test_a_service_is_reached(self):
        self.pods.table([self.pods.workload("web"), self.pods.workload(
            "cart", services={"shop/cart.shop": {"80": PORT}})], services=[
                self.pods.service("cart.shop", "/10.96.0.1")])
        self.start_nodes()
        self.talk("10.96.0.1", 80)
        self.web.wait_log('dst.service="cart.shop"', "dst.hbone_addr=%s:8080" % self.cart.ip)

    def test_a_node_that_does_not_answer(self):
        self.start_nodes()
        self.cart.run("iptables", "-w", "-I", "INPUT", "-p", "tcp", "--dport", "15008", "-j", "DROP")
        self.assertEqual(self.web.ask(self.cart.ip, PORT)[1], "")
        self.assertIn('error="connection timed out, maybe a NetworkPolicy is blocking HBONE port '
                      '15008: deadline has elapsed"', self.line(self.web, "outbound"))

    def test_who_is_not_in_the_mesh(self):
        self.start_nodes()
        self.talk(self.outside.ip)
        self.assertEqual(self.web.ask(self.outside.ip, 8081)[1], "")
        lines = [self.web.wait_log("dst.addr=%s:%d" % (self.outside.ip, port))
                 for port in (PORT, 8081)]
        for line, tail in zip(lines, ('"', '" error="io error: Connection refused (os error 111)"')):
            self.assertRegex(line, r'src.addr=\S+ src.workload="web" src.namespace="shop" '
                             r'src.cluster="c1" dst.addr=\S+ direction="outbound" bytes_sent=\d+ '
                             r'bytes_recv=\d+ duration="\d+ms%s$' % re.escape(tail))

    def test_the_metrics_have_the_same_labels(self):
        self.start_nodes()
        self.talk()
        self.web.wait_log('direction="outbound"')
        self.cart.wait_log('direction="inbound"')
        for pod, reporter in ((self.web, "source"), (self.cart, "destination")):
            def series():
                return [line for line in pod.get(15020, "/metrics").splitlines()
                        if line.startswith("istio_tcp_connections_closed_total{")]
            line = until(series, 10, "the metric of " + pod.name)[0]
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            self.assertEqual(labels, {
                "reporter": reporter, "response_flags": "-", "request_protocol": "tcp",
                "connection_security_policy": "mutual_tls",
                **self.labels("source", "web"), **self.labels("destination", "cart"),
                "destination_service": "unknown", "destination_service_name": "unknown",
                "destination_service_namespace": "unknown"})

    @staticmethod
    def labels(end, name):
        return {"%s_%s" % (end, label): value for label, value in {
            "workload": name, "canonical_service": name, "canonical_revision": "unknown",
            "workload_namespace": "shop", "app": name, "version": "unknown", "cluster": "c1",
            "region": "unknown", "zone": "unknown",
            "principal": "spiffe://cluster.local/ns/shop/sa/" + name}.items()}

    def test_whoever_is_revoked_is_cut_off(self):
        path = self.tmp("crl.pem")
        for pod in (self.cart, self.web):
            pod.start_node(**({"CRL_PATH": path} if pod is self.ours() else {}))
        held = self.web.hold(self.cart.ip, PORT)
        issued = self.tmp(self.ZTUNNELS[0] + "-issuer/asked.pem")
        serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", issued], check=True,
                                stdout=subprocess.PIPE, text=True).stdout.strip().partition("=")[2]
        lab = revocations.Authority(self.pods.authority_path())
        revocations.replace(path, lab.crl([serial]))
        self.assertIn(self.web.ended(held), ("FIN", "RST"))
        self.assertEqual(self.web.ask(self.cart.ip, PORT)[1], "")


class FromZtunnel(Pair, node_test.Nodes):
    ZTUNNELS = ("web",)
    test_socks5_takes_no_names = None     # It has a resolver.
    test_open_sockets_are_counted = None  # It has a tunnel for each address of clients.


class ToZtunnel(Pair, node_test.Nodes):
    ZTUNNELS = ("cart",)
    REVOKED = "InvalidCertificate(Revoked)"


class FromZtunnelToAnotherNetwork(node_test.Networks):
    ZTUNNELS = ("web",)
    UNTRUSTED = "invalid peer certificate"


class ToZtunnelInAnotherNetwork(node_test.Networks):
    ZTUNNELS = ("cart",)


if __name__ == "__main__":
    corpus_case.main()
