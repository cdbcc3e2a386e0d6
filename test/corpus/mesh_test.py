# SPDX-License-Identifier: Apache-2.0
"""Tunnels between nodes of a mesh: certificates, CONNECT, and the chain that is inside."""

import json
import os
import re
import socket
import ssl
import stat
import subprocess
import unittest

import corpus_case
from corpus_case import A, CorpusCase
from lab import authority, binaries, proxy, revocations
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
class Revocations(CorpusCase):
    """Certificates that were revoked: lists in a file, read while the proxy runs."""

    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    GOODBYE = b"\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0"  # GOAWAY(0, NO_ERROR)

    def serve_with_list(self, flags=()):
        self.backend("A", A)
        ca = "{lab_authority: {file: /tmp/ca.pem}"
        self.serve("mesh/hbone_pair.yaml", self.edited(
            (ca, ca + ", crl_file: /tmp/crl.pem"), ("127.0.0.1:11001", self.at(A))), flags)
        self.loads = 0

    def put(self, text, name="crl.pem"):
        revocations.replace(self.tmp(name), text)
        self.loaded()

    def loaded(self):
        self.loads += 1
        until(lambda: len(re.findall(r"list\(s\) of revoked", self.proxy.stderr())) == self.loads,
              10, "the list that was put there")

    def crl(self, *uris, version=2):
        page = json.loads(self.proxy.text("/certs"))
        return revocations.Authority(self.tmp("ca.pem")).crl(
            [revocations.serial_of(page, uri) for uri in uris], version)

    def refused(self, stat_name="mesh.inbound.ssl.fail_verify_error"):
        self.assertEqual(self.connect().end().data, b"")
        self.proxy.wait_stats({stat_name: 1})

    def test_a_revoked_client_is_refused(self):
        self.serve_with_list()
        self.wait_error_text("crl.pem: cannot be read; nobody is revoked until it can")
        self.say_hi()
        self.put(self.crl(WEB))
        self.assertEqual(self.connect().end().data, b"")

    def test_a_list_of_version_1_counts(self):
        self.serve_with_list()
        self.put(self.crl(WEB, version=1))
        self.refused()

    def test_a_revoked_server_is_refused(self):
        self.serve_with_list()
        self.put(self.crl(CART))
        self.refused("mesh.outbound.ssl.fail_verify_error")
        self.assertIn("certificate_revoked", self.log()["failure"])

    def test_others_are_served(self):
        self.serve_with_list()
        self.put(revocations.Authority(self.tmp("ca.pem")).crl(["01"]))
        self.say_hi()

    def ends_live_tunnels(self, revoked):
        self.serve_with_list(("--concurrency", "2"))
        connections = [self.connect() for _ in range(4)]
        for connection in connections:
            connection.read_until(b"A\n")
        self.put(self.crl(revoked))
        for connection in connections:
            self.assertIn(connection.end().how, ("FIN", "RST"))
        self.assertEqual(self.connect().end().data, b"")

    def test_live_tunnels_of_a_revoked_client_end(self):
        self.ends_live_tunnels(WEB)

    def test_live_tunnels_to_a_revoked_server_end(self):
        self.ends_live_tunnels(CART)

    def test_a_broken_list_changes_nothing(self):
        self.serve_with_list()
        self.put(self.crl(WEB))
        revocations.replace(self.tmp("crl.pem"), "-----BEGIN X509 CRL-----\n")
        self.wait_error_text("crl.pem: list 1 cannot be read: .*; what was revoked before still is")
        self.refused()

    def test_a_broken_list_ends_the_start(self):
        revocations.replace(self.tmp("crl.pem"), "garbage")
        with self.assertRaises(proxy.Refused) as caught:
            self.serve_with_list()
        self.assertRegex(caught.exception.stderr,
                         r"certificates\.crl_file.*: /\S+/crl.pem: list 1 cannot be read: ")

    def test_a_volume_is_swapped(self):
        for name in ("..1", "..2"):
            os.mkdir(self.tmp(name))
        revocations.replace(self.tmp("..1/crl.pem"), "")
        os.symlink("..1", self.tmp("..data"))
        os.symlink("..data/crl.pem", self.tmp("crl.pem"))
        self.serve_with_list()
        self.loaded()
        self.say_hi()
        revocations.replace(self.tmp("..2/crl.pem"), self.crl(WEB))
        os.symlink("..2", self.tmp("..new"))
        os.rename(self.tmp("..new"), self.tmp("..data"))
        self.loaded()
        self.assertEqual(self.connect().end().data, b"")

    def issue_below(self):
        """A client's certificate by an authority below the lab's, as client.pem."""
        files = {"between.ext": "basicConstraints=critical,CA:TRUE\n",
                 "client.ext": "subjectAltName=critical,URI:%s\n" % WEB}
        for name, text in files.items():
            with open(self.tmp(name), "w", encoding="utf-8") as file:
                file.write(text)
        new_key = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %s.key"
        for command in (
                new_key % "between", "req -new -key between.key -subj /O=between -out between.csr",
                "x509 -req -in between.csr -CA ca.pem -CAkey ca.pem -set_serial 77 -days 1"
                " -extfile between.ext -out between.crt",
                new_key % "client", "req -new -key client.key -subj / -out client.csr",
                "x509 -req -in client.csr -CA between.crt -CAkey between.key -set_serial 78 -days 1"
                " -extfile client.ext -out client.crt"):
            subprocess.run(["openssl", *command.split()], check=True, cwd=self.folder,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.tmp("client.pem"), "wb") as out:
            for name in ("client.crt", "between.crt", "client.key"):
                with open(self.tmp(name), "rb") as file:
                    out.write(file.read())

    def client_below(self):
        """A connection of that client, as far as it knows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        context.load_cert_chain(self.tmp("client.pem"))
        plain = socket.create_connection(self.here(10008), 20)
        tls = context.wrap_socket(plain)
        self.addCleanup(tls.close)
        return tls

    def test_a_revoked_authority_takes_its_clients_with_it(self):
        self.serve_with_list()
        self.issue_below()
        live = self.client_below()
        live.sendall(self.PREFACE)
        said = live.recv(65536)
        self.put(revocations.Authority(self.tmp("ca.pem")).crl(["4D"]))
        while data := live.recv(65536):
            said += data
        self.assertTrue(said.endswith(self.GOODBYE), said)
        with self.assertRaisesRegex(ssl.SSLError, "certificate revoked"):
            self.client_below().recv(65536)


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
