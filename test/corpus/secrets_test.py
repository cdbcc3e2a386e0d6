# SPDX-License-Identifier: Apache-2.0
"""Corpus 41: secrets by name, from the bootstrap and from files that change."""

import json
import os
import shutil

import corpus_case
from corpus_case import A
from lab.wait import until
from tls_case import CERTS, TA, TlsBackend, TlsCase, cert

_SECRET = """resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: %s
  %s
"""


class SecretCase(TlsCase):
    def write(self, name, text):
        """A file that appears at once, as users of Envoy replace theirs."""
        path = self.tmp(name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def bring(self, name, source):
        """A copy of one of the corpus's certificates or keys."""
        shutil.copy(os.path.join(CERTS, source), self.tmp(name + ".new"))
        os.rename(self.tmp(name + ".new"), self.tmp(name))

    def own(self, chain, key, name="own"):
        self.write("own.yaml", _SECRET % (
            name, "tls_certificate: {certificate_chain: {filename: %s}, private_key: "
            "{filename: %s}}" % (chain, key)))

    def own_is(self, who):
        self.own(*cert(who))

    def trusted_is(self, authority):
        self.write("trusted.yaml", _SECRET % (
            "trusted", "validation_context: {trusted_ca: {filename: %s}}"
            % os.path.join(CERTS, authority + ".pem")))

    def wait_stat(self, name):
        until(lambda: self.proxy.stats().get(name, 0) >= 1, 10, name)


class FromFiles(SecretCase):
    """tls/secrets.yaml: a certificate and a CA from files."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.own_is("server")
        self.trusted_is("ca")

    def serve_secrets(self):
        self.serve("tls/secrets.yaml")

    def expect_updates(self, count):
        self.expect(listener={"server_ssl_socket_factory.ssl_context_update_by_sds": count})

    def test_both_are_used(self):
        self.serve_secrets()
        tls = self.shake(who="client")
        self.say_hi_inside(tls)
        self.assertEqual(self.shown(tls), "server")
        self.refused("SSLV3_ALERT_CERTIFICATE_UNKNOWN", who="intruder")
        self.expect_updates(2)
        self.proxy.wait_stats({"sds.own.update_attempt": 1, "sds.own.update_success": 1,
                               "sds.own.update_rejected": 0, "sds.own.update_failure": 0,
                               "sds.own.key_rotation_failed": 0,
                               "sds.own.version": 17241709254077376921,
                               "sds.trusted.update_success": 1})

    def test_admin_shows_them_without_the_key(self):
        self.serve_secrets()
        text = self.proxy.text("/config_dump?resource=dynamic_active_secrets")
        own = [one for one in json.loads(text)["configs"] if one["name"] == "own"][0]
        self.assertEqual(own["secret"]["tls_certificate"]["private_key"],
                         {"inline_bytes": "W3JlZGFjdGVkXQ=="})
        [shown] = json.loads(self.proxy.text("/certs"))["certificates"]
        self.assertEqual(shown["cert_chain"][0]["path"], "<inline>")

    def test_a_new_file_counts_for_new_connections(self):
        self.serve_secrets()
        before = self.shake(who="client")
        self.own_is("server2")
        self.expect_updates(3)
        self.assertEqual(self.shown(self.shake(who="client")), "server2")
        self.say_hi_inside(before)

    def test_new_certificate_files_are_taken_up_together(self):
        self.bring("chain.pem", "server.pem")
        self.bring("key.pem", "server.key")
        self.own(self.tmp("chain.pem"), self.tmp("key.pem"))
        self.serve_secrets()
        self.bring("key.pem", "server2.key")
        self.wait_stat("sds.own.key_rotation_failed")
        self.assertEqual(self.shown(self.shake(who="client")), "server")
        self.bring("chain.pem", "server2.pem")
        self.expect_updates(3)
        self.assertEqual(self.shown(self.shake(who="client")), "server2")

    def test_another_authority_shuts_out_who_was_let_in(self):
        self.serve_secrets()
        self.say_hi_inside(self.shake(who="client"))
        self.trusted_is("ca-b")
        self.expect_updates(3)
        self.refused("TLSV1_ALERT_UNKNOWN_CA", who="client")

    def test_what_is_of_no_use_changes_nothing(self):
        self.serve_secrets()
        self.own(cert("server2")[0], cert("server")[1])
        self.proxy.wait_stats({"sds.own.update_rejected": 1})
        self.own(*cert("server2"), name="other")
        self.proxy.wait_stats({"sds.own.update_rejected": 2})
        self.write("own.yaml", "resources: [")
        self.proxy.wait_stats({"sds.own.update_failure": 1, "sds.own.update_attempt": 4})
        self.assertEqual(self.shown(self.shake(who="client")), "server")

    def test_nobody_is_served_before_there_is_a_certificate(self):
        self.own(cert("server2")[0], cert("server")[1])
        self.serve_secrets()
        with self.assertRaises(OSError):
            self.shake(who="client")
        self.assertEqual(self.log(), {"failure": "TLS_error:_Secret_is_not_supplied_by_SDS",
                                      "flags": "-", "reason": None})
        self.expect(listener={
            "server_ssl_socket_factory.downstream_context_secrets_not_ready": 1})
        self.own_is("server")
        self.wait_stat("sds.own.update_success")
        self.say_hi_inside(self.shake(who="client"))


class OfTheCorpus(SecretCase):
    """41-sds-from-file, as it stands."""

    def test_a_certificate_from_a_file(self):
        self.backend("A", A)
        self.serve("valid/41-sds-from-file.yaml")
        self.say_hi_inside(self.shake())
        self.expect(listener={"server_ssl_socket_factory.ssl_context_update_by_sds": 1,
                              "ssl.handshake": 1})


class OfTheBootstrap(SecretCase):
    """A static secret in place of certificates."""

    def test_it_is_used(self):
        self.backend("A", A)
        self.serve("valid/19-tls-terminate.yaml", lambda text: text.replace(
            "tls_certificates:", "tls_certificate_sds_secret_configs: [{name: s}]").replace(
                "            - certificate_chain: {filename: certs/server.pem}\n", "").replace(
                    "              private_key: {filename: certs/server.key}\n", "").replace(
                        "static_resources:\n", "static_resources:\n  secrets:\n  - name: s\n"
                        "    tls_certificate:\n"
                        "      certificate_chain: {filename: certs/server.pem}\n"
                        "      private_key: {filename: certs/server.key}\n"))
        self.say_hi_inside(self.shake())
        self.expect(listener={"server_ssl_socket_factory.ssl_context_update_by_sds": 0})
        [one] = json.loads(
            self.proxy.text("/config_dump?resource=static_secrets"))["configs"]
        self.assertEqual(one["name"], "s")
        self.assertIn("ssl.certificate.s.expiration_unix_time_seconds",
                      self.proxy.text("/stats"))


class OfHosts(SecretCase):
    """A cluster whose certificate comes from a file."""

    def test_no_host_is_spoken_to_before_there_is_one(self):
        server = TlsBackend(self.port(TA))
        self.addCleanup(server.close)
        self.own(cert("server")[0], cert("client")[1])
        self.serve("tls/originate.yaml", lambda text: (
            "node: {id: lab-node, cluster: lab}\n" + text.replace(
                "          tls_certificates:\n", "          tls_certificate_sds_secret_configs:\n")
            .replace("certificate_chain: {filename: ../valid/certs/client.pem}", "name: own\n"
                     "            sds_config: {resource_api_version: V3, path_config_source: "
                     "{path: /tmp/own.yaml}}")
            .replace("            private_key: {filename: ../valid/certs/client.key}\n", "")))
        self.ended(self.connect().end(), b"", "FIN")
        line = self.log()
        self.assertEqual((line["flags"], line["failure"]),
                         ("UF,URX", "TLS_error:_Secret_is_not_supplied_by_SDS"))
        self.expect(secure={
            "client_ssl_socket_factory.upstream_context_secrets_not_ready": 1,
            "upstream_cx_connect_fail": 1})
        self.own_is("client")
        self.wait_stat("sds.own.update_success")
        self.say_hi(b"TA\n")
        self.assertIn(("URI", "spiffe://lab.test/ns/default/sa/client"),
                      server.seen[0][1]["subjectAltName"])


if __name__ == "__main__":
    corpus_case.main()
