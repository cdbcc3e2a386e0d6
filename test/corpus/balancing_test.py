# SPDX-License-Identifier: Apache-2.0
"""Corpus 08, 09, 36, 46 and balancing/: priorities, localities, health by configuration, hashing,
subsets.
"""

import collections

import corpus_case
from corpus_case import CorpusCase
from lab import proxy

CLIENTS = ["127.0.0.%d" % i for i in range(1, 9)]


class Balancing(CorpusCase):
    """What the cases below have in common."""

    def setUp(self):
        super().setUp()
        self.backends("ABC")

    def shares(self, count):
        return collections.Counter(self.greeting() for _ in range(count))

    def flags(self, cluster):
        """health_flags of A, B and C, as far as they are in the cluster."""
        shown = self.proxy.clusters()
        return [shown[(cluster, self.at(port), "health_flags")]
                for port in (11001, 11002, 11003) if (cluster, self.at(port), "weight") in shown]


class Priorities(Balancing):
    """One of two hosts of the first priority is unhealthy."""

    FILE = "balancing/priorities.yaml"

    def test_half_a_priority_keeps_seventy_percent(self):
        self.serve(self.FILE)
        seen = self.shares(300)
        # 210 of 300 expected, deviation 8.
        self.assertTrue(160 <= seen["A"] <= 255, seen)
        self.assertEqual(seen["B"], 0)
        self.expect(tiers={"membership_total": 3, "membership_healthy": 2,
                           "membership_degraded": 0, "membership_excluded": 0,
                           "lb_healthy_panic": 0})

    def test_pages_show_health_and_priority(self):
        self.serve(self.FILE)
        self.assertEqual(self.flags("tiers"), ["healthy", "/failed_eds_health", "healthy"])
        shown = self.proxy.clusters()
        self.assertEqual(shown[("tiers", self.at(11003), "priority")], "1")

    def test_more_overprovisioning_keeps_more(self):
        self.serve(self.FILE, lambda text: text.replace(
            "cluster_name: tiers", "cluster_name: tiers\n      policy: {overprovisioning_factor: 200}"))
        self.assertEqual(self.shares(20), {"A": 20})

    def test_a_priority_without_healthy_hosts_hands_all_over(self):
        self.serve(self.FILE, lambda text: text.replace("HEALTHY", "UNHEALTHY", 1))
        self.assertEqual(self.shares(20), {"C": 20})

    def test_degraded_hosts_take_what_healthy_ones_cannot(self):
        def edit(text):
            head, _, _ = text.partition("      - priority: 1")
            return head.replace("UNHEALTHY", "DEGRADED")
        self.serve(self.FILE, edit)
        seen = self.shares(300)
        self.assertTrue(160 <= seen["A"] <= 255, seen)
        self.assertEqual(seen["A"] + seen["B"], 300)
        self.assertEqual(self.flags("tiers"), ["healthy", "/degraded_eds_health"])
        self.expect(tiers={"membership_healthy": 1, "membership_degraded": 1})

    def test_draining_hosts_are_left_out(self):
        self.serve(self.FILE, lambda text: text.replace("UNHEALTHY", "DRAINING"))
        self.assertEqual(self.shares(20), {"A": 20})
        self.assertEqual(self.flags("tiers")[1], "/eds_status_draining")
        self.expect(tiers={"membership_excluded": 1})

    def test_hosts_can_count_by_weight(self):
        self.serve(self.FILE, lambda text: text.replace(
            "cluster_name: tiers",
            "cluster_name: tiers\n      policy: {weighted_priority_health: true}").replace(
                "health_status: HEALTHY", "health_status: HEALTHY\n          "
                                          "load_balancing_weight: 9", 1))
        self.assertEqual(self.shares(20), {"A": 20})


class Panic(Balancing):
    """Two of three hosts of the only priority are unhealthy."""

    def serve_sick(self, more=lambda text: text):
        def edit(text):
            text = text.replace("UNHEALTHY", "TIMEOUT").replace("priority: 1", "priority: 0")
            head, _, tail = text.rpartition("HEALTHY")
            return more(head + "UNHEALTHY" + tail)
        self.serve("balancing/priorities.yaml", edit)

    def test_all_hosts_are_used(self):
        self.serve_sick()
        self.assertEqual(self.shares(30), {"A": 10, "B": 10, "C": 10})
        self.expect(tiers={"lb_healthy_panic": 30, "membership_healthy": 1})

    def test_threshold_0_turns_it_off(self):
        self.serve_sick(lambda text: text.replace(
            "lb_policy: ROUND_ROBIN",
            "lb_policy: ROUND_ROBIN\n    common_lb_config: {healthy_panic_threshold: {value: 0}}"))
        self.assertEqual(self.shares(10), {"A": 10})
        self.expect(tiers={"lb_healthy_panic": 0})

    def test_the_runtime_decides_the_threshold(self):
        self.serve_sick(lambda text: text.replace(
            "static_layer: {}", "static_layer: {upstream: {healthy_panic_threshold: 20}}"))
        self.assertEqual(self.shares(10), {"A": 10})


class LocalityWeighted(Balancing):
    """36-locality-weighted: 3:1."""

    FILE = "valid/36-locality-weighted.yaml"

    def test_exactly_by_weight(self):
        self.serve(self.FILE)
        self.assertEqual(self.shares(80), {"A": 60, "B": 20})

    def test_pages_show_localities(self):
        self.serve(self.FILE)
        shown = self.proxy.clusters()
        self.assertEqual([shown[("zones", self.at(port), key)] for port in (11001, 11002)
                          for key in ("region", "zone", "sub_zone")],
                         ["lab", "west", "", "lab", "east", ""])

    def test_a_locality_without_weight_gets_nothing(self):
        self.serve(self.FILE, lambda text: text.replace("        load_balancing_weight: 1\n", "")
                   .replace("      load_balancing_weight: 1\n", ""))
        self.assertEqual(self.shares(20), {"A": 20})

    def test_without_any_weight_hosts_are_alike(self):
        self.serve(self.FILE, lambda text: text.replace("load_balancing_weight: 3", "priority: 0")
                   .replace("load_balancing_weight: 1", "priority: 0"))
        self.assertEqual(self.shares(20), {"A": 10, "B": 10})

    def test_weights_count_only_when_asked_for(self):
        self.serve(self.FILE,
                   lambda text: text.replace("locality_weighted_lb_config: {}", ""))
        self.assertEqual(self.shares(20), {"A": 10, "B": 10})

    def test_typed_policy_asks_in_its_own_words(self):
        self.serve(self.FILE, lambda text: text.replace("locality_weighted_lb_config: {}", "")
                   .replace("    lb_policy: ROUND_ROBIN\n", """\
    load_balancing_policy:
      policies:
      - typed_extension_config:
          name: envoy.load_balancing_policies.round_robin
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin
            locality_lb_config: {locality_weighted_lb_config: {}}
"""))
        self.assertEqual(self.shares(40), {"A": 30, "B": 10})


class Hashing(Balancing):
    """08-ring-hash-source-ip and 09-maglev-source-ip; the expected places are Envoy's.

    Ports differ from run to run, so hosts are hashed by names of their own.
    """

    RING = "valid/08-ring-hash-source-ip.yaml"
    MAGLEV = "valid/09-maglev-source-ip.yaml"

    @staticmethod
    def named(text):
        for port, name in (("11001", "host-a"), ("11002", "host-b"), ("11003", "host-c")):
            text = text.replace("port_value: %s}}}" % port, (
                "port_value: %s}}}\n          metadata: {filter_metadata: "
                "{envoy.lb: {hash_key: %s}}}") % (port, name))
        return text

    def serve_named(self, name, *changes):
        def edit(text):
            text = self.named(text)
            for old, new in changes:
                self.assertIn(old, text)
                text = text.replace(old, new, 1)
            return text
        self.serve(name, edit)

    def places(self):
        return "".join(self.greeting(client) for client in CLIENTS)

    def test_ring_hash(self):
        self.serve_named(self.RING)
        self.assertEqual(self.places(), "BBACBCAB")
        self.assertEqual(self.places(), "BBACBCAB")
        self.expect(ring={"ring_hash_lb.size": 1026, "ring_hash_lb.min_hashes_per_host": 342,
                          "ring_hash_lb.max_hashes_per_host": 342})

    def test_ring_hash_with_murmur(self):
        self.serve_named(self.RING, ("XX_HASH", "MURMUR_HASH_2"))
        self.assertEqual(self.places(), "BABCACBB")

    def test_ring_hash_with_weights_and_a_small_ring(self):
        self.serve_named(self.RING, ("hash_key: host-a}}}",
                                     "hash_key: host-a}}}\n          load_balancing_weight: 3"),
                         ("minimum_ring_size: 1024", "minimum_ring_size: 16, maximum_ring_size: 24"))
        self.assertEqual(self.places(), "AACAAAAA")
        self.expect(ring={"ring_hash_lb.size": 20, "ring_hash_lb.min_hashes_per_host": 4,
                          "ring_hash_lb.max_hashes_per_host": 12})

    def test_ring_hash_without_an_unhealthy_host(self):
        self.serve_named(self.RING, ("hash_key: host-b}}}",
                                     "hash_key: host-b}}}\n          health_status: UNHEALTHY"))
        self.assertEqual(self.places(), "CCACACAA")

    def test_maglev(self):
        self.serve_named(self.MAGLEV)
        self.assertEqual(self.places(), "BCBABBCC")
        self.expect(mag={"maglev_lb.min_entries_per_host": 21845,
                         "maglev_lb.max_entries_per_host": 21846})

    def test_maglev_takes_no_notice_of_the_order_of_hosts(self):
        self.serve_named(self.MAGLEV, ("11001", "1"), ("11003", "11001"), ("port_value: 1}", "port_value: 11003}"),
                         ("host-a", "host-x"), ("host-c", "host-a"), ("host-x", "host-c"))
        self.assertEqual(self.places(), "BCBABBCC")

    def test_maglev_with_weights(self):
        self.serve_named(self.MAGLEV, ("hash_key: host-a}}}",
                                       "hash_key: host-a}}}\n          load_balancing_weight: 3"),
                         ("65537", "1009"))
        self.assertEqual(self.places(), "CBACBAAA")
        self.expect(mag={"maglev_lb.min_entries_per_host": 202,
                         "maglev_lb.max_entries_per_host": 605})

    def test_typed_policies(self):
        def typed(kind, message):
            return """load_balancing_policy:
      policies:
      - typed_extension_config:
          name: envoy.load_balancing_policies.%s
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.%s.v3.%s
""" % (kind, kind, message)
        self.serve_named(self.MAGLEV, ("lb_policy: MAGLEV\n", typed("maglev", "Maglev")),
                         ("    maglev_lb_config: {table_size: 65537}\n", ""))
        self.assertEqual(self.places(), "BCBABBCC")
        self.proxy.stop()
        self.serve_named(self.RING, ("lb_policy: RING_HASH\n", typed("ring_hash", "RingHash")),
                         ("    ring_hash_lb_config: {minimum_ring_size: 1024, "
                          "hash_function: XX_HASH}\n", ""))
        self.assertEqual(self.places(), "BBACBCAB")

    def test_ring_hash_by_priority_and_locality(self):
        self.serve_named(self.RING, ("minimum_ring_size: 1024, hash_function: XX_HASH}",
                                     "minimum_ring_size: 64}\n    common_lb_config: "
                                     "{locality_weighted_lb_config: {}}"),
                         ("      - lb_endpoints:\n",
                          "      - locality: {zone: west}\n        load_balancing_weight: 3\n"
                          "        lb_endpoints:\n"),
                         ("        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 11003}}}\n",
                          "      - locality: {zone: east}\n        load_balancing_weight: 1\n        lb_endpoints:\n        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 11003}}}\n"))
        self.assertEqual(self.places(), "ACCBCBAC")


class Subset(Balancing):
    """46-subset: A is version v1, B is v2, and v2 is wanted."""

    FILE = "valid/46-subset.yaml"
    WANTED = "envoy.lb: {version: v2}\n  clusters"

    def serve_edited(self, *changes):
        def edit(text):
            for old, new in changes:
                self.assertIn(old, text)
                text = text.replace(old, new, 1)
            return text
        self.serve(self.FILE, edit)

    def wants(self, fields):
        return (self.WANTED, "envoy.lb: {%s}\n  clusters" % fields)

    def nobody(self):
        with self.connect() as connection:
            self.assertEqual(connection.end().data, b"")

    def test_only_hosts_of_the_subset(self):
        self.serve_edited()
        self.assertEqual(self.shares(6), {"B": 6})
        self.expect(fleet={"lb_subsets_active": 4, "lb_subsets_created": 4,
                           "lb_subsets_selected": 6, "lb_subsets_fallback": 0})

    def test_a_subset_that_is_not_there(self):
        self.serve_edited(self.wants("version: v3"))
        self.nobody()
        self.expect(fleet={"upstream_cx_none_healthy": 1, "lb_subsets_selected": 0})

    def test_any_host_instead(self):
        self.serve_edited(self.wants("version: v3"), ("NO_FALLBACK", "ANY_ENDPOINT"))
        self.assertEqual(self.shares(6), {"A": 3, "B": 3})
        self.expect(fleet={"lb_subsets_fallback": 6})

    def test_the_default_subset_instead(self):
        self.serve_edited(self.wants("version: v3"), (
            "NO_FALLBACK", "DEFAULT_SUBSET\n      default_subset: {version: v1}"))
        self.assertEqual(self.shares(6), {"A": 6})
        self.expect(fleet={"lb_subsets_fallback": 6})

    def test_any_host_when_even_the_default_subset_is_empty(self):
        self.serve_edited(self.wants("version: v3"), (
            "NO_FALLBACK",
            "DEFAULT_SUBSET\n      panic_mode_any: true\n      default_subset: {version: v9}"))
        self.assertEqual(self.shares(6), {"A": 3, "B": 3})
        self.expect(fleet={"lb_subsets_fallback_panic": 6, "lb_subsets_fallback": 0})

    def test_fewer_keys_instead(self):
        self.serve_edited(self.wants("version: v2, stage: q"), (
            "[{keys: [version]}]",
            "[{keys: [version]}, {keys: [version, stage], fallback_policy: KEYS_SUBSET, "
            "fallback_keys_subset: [version]}]"))
        self.assertEqual(self.shares(6), {"B": 6})
        self.expect(fleet={"lb_subsets_selected": 6})

    def test_a_list_can_stand_for_each_of_its_values(self):
        self.serve_edited(("{version: v1}", "{version: [v1, v2]}"),
                          ("NO_FALLBACK", "NO_FALLBACK\n      list_as_any: true"))
        self.assertEqual(self.shares(6), {"A": 3, "B": 3})

    def test_a_subset_can_be_one_host(self):
        self.serve_edited(("{version: v1}", "{version: v2}"),
                          ("keys: [version]", "keys: [version], single_host_per_subset: true"))
        self.assertEqual(self.shares(6), {"A": 6})
        self.expect(fleet={"lb_subsets_single_host_per_subset_duplicate": 1,
                           "lb_subsets_active": 2})

    def test_a_weighted_cluster_wants_what_it_says(self):
        self.serve_edited((
            "cluster: fleet\n          metadata_match:\n            filter_metadata:\n"
            "              envoy.lb: {version: v2}\n",
            "metadata_match: {filter_metadata: {envoy.lb: {version: v2}}}\n"
            "          weighted_clusters: {clusters: [{name: fleet, weight: 1, "
            "metadata_match: {filter_metadata: {envoy.lb: {version: v1}}}}]}\n"))
        self.assertEqual(self.shares(6), {"A": 6})

    def test_unhealthy_hosts_stay_in_their_subset(self):
        metadata = "metadata: {filter_metadata: {envoy.lb: {version: v2}}}"
        self.serve_edited((metadata, "health_status: UNHEALTHY\n          " + metadata))
        self.assertEqual(self.shares(4), {"B": 4})
        self.expect(fleet={"lb_healthy_panic": 4})

    def test_keys_to_fall_back_to_are_checked(self):
        for keys, problem in (("[other]", "must be a subset of selector keys"),
                              ("[]", "cannot be empty"), ("[version]", "cannot be equal to keys")):
            path = self.config(self.FILE, lambda text, keys=keys: text.replace(
                "keys: [version]}", "keys: [version], fallback_policy: KEYS_SUBSET, "
                                    "fallback_keys_subset: %s}" % keys))
            status, _, said = proxy.run_to_end(
                corpus_case.binary(), ["-c", path, "--mode", "validate", "--use-dynamic-base-id"])
            self.assertEqual(status, 1)
            self.assertIn("fallback_keys_subset " + problem, said)


if __name__ == "__main__":
    corpus_case.main()
