# SPDX-License-Identifier: Apache-2.0
"""Corpus 10 and 11: clusters that are found by name."""

import corpus_case
from corpus_case import A, CorpusCase


class StrictDns(CorpusCase):
    """10-strict-dns: every address of the name is a host."""

    def setUp(self):
        super().setUp()
        self.backends("A")
        self.serve("valid/10-strict-dns.yaml")

    def test_connects_to_the_resolved_address(self):
        self.say_hi()
        self.expect(dns={"upstream_cx_total": 1, "upstream_cx_destroy": 1,
                         "membership_total": 1, "membership_healthy": 1,
                         "update_success": lambda count: count >= 1})

    def test_shows_address_and_name(self):
        self.assertEqual(self.proxy.hosts("dns"), [self.at(A)])
        self.assertEqual(self.proxy.clusters()[("dns", self.at(A), "hostname")], "localhost")

    def test_warns_of_the_deprecated_field(self):
        self.wait_error_text(r"\[warning\].*deprecated.*dns_refresh_rate")


class LogicalDns(CorpusCase):
    """11-logical-dns: one logical host."""

    def setUp(self):
        super().setUp()
        self.backends("A")
        self.serve("valid/11-logical-dns.yaml")

    def test_connects_to_the_resolved_address(self):
        self.say_hi()
        self.say_hi()
        self.expect(dns={"upstream_cx_total": 2, "upstream_cx_destroy": 2,
                         "membership_total": 1, "membership_healthy": 1})

    def test_shows_one_host(self):
        self.assertEqual(self.proxy.hosts("dns"), [self.at(A)])
        self.assertEqual(self.proxy.clusters()[("dns", self.at(A), "hostname")], "localhost")


class NameThatDoesNotResolve(CorpusCase):
    """The same files with a name that nobody has."""

    def test_strict_dns_has_no_host(self):
        self.serve("valid/10-strict-dns.yaml",
                   lambda text: text.replace("address: localhost", "address: nobody.invalid"))
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(dns={"membership_total": 0, "upstream_cx_total": 0,
                         "upstream_cx_none_healthy": 1},
                    tcp={"downstream_cx_total": 1})


if __name__ == "__main__":
    corpus_case.main()
