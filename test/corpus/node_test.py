# SPDX-License-Identifier: Apache-2.0
"""Mesh nodes in pods of their own: `culvert node`, redirected by the kernel.

Needs root: network namespaces and netfilter.
"""

import json
import os
import signal
import subprocess
import threading
import unittest

import corpus_case
from lab import authority, binaries, pods, revocations
from lab.wait import until

PORT = 8080
FILES_PORT = 8090


def policy(name, action, *matches):
    """A policy of the namespace: what one of `matches` is true of; without any, nothing."""
    return {"name": name, "namespace": "shop", "scope": "Namespace", "action": action,
            "dryRun": False, "rules": [[list(matches)]] if matches else []}


def setUpModule():
    why = "Envoy is no mesh node" if corpus_case.IS_ENVOY else pods.available()
    if why:
        raise unittest.SkipTest(why)


class Nodes(corpus_case.CorpusCase):
    ZTUNNELS = ()
    REVOKED = "certificate revoked"  # As cart's node says it.

    def setUp(self):
        super().setUp()
        self.pods = pods.Pods(corpus_case.binary(), self.folder, self.ZTUNNELS)
        self.addCleanup(self.pods.close)
        self.web, self.cart, self.outside = map(self.pods.add, ("web", "cart", "outside"))
        for pod in (self.cart, self.outside):
            pod.serve(PORT)
        self.table()

    def table(self, *policies):
        self.pods.table([self.pods.workload("web"), self.pods.workload("cart")], policies)

    def start_nodes(self, **variables):
        self.web.start_node(**variables)
        self.cart.start_node(**variables)

    def asks(self, source, target, wanted):
        self.assertEqual(source.ask(target.ip, PORT), wanted,
                         source.errors() if source.node else "")

    def test_pods_talk_through_a_tunnel(self):
        self.start_nodes()
        path = self.tmp("packets")
        self.cart.capture(path)
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))
        line = self.web.wait_log('direction="outbound"', "connection complete")
        for text in ("dst.addr=%s:15008" % self.cart.ip, "dst.hbone_addr=%s:8080" % self.cart.ip,
                     'src.identity="spiffe://cluster.local/ns/shop/sa/web"',
                     'dst.identity="spiffe://cluster.local/ns/shop/sa/cart"', "bytes_sent=5 "):
            self.assertIn(text, line)
        line = self.cart.wait_log('direction="inbound"', "connection complete")
        self.assertIn('src.identity="spiffe://cluster.local/ns/shop/sa/web"', line)
        with open(path, "rb") as file:
            packets = file.read()
        self.assertIn(b"\x3a\xa0", packets)  # Port 15008 was seen,
        self.assertNotIn(b"hello", packets)  # and nothing of what was said there.
        self.assertNotIn(b"from 10.", packets)

    def test_a_policy_denies(self):
        self.table(policy("no-web", "Deny", {"serviceAccounts": [
            {"namespace": "shop", "serviceAccount": "web"}]}))
        self.start_nodes()
        how, got = self.web.ask(self.cart.ip, PORT)
        self.assertEqual(got, "")
        self.assertIn('error="http status: 401 Unauthorized"',
                      self.web.wait_log('direction="outbound"'))
        self.assertIn('error="connection closed due to policy rejection: explicitly denied by: '
                      'shop/no-web"', self.cart.wait_log('direction="inbound"'))

    def test_a_change_of_policies_is_heeded(self):
        self.start_nodes()
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))
        self.table(policy("nobody", "Allow"))
        until(lambda: self.web.ask(self.cart.ip, PORT)[1] == "", 10, "the denial")

    def test_keys_may_be_agreed_on_by_ml_kem(self):
        self.start_nodes(COMPLIANCE_POLICY="pqc")
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))
        self.assertEqual(self.cart.stat("mesh.inbound.ssl.curves.X25519MLKEM768"), 1)

    def test_a_connection_waits_for_its_workload(self):
        self.start_nodes()
        self.pods.table([self.pods.workload("cart")])
        until(lambda: self.web.get(15021, "/healthz/ready") == "", 10, "the workload's end")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.web.ask(self.cart.ip, PORT)))
        asking.start()
        until(lambda: self.web.stat("listener.outbound.downstream_cx_active") == 1, 4,
              "a connection that waits")
        self.table()
        asking.join()
        self.assertEqual(answers, [("FIN", "from %s\nhello" % self.web.ip)], self.web.errors())

    def test_who_is_not_in_the_mesh_is_passed_through(self):
        self.start_nodes()
        self.asks(self.web, self.outside, ("FIN", "from %s\nhello" % self.web.ip))
        line = self.web.wait_log("dst.addr=%s:8080" % self.outside.ip)
        self.assertNotIn("hbone", line)

    def test_plain_connections_come_in(self):
        self.start_nodes()
        self.asks(self.outside, self.cart, ("FIN", "from %s\nhello" % self.outside.ip))
        line = self.cart.wait_log('direction="inbound"')
        self.assertIn("src.addr=%s:" % self.outside.ip, line)
        self.assertNotIn("src.identity", line)

    def test_plain_connections_are_denied(self):
        self.table(policy("strict", "Deny", {"notPrincipals": [{"Presence": []}]}))
        self.start_nodes()
        self.assertEqual(self.outside.ask(self.cart.ip, PORT)[1], "")

    def test_an_application_that_is_away(self):
        self.start_nodes()
        self.assertEqual(self.web.ask(self.cart.ip, 8081)[1], "")
        self.assertIn('error="http status: 503 Service Unavailable"',
                      self.web.wait_log('direction="outbound"'))
        self.assertIn('error="connection failed: ', self.cart.wait_log('direction="inbound"'))

    def test_the_node_does_not_call_itself(self):
        self.start_nodes()
        for port in (15001, 15006, 15008):
            self.assertEqual(self.web.ask(self.cart.ip, port)[1], "")

    def test_the_source_can_be_our_own(self):
        self.start_nodes(ENABLE_ORIG_SRC="false")
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.cart.ip))

    def test_an_application_can_have_a_proxy_header(self):
        self.pods.table([self.pods.workload("web"), self.pods.workload(
            "cart", applicationTunnel={"protocol": "PROXY", "port": PORT})])
        self.start_nodes()
        how, got = self.web.ask(self.cart.ip, 8888)
        self.assertEqual((how, got[:15]), ("FIN", "from 127.0.0.1\n"))
        self.assertIn("QUIT\n!\x11", got)
        self.assertTrue(got.endswith("spiffe://cluster.local/ns/shop/sa/webhello"), got)

    def test_a_live_connection_ends_with_its_permission(self):
        self.start_nodes()
        held = self.web.hold(self.cart.ip, PORT)
        plain = self.outside.hold(self.cart.ip, PORT)
        self.table(policy("nobody", "Allow"))
        self.assertEqual(self.web.ended(held), "RST")
        self.assertIn(self.web.ended(plain), ("FIN", "RST"))
        self.assertIn('error="connection closed due to policy change"',
                      self.cart.wait_log("src.addr=%s:" % self.web.ip, "error"))
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_cx_active"), 1)

    def test_connections_share_a_tunnel(self):
        self.start_nodes()
        held = [self.web.hold(self.cart.ip, PORT) for _ in range(8)]
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_cx_total"), 1)
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_rq_active"), len(held))

    def test_a_node_that_dies_ends_its_tunnels(self):
        self.start_nodes()
        held = self.web.hold(self.cart.ip, PORT)
        self.cart.node.send_signal(signal.SIGKILL)
        self.assertIn(self.web.ended(held), ("FIN", "RST"))
        self.web.wait_log('direction="outbound"', "connection complete")
        self.assertEqual(self.web.ask(self.cart.ip, PORT)[1], "")
        self.web.wait_log('error="io error: Connection refused (os error 111)"')

    def test_a_node_that_leaves_lets_connections_end(self):
        self.start_nodes(CONNECTION_TERMINATION_DEADLINE="1s")
        held = self.web.hold(self.cart.ip, PORT)
        self.cart.node.send_signal(signal.SIGTERM)
        until(lambda: self.cart.get(15021, "/healthz/ready") == "", 10, "the end of readiness")
        self.assertIn(self.web.ended(held), ("FIN", "RST"))
        self.assertEqual(self.cart.node.wait(10), 0)

    def test_both_families_are_listened_to(self):
        self.start_nodes(IPV6_ENABLED="true")
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))

    def test_lines_can_be_json(self):
        self.start_nodes(LOG_FORMAT="json")
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))
        line = json.loads(self.web.wait_log("outbound"))
        self.assertEqual((line["message"], line["dst.workload"], line["bytes_sent"]),
                         ("connection complete", "cart", 5))

    def test_metrics_say_who_talks_to_whom(self):
        self.start_nodes()
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))
        self.web.wait_log('direction="outbound"')
        wanted = ('istio_tcp_received_bytes_total{reporter="source",source_workload="web"',
                  'destination_principal="spiffe://cluster.local/ns/shop/sa/cart"',
                  'connection_security_policy="mutual_tls"')
        lines = [line for line in self.web.get(15020, "/metrics").splitlines()
                 if all(text in line for text in wanted)]
        self.assertEqual([line.rsplit(" ", 1)[1] for line in lines], ["5"])

    def revoke(self, pod, path):
        page = json.loads(pod.get(15000, "/certs"))
        uri = "spiffe://cluster.local/ns/shop/sa/" + pod.name
        authority = revocations.Authority(self.pods.authority_path())
        revocations.replace(path, authority.crl([revocations.serial_of(page, uri)]))

    def cut_off(self, revoked, witness, direction, reporter):
        path = self.tmp("crl.pem")
        self.start_nodes(CRL_PATH=path)
        held = self.web.hold(self.cart.ip, PORT)
        self.revoke(revoked, path)
        self.assertIn(self.web.ended(held), ("FIN", "RST"))
        witness.wait_log('direction="%s"' % direction, "connection complete",
                         'error="connection closed: peer certificate revoked by CRL"')
        self.assertEqual(self.web.ask(self.cart.ip, PORT)[1], "")
        metrics = witness.get(15020, "/metrics")
        self.assertIn('istio_crl_policy_rejections_total{reporter="%s"} 2\n' % reporter, metrics)
        self.assertRegex(metrics, 'istio_tcp_connections_failed_total{.*"CERT_REVOKED".*} 1\n')

    def test_a_revoked_client_is_cut_off(self):
        self.cut_off(self.web, self.cart, "inbound", "destination")
        self.cart.wait_log("connection failed", "tls handshake error", self.REVOKED)
        self.assertIn("revoked", self.web.wait_log('error="h2 failed: ').lower())

    def test_a_revoked_server_is_cut_off(self):
        self.cut_off(self.cart, self.web, "outbound", "source")
        self.web.wait_log('direction="outbound"', "certificate revoked")

    def test_what_it_prints_runs_as_the_same_node(self):
        self.cart.start_node()
        environment = {"PATH": os.environ["PATH"], "PROXY_MODE": "dedicated", "FAKE_CA": "true",
                       "PROXY_WORKLOAD_INFO": "shop/web/web", "IPV6_ENABLED": "false",
                       "PACKET_MARK": str(pods.MARK), "LOCAL_XDS_PATH": self.pods.table_path}
        with open(self.tmp("node.yaml"), "wb") as file:
            subprocess.run([corpus_case.binary(), "node", "--print-bootstrap"], check=True,
                           env=environment, stdout=file)
        self.web.start_node(["-c", self.tmp("node.yaml"), "--disable-hot-restart"])
        self.asks(self.web, self.cart, ("FIN", "from %s\nhello" % self.web.ip))

    def start_with_socks5(self, **variables):
        """The nodes, and a file in the pods with servers that curl can ask for."""
        with open(self.tmp("hello.txt"), "w", encoding="utf-8") as file:
            file.write("hello\n")
        for pod in (self.cart, self.outside):
            pod.serve_files(FILES_PORT, self.folder)
        self.start_nodes(UNSTABLE_ENABLE_SOCKS5="true", **variables)

    def curl(self, host, port=FILES_PORT, how="--socks5"):
        return self.web.curl(how, "127.0.0.1:15080", "http://%s:%d/hello.txt" % (host, port))

    def test_socks5_leads_through_a_tunnel(self):
        self.start_with_socks5()
        self.assertEqual(self.curl(self.cart.ip), (0, "hello\n"), self.web.errors())
        line = self.web.wait_log('direction="outbound"', "connection complete")
        for text in ("src.addr=127.0.0.1:", "dst.addr=%s:15008" % self.cart.ip,
                     "dst.hbone_addr=%s:%d" % (self.cart.ip, FILES_PORT),
                     'dst.identity="spiffe://cluster.local/ns/shop/sa/cart"'):
            self.assertIn(text, line)
        self.assertIn('src.identity="spiffe://cluster.local/ns/shop/sa/web"',
                      self.cart.wait_log('direction="inbound"', "connection complete"))
        self.assertEqual(self.web.stat("socks5.outbound.negotiated"), 1)

    def test_socks5_leads_out_of_the_mesh(self):
        self.start_with_socks5()
        self.assertEqual(self.curl(self.outside.ip), (0, "hello\n"), self.web.errors())
        self.assertNotIn("hbone", self.web.wait_log("dst.addr=%s:" % self.outside.ip))

    def test_socks5_leads_to_ipv6(self):
        self.pods.table([self.pods.workload(pod.name, workloadIps=[pod.ip, pod.ip6])
                         for pod in (self.web, self.cart)])
        self.start_with_socks5(IPV6_ENABLED="true", ENABLE_ORIG_SRC="false")
        self.assertEqual(self.curl("[%s]" % self.cart.ip6), (0, "hello\n"), self.web.errors())
        self.assertIn("dst.addr=[%s]:15008" % self.cart.ip6,
                      self.web.wait_log("dst.hbone_addr=[%s]:%d" % (self.cart.ip6, FILES_PORT)))

    def test_socks5_takes_no_names(self):
        self.start_with_socks5()
        status, output = self.curl("cart.test", how="--socks5-hostname")
        self.assertEqual(status, 97, output)  # CURLE_PROXY
        self.assertIn("(7)", output)
        self.assertEqual(self.web.stat("socks5.outbound.refused_name"), 1)

    def test_socks5_does_not_lead_to_the_node(self):
        self.start_with_socks5()
        for port in (15001, 15006, 15008, 15080):
            self.assertNotEqual(self.curl("127.0.0.1", port)[0], 0)
            line = self.web.wait_log("connection failed", "dst.addr=127.0.0.1:%d" % port)
            self.assertIn('error="attempted recursive call to ourselves"', line)
        self.assertNotEqual(self.curl(self.cart.ip, 15080)[0], 0)
        self.assertIn('error="attempted recursive call to ourselves"',
                      self.cart.wait_log("connection failed", 'direction="inbound"'))

    def test_socks5_is_not_there_unasked(self):
        self.start_nodes()
        self.assertEqual(self.web.ask("127.0.0.1", 15080)[0], "ConnectionRefusedError")

    def test_open_sockets_are_counted(self):
        def open_are(pod, reporter, count):
            return ('istio_tcp_sockets_open{reporter="%s"} %d\n' % (reporter, count)
                    in pod.get(15020, "/metrics"))

        self.start_nodes(UNSTABLE_ENABLE_SOCKS5="true")
        self.assertTrue(open_are(self.web, "source", 0))
        clients = [self.web.hold(self.cart.ip, PORT), self.web.start(
            "curl", "-s", "--http0.9", "--socks5", "127.0.0.1:15080",
            "http://%s:%d/" % (self.cart.ip, PORT), stdout=subprocess.DEVNULL)]
        until(lambda: open_are(self.web, "source", 2), 10, "both connections")
        until(lambda: open_are(self.cart, "destination", 1), 10, "the tunnel")
        for client in clients:
            client.kill()
        until(lambda: open_are(self.web, "source", 0), 10, "their ends")

    def test_pages(self):
        self.start_nodes()
        self.assertIn("# TYPE", self.web.get(15020, "/metrics"))
        self.assertEqual(self.web.get(15021, "/healthz/live"), "")

    def test_what_it_runs_is_a_configuration(self):
        environment = {"PATH": os.environ["PATH"], "PROXY_MODE": "dedicated", "FAKE_CA": "true",
                       "PROXY_WORKLOAD_INFO": "shop/web/web", "IPV6_ENABLED": "false",
                       "LOCAL_XDS_PATH": self.pods.table_path}
        text = subprocess.run([corpus_case.binary(), "node", "--print-bootstrap"], check=True,
                              env=environment, stdout=subprocess.PIPE).stdout
        with open(self.tmp("node.yaml"), "wb") as file:
            file.write(text)
        subprocess.run([corpus_case.binary(), "-c", self.tmp("node.yaml"), "--mode", "validate"],
                       check=True, env={"TMPDIR": self.folder}, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


class Names(corpus_case.CorpusCase):
    """Workloads without addresses."""

    def setUp(self):
        super().setUp()
        self.pods = pods.Pods(corpus_case.binary(), self.folder)
        self.addCleanup(self.pods.close)
        self.web, self.cart = map(self.pods.add, ("web", "cart"))
        self.cart.serve(PORT)
        self.pods.table(
            [self.pods.workload("web"),
             self.pods.workload("cart", workloadIps=[], hostname="cart.example",
                                services={"shop/cart.shop": {}}),
             {**self.pods.workload("cart"), "uid": "nobody", "name": "nobody", "workloadIps": [],
              "hostname": "nobody.example", "services": {"shop/nobody.shop": {}}}],
            services=[self.pods.service("cart.shop", "/10.96.0.1"),
                      self.pods.service("nobody.shop", "/10.96.0.2")])
        self.web.know_names(cart=self.cart.ip)
        self.web.start_node()
        self.cart.start_node()

    def test_a_name_is_looked_up(self):
        self.assertEqual(self.web.ask("10.96.0.1", 80),
                         ("FIN", "from %s\nhello" % self.web.ip), self.web.errors())
        self.web.wait_log("dst.hbone_addr=%s:8080" % self.cart.ip, 'dst.workload="cart"')
        lines = [line for line in self.web.get(15020, "/metrics").splitlines()
                 if line.startswith("istio_on_demand_dns_total{")]
        self.assertEqual(len(lines), 1)
        self.assertIn('source_workload="web"', lines[0])
        self.assertTrue(lines[0].endswith('hostname="cart.example"} 1'), lines[0])

    def test_a_name_that_nobody_has_is_refused(self):
        self.assertEqual(self.web.ask("10.96.0.2", 80)[1], "")
        self.assertIn('error="no ip addresses were resolved for workload: nobody"',
                      self.web.wait_log("connection failed"))


class Networks(corpus_case.CorpusCase):
    """A pod of the network a, a service of the network b, and the gateway between them."""

    ZTUNNELS = ()
    UNTRUSTED = "TLS_error"  # As web's node says it.

    def setUp(self):
        super().setUp()
        self.pods = pods.Pods(corpus_case.binary(), self.folder, self.ZTUNNELS)
        self.addCleanup(self.pods.close)
        self.web, self.gateway, self.cart = map(self.pods.add, ("web", "gateway", "cart"))
        self.cart.serve(PORT)
        self.table()

    def start_nodes(self, gateway=True):
        self.web.start_node(NETWORK="a")
        self.cart.start_node(NETWORK="b")
        if gateway:
            self.start_gateway()

    def table(self, *policies, expected="cart"):
        self.pods.table(
            [self.pods.workload("web", network="a"), self.pods.workload("gateway", network="b"),
             self.pods.workload("cart", network="b", services={"shop/cart.shop": {}},
                                networkGateway={"destination": "b/" + self.gateway.ip,
                                                "hboneMtlsPort": 15008})],
            policies,
            [self.pods.service("cart.shop", "a/10.96.0.1", subjectAltNames=[
                "spiffe://cluster.local/ns/shop/sa/" + expected])])

    def gateway_file(self, name):
        with open(os.path.join(corpus_case.DATA, "mesh", name), encoding="utf-8") as file:
            text = file.read()
        with open(self.tmp(name), "w", encoding="utf-8") as file:
            file.write(text.replace("/tmp/", self.folder + "/").replace("192.0.2.1", self.cart.ip))
        return self.tmp(name)

    def start_gateway(self):
        self.gateway.start_node(["-c", self.gateway_file("gateway.yaml"), "--disable-hot-restart"],
                                capture=False)

    def fails(self):
        """The one line that is written of a connection that fails."""
        self.assertEqual(self.web.ask("10.96.0.1", 80)[1], "")
        line = self.web.wait_log('direction="outbound"', "error=")
        self.assertIn("dst.addr=%s:15008 dst.hbone_addr=cart.shop:80" % self.gateway.ip, line)
        self.assertEqual(len(self.web.log()), 1)
        return line

    def test_another_network_is_reached(self):
        self.start_nodes()
        self.assertEqual(self.web.ask("10.96.0.1", 80),
                         ("FIN", "from %s\nhello" % self.gateway.ip), self.web.errors())
        line = self.web.wait_log('direction="outbound"')
        for text in ("dst.addr=%s:15008" % self.gateway.ip, "dst.hbone_addr=cart.shop:80",
                     'dst.service="cart.shop"', 'dst.workload="cart"', 'dst.cluster="c1"',
                     'dst.identity="spiffe://cluster.local/ns/shop/sa/cart"', "bytes_sent=5 "):
            self.assertIn(text, line)
        self.assertEqual(len(self.web.log()), 1)
        line = self.cart.wait_log('direction="inbound"')
        for text in ("src.addr=%s:" % self.gateway.ip, 'src.workload="web"',
                     'src.identity="spiffe://cluster.local/ns/shop/sa/web"',
                     "dst.hbone_addr=cart.shop:80", 'dst.service="cart.shop"'):
            self.assertIn(text, line)
        for family in ("opened", "closed"):
            self.assertEqual(self.series(family), ["1"], family)

    def series(self, family):
        wanted = ("istio_tcp_connections_%s_total{" % family, 'destination_workload="cart"',
                  'destination_principal="spiffe://cluster.local/ns/shop/sa/cart"')
        return [line.rsplit(" ", 1)[1] for line in self.web.get(15020, "/metrics").splitlines()
                if all(text in line for text in wanted)]

    def test_much_comes_whole(self):
        self.start_nodes()
        size = 10_000_000
        self.assertEqual(self.web.transfer("10.96.0.1", 80, size), "FIN %d same" % size)

    def test_the_outer_tunnel_is_shared_and_the_inner_is_not(self):
        self.start_nodes()
        held = [self.web.hold("10.96.0.1", 80) for _ in range(3)]
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_cx_total"), 1)
        self.assertEqual(self.web.stat("cluster.tunnels.upstream_rq_active"), len(held))
        self.assertEqual(self.web.stat("cluster.through_gateways.upstream_cx_active"), len(held))
        for child in held:
            child.kill()
        until(lambda: self.web.stat("cluster.tunnels.upstream_rq_active") == 0, 10, "their end")
        self.assertEqual(self.web.stat("cluster.through_gateways.upstream_cx_active"), 0)

    def test_somebody_else_is_refused(self):
        self.table(expected="somebody")
        self.start_nodes()
        self.assertRegex(self.fails(),
                         'error="io error: %s.*/sa/somebody.*/sa/cart' % self.UNTRUSTED)

    def test_a_gateway_that_is_away(self):
        self.start_nodes(gateway=False)
        self.assertIn("Connection refused", self.fails())

    def test_a_gateway_that_dies_ends_what_goes_through_it(self):
        self.start_nodes()
        held = self.web.hold("10.96.0.1", 80)
        self.gateway.node.send_signal(signal.SIGKILL)
        self.assertIn(self.web.ended(held), ("FIN", "RST"))
        line = self.web.wait_log('direction="outbound"', 'dst.workload="cart"')
        self.assertEqual(self.web.log(), [line])
        for cluster in ("tunnels", "through_gateways"):
            until(lambda: self.web.stat("cluster.%s.upstream_cx_active" % cluster) == 0, 10, cluster)

    def test_a_network_that_is_away(self):
        self.start_nodes()
        self.cart.node.send_signal(signal.SIGKILL)
        self.cart.node.wait()
        self.assertIn('error="http status: 503 Service Unavailable"', self.fails())

    def test_a_policy_of_the_other_network_denies(self):
        self.table(policy("nobody", "Allow"))
        self.start_nodes()
        self.assertIn('error="http status: 401 Unauthorized"', self.fails())


class ThroughEnvoy(Networks):
    """The same, and the gateway is the real Envoy."""

    def setUp(self):
        self.envoy = binaries.find_envoy()
        if self.envoy is None:
            self.skipTest("no Envoy here")
        super().setUp()

    def start_gateway(self):
        lab = authority.Authority(self.pods.authority_path(), self.folder)
        lab.issue("gateway", "spiffe://cluster.local/ns/shop/sa/gateway")
        with open(self.tmp("envoy.log"), "wb") as log:
            self.gateway.node = self.gateway.start(
                self.envoy, "-c", self.gateway_file("gateway_envoy.yaml"), "--concurrency", "1",
                "--disable-hot-restart", stdout=log, stderr=log)
        until(lambda: self.gateway.get(15000, "/ready") == "LIVE\n", 30, "Envoy")


class Environment(corpus_case.CorpusCase):
    def refusal(self, **variables):
        done = subprocess.run([corpus_case.binary(), "node"], text=True,
                              env={"TMPDIR": self.folder, **variables},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_variable_that_is_wrong_is_named(self):
        self.assertIn("PROXY_WORKLOAD_INFO", self.refusal(PROXY_MODE="dedicated", FAKE_CA="true",
                                                          LOCAL_XDS_PATH="/x"))
        self.assertIn("PROXY_MODE=both", self.refusal(PROXY_MODE="both"))

    def test_a_table_that_is_not_there_is_named(self):
        self.assertIn("/nowhere.yaml", self.refusal(
            PROXY_MODE="dedicated", FAKE_CA="true", PROXY_WORKLOAD_INFO="a/b/c",
            LOCAL_XDS_PATH="/nowhere.yaml"))


if __name__ == "__main__":
    corpus_case.main()
