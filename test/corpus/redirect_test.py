# SPDX-License-Identifier: Apache-2.0
"""Connections that the kernel redirects, in a network of their own; sources that are not ours.

Needs root: a network namespace, netfilter, and sockets bound to others' addresses.
"""

import ctypes
import os
import shutil
import subprocess
import unittest

import corpus_case
from corpus_case import A, INGRESS, CorpusCase
from lab import client
from lab.hello import proxy_v1

SERVICE = 11080
_CLONE_NEWNET = 0x40000000
_network = {}


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def setUpModule():
    """This process, and so the proxies it starts, move to a network of their own."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "iptables", "ip6tables"))):
        raise unittest.SkipTest("not root, or no iptables")
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        os.close(home)
        raise unittest.SkipTest("no network namespace for us")
    _network.update(home=home, libc=libc)
    try:
        run("ip", "link", "set", "lo", "up")
        run("iptables", "-t", "nat", "-L", "-n")
    except subprocess.CalledProcessError as error:
        tearDownModule()
        raise unittest.SkipTest("no netfilter: %r" % error.stderr)


def tearDownModule():
    if _network:
        _network["libc"].setns(_network["home"], _CLONE_NEWNET)
        os.close(_network["home"])
        _network.clear()


class Redirect(CorpusCase):
    def setUp(self):
        super().setUp()
        self.backend("A", A)

    def rule(self, *rule, tool="iptables", table="nat", chain="OUTPUT"):
        run(tool, "-w", "-t", table, "-A", chain, "-p", "tcp", *rule)
        self.addCleanup(run, tool, "-w", "-t", table, "-D", chain, "-p", "tcp", *rule)

    def redirect(self, address, port):
        self.rule("-d", address, "--dport", str(port), "-j", "REDIRECT", "--to-ports",
                  str(self.port(INGRESS)), tool="ip6tables" if ":" in address else "iptables")

    def answer(self, where, wanted):
        with client.Client(where) as connection:
            connection.read_until(wanted)

    def test_address_is_restored(self):
        self.serve("redirect/virtual.yaml")
        self.redirect("127.0.0.7", 81)
        self.answer(("127.0.0.7", 81), b"A\n")
        self.assertEqual(self.log(), {"local": "127.0.0.7:81", "direct": self.at(INGRESS)})

    def test_address_of_ipv6_is_restored(self):
        self.serve("redirect/virtual.yaml",
                   lambda text: text.replace("address: 127.0.0.1, port_value: 10000",
                                             'address: "::1", port_value: 10000'))
        self.redirect("::1", 81)
        self.answer(("::1", 81), b"A\n")
        self.assertEqual(self.log(), {"local": "[::1]:81",
                                      "direct": "[::1]:%d" % self.port(INGRESS)})

    def test_who_was_not_redirected_stays(self):
        self.serve("redirect/virtual.yaml")
        self.answer(self.here(), b"A\n")
        self.assertEqual(self.log(), {"local": self.at(INGRESS), "direct": self.at(INGRESS)})

    def test_connections_go_to_the_listener_of_their_address(self):
        self.serve("redirect/virtual.yaml")
        for address in ("127.0.0.5", "127.0.0.6"):
            self.redirect(address, self.port(SERVICE))
        self.answer(("127.0.0.5", self.port(SERVICE)), b"exact\n")
        self.answer(("127.0.0.6", self.port(SERVICE)), b"any\n")
        self.proxy.wait_stats({
            "listener.127.0.0.5_%d.downstream_cx_total" % self.port(SERVICE): 1,
            "listener.0.0.0.0_%d.downstream_cx_total" % self.port(SERVICE): 1,
            "listener.0.0.0.0_%d.downstream_cx_active" % self.port(SERVICE): 0,
            "listener_manager.total_listeners_active": 3, "server.total_connections": 0})
        self.expect(listener={"downstream_cx_total": 0})
        self.assertIn("exact::127.0.0.5:%d" % self.port(SERVICE), self.proxy.listeners())

    def test_listeners_without_a_port_bind_none(self):
        self.serve("redirect/virtual.yaml")
        self.assertTrue(client.refuses(("127.0.0.5", self.port(SERVICE))))

    def test_stays_without_use_original_dst(self):
        self.serve("redirect/virtual.yaml",
                   lambda text: text.replace("    use_original_dst: true\n", ""))
        self.redirect("127.0.0.5", self.port(SERVICE))
        self.answer(("127.0.0.5", self.port(SERVICE)), b"A\n")
        self.assertEqual(self.log()["local"], "127.0.0.5:%d" % self.port(SERVICE))

    def test_chains_match_the_restored_port(self):
        self.serve("redirect/virtual.yaml", lambda text: text.replace(
            "name: inbound", "name: inbound\n      filter_chain_match: {destination_port: 81}"))
        self.redirect("127.0.0.7", 81)
        self.answer(("127.0.0.7", 81), b"A\n")
        self.ended(self.connect().end(), b"", "FIN")
        self.expect(listener={"no_filter_chain_match": 1})

    def test_passed_on_to_where_the_client_wanted(self):
        self.backend("P", SERVICE, address="127.0.0.7")
        self.serve("valid/12-original-dst.yaml")
        # Only what this client sends, for what the proxy sends goes there too.
        self.rule("-s", "127.0.0.9", "-d", "127.0.0.7", "--dport", str(self.port(SERVICE)),
                  "-j", "REDIRECT", "--to-ports", str(self.port(INGRESS)))
        with client.Client(("127.0.0.7", self.port(SERVICE)), "127.0.0.9") as connection:
            connection.read_until(b"P\n")
        self.assertEqual(self.proxy.hosts("passthrough"), ["127.0.0.7:%d" % self.port(SERVICE)])
        self.expect(passthrough={"upstream_cx_total": 1, "membership_total": 1})

    def test_transparent_sockets_keep_the_address(self):
        self.serve("redirect/virtual.yaml",
                   lambda text: text.replace("    use_original_dst: true",
                                             "    use_original_dst: true\n    transparent: true"))
        service = ("-d", "127.0.0.5", "--dport", str(self.port(SERVICE)))
        run("ip", "rule", "add", "fwmark", "1", "lookup", "100")
        self.addCleanup(run, "ip", "rule", "del", "fwmark", "1", "lookup", "100")
        run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "100")
        self.addCleanup(run, "ip", "route", "flush", "table", "100")
        self.rule(*service, "-j", "MARK", "--set-mark", "1", table="mangle")
        self.rule(*service, "-j", "TPROXY", "--on-ip", "127.0.0.1", "--on-port",
                  str(self.port(INGRESS)), "--tproxy-mark", "1", table="mangle",
                  chain="PREROUTING")
        self.answer(("127.0.0.5", self.port(SERVICE)), b"exact\n")


class OriginalSource(CorpusCase):
    """original_src in front of 01-tcp-proxy and 28-proxy-protocol-in."""

    FILTER = ("    - name: source\n      typed_config: {\"@type\": type.googleapis.com/envoy."
              "extensions.filters.listener.original_src.v3.OriginalSrc, mark: 123}\n"
              "    filter_chains:")

    def setUp(self):
        super().setUp()
        self.a = self.backend("A", A)

    def test_backend_sees_the_client(self):
        self.serve("valid/01-tcp-proxy.yaml", lambda text: text.replace(
            "    filter_chains:", "    listener_filters:\n" + self.FILTER))
        self.say_hi(source="127.0.0.9")
        self.assertEqual(self.a.visit().peer[0], "127.0.0.9")

    def test_backend_sees_whom_the_header_names(self):
        self.serve("valid/28-proxy-protocol-in.yaml",
                   lambda text: text.replace("    filter_chains:", self.FILTER))
        ending = client.send_half_close(
            self.here(), proxy_v1("127.0.0.33", "127.0.0.1") + b"hi", b"A\nhi")
        self.assertEqual((ending.data, ending.how), (b"A\nhi", "FIN"))
        self.assertEqual(self.a.visit().peer[0], "127.0.0.33")


if __name__ == "__main__":
    corpus_case.main()
