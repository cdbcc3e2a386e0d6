# SPDX-License-Identifier: Apache-2.0
"""What tools/bench measures: each row of its table, and the runs that give the figures."""

import collections
import json
import subprocess
import time

SETTLE_S = 0.15  # For the proxy to close what the client has left.

# title: as printed; want: design's target, "" where there is none; less: whether less is better.
Row = collections.namedtuple("Row", "title want less")

ROWS = {
    "bulk1": Row("CPU s per GB, 1 stream", "≤ 0.28", True),
    "bulk8": Row("CPU s per GB, 8 streams", "≤ 0.28", True),
    "request": Row("CPU µs per small request, 32 connections", "≤ 12.5", True),
    "connection": Row("CPU µs per new connection", "≤ 72", True),
    "gbps": Row("GB/s, 1 stream", "", False),
    "rps": Row("requests/s, 32 connections", "", False),
    "p50": Row("request latency p50, µs", "", True),
    "p99": Row("request latency p99, µs", "", True),
    "cps": Row("new connections/s", "", False),
    "idle": Row("KB per idle connection", "≤ 2", True),
    "rest": Row("MB at rest", "≤ 12", True),
    "handshake": Row("handshakes per CPU second, full", "", False),
    "resumption": Row("handshakes per CPU second, resumed", "", False),
    "tls_bulk1": Row("CPU s per GB, 1 stream", "", True),
    "tls_bulk8": Row("CPU s per GB, 8 streams", "", True),
    "tls_request": Row("CPU µs per small request, 32 connections", "", True),
    "tls_idle": Row("KB per idle connection", "", True),
    "tls_rest": Row("MB at rest", "", True),
    "hb_up1": Row("CPU s per GB, 1 stream, up", "≤ 1.25", True),
    "hb_down1": Row("CPU s per GB, 1 stream, down", "≤ 1.25", True),
    "hb_bulk8": Row("CPU s per GB, 8 streams", "≤ 1.3", True),
    "hb_request": Row("CPU µs per small request, 32 connections", "≤ 20", True),
    "hb_connection": Row("CPU µs per new connection of an application", "≤ 100", True),
    "hb_idle_near": Row("KB per idle connection, client's side", "≤ 3", True),
    "hb_idle_far": Row("KB per idle connection, server's side", "≤ 3", True),
    "hb_rest_near": Row("MB at rest, client's side", "≤ 10", True),
    "hb_rest_far": Row("MB at rest, server's side", "≤ 10", True),
    "hb_p50": Row("request latency p50, µs", "", True),
    "hb_p99": Row("request latency p99, µs", "", True),
    "hb_low_p50": Row("request latency p50, 1 connection, µs", "", True),
    "hb_low_p99": Row("request latency p99, 1 connection, µs", "", True),
    "hb_table_10k": Row("MB with 10,000 workloads", "≤ 20", True),
    "hb_table_100k": Row("MB with 100,000 workloads", "≤ 75", True),
    "hb_workload": Row("bytes per workload", "", True),
}
TLS_ROWS = ["handshake", "resumption", "tls_bulk1", "tls_bulk8", "tls_request", "tls_idle",
            "tls_rest"]
HBONE_ROWS = [row for row in ROWS if row.startswith("hb_")]
PLAIN_ROWS = [row for row in ROWS if row not in TLS_ROWS + HBONE_ROWS]

# The run that gives a row.
RUN_OF_ROW = {
    "bulk1": "bulk1", "gbps": "bulk1", "bulk8": "bulk8", "request": "requests", "rps": "requests",
    "p50": "requests", "p99": "requests", "connection": "connections", "cps": "connections",
    "idle": "memory", "rest": "memory",
    "handshake": "handshakes", "resumption": "resumptions", "tls_bulk1": "bulk1",
    "tls_bulk8": "bulk8", "tls_request": "requests", "tls_idle": "memory", "tls_rest": "memory",
    "hb_up1": "bulk1", "hb_down1": "bulk1", "hb_bulk8": "bulk8", "hb_request": "requests",
    "hb_p50": "requests", "hb_p99": "requests", "hb_connection": "connections",
    "hb_idle_near": "memory", "hb_idle_far": "memory", "hb_rest_near": "memory",
    "hb_rest_far": "memory", "hb_low_p50": "low_load", "hb_low_p99": "low_load",
    "hb_table_10k": "tables", "hb_table_100k": "tables", "hb_workload": "tables",
}

Amounts = collections.namedtuple("Amounts", "bulk_bytes requests connections idle")
FULL = Amounts(bulk_bytes=2 * 10**9, requests=100_000, connections=15_000, idle=5_000)
TLS_FULL = Amounts(bulk_bytes=2 * 10**9, requests=60_000, connections=6_000, idle=2_000)
TLS_QUICK = Amounts(bulk_bytes=10**9, requests=20_000, connections=2_000, idle=1_000)
QUICK = Amounts(bulk_bytes=10**9, requests=30_000, connections=4_000, idle=2_000)


class Runner:
    """Drives one proxy at a time; each run returns {row: figure}."""

    def __init__(self, client, amounts):
        self._client = client
        self._amounts = amounts

    def run(self, name, proxy):
        return getattr(self, "_" + name)(proxy)

    def _load(self, proxy, mode, **options):
        command = proxy.client(self._client, mode)
        command += [f"--{key}={value}" for key, value in options.items()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{proxy.name}, {mode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def _cost(self, proxy, mode, **options):
        before = proxy.cpu_ns()
        result = self._load(proxy, mode, **options)
        time.sleep(SETTLE_S)
        return proxy.cpu_ns() - before, result

    def _bulk(self, proxy, streams):
        """Half of the bytes go up, half come down."""
        each = self._amounts.bulk_bytes // 2 // streams
        cpu_ns = moved = seconds = 0
        for mode in ("upload", "download"):
            spent, result = self._cost(proxy, mode, connections=streams, bytes=each)
            cpu_ns += spent
            moved += result["bytes"]
            seconds += result["seconds"]
        return cpu_ns / moved, moved / 1e9 / seconds

    def _bulk1(self, proxy):
        cost, speed = self._bulk(proxy, 1)
        return {"bulk1": cost, "gbps": speed}

    def _bulk8(self, proxy):
        return {"bulk8": self._bulk(proxy, 8)[0]}

    def _requests(self, proxy):
        cpu_ns, result = self._cost(proxy, "requests", connections=32, count=self._amounts.requests)
        return {
            "request": cpu_ns / 1e3 / result["count"],
            "rps": result["count"] / result["seconds"],
            "p50": result["p50_us"],
            "p99": result["p99_us"],
        }

    def _connections(self, proxy):
        cpu_ns, result = self._cost(
            proxy, "connections", connections=8, count=self._amounts.connections)
        return {"connection": cpu_ns / 1e3 / result["count"],
                "cps": result["count"] / result["seconds"]}

    def _memory(self, proxy):
        """For a proxy that has just started."""
        rest_kb, idle_kb = self._grown(proxy, lambda: [proxy.memory_kb()])
        return {"rest": rest_kb[0] / 1024, "idle": idle_kb[0]}

    def _grown(self, proxy, memory_kb):
        """What `memory_kb` lists: at rest, and how much more there is per idle connection."""
        time.sleep(1)
        rest_kb = memory_kb()
        count = self._amounts.idle
        client = subprocess.Popen(
            [*proxy.client(self._client, "idle"), f"--connections={count}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        client.stdout.readline()
        time.sleep(1)
        idle_kb = memory_kb()
        client.communicate()
        return rest_kb, [(idle - rest) / count for idle, rest in zip(idle_kb, rest_kb)]


class TlsRunner(Runner):
    """The same work inside TLS; a connection is told apart by how it shakes hands."""

    def run(self, name, proxy):
        figures = super().run(name, proxy)
        return {row if row in TLS_ROWS else "tls_" + row: value for row, value in figures.items()}

    def _shake(self, proxy, mode):
        cpu_ns, result = self._cost(proxy, mode, connections=8, count=self._amounts.connections)
        return result["count"] / (cpu_ns / 1e9)

    def _handshakes(self, proxy):
        return {"handshake": self._shake(proxy, "handshakes")}

    def _resumptions(self, proxy):
        return {"resumption": self._shake(proxy, "resumptions")}

    def _requests(self, proxy):
        cpu_ns, result = self._cost(proxy, "requests", connections=32, count=self._amounts.requests)
        return {"request": cpu_ns / 1e3 / result["count"]}


class HboneRunner(Runner):
    """The same work through a tunnel between two proxies; CPU is that of both."""

    def run(self, name, proxy):
        figures = super().run(name, proxy)
        return {"hb_" + row: value for row, value in figures.items() if "hb_" + row in HBONE_ROWS}

    def _bulk1(self, proxy):
        figures = {}
        for row, mode in (("up1", "upload"), ("down1", "download")):
            cpu_ns, result = self._cost(proxy, mode, connections=1, bytes=self._amounts.bulk_bytes // 2)
            figures[row] = cpu_ns / result["bytes"]
        return figures

    def _memory(self, proxy):
        if proxy.near is None:  # Nothing is between.
            return {}
        rest_kb, idle_kb = self._grown(
            proxy, lambda: [proxy.near.memory_kb(), proxy.far.memory_kb()])
        return {"rest_near": rest_kb[0] / 1024, "rest_far": rest_kb[1] / 1024,
                "idle_near": idle_kb[0], "idle_far": idle_kb[1]}

    def _low_load(self, proxy):
        """One request at a time: what the way costs, without a queue."""
        result = self._load(proxy, "requests", connections=1, count=self._amounts.requests // 10)
        return {"low_p50": result["p50_us"], "low_p99": result["p99_us"]}

    @staticmethod
    def _tables(proxy):
        """Of proxies that know workloads, with few and with many of them."""
        rests_kb = {count: node.rest_kb() for count, node in proxy.nodes.items()}
        if not rests_kb:
            return {}
        (few, few_kb), (many, many_kb) = sorted(rests_kb.items())
        return {"table_10k": few_kb / 1024, "table_100k": many_kb / 1024,
                "workload": (many_kb - few_kb) * 1024 / (many - few)}
