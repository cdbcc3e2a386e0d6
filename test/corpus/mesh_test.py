# SPDX-License-Identifier: Apache-2.0
"""Tunnels between nodes of a mesh: certificates, CONNECT, and the chain that is inside."""

import json
import os
import re
import stat
import unittest

import corpus_case
from corpus_case import A, CorpusCase
from lab import authority, binaries, proxy
from lab.wait import until

CART = "spiffe://cluster.local/ns/shop/sa/cart"
WEB = "spiffe://cluster.local/ns/shop/sa/web"


@unittest.skipIf(corpus_case.IS_ENVOY, "Envoy has no such filters")
class HbonePair(CorpusCase):
    def serve_with(self, *edits, flags=()):
        self.serve("mesh/hbone_pair.yaml",
                   self.edited(*edits, ("127.0.0.1:11001", self.at(A))), flags)

    def inside(self):
        """The last line of what runs inside of tunnels."""
        lines = []

        def read():
            if os.path.exists(self.tmp("inside.log")):
                with open(self.tmp("inside.log"), encoding="utf-8") as file:
                    lines[:] = file.read().splitlines()
            return lines

        until(read, 10, "a line of the tunnel's inside")
        return json.loads(lines[-1])

    def test_bytes_go_through_the_tunnel(self):
        self.backend("A", A)
        self.serve_with()
        self.say_hi()
        self.assertEqual(self.log(), {"flags": "-", "failure": None, "peer": CART, "tls": "TLSv1.3"})
        self.assertEqual(self.inside(), {"peer": WEB, "local": self.at(10008), "flags": "-"})

    def test_tunnels_share_a_connection(self):
        self.backend("A", A)
        self.serve_with()
        for _ in range(3):
            self.say_hi()
        self.expect(hbone={"upstream_cx_total": 1, "upstream_rq_total": 3})
        self.proxy.wait_stats({"hbone.inbound.tunnels_total": 3, "mesh.inbound.ssl.handshake": 1})

    def test_who_ends_first_still_hears_the_other(self):
        self.backend("A", A)
        self.serve_with()
        connection = self.connect()
        connection.read_until(b"A\n")
        connection.send(b"question")
        connection.half_close()
        self.ended(connection.end(), b"A\nquestion", "FIN")

    def test_an_application_that_is_away_refuses_the_tunnel(self):
        self.serve_with()
        connection = self.connect()
        self.assertEqual(connection.end().data, b"")
        self.assertEqual(self.log()["failure"], "tunnel_response:503")
        self.expect(hbone={"upstream_cx_active": 1})

    def test_a_chain_that_closes_refuses_the_tunnel(self):
        self.backend("A", A)
        self.serve_with(("cluster: application", "cluster: nowhere"))
        self.assertEqual(self.connect().end().data, b"")
        self.assertEqual(self.log()["failure"], "tunnel_response:503")

    def test_without_its_listener_nothing_is_served(self):
        self.serve_with(("internal_listener: inside", "internal_listener: elsewhere"))
        self.assertEqual(self.connect().end().data, b"")
        self.assertEqual(self.log()["failure"], "tunnel_response:503")
        self.proxy.wait_stats({"hbone.inbound.no_listener": 1})

    def test_nobody_is_there(self):
        self.serve_with(("127.0.0.1, port_value: 10008}}}}]", "127.0.0.1, port_value: 11009}}}}]"))
        self.assertEqual(self.connect().end().data, b"")
        self.assertEqual(self.log()["failure"], "delayed_connect_error:_Connection_refused")

    def test_a_peer_that_is_not_expected_is_refused(self):
        self.serve_with(('["%s"]' % CART, '["%s"]' % WEB))
        self.assertEqual(self.connect().end().data, b"")
        self.assertIn("wanted_[%s],_certificate_SANs_are_[%s]" % (WEB, CART), self.log()["failure"])
        self.proxy.wait_stats({"mesh.outbound.ssl.fail_verify_san": 1})

    def test_a_client_of_another_trust_domain_is_refused(self):
        self.serve_with(("identity: " + WEB, "identity: spiffe://elsewhere/ns/shop/sa/web"))
        self.assertEqual(self.connect().end().data, b"")
        self.proxy.wait_stats({"mesh.inbound.ssl.fail_verify_san": 1, "hbone.inbound.tunnels_total": 0})

    def test_much_comes_whole(self):
        self.backend("A", A)
        self.serve_with(flags=("--concurrency", "2"))
        data = os.urandom(1 << 20) * 4
        connection = self.connect()
        connection.read_until(b"A\n")
        step = 1 << 18
        for at in range(0, len(data), step):
            connection.send(data[at:at + step])
            connection.read_length(len(b"A\n") + at + step)
        self.assertTrue(connection.data == b"A\n" + data)

    def test_a_certificate_is_listed(self):
        self.serve_with()
        uris = {name.get("uri") for certificate in json.loads(self.proxy.text("/certs"))["certificates"]
                for own in certificate.get("cert_chain", []) for name in own["subject_alt_names"]}
        self.assertEqual(uris, {CART, WEB})

    def test_the_authority_is_for_its_user_only(self):
        self.serve_with()
        self.assertEqual(stat.S_IMODE(os.stat(self.tmp("ca.pem")).st_mode), 0o600)
        self.wait_error_text("for labs only")


@unittest.skipIf(corpus_case.IS_ENVOY, "Envoy has no such filters")
class BesideEnvoy(CorpusCase):
    """One end of the tunnel is the real Envoy, with a certificate of the same authority."""

    INGRESS_OF_ENVOY, ADMIN_OF_ENVOY, NO_TUNNELS = 10001, 9902, 10018

    def setUp(self):
        super().setUp()
        self.envoy = binaries.find_envoy()
        if self.envoy is None:
            self.skipTest("no Envoy here")
        self.backend("A", A)

    def serve_pair(self, *edits):
        def edit(text):
            for before, after in edits:
                text = text.replace(before, after, 1)
            return text.replace("127.0.0.1:11001", self.at(A))
        self.serve("mesh/hbone_pair.yaml", edit)

    def issue(self, uri):
        """A certificate of the lab's authority for Envoy."""
        authority.Authority(self.tmp("ca.pem"), self.folder).issue("envoy", uri)

    def serve_envoy(self, name, *edits):
        def edit(text):
            for before, after in (("10000", str(self.INGRESS_OF_ENVOY)),
                                  ("9901", str(self.ADMIN_OF_ENVOY)), *edits):
                text = text.replace(before, after)
            for who in ("server", "client"):
                text = text.replace("certs/%s." % who, "/tmp/envoy.")
            return text.replace("certs/ca.pem", "/tmp/ca.crt")
        path = self.config(name, edit)
        folder = self.tmp("envoy")
        os.mkdir(folder)
        peer = proxy.Proxy(self.envoy, path, self.port(self.ADMIN_OF_ENVOY), folder)
        self.addCleanup(peer.stop)
        peer.wait_ready()

    def test_it_takes_our_tunnels(self):
        self.serve_pair(("port_value: 10008", "port_value: %d" % self.NO_TUNNELS))
        self.issue(CART)
        self.serve_envoy("valid/52-istio-connect-terminate.yaml")
        self.say_hi()
        log = self.log()
        self.assertEqual((log["peer"], log["tls"]), (CART, "TLSv1.3"))

    def test_we_take_its_tunnels(self):
        self.serve_pair()
        self.issue(WEB)
        self.serve_envoy("valid/39-hbone-originate.yaml", ("10.0.0.7:8080", self.at(A)),
                         ("spiffe://lab.test/ns/default/sa/server", CART),
                         ("common_tls_context:", "common_tls_context:\n          tls_params: "
                          "{tls_maximum_protocol_version: TLSv1_3}"))
        self.say_hi(where=self.here(self.INGRESS_OF_ENVOY))
        self.proxy.wait_stats({"hbone.inbound.tunnels_total": 1})


@unittest.skipIf(corpus_case.IS_ENVOY, "Envoy has no such filters")
class Refusals(CorpusCase):
    def refused(self, before, after, wanted):
        with self.assertRaises(proxy.Refused) as caught:
            self.serve("mesh/hbone_pair.yaml", lambda text: text.replace(before, after))
        said = re.sub(r" \(\S+:\d+:\d+\): ", ": ", caught.exception.stderr.splitlines()[-1])
        self.assertIn(wanted, said)

    def test_a_file_that_others_can_read(self):
        with open(self.tmp("ca.pem"), "w", encoding="utf-8"):
            os.chmod(self.tmp("ca.pem"), 0o644)
        self.refused("", "", "bootstrap_extensions[1].typed_config.certificates.lab_authority.file: ")

    def test_no_certificates(self):
        self.refused("certificates: {lab_authority: {file: /tmp/ca.pem}}", "certificates: {}",
                     "bootstrap_extensions[1].typed_config.certificates: lab_authority must be set")

    def test_an_identity_that_is_none(self):
        self.refused("identity: " + WEB, "identity: web",
                     "static_resources.clusters[0].transport_socket.typed_config.identity: ")

    def test_expected_peers_of_a_listener(self):
        self.refused("identity: " + CART, "identity: %s\n          expected_peers: [%s]" % (CART, WEB),
                     "transport_socket.typed_config.expected_peers: of clusters only")

    def test_a_process_that_is_no_node(self):
        self.refused("- name: culvert.bootstrap.mesh\n  typed_config:\n"
                     '    "@type": type.googleapis.com/culvert.mesh.v1.Mesh\n'
                     "    certificates: {lab_authority: {file: /tmp/ca.pem}}\n", "",
                     "typed_config.identity: the bootstrap has no extension culvert.bootstrap.mesh")


if __name__ == "__main__":
    corpus_case.main()
