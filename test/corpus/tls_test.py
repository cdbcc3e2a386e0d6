# SPDX-License-Identifier: Apache-2.0
"""Corpus 19, 20 and 21: TLS to clients, client certificates, TLS to hosts."""

import json
import os
import socket
import ssl
import subprocess

import corpus_case
from corpus_case import A, IS_ENVOY
from lab import client
from lab.wait import until
from tls_case import TA, TlsBackend, TlsCase, cert, client_context


class Terminate(TlsCase):
    """19-tls-terminate: a certificate, and lab/1 as application protocol."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/19-tls-terminate.yaml")

    def test_bytes_go_both_ways(self):
        tls = self.shake()
        self.assertEqual(tls.version(), "TLSv1.3")
        self.assertEqual(tls.cipher()[0], "TLS_AES_256_GCM_SHA384")
        self.say_hi_inside(tls)
        tls.close()
        self.expect(listener={"ssl.handshake": 1, "ssl.no_certificate": 1,
                              "ssl.versions.TLSv1.3": 1, "ssl.curves.X25519": 1,
                              "ssl.ciphers.TLS_AES_256_GCM_SHA384": 1,
                              "ssl.connection_error": 0, "downstream_cx_active": 0},
                    tcp={"downstream_cx_rx_bytes_total": 2, "downstream_cx_tx_bytes_total": 4})

    def test_much_goes_through(self):
        tls = self.shake()
        self.assertEqual(self.read(tls, 2), b"A\n")
        sent = os.urandom(100_000)  # The client's library is not for two threads at once.
        for _ in range(30):
            tls.sendall(sent)
            self.assertTrue(self.read(tls, len(sent)) == sent)

    def test_protocol_is_chosen_if_offered(self):
        self.assertEqual(self.shake(alpn=["x", "lab/1"]).selected_alpn_protocol(), "lab/1")
        self.assertIsNone(self.shake(alpn=["x"]).selected_alpn_protocol())

    def test_old_versions_are_refused(self):
        self.refused("TLSV1_ALERT_PROTOCOL_VERSION", version=ssl.TLSVersion.TLSv1_1)
        self.expect(listener={"ssl.connection_error": 1, "ssl.handshake": 0})
        self.assertEqual(self.shake(version=ssl.TLSVersion.TLSv1_2).version(), "TLSv1.2")

    def test_plain_text_is_closed(self):
        self.ended(self.raw(b"GET / HTTP/1.1\r\n\r\n"), b"", "FIN")
        self.expect(listener={"ssl.connection_error": 1})

    def test_admin_shows_the_certificate(self):
        shown = json.loads(self.proxy.text("/certs"))["certificates"]
        self.assertEqual(len(shown), 1)
        self.assertEqual(shown[0]["ca_cert"], [])
        [chain] = shown[0]["cert_chain"]
        self.assertEqual(chain["path"], "certs/server.pem")
        self.assertEqual(chain["serial_number"], "5b29a4f6cef75dff48b9c73631144de6067b7019")
        self.assertEqual(chain["expiration_time"], "2036-11-18T01:47:25Z")
        self.assertIn({"uri": "spiffe://lab.test/ns/default/sa/server"},
                      chain["subject_alt_names"])


class MutualTls(TlsCase):
    """20-mtls-spiffe: only the client's own name passes."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("valid/20-mtls-spiffe.yaml")

    def test_the_client_passes(self):
        self.say_hi_inside(self.shake(who="client"))
        self.expect(listener={"ssl.handshake": 1, "ssl.no_certificate": 0,
                              "ssl.sigalgs.ecdsa_secp256r1_sha256": 1})

    def test_others_do_not(self):
        self.refused("SSLV3_ALERT_CERTIFICATE_UNKNOWN", who="intruder")
        self.expect(listener={"ssl.fail_verify_san": 1})
        self.refused("TLSV1_ALERT_UNKNOWN_CA", who="foreign")
        self.expect(listener={"ssl.fail_verify_error": 1})
        self.refused("TLSV13_ALERT_CERTIFICATE_REQUIRED")
        self.expect(listener={"ssl.fail_verify_no_cert": 1, "ssl.handshake": 0,
                              "ssl.connection_error": 0})


class Logged(TlsCase):
    """What a listener's log says of TLS."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)
        self.serve("tls/mtls.yaml")

    def test_who_the_peer_is(self):
        tls = self.shake(who="client")
        self.say_hi_inside(tls)
        tls.close()
        line = self.log()
        self.assertTrue(line.pop("pem").startswith("-----BEGIN%20CERTIFICATE-----%0AMIIB8jCC"))
        self.assertEqual(line, {
            "sni": None, "version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384",
            "group": "X25519", "session": None, "peer_dns": None,
            "peer_uri": "spiffe://lab.test/ns/default/sa/client",
            "local_uri": "spiffe://lab.test/ns/default/sa/server",
            "local_dns": "echo.lab.test,localhost", "local_ip": "127.0.0.1",
            "peer": "CN=client,O=lab", "local": "CN=server,O=lab", "issuer": "CN=lab root A,O=lab",
            "sha256": "41fb74a2b134f3b674823b2744b3e5401d7c904a93f92af91bfe18622204a7a3",
            "sha1": "3518035e0e0a49ff10049da2cb6ed1c86553306e",
            "serial": "5b29a4f6cef75dff48b9c73631144de6067b701b",
            "from": "2026-11-21T01:47:25.000Z", "to": "2036",
            "chain": "5b29a4f6cef75dff48b9c73631144de6067b701b,"
                     "4d3e886926022dd239e2010d10394761145bb734",
            "issuer_sha256": "a57a405b8c316b011adbf6cd7b01d05ed521815d26e3977d9a56d30e298fabc9",
            "failure": None, "rx": 2, "tx": 4, "flags": "-", "reason": None, "details": None,
            "type": "Normal"})

    def failure(self, count):
        return self.log(count)["failure"]

    def test_why_a_client_was_refused(self):
        self.refused("SSLV3_ALERT_CERTIFICATE_UNKNOWN", who="intruder")
        line = self.log()
        self.assertEqual((line["peer"], line["peer_uri"], line["issuer_sha256"]),
                         ("CN=intruder,O=lab", "spiffe://lab.test/ns/default/sa/intruder", None))
        self.assertEqual(self.failure(1),
                         "TLS_error:|268435581:SSL_routines:OPENSSL_internal:"
                         "CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_SAN_matcher,_certificate_"
                         "SANs_are_[spiffe://lab.test/ns/default/sa/intruder]:TLS_error_end")
        self.refused("TLSV1_ALERT_UNKNOWN_CA", who="foreign")
        self.assertEqual(self.failure(2),
                         "TLS_error:|268435581:SSL_routines:OPENSSL_internal:"
                         "CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:_"
                         "certificate_verification_error_at_depth_0:_unable_to_get_local_issuer_"
                         "certificate:TLS_error_end")
        self.refused("TLSV13_ALERT_CERTIFICATE_REQUIRED")
        self.assertEqual(self.failure(3),
                         "TLS_error:|268435648:SSL_routines:OPENSSL_internal:"
                         "PEER_DID_NOT_RETURN_A_CERTIFICATE:peer_did_not_provide_required_client_"
                         "certificate:TLS_error_end")

    def test_why_it_was_no_tls(self):
        for count, (data, reason) in enumerate([
                (b"GET / HTTP/1.1\r\n\r\n", "268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST"),
                (b"hello world, what is TLS?",
                 "268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER"),
                (b"\x17\x03\x03\x00\x05hello",
                 "268435681:SSL_routines:OPENSSL_internal:UNEXPECTED_RECORD"),
                (b"\x16\x03\x01\xff\xff" + 1000 * b"x",
                 "268435602:SSL_routines:OPENSSL_internal:ENCRYPTED_LENGTH_TOO_LONG")], 1):
            self.raw(data)
            self.assertEqual(self.failure(count), "TLS_error:|%s:TLS_error_end" % reason)

    def test_a_silent_client_is_closed_in_time(self):
        with client.Client(self.here()) as connection:
            self.ended(connection.end(), b"", "FIN")
        line = self.log()
        self.assertEqual((line["reason"], line["details"], line["failure"]),
                         ("transport_socket_timeout", "transport socket timeout was reached", None))
        self.expect(listener={"downstream_cx_transport_socket_connect_timeout": 1,
                              "ssl.connection_error": 0})

    def test_all_versions_can_be_allowed(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            if IS_ENVOY:
                continue  # Its default ciphers have none for them.
            self.refused("SSLV3_ALERT_HANDSHAKE_FAILURE", who="client", version=version)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.say_hi_inside(self.shake(who="client", version=version))


class Shared(TlsCase):
    """What connections of one client have in common."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def resumed(self, version):
        context = client_context(version=version)
        first = self.shake(context=context)
        self.say_hi_inside(first)  # With it come the tickets of TLS 1.3.
        second = self.shake(context=context, session=first.session)
        self.say_hi_inside(second)
        return second.session_reused

    def test_sessions_are_resumed(self):
        self.serve("valid/19-tls-terminate.yaml")
        self.assertTrue(self.resumed(ssl.TLSVersion.TLSv1_2))
        self.assertTrue(self.resumed(ssl.TLSVersion.TLSv1_3))
        self.expect(listener={"ssl.session_reused": 2, "ssl.handshake": 4})

    def test_sessions_are_not_resumed_where_that_is_off(self):
        self.serve("valid/19-tls-terminate.yaml", lambda text: text.replace(
            "          common_tls_context:", "          disable_stateless_session_resumption: true\n"
            "          disable_stateful_session_resumption: true\n          common_tls_context:"))
        self.assertFalse(self.resumed(ssl.TLSVersion.TLSv1_2))
        self.assertFalse(self.resumed(ssl.TLSVersion.TLSv1_3))

    def test_the_name_chooses_the_certificate(self):
        self.serve("valid/19-tls-terminate.yaml", lambda text: text.replace(
            "            tls_certificates:\n", "            tls_certificates:\n"
            "            - certificate_chain: {filename: certs/server2.pem}\n"
            "              private_key: {filename: certs/server2.key}\n"))
        for name, subject in (("echo.lab.test", "server"), ("second.lab.test", "server2"),
                              ("nobody.test", "server2")):
            self.assertEqual(self.shown(self.shake(name=name)), subject)


class Authenticated(TlsCase):
    """rbac, by who the client is."""

    def allow(self, principal):
        self.backend("A", A)
        self.serve("tls/mtls.yaml", lambda text: _without_names(text).replace(
            "      filters:\n", "      filters:\n      - name: envoy.filters.network.rbac\n"
            "        typed_config:\n          \"@type\": type.googleapis.com/envoy.extensions."
            "filters.network.rbac.v3.RBAC\n          stat_prefix: p.\n          rules: {policies: "
            "{one: {permissions: [{any: true}], principals: [{authenticated: %s}]}}}\n"
            % principal))

    def passes(self, who):
        tls = self.shake(who=who)
        tls.sendall(b"hi")
        return self.read(tls, 4) == b"A\nhi"

    def test_by_name(self):
        self.allow("{principal_name: {exact: 'spiffe://lab.test/ns/default/sa/client'}}")
        self.assertTrue(self.passes("client"))
        self.assertFalse(self.passes("intruder"))
        self.assertFalse(self.passes(None))

    def test_by_subject(self):
        self.allow("{principal_name: {exact: 'CN=client,O=lab'}}")
        self.assertTrue(self.passes("client"))
        self.assertFalse(self.passes("intruder"))

    def test_whoever_speaks_tls(self):
        self.allow("{}")
        self.assertTrue(self.passes("client"))
        self.assertTrue(self.passes(None))


class AfterHandshake(TlsCase):
    """What waits until it is known who the client is."""

    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def test_the_host_is_dialled(self):
        self.serve("valid/19-tls-terminate.yaml", lambda text: text.replace(
            "          cluster: backend\n", "          cluster: backend\n          "
            "upstream_connect_mode: ON_DOWNSTREAM_TLS_HANDSHAKE\n          "
            "max_early_data_bytes: 8192\n", 1))
        self.raw(b"GET / HTTP/1.1\r\n\r\n")
        self.expect(listener={"ssl.connection_error": 1, "downstream_cx_active": 0},
                    backend={"upstream_cx_total": 0})
        self.say_hi_inside(self.shake())
        self.expect(backend={"upstream_cx_total": 1})

    def test_state_is_left(self):
        self.serve("tls/mtls.yaml", lambda text: text.replace(
            "      filters:\n", "      filters:\n      - name: envoy.filters.network."
            "set_filter_state\n        typed_config:\n          \"@type\": type.googleapis.com/"
            "envoy.extensions.filters.network.set_filter_state.v3.Config\n          "
            "on_downstream_tls_handshake: [{object_key: envoy.string, format_string: "
            "{text_format_source: {inline_string: \"%DOWNSTREAM_PEER_URI_SAN%\"}}}]\n").replace(
                "            sni:", "            state: \"%FILTER_STATE(envoy.string:PLAIN)%\"\n"
                "            sni:"))
        tls = self.shake(who="client")
        self.say_hi_inside(tls)
        tls.close()
        self.assertEqual(self.log()["state"], "spiffe://lab.test/ns/default/sa/client")


def _without_names(text):
    """mtls.yaml, with clients that need no certificate and may have any name."""
    lines = text.replace("require_client_certificate: true", "require_client_certificate: false")
    return "".join(line for line in lines.splitlines(True)
                   if "match_typed" not in line and "san_type" not in line)


class Tool(TlsCase):
    """The openssl command, as client and as server."""

    def test_a_client(self):
        self.backend("A", A)
        self.serve("valid/19-tls-terminate.yaml")
        done = subprocess.run(
            ["openssl", "s_client", "-connect", "%s:%d" % self.here(), "-tls1_2", "-cipher",
             "ECDHE-ECDSA-CHACHA20-POLY1305", "-alpn", "x,lab/1", "-CAfile", cert("ca")[0],
             "-servername", "echo.lab.test", "-verify_return_error"],
            input=b"", capture_output=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in (b"Verification: OK", b"ALPN protocol: lab/1", b"ECDHE-ECDSA-CHACHA20-POLY1305"):
            self.assertIn(text, done.stdout)

    def test_a_server(self):
        port = self.port(TA)
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert", cert("server")[0],
             "-key", cert("server")[1], "-rev", "-quiet"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        until(lambda: _listens(port), 20, "openssl s_server")
        self.serve("tls/originate.yaml")
        with client.Client(self.here()) as connection:
            connection.send(b"forward\n")
            self.assertEqual(connection.read_length(8), b"drawrof\n")


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


class Originate(TlsCase):
    """21-tls-originate: TLS to a host that asks for a certificate."""

    def tls_backend(self, **options):
        server = TlsBackend(self.port(TA), **options)
        self.addCleanup(server.close)
        return server

    def test_bytes_go_both_ways(self):
        server = self.tls_backend()
        self.serve("tls/originate.yaml")
        self.say_hi(b"TA\n")
        [(version, peer)] = server.seen
        self.assertEqual((version, server.names), ("TLSv1.2", ["echo.lab.test"]))
        self.assertIn(("URI", "spiffe://lab.test/ns/default/sa/client"), peer["subjectAltName"])
        line = self.log()
        line.pop("cipher")
        self.assertEqual(line, {
            "flags": "-", "failure": None, "sni": "echo.lab.test", "version": "TLSv1.2",
            "peer": "CN=server,O=lab", "issuer": "CN=lab root A,O=lab",
            "peer_uri": "spiffe://lab.test/ns/default/sa/server",
            "local_uri": "spiffe://lab.test/ns/default/sa/client",
            "from": "2026-11-21T01:47:25.000Z"})
        self.expect(secure={"ssl.handshake": 1, "ssl.versions.TLSv1.2": 1,
                            "upstream_cx_total": 1})

    def failed(self):
        self.ended(self.connect().end(), b"", "FIN")
        line = self.log()
        self.assertEqual((line["flags"], line["version"], line["peer"]), ("UF,URX", None, None))
        self.expect(secure={"upstream_cx_connect_fail": 1, "ssl.handshake": 0})
        return line["failure"]

    def test_a_host_of_another_authority_is_refused(self):
        self.tls_backend(who="foreign")
        self.serve("tls/originate.yaml")
        self.assertIn("CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:_certificate"
                      "_verification_error_at_depth_0:_unable_to_get_local_issuer_certificate",
                      self.failed())
        self.expect(secure={"ssl.fail_verify_error": 1})

    def test_a_host_of_another_name_is_refused(self):
        self.tls_backend(who="server2", require=False)
        self.serve("tls/originate.yaml", lambda text: text.replace("/ns/default/", "/ns/other/"))
        self.assertIn("verify_cert_failed:_SAN_matcher", self.failed())
        self.expect(secure={"ssl.fail_verify_san": 1})

    def test_a_host_must_be_who_was_asked_for(self):
        self.tls_backend(who="server2", require=False)
        self.serve("tls/originate.yaml", lambda text: text.replace(
            "        sni: e", "        auto_sni_san_validation: true\n        sni: e").replace(
                "/ns/default/", "/ns/other/"))
        self.assertIn("SANs_are_[second.lab.test]", self.failed())

    def test_who_was_asked_for_may_have_any_other_name(self):
        self.tls_backend()
        self.serve("tls/originate.yaml", lambda text: text.replace(
            "        sni: e", "        auto_sni_san_validation: true\n        sni: e").replace(
                "/ns/default/", "/ns/other/"))
        self.say_hi(b"TA\n")

    def test_a_host_without_tls_is_refused(self):
        self.backend("A", TA)
        self.serve("tls/originate.yaml")
        self.assertEqual(self.failed(), "TLS_error:|268435703:SSL_routines:OPENSSL_internal:"
                                        "WRONG_VERSION_NUMBER:TLS_error_end")
        self.expect(secure={"ssl.connection_error": 1})

    def test_a_host_that_refuses_us(self):
        self.tls_backend(ca="ca-b")
        self.serve("tls/originate.yaml")
        self.assertEqual(self.failed(), "TLS_error:|268436504:SSL_routines:OPENSSL_internal:"
                                        "TLSV1_ALERT_UNKNOWN_CA:TLS_error_end")


class BetweenCase(TlsCase):
    """TLS from the proxy to itself, with a certificate that the case makes."""

    def make_certificate(self, kind, *options):
        subprocess.run(["openssl", "req", "-x509", "-newkey", kind, *options, "-nodes", "-days", "1",
                        "-subj", "/CN=p384", "-keyout", self.tmp("p384.key"),
                        "-out", self.tmp("p384.pem")], check=True, capture_output=True)


class Policies(BetweenCase):
    """compliance_policies: what is left of TLS, on both sides."""

    def comply(self, policy):
        self.backend("A", A)
        self.make_certificate("ec", "-pkeyopt", "ec_paramgen_curve:P-384")
        self.serve("tls/policies.yaml", lambda text: text.replace("CNSA2_202603", policy))

    def agreed(self, policy, curve, cipher):
        self.comply(policy)
        self.say_hi()
        self.expect(secure={"ssl.curves." + curve: 1, "ssl.ciphers." + cipher: 1,
                            "ssl.versions.TLSv1.3": 1,
                            "ssl.sigalgs.ecdsa_secp384r1_sha384": 1})

    def test_fips(self):
        self.agreed("FIPS_202205", "P-256", "TLS_AES_128_GCM_SHA256")

    def test_cnsa_of_today(self):
        self.agreed("CNSA1_202603", "MLKEM1024", "TLS_AES_256_GCM_SHA384")

    def test_cnsa_after_quantum_computers(self):
        self.agreed("CNSA2_202603", "MLKEM1024", "TLS_AES_256_GCM_SHA384")

    def test_others_must_comply(self):
        self.comply("CNSA2_202603")
        self.refused("SSLV3_ALERT_HANDSHAKE_FAILURE", where=self.here(TA))
        self.proxy.wait_stats({self.listener_stat("ssl.connection_error", TA): 1})


class KeyUsage(BetweenCase):
    """A host whose certificate is for other things than what it is used for."""

    def test_is_refused(self):
        self.make_certificate("rsa:2048", "-addext", "keyUsage=keyEncipherment,keyCertSign")
        self.serve("tls/policies.yaml", lambda text: text.replace(
            "tls_params: {compliance_policies: [CNSA2_202603]}", "tls_params: {}"))
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(secure={"ssl.connection_error": 1, "ssl.handshake": 0})


if __name__ == "__main__":
    corpus_case.main()
