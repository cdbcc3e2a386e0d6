# SPDX-License-Identifier: Apache-2.0
"""The mesh nodes that tools/bench compares: two of a kind, each in a pod of its own.

The client is in one pod, the backend in the other; the kernel leads their connections to the nodes,
as in a mesh. Needs root. A ztunnel is compared where $ZTUNNEL is the path of one.
"""

import pathlib
import subprocess
import time

import proxies
from lab import binaries, mesh_table, pods

PORT = 8080
NAMES = ["direct", "ztunnel", "culvert"]


class Node:
    """The node of a pod."""

    def __init__(self, pod):
        pod.start_node()
        self._pid = pod.node.pid

    def cpu_ns(self):
        return proxies.cpu_ns(self._pid)

    def memory_kb(self):
        return proxies.memory_kb(self._pid)


class Pair:
    """A client's pod and a backend's, each with a node; "direct" has none."""

    def __init__(self, name, scratch, programs):
        self.name = name
        self.nodes = {count: _Alone(count, self) for count in proxies.TABLES if name != "direct"}
        self.near = self.far = None
        self._folder = pathlib.Path(scratch, name)
        self._folder.mkdir()
        self._programs = programs
        self._pods = self._web = self._cart = None

    def new_pods(self):
        names = ("web", "cart") if self.name == "ztunnel" else ()
        return pods.Pods(self._programs.get("culvert"), str(self._folder), ztunnels=names)

    def start(self):
        self._pods = self.new_pods()
        self._web, self._cart = self._pods.add("web"), self._pods.add("cart")
        self._pods.table([self._pods.workload("web"), self._pods.workload("cart")])
        self._cart.start(self._programs["load_server"], str(PORT), "0.0.0.0")
        if self.nodes:
            self.far, self.near = Node(self._cart), Node(self._web)
        self._warm_up()

    def _warm_up(self):
        """So that the first tunnel, and the first handshake, are in nobody's figures."""
        command = self.client(self._programs["load_client"], "requests")
        subprocess.run([*command, "--count=1"], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        if self._pods:
            self._pods.close()
        self._pods = None

    def client(self, program, mode):
        """The command of a client of this."""
        return self._web.command(program, mode, f"--host={self._cart.ip}", f"--port={PORT}")

    def cpu_ns(self):
        return self.near.cpu_ns() + self.far.cpu_ns() if self.nodes else 0

    @staticmethod
    def version():
        """What a ztunnel says of itself is how it was built."""
        return ""


class _Alone:
    """One node with a table of so many workloads."""

    def __init__(self, count, pair):
        self._count, self._pair = count, pair

    def rest_kb(self):
        made = self._pair.new_pods()
        try:
            pod = made.add("web")
            mesh_table.write(made.table_path, self._count, made.workload("web"))
            node = Node(pod)
            time.sleep(1)
            return node.memory_kb()
        finally:
            made.close()


def make_pair(name, scratch, programs):
    """The pair called `name`; raises proxies.Missing where it cannot run."""
    why = pods.available()
    if why:
        raise proxies.Missing(why)
    if name != "ztunnel":
        return Pair(name, scratch, programs)
    if not binaries.find_ztunnel():
        raise proxies.Missing("$ZTUNNEL names none")
    if not pathlib.Path(binaries.venv_python()).exists():
        raise proxies.Missing("its certificates need grpcio: tools/setup peers")
    return Pair(name, scratch, programs)
