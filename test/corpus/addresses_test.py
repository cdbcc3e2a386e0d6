# SPDX-License-Identifier: Apache-2.0
"""Corpus 01 with hosts of several addresses, which are tried one beside the other."""

import corpus_case
from corpus_case import A, B, C, CorpusCase
from lab import backend, proxy

LOG = """          access_log:
          - name: out
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {json_format: {flags: "%RESPONSE_FLAGS%", host: "%UPSTREAM_HOST%", reached: "%UPSTREAM_REMOTE_ADDRESS%", attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%"}}
"""
ENDPOINT = ("        - endpoint: {address: {socket_address: {address: 127.0.0.1, "
            "port_value: 11001}}}")


def address(port, ip="127.0.0.1"):
    return '{socket_address: {address: "%s", port_value: %d}}' % (ip, port)


class Addresses(CorpusCase):
    def serve_at(self, *addresses, cluster="connect_timeout: 1s"):
        more = ", ".join("{address: %s}" % one for one in addresses[1:])

        def edit(text):
            self.assertIn(ENDPOINT, text)
            return text.replace("          cluster: backend\n", "          cluster: backend\n" + LOG
                                ).replace(ENDPOINT, "        - endpoint: {address: %s, "
                                          "additional_addresses: [%s]}" % (addresses[0], more)
                                          ).replace("connect_timeout: 1s", cluster)
        self.serve("valid/01-tcp-proxy.yaml", edit)

    def blackhole(self, port):
        hole = backend.Blackhole(self.port(port))
        self.addCleanup(hole.close)

    def test_the_first_address_is_enough(self):
        self.backends("AB")
        self.serve_at(address(A), address(B))
        self.say_hi(b"A\n")
        self.expect(backend={"upstream_cx_total": 1, "upstream_cx_destroy": 1})
        self.assertEqual(self.log()["reached"], self.at(A))

    def test_after_a_refusal_comes_the_next_one(self):
        self.backends("B")
        self.serve_at(address(A), address(B))
        self.say_hi(b"B\n")
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_connect_fail": 0,
                             "upstream_cx_destroy": 1, "upstream_rq_total": 1,
                             "upstream_rq_pending_total": 1, "membership_total": 1})
        self.assertEqual(self.log(), {"flags": "-", "host": self.at(A), "reached": self.at(B),
                                      "attempts": 1, "reason": None})
        self.assertEqual(self.proxy.hosts("backend"), [self.at(A)])
        self.assertEqual(self.proxy.clusters()[("backend", self.at(A), "cx_total")], "2")

    def test_silence_does_not_hold_up_the_next_ones(self):
        self.backends("C")
        self.blackhole(A)
        self.blackhole(B)
        self.serve_at(address(A), address(B), address(C))
        self.say_hi(b"C\n")
        self.expect(backend={"upstream_cx_total": 3, "upstream_cx_connect_timeout": 0,
                             "upstream_cx_active": 0})
        self.assertEqual(self.log()["reached"], self.at(C))

    def test_a_host_that_refuses_everywhere_has_failed_once(self):
        self.serve_at(address(A), address(B))
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_connect_fail": 1,
                             "upstream_cx_destroy_remote": 1,
                             "upstream_rq_pending_failure_eject": 1})
        log = self.log()
        self.assertEqual((log["flags"], log["host"], log["reached"]), ("UF,URX", self.at(A), None))
        self.assertIn("Connection_refused", log["reason"])

    def test_the_time_to_connect_is_for_all_of_them(self):
        self.blackhole(A)
        self.serve_at(address(A), address(B))
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(backend={"upstream_cx_total": 2, "upstream_cx_connect_timeout": 1,
                             "upstream_cx_connect_fail": 1, "upstream_cx_destroy_local": 1})

    def test_kinds_of_addresses_take_turns(self):
        self.backends("AB")
        self.serve_at(address(A), address(C, "::1"), cluster=(
            "upstream_connection_options: {happy_eyeballs_config: "
            "{first_address_family_version: V6}}"))
        self.say_hi(b"A\n")
        self.expect(backend={"upstream_cx_total": 2})  # ::1 came first.

    def test_a_name_cannot_be_one(self):
        path = self.config("valid/01-tcp-proxy.yaml", lambda text: text.replace(
            ENDPOINT, ENDPOINT[:-1] + ", additional_addresses: [{address: %s}]}"
            % address(B, "b.test")))
        status, _, said = proxy.run_to_end(
            corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"])
        self.assertEqual(status, 1)
        self.assertIn("malformed IP address: b.test. Consider setting resolver_name or setting "
                      "cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'", said)


if __name__ == "__main__":
    corpus_case.main()
