# SPDX-License-Identifier: Apache-2.0
"""Corpus 40: listeners, clusters and endpoints come from files, and change under traffic."""

import json
import os
import random
import re
import socket
import threading
import time
import unittest

import corpus_case
from corpus_case import A, B, C, DATA, INGRESS, IS_ENVOY, NOBODY, CorpusCase
from lab import bootstrap, client
from lab.wait import until
from tls_case import CERTS, TA, TlsBackend, cert, client_context

_FILE = "valid/40-filesystem-xds.yaml"
_TYPE = "type.googleapis.com/envoy."
_TCP_PROXY = ('{"@type": %sextensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: from_file,'
              ' cluster: %%s}' % _TYPE)


def chain(cluster="from_file", match=""):
    """A filter chain in one line."""
    return ("{%sfilters: [{name: tcp, typed_config: %s}]}"
            % (match and "filter_chain_match: {%s}, " % match, _TCP_PROXY % cluster))


def listener(chains, name="from_file", port=INGRESS, more=""):
    return ('- {"@type": %sconfig.listener.v3.Listener, name: %s, %s address: {socket_address: '
            '{address: 127.0.0.1, port_value: %d}}, filter_chains: [%s]}\n'
            % (_TYPE, name, more, port, ", ".join(chains)))


def static_cluster(port, name="from_file"):
    return ('- {"@type": %sconfig.cluster.v3.Cluster, name: %s, connect_timeout: 1s, '
            'load_assignment: {cluster_name: %s, endpoints: [{lb_endpoints: [{endpoint: {address: '
            '{socket_address: {address: 127.0.0.1, port_value: %d}}}}]}]}}\n'
            % (_TYPE, name, name, port))


def assignment(ports, name="from_file"):
    endpoints = ", ".join("{endpoint: {address: {socket_address: {address: 127.0.0.1, "
                          "port_value: %d}}}}" % port for port in ports)
    return ('- {"@type": %sconfig.endpoint.v3.ClusterLoadAssignment, cluster_name: %s, '
            'endpoints: [{lb_endpoints: [%s]}]}\n' % (_TYPE, name, endpoints))


class DynamicCase(CorpusCase):
    """The corpus file, with its files in a folder of the case that may be changed."""

    def wait_greeting(self, greeting, source=None):
        """Greeting, echo and FIN, or FIN alone. The workers hear of an update after it was taken."""
        said = b"hi" if greeting else b""

        def greets():
            ending = client.send_half_close(self.here(), said, source=source)
            return (ending.data, ending.how) == (greeting + said, "FIN")
        until(greets, 10, "the greeting %r" % greeting)

    def setUp(self):
        super().setUp()
        self.backends("AB")
        os.mkdir(self.tmp("fs"))
        for name in ("lds", "cds", "eds"):
            with open(os.path.join(DATA, "valid", "fs", name + ".yaml"), encoding="utf-8") as file:
                self.put(name, file.read())

    def begin(self, *flags):
        self.serve(_FILE, edit=self._in_folder, flags=flags)

    @staticmethod
    def _in_folder(text):
        return text.replace("path: fs", "path: /tmp/fs")

    def text(self, text):
        moved = {old: self.port(old) for old in bootstrap.ports_in(text) if old <= 65535}
        return bootstrap.move_tmp(bootstrap.move_ports(self._in_folder(text), moved), self.folder)

    def put(self, name, text):
        """Replaces the file at once, by a rename onto it."""
        with open(self.tmp("next"), "w", encoding="utf-8") as file:
            file.write(self.text(text))
        os.rename(self.tmp("next"), self.tmp("fs/%s.yaml" % name))

    def resources(self, name, version, *resources):
        self.put(name, 'version_info: "%s"\nresources:\n%s' % (version, "".join(resources))
                 if resources else 'version_info: "%s"\nresources: []\n' % version)

    def lds(self, **values):
        self.proxy.wait_stats({"listener_manager.lds." + k: v for k, v in values.items()})

    def cds(self, **values):
        self.proxy.wait_stats({"cluster_manager.cds." + k: v for k, v in values.items()})

    def manager(self, **values):
        self.proxy.wait_stats({"listener_manager." + k: v for k, v in values.items()})

    def held(self, source=None, greeting=b"A\n"):
        """A connection that has been greeted and stays."""
        connection = self.connect(source=source)
        connection.read_until(greeting)
        return connection

    def is_refused(self):
        until(lambda: client.refuses(self.here()), 10, "the port to refuse")

    def goes_on(self, connection):
        connection.send(b"still")
        connection.read_until(b"still")


class Files(DynamicCase):
    def test_everything_comes_from_files(self):
        self.begin()
        self.say_hi()
        self.proxy.wait_stats({"cluster.from_file.version_text": "1",
                               "listener_manager.lds.version_text": "1",
                               "cluster_manager.cds.version_text": "1",
                               "listener_manager.lds.update_success": 1,
                               "cluster_manager.cds.update_success": 1,
                               "cluster.from_file.update_success": 1,
                               "cluster_manager.active_clusters": 1,
                               "cluster_manager.warming_clusters": 0,
                               "listener_manager.total_listeners_active": 1})

    def test_config_dump_shows_them_with_their_version(self):
        self.begin()
        configs = {c["@type"].rpartition(".")[2]: c for c in self.proxy.config_dump()["configs"]}
        clusters = configs["ClustersConfigDump"]
        self.assertEqual(clusters["version_info"], "1")
        self.assertEqual([(c["version_info"], c["cluster"]["name"])
                          for c in clusters["dynamic_active_clusters"]], [("1", "from_file")])
        (shown,) = configs["ListenersConfigDump"]["dynamic_listeners"]
        self.assertEqual((shown["name"], shown["active_state"]["version_info"],
                          shown["active_state"]["listener"]["name"]),
                         ("from_file", "1", "from_file"))

    def test_missing_file_is_an_error_at_the_start(self):
        os.remove(self.tmp("fs/lds.yaml"))
        with self.assertRaises(corpus_case.proxy.Refused) as refused:
            self.begin()
        self.assertIn("paths must refer to an existing path in the system", refused.exception.stderr)


class Endpoints(DynamicCase):
    def test_new_connections_go_to_new_endpoints_and_old_ones_go_on(self):
        self.begin()
        old = self.held()
        self.resources("eds", "2", assignment([B]))
        self.proxy.wait_stats({"cluster.from_file.version_text": "2"})
        self.wait_greeting(b"B\n")
        self.goes_on(old)

    def test_assignment_of_another_cluster_changes_nothing(self):
        self.begin()
        self.resources("eds", "2", assignment([B], name="other"))
        self.proxy.wait_stats({"cluster.from_file.update_attempt": 2})
        self.assertEqual(self.greeting(), "A")

    def test_broken_file_changes_nothing(self):
        self.begin()
        self.put("eds", "resources: [")
        self.proxy.wait_stats({"cluster.from_file.update_attempt": 2,
                               "cluster.from_file.version_text": "1"})
        self.assertEqual(self.greeting(), "A")
        self.resources("eds", "3", assignment([B]))
        self.proxy.wait_stats({"cluster.from_file.version_text": "3"})
        self.wait_greeting(b"B\n")

    @unittest.skipIf(IS_ENVOY, "Envoy sees only what is renamed onto the path")
    def test_file_may_be_edited_in_place(self):
        self.begin()
        with open(self.tmp("fs/eds.yaml"), "w", encoding="utf-8") as file:
            file.write(self.text('version_info: "2"\nresources:\n' + assignment([B])))
        self.proxy.wait_stats({"cluster.from_file.version_text": "2"})
        self.wait_greeting(b"B\n")


class Clusters(DynamicCase):
    def test_changed_cluster_takes_new_connections(self):
        self.begin()
        old = self.held()
        self.resources("cds", "2", static_cluster(B))
        self.cds(version_text="2")
        self.proxy.wait_stats({"cluster_manager.cluster_modified": 1})
        self.wait_greeting(b"B\n")
        self.goes_on(old)

    def test_removed_cluster_keeps_its_connections(self):
        self.begin()
        old = self.held()
        self.resources("cds", "2")
        self.cds(version_text="2")
        self.proxy.wait_stats({"cluster_manager.cluster_removed": 1,
                               "cluster_manager.active_clusters": 0})
        self.wait_greeting(b"")
        self.goes_on(old)

    def test_wrong_value_refuses_the_whole_update(self):
        self.begin()
        self.resources("cds", "2", static_cluster(B, name="good"),
                       static_cluster(B, name="bad").replace("connect_timeout: 1s",
                                                             "connect_timeout: 0s"))
        self.cds(update_rejected=1, version_text="1")
        self.proxy.wait_stats({"cluster_manager.active_clusters": 1})
        self.wait_error_text("connect_timeout")
        self.say_hi()

    def test_cluster_that_cannot_be_made_is_refused_alone(self):
        self.begin()
        self.resources("cds", "2", static_cluster(A), static_cluster(B, name="good"),
                       static_cluster(B, name="bad").replace(
                           "connect_timeout: 1s", "lb_policy: LOAD_BALANCING_POLICY_CONFIG"))
        self.cds(update_rejected=1, version_text="1")
        self.proxy.wait_stats({"cluster_manager.active_clusters": 2})
        self.wait_error_text("load_balancing_policy need to be set")
        self.say_hi()


class Listeners(DynamicCase):
    def test_only_connections_of_changed_chains_end(self):
        one, two = 'source_prefix_ranges: [%s]', '{address_prefix: 127.0.0.%d, prefix_len: 32}'
        kept = chain(match=one % (two % 1))
        self.resources("lds", "1", listener([kept, chain(match=one % (two % 2))]))
        self.begin("--drain-time-s", "1")
        stays, goes = self.held(), self.held(source="127.0.0.2")
        self.resources("cds", "2", static_cluster(A), static_cluster(B, name="second"))
        self.cds(version_text="2")
        self.resources("lds", "2", listener([kept, chain("second", match=one % (two % 2))]))
        self.manager(listener_in_place_updated=1, total_filter_chains_draining=1)
        self.wait_greeting(b"B\n", source="127.0.0.2")
        self.ended(goes.end(), b"A\n", "FIN")
        self.manager(total_filter_chains_draining=0, total_listeners_draining=0)
        self.goes_on(stays)

    def test_only_connections_of_changed_chains_are_told_to_end(self):
        one, two = 'source_prefix_ranges: [%s]', '{address_prefix: 127.0.0.%d, prefix_len: 32}'
        asks = [chain(match=one % (two % i)).replace("cluster:", "check_drain_close: true, cluster:")
                for i in (1, 2)]
        self.resources("lds", "1", listener(asks))
        self.begin("--drain-strategy", "immediate", "--drain-time-s", "600")
        stays, goes = self.held(), self.held(source="127.0.0.2")
        self.resources("lds", "2", listener([asks[0]]))
        self.manager(listener_in_place_updated=1, total_filter_chains_draining=1)
        self._told_to_end(goes)
        self.goes_on(stays)
        self.proxy.wait_stats({"tcp.from_file.downstream_cx_drain_close": 1})
        self.resources("lds", "3", listener(asks, more="per_connection_buffer_limit_bytes: 4096,"))
        self.manager(total_listeners_draining=1)
        self._told_to_end(stays)
        until(lambda: self._after_a_word(self.held()) == "open", 10, "the new listener")
        closes = "tcp.from_file.downstream_cx_drain_close"
        until(lambda: self.proxy.stats(closes).get(closes, 0) >= 2, 10, "two closes by drains")

    @staticmethod
    def _after_a_word(connection):
        """How it stands half a second after it sent something; a drain ends it with the answer."""
        connection.send(b"word")
        return connection.end(within_s=0.5).how

    def _told_to_end(self, connection):
        until(lambda: self._after_a_word(connection) != "open", 10, "the worker to drain")
        self.assertEqual(connection.how, "FIN")

    def test_other_change_drains_the_listener_and_keeps_its_socket(self):
        self.begin("--drain-time-s", "1")
        old = self.held()
        self.resources("lds", "2", listener([chain()],
                                            more="per_connection_buffer_limit_bytes: 4096,"))
        self.manager(listener_modified=1, listener_in_place_updated=0, total_listeners_draining=1)
        self.say_hi()
        self.ended(old.end(), b"A\n", "FIN")
        self.manager(total_listeners_draining=0)

    def test_removed_listener_refuses_at_once_and_drains(self):
        self.begin("--drain-time-s", "1")
        old = self.held()
        self.resources("lds", "2")
        self.manager(listener_removed=1, total_listeners_active=0)
        self.is_refused()
        self.ended(old.end(), b"A\n", "FIN")

    def test_listener_moves_to_another_port(self):
        self.begin()
        self.resources("lds", "2", listener([chain()], port=C))
        self.lds(version_text="2")
        self.say_hi(where=self.here(C))
        self.is_refused()

    def test_port_goes_from_one_listener_to_another(self):
        self.begin()
        self.resources("lds", "2", listener([chain()], name="successor"))
        self.lds(version_text="2")
        self.manager(listener_added=2, listener_removed=1)
        self.say_hi()

    def test_wrong_listener_is_refused_and_said_so(self):
        self.begin()
        self.resources("lds", "2", listener([], name="from_file"))
        self.lds(update_rejected=1, version_text="1")
        self.wait_error_text("no filter chains specified")
        self.say_hi()
        dump = self.proxy.text("/config_dump?resource=dynamic_listeners")
        self.assertIn("no filter chains specified", dump)

    @unittest.skipIf(IS_ENVOY, "Envoy removes before it looks at what comes")
    def test_nothing_is_removed_by_an_update_that_is_wrong(self):
        self.begin()
        self.resources("lds", "2", listener([], name="bad", port=C))
        self.lds(update_rejected=1)
        self.manager(total_listeners_active=1)
        self.say_hi()


class Storm(DynamicCase):
    """Many updates, good and bad ones, while clients come and go.

    One listener, `still`, never changes, though its certificate and what its cluster trusts do.
    """

    UPDATES, WARM_UP = 1000, 250
    # Of what is allocated, between two moments at which the same things are configured. In between
    # about 75 secrets of 7 KB, as many clusters of 50 KB, and 150 pairs of listeners of 40 KB came
    # and went: what each update of any kind left behind would be twice this or more.
    TOLERANCE_BYTES = 256 * 1024
    SECURE, STILL = 10001, 10002

    def setUp(self):
        super().setUp()
        self._failures = []
        self._over = threading.Event()
        self._secrets = 0
        self._client_context = client_context()
        host = TlsBackend(self.port(TA), require=False)
        self.addCleanup(host.close)
        os.mkdir(self.tmp("secrets"))
        self._own("server", "server")
        self._trusted("filename: %s" % os.path.join(CERTS, "ca.pem"))
        self._lds("1", [chain()])
        self._cds("1", self._cluster(1))

    def _secret(self, name, text, file=None):
        self._secrets += 1  # Nobody reads again what is the same.
        with open(self.tmp("next"), "w", encoding="utf-8") as next_file:
            next_file.write("version_info: \"%d\"\nresources:\n- {\"@type\": %sextensions.transport_"
                            "sockets.tls.v3.Secret, name: %s, %s}\n"
                            % (self._secrets, _TYPE, name, text))
        os.rename(self.tmp("next"), self.tmp("secrets/%s.yaml" % (file or name)))

    def _own(self, chain_of, key_of, name="own"):
        self._secret(name, "tls_certificate: {certificate_chain: {filename: %s}, private_key: "
                     "{filename: %s}}" % (cert(chain_of)[0], cert(key_of)[1]), "own")

    def _trusted(self, source, name="trusted"):
        self._secret(name, "validation_context: {trusted_ca: {%s}}" % source)

    @staticmethod
    def _reference(name):
        return ("{name: %s, sds_config: {resource_api_version: V3, path_config_source: {path: "
                "/tmp/secrets/%s.yaml}}}" % (name, name))

    def _tls(self, chains):
        """The chains with TLS, and the certificate that changes."""
        socket_ = ("{transport_socket: {name: tls, typed_config: {\"@type\": %sextensions."
                   "transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: "
                   "{tls_certificate_sds_secret_configs: [%s]}}}, " % (_TYPE, self._reference("own")))
        return [socket_ + one[1:].replace("cluster: from_file", "cluster: secure")
                for one in chains]

    def _lds(self, version, chains, more=""):
        self.resources("lds", version, listener(chains, more=more),
                       listener(self._tls(chains), "secure", self.SECURE, more),
                       listener(self._tls([chain()]), "still", self.STILL))

    def _cds(self, version, *clusters):
        self.resources("cds", version, self._tls_cluster("secure", "trusted"), *clusters)

    def _tls_cluster(self, name, trusted):
        return static_cluster(TA, name).replace(
            "connect_timeout", "transport_socket: {name: tls, typed_config: {\"@type\": "
            "%sextensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: "
            "{validation_context_sds_secret_config: %s}}}, connect_timeout"
            % (_TYPE, self._reference(trusted)))

    def _clients(self, come_and_go):
        while not self._over.is_set() and not self._failures:
            try:
                come_and_go()
            except (OSError, AssertionError) as problem:
                self._failures.append(repr(problem))

    def _plain_client(self):
        ending = client.send_half_close(self.here(), b"hi", b"")
        if ending.how != "FIN" or ending.data[1:] != b"\nhi":
            self._failures.append(ending)

    def _tls_client(self):
        with self._shake(self.SECURE) as tls:
            self._talk(tls, b"TA\n")

    def _shake(self, port):
        raw = socket.create_connection(self.here(port), timeout=20)
        return self._client_context.wrap_socket(raw, server_hostname="echo.lab.test")

    def _talk(self, tls, greeting=b""):
        tls.sendall(b"hi")
        data = b""
        while len(data) < len(greeting) + 2 and (more := tls.recv(100)):
            data += more
        self.assertEqual(data, greeting + b"hi")

    def _update(self, choose, i):
        """One update; whether it may be taken."""
        kind = choose.randrange(10)
        if kind == 0:
            self.resources("eds", i, assignment(choose.choice([[A], [B], [A, B]])))
        elif kind == 1:
            self.put(choose.choice(["eds", "lds", "cds"]), "resources: [%d" % i)
        elif kind == 2:
            self._cds(i, self._cluster(choose.randrange(1, 9)))
        elif kind == 3:
            self._lds(i, [chain()], more="metadata: {filter_metadata: {n: {v: %d}}}," % i)
        elif kind == 4:
            self._lds(i, [chain(), chain(match="destination_port: %d" % (1 + i))])
        elif kind == 5:
            self.resources("lds", i, listener([chain("nobody")], name="other", port=NOBODY),
                           listener([], name="from_file"))
        elif kind == 6:
            self._trusted("filename: %s" % os.path.join(CERTS, "ca.pem"), "t%d" % i)
            self._cds(i, self._cluster(1), self._tls_cluster("c%d" % i, "t%d" % i))
        elif kind == 7:
            self._own(*choose.choice([("server", "server"), ("server2", "server2")]))
        elif kind == 8:
            self._own(*choose.choice([("server", "server2"), ("server", "server", "other")]))
        else:
            self._trusted(choose.choice(["filename: %s" % os.path.join(CERTS, "ca.pem"),
                                         "inline_string: nonsense%d" % i]))

    @staticmethod
    def _cluster(seconds):
        return ('- {"@type": %sconfig.cluster.v3.Cluster, name: from_file, type: EDS, '
                'connect_timeout: %ds, eds_cluster_config: {eds_config: {resource_api_version: V3, '
                'path_config_source: {path: fs/eds.yaml}}}}\n' % (_TYPE, seconds))

    def _attempts(self):
        return {name: value for name, value in self.proxy.stats("update_attempt").items()
                if not re.match(r"sds\.t\d", name)}

    def _descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.proxy.pid()))

    def _allocated(self):
        return int(json.loads(self.proxy.text("/memory"))["allocated"])

    def _settle(self, version):
        """Back to what was configured at first, with nothing left that drains."""
        self.resources("eds", version, assignment([A]))
        self._own("server", "server")
        self._trusted("filename: %s" % os.path.join(CERTS, "ca.pem"))
        self._cds(version, self._cluster(1))
        self.cds(version_text=version)
        self._lds(version, [chain()])
        self.lds(version_text=version)
        self.manager(total_listeners_draining=0, total_filter_chains_draining=0)
        self.proxy.wait_stats({"cluster_manager.active_clusters": 2,
                               "cluster_manager.warming_clusters": 0})

    def _storm(self, numbers, held):
        """These updates, with clients all the while, of which `held` stay."""
        self._over.clear()
        threads = [threading.Thread(target=self._clients, args=(come_and_go,))
                   for come_and_go in (self._plain_client, self._tls_client) * 2]
        for thread in threads:
            thread.start()
        choose = random.Random(numbers[0])
        for i in numbers:
            before = self._attempts()
            self._update(choose, i)
            until(lambda: self._attempts() != before, 10, "update %d to be tried" % i)
            if i % 20 == 0:
                for tls in held:
                    self._talk(tls)
        self._over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(self._failures, [])

    @unittest.skipIf(IS_ENVOY, "counts what this program holds")
    def test_disturbs_nobody_and_leaves_nothing_behind(self):
        self.begin("--drain-time-s", "1", "--concurrency", "2", "-l", "error")
        self.say_hi()
        held = [self._shake(self.STILL) for _ in range(4)]
        for tls in held:
            self.addCleanup(tls.close)
            self._talk(tls, b"TA\n")
        descriptors = self._descriptors()
        self._storm(range(self.WARM_UP), held)
        self._settle("warm")
        until(lambda: self._descriptors() <= descriptors, 10, "descriptors to be closed")
        allocated = self._allocated()
        self._storm(range(self.WARM_UP, self.UPDATES), held)
        self._settle("end")
        until(lambda: self._descriptors() <= descriptors, 10, "descriptors to be closed")
        until(lambda: self._allocated() <= allocated + self.TOLERANCE_BYTES, 10,
              "what %d updates took to be given back" % (self.UPDATES - self.WARM_UP))
        for tls in held:
            self._talk(tls)
        self.assertEqual(self.greeting(), "A")


class Passing(DynamicCase):
    """Clusters that have no hosts but those that connections bring come and go."""

    UPDATES = 60
    STATE = ('{name: state, typed_config: {"@type": %sextensions.filters.network.set_filter_state'
             '.v3.Config, on_new_connection: [{object_key: envoy.network.transport_socket.'
             'original_dst_address, format_string: {text_format_source: {inline_string: "%s"}}}]}}')

    def _cluster(self, interval_ms):
        return ('- {"@type": %sconfig.cluster.v3.Cluster, name: from_file, type: ORIGINAL_DST, '
                'lb_policy: CLUSTER_PROVIDED, cleanup_interval: 0.%03ds}\n'
                % (_TYPE, interval_ms))

    def _begin(self):
        chains = [chain(match="source_prefix_ranges: [{address_prefix: 127.0.0.%d, prefix_len: 32}]"
                        % client_number).replace("filters: [", "filters: [%s, " % self.STATE
                                                 % (_TYPE, self.at(backend)))
                  for client_number, backend in ((1, A), (2, B))]
        self.resources("lds", "1", listener(chains))
        self.resources("cds", "1", self._cluster(500))
        self.begin("--concurrency", "2")

    def test_they_change_under_traffic(self):
        self._begin()
        held = self.held()
        failures, over = [], threading.Event()

        def come_and_go(source, greeting):
            while not over.is_set() and not failures:
                ending = client.send_half_close(self.here(), b"hi", greeting + b"hi", source)
                if (ending.data, ending.how) != (greeting + b"hi", "FIN"):
                    failures.append(ending)
        threads = [threading.Thread(target=come_and_go, args=args)
                   for args in (("127.0.0.1", b"A\n"), ("127.0.0.2", b"B\n")) * 2]
        for thread in threads:
            thread.start()
        for i in range(2, self.UPDATES):
            self.resources("cds", i, self._cluster(i % 20 + 1))
            self.cds(version_text=str(i))
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.goes_on(held)

    def test_one_goes_and_comes_back(self):
        self._begin()
        held = self.held()
        self.resources("cds", "2")
        self.cds(version_text="2")
        self.proxy.wait_stats({"cluster_manager.active_clusters": 0})
        self.wait_greeting(b"")
        self.goes_on(held)
        self.resources("cds", "3", self._cluster(500))
        self.cds(version_text="3")
        self.wait_greeting(b"A\n")
        self.wait_greeting(b"B\n", source="127.0.0.2")
        self.goes_on(held)
        until(lambda: self.proxy.hosts("from_file") == [], 10, "the hosts to be forgotten")


class Internal(DynamicCase):
    """A listener inside the process changes while clients of another one come through it."""

    UPDATES = 100
    EXTENSION = ("bootstrap_extensions: [{name: internal, typed_config: {\"@type\": %sextensions."
                 "bootstrap.internal_listener.v3.InternalListener}}]\n" % _TYPE)

    def setUp(self):
        super().setUp()
        to_inner = re.sub(r"\{socket_address: .*?\}\}", "{envoy_internal_address: "
                          "{server_listener_name: inner, endpoint_id: x}}",
                          static_cluster(1, "to_inner"))
        self.resources("cds", "1", static_cluster(A), static_cluster(B, "other"), to_inner)
        self._inner("1", [chain()])

    def _inner(self, version, chains, more=""):
        inner = re.sub(r"address: .*?\}\},", "internal_listener: {},",
                       listener(chains, "inner", 1, more))
        self.resources("lds", version, listener([chain("to_inner")]), *([inner] if chains else []))
        if version != "1":
            self.lds(version_text=version)

    def begin(self, *flags):
        self.serve(_FILE, edit=lambda text: self._in_folder(text) + self.EXTENSION, flags=flags)

    def test_no_client_is_lost(self):
        self.begin("--concurrency", "2", "--drain-time-s", "20")
        held = self.held()
        failures, over = [], threading.Event()

        def come_and_go():
            while not over.is_set() and not failures:
                ending = client.send_half_close(self.here(), b"hi", b"A\nhi")
                if (ending.data, ending.how) != (b"A\nhi", "FIN"):
                    failures.append(ending)
        threads = [threading.Thread(target=come_and_go) for _ in range(6)]
        for thread in threads:
            thread.start()
        for i in range(2, self.UPDATES):
            more = "metadata: {filter_metadata: {n: {v: %d}}}," % (i // 2)
            self._inner(str(i), [chain()] + [chain("other", "destination_port: %d" % i)], more)
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.goes_on(held)

    def _comes_in(self):
        """Whether somebody listens at C. Who does has to greet."""
        try:
            with client.Client(self.here(C)) as connection:
                connection.read_until(b"A\n")
        except ConnectionRefusedError:
            return False
        return True

    @unittest.skipIf(IS_ENVOY, "Envoy's workers may get the outer one first")
    def test_the_first_client_finds_it(self):
        """Both come in one update, the outer one first; a client is at the door already."""
        inner = re.sub(r"address: .*?\}\},", "internal_listener: {},", listener([chain()], "inner"))
        self.resources("lds", "1")
        self.begin("--concurrency", "2")
        for version in range(2, 42, 2):
            self.resources("lds", str(version), listener([chain("to_inner")], "outer", C), inner)
            deadline = time.monotonic() + 10
            while not self._comes_in():  # No pause: the very first one counts.
                self.assertLess(time.monotonic(), deadline, "the port does not open")
            self.resources("lds", str(version + 1))
            client.wait_refuses(self.here(C))

    def test_new_connections_take_the_new_one(self):
        self.begin("--drain-time-s", "600")
        held = self.held()
        self._inner("2", [chain("other")])
        self.wait_greeting(b"B\n")
        self.goes_on(held)
        self.manager(listener_in_place_updated=1)

    @unittest.skipIf(IS_ENVOY, "Envoy's takes connections as long as it drains")
    def test_it_goes_and_comes_back(self):
        self.begin("--drain-time-s", "1")
        held = self.held()
        self._inner("2", [])
        self.wait_greeting(b"")
        self.ended(held.end(), b"A\n", "FIN")
        self._inner("3", [chain("other")])
        self.wait_greeting(b"B\n")

    @unittest.skipIf(IS_ENVOY, "Envoy's takes connections as long as it drains")
    def test_its_socket_comes_and_goes(self):
        self.begin("--drain-time-s", "600")
        self.resources("lds", "2", listener([chain("to_inner")]), listener([chain()], "inner", C))
        self.lds(version_text="2")
        self.say_hi(where=self.here(C))
        self.wait_greeting(b"")
        self._inner("3", [chain("other")])
        self.wait_greeting(b"B\n")
        client.wait_refuses(self.here(C))


class Subsets(DynamicCase):
    """Which hosts of a cluster have which metadata changes."""

    def _assignment(self, versions):
        endpoints = ", ".join(
            "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}, "
            "metadata: {filter_metadata: {envoy.lb: {version: %s}}}}" % pair for pair in versions)
        return ('- {"@type": %sconfig.endpoint.v3.ClusterLoadAssignment, cluster_name: from_file, '
                'endpoints: [{lb_endpoints: [%s]}]}\n' % (_TYPE, endpoints))

    def test_hosts_move_between_subsets(self):
        self.resources("eds", "1", self._assignment([(A, "v1"), (B, "v2")]))
        self.resources("cds", "1", Storm._cluster(1).replace(
            "connect_timeout", "lb_subset_config: {subset_selectors: [{keys: [version]}]}, "
                               "connect_timeout"))
        self.resources("lds", "1", listener([chain().replace(
            "cluster: from_file", "cluster: from_file, metadata_match: {filter_metadata: "
                                  "{envoy.lb: {version: v1}}}")]))
        self.begin()
        held = self.held()
        self.assertEqual([self.greeting() for _ in range(4)], ["A"] * 4)
        self.resources("eds", "2", self._assignment([(A, "v2"), (B, "v1")]))
        self.proxy.wait_stats({"cluster.from_file.version_text": "2"})
        self.wait_greeting(b"B\n")
        self.assertEqual([self.greeting() for _ in range(4)], ["B"] * 4)
        self.resources("eds", "3", self._assignment([(A, "v3")]))
        self.proxy.wait_stats({"cluster.from_file.version_text": "3"})
        self.wait_greeting(b"")
        self.goes_on(held)


if __name__ == "__main__":
    corpus_case.main()
