# SPDX-License-Identifier: Apache-2.0
"""Statistics and /clusters of two runs made comparable: chosen, summed, masked."""

import re

# What a side-by-side lab compares: these should be equal number for number.
_CHOSEN = re.compile(
    r"listener\.(?!admin\.)(?!.*(worker_\d+|main_thread)\.).*\.("
    r"downstream_cx_(total|active|destroy|overflow)|downstream_global_cx_overflow"
    r"|downstream_pre_cx_timeout|no_filter_chain_match"
    r"|ssl\.(handshake|fail_verify_\w+|versions\..*))\Z"
    r"|tcp\..*\.(downstream_cx_(total|no_route|[rt]x_bytes_total)|idle_timeout"
    r"|max_downstream_connection_duration|downstream_flow_control_balance)\Z"
    r"|cluster\..*\.(upstream_cx_(total|active|connect_fail|connect_timeout|overflow"
    r"|destroy(_local|_remote)?)|upstream_rq_total|upstream_rq_pending_total|membership_\w+"
    r"|health_check\.\w+|outlier_detection\.ejections_\w+|lb_healthy_panic|update_success"
    r"|upstream_flow_control_balance)\Z"
    r"|(listener|cluster)_manager\.((listener|cluster)_(added|modified|removed)"
    r"|listener_in_place_updated|total_listeners_warming|warming_clusters"
    r"|[lc]ds\.(update_success|update_rejected|version_text))\Z"
    r"|.*rbac\.|connection_limit\.|local_rate_limit\.|.*proxy_proto|tls_inspector\.")

# Never equal between two processes, or not about the traffic.
_PRIVATE = re.compile(
    r"http\.admin\.|listener\.admin\.|filesystem\.|dns\.|main_thread\.|workers\.|dispatcher\."
    r"|server\.(?!live\Z|state\Z|concurrency\Z|static_unknown_fields\Z|dynamic_unknown_fields\Z)"
    r"|thread_local_cluster_manager\.|overload\.|tcmalloc\."
    r"|.*\.(update_attempt|update_no_rebuild|version|update_time|update_duration)\Z"
    r"|.*bytes_buffered\Z|.*worker_\d+\.")
_PAIR = re.compile(r"(.*_flow_control_)(paused|resumed)_reading_total\Z")
_BACKLOG = re.compile(r".*_flow_control_(backed_up|drained)_total\Z")
# What /clusters counts for each host; with several hosts the split between them is chance.
_HOST_COUNTS = {"cx_connect_fail", "cx_total", "rq_error", "rq_success", "rq_timeout", "rq_total"}


class Chance:
    """Which clusters and hosts stand for each other, because a pick among them is random."""

    def __init__(self, layout, names):
        self._clusters = {}
        self._labels = {}
        self._hosts = {}
        for pool in layout.pools:
            label = "|".join(sorted(pool))
            self._clusters.update({cluster: label for cluster in pool})
        groups = {}
        for endpoint in layout.endpoints:
            group = self._clusters.get(endpoint.cluster, endpoint.cluster)
            groups.setdefault(group, set()).add((endpoint.address, endpoint.port))
        self._many = {group for group, hosts in groups.items() if len(hosts) > 1}
        for group in self._many:
            called = sorted(names[host] for host in groups[group] if host in names)
            self._labels.update({name: "|".join(called) for name in called})
            self._hosts.update({"%s:%d" % host if host[1] else host[0]: group
                                for host in groups[group]})

    def cluster(self, name):
        """The cluster's name, or that of the pool in which it is one of several."""
        return self._clusters.get(name, name)

    def has_many(self, cluster):
        return self.cluster(cluster) in self._many

    def statistic(self, name):
        """A cluster statistic's name, under its pool's label if it is in one."""
        for cluster, label in self._clusters.items():
            stem = "cluster.%s." % cluster
            if name.startswith(stem):
                return "cluster.%s.%s" % (label, name[len(stem):])
        return name

    def mask_hosts(self, text):
        """A log line with each host that was picked at random replaced by the pool's name."""
        names = {address: "(a host of %s)" % label for address, label in self._hosts.items()}
        names.update(self._clusters)
        if not names:
            return text
        longest_first = sorted(map(re.escape, names), key=len, reverse=True)
        return re.sub(r"(?<![\w.])(%s)(?![\w])" % "|".join(longest_first),
                      lambda match: names[match.group()], text)

    def mask_names(self, text):
        """A client's text with each random backend name replaced by all that it might be."""

        def replace(match):
            return match.group(1) + self._labels.get(match.group(2), match.group(2)) + "\\n"

        return re.sub(r"(')([A-Z])\\n", replace, text)


def statistics(stats, chance, everything):
    """{name: value} of what two runs should have in common."""
    found, pairs = {}, {}
    for name, value in stats.items():
        if pair := _PAIR.match(name):
            pairs.setdefault(pair.group(1), {})[pair.group(2)] = value
            continue
        if _PRIVATE.match(name) or _BACKLOG.match(name):
            continue
        _add(found, chance.statistic(name), value)
    for stem, pair in pairs.items():
        even = pair.get("paused") == pair.get("resumed")
        found[chance.statistic(stem) + "balance"] = \
            "even" if even else "paused %(paused)s, resumed %(resumed)s" % pair
    for name in found:
        if name.endswith(".update_success") and isinstance(found[name], int) and found[name] > 1:
            found[name] = 1  # how often a name was resolved is a matter of time
    return {name: value for name, value in sorted(found.items())
            if everything or _CHOSEN.match(name)}


def _add(found, name, value):
    old = found.get(name)
    if isinstance(old, int) and isinstance(value, int):
        found[name] = old + value
    elif not (isinstance(old, str) and old != value):
        found[name] = value


def cluster_lines(text, chance):
    """{key: value} of the text of /clusters, random splits between hosts summed up."""
    found = {}
    for line in text.splitlines():
        key, _, value = line.rpartition("::")
        parts = key.split("::")
        if len(parts) == 3 and parts[2] in _HOST_COUNTS and chance.has_many(parts[0]):
            key = "%s::(all hosts)::%s" % (chance.cluster(parts[0]), parts[2])
            _add(found, key, int(value))
        else:
            found[key] = value
    return {key: str(value) for key, value in sorted(found.items())}
