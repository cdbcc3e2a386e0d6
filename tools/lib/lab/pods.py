# SPDX-License-Identifier: Apache-2.0
"""Pods: network namespaces on a bridge, with a mesh node in those that are captured.

Needs root, `ip` and `iptables`. Everything is removed by close().

    with Pods(binary, folder) as pods:
        web, cart = pods.add("web"), pods.add("cart")
        pods.mesh(policies=[...])
        cart.serve(8080)
        print(web.ask(cart.ip, 8080))
"""

import contextlib
import ctypes
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

from lab import authority, binaries
from lab.wait import until

MARK = 1337  # Of the nodes' own sockets.
_CA_PORT = 15012
_ISSUER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "issuer.py")
_COUNT = itertools.count()
# Rules that lead a pod's connections to its node (mesh-data-plane 1.7).
_RULES = """
iptables -w -t mangle -A PREROUTING -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
iptables -w -t mangle -A OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark
iptables -w -t nat -A OUTPUT -m mark --mark 0x111/0xfff -j ACCEPT
iptables -w -t nat -A OUTPUT ! -d 127.0.0.1/32 -o lo -j ACCEPT
iptables -w -t nat -A OUTPUT -p tcp ! -d 127.0.0.1/32 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
iptables -w -t nat -A PREROUTING -p tcp ! -d 127.0.0.1/32 ! --dport 15008 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006
ip rule add fwmark 0x111/0xfff pref 32764 lookup 100
ip route add local 0.0.0.0/0 dev lo table 100
"""
# Tells whoever connects its address, then echoes.
_SERVER = """
import socket, socketserver, sys
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        source = self.client_address[0].replace("::ffff:", "")
        self.request.sendall(("from %s\\n" % source).encode())
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6  # For IPv4, too.
    allow_reuse_address = True
    daemon_threads = True
server = Server(("::", int(sys.argv[1])), Handler)
print("listening", flush=True)
server.serve_forever()
"""
# Sends, half-closes, prints what came and how it ended.
_CLIENT = """
import socket, sys
host, port, text, within_s = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode(), float(sys.argv[4])
got, how = b"", "FIN"
try:
    peer = socket.create_connection((host, port), within_s)
    peer.settimeout(within_s)
    peer.sendall(text)
    peer.shutdown(socket.SHUT_WR)
    while data := peer.recv(65536):
        got += data
except ConnectionResetError:
    how = "RST"
except OSError as error:
    how = type(error).__name__
sys.stdout.buffer.write(how.encode() + b"\\n" + got)
"""
# Connects, and says so when the first bytes came; then how it ended.
_HOLDER = """
import socket, sys
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])), 15)
peer.recv(65536)
print("listening", flush=True)
peer.settimeout(60)
try:
    while peer.recv(65536):
        pass
    print("FIN", flush=True)
except OSError as error:
    print("RST" if isinstance(error, ConnectionResetError) else type(error).__name__, flush=True)
"""
# Sends much, half-closes, and compares what the echo sent back behind its greeting.
_BULK = """
import hashlib, random, socket, sys, threading
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])), 60)
data = random.Random(1).randbytes(int(sys.argv[3]))
def send():
    peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
file, digest, size, how = peer.makefile("rb"), hashlib.sha256(), 0, "FIN"
try:
    file.readline()
    while got := file.read(65536):
        digest.update(got)
        size += len(got)
except OSError as error:
    how = type(error).__name__
same = digest.digest() == hashlib.sha256(data).digest()
print(how, size, "same" if same else "different")
"""
# A name server: answers for names that have an address ("name=address"); there are no others.
_NAMES = """
import socket, struct, sys
names = dict(pair.split("=") for pair in sys.argv[1:])
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("127.0.0.1", 53))
print("listening", flush=True)
while True:
    question, peer = listener.recvfrom(4096)
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    address = names.get(".".join(labels).lower())
    found = address is not None and question[at + 1:at + 3] == bytes([0, 1])
    answer = question[:2] + struct.pack(">HHHHH", 0x8180 if address else 0x8183, 1, found, 0, 0)
    answer += question[12:at + 5]
    if found:
        answer += struct.pack(">HHHIH", 0xc00c, 1, 1, 30, 4) + socket.inet_aton(address)
    listener.sendto(answer, peer)
"""
# Writes every packet of an interface into a file.
_CAPTURE = """
import socket, sys
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
listener.bind((sys.argv[1], 0))
print("listening", flush=True)
with open(sys.argv[2], "wb", buffering=0) as out:
    while True:
        out.write(listener.recv(65536))
"""


_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def _as_yaml(table):
    """A table in JSON as a ztunnel reads it, which has numbers as keys and tags."""
    table = re.sub(r'"(\d+)":', r"\1:", table)
    return re.sub(r'{"(Exact|Prefix|Suffix|Presence)": ([^{}]*)}', r"!\1 \2", table)


def available():
    """Why there can be no pods here; "" if there can."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        return "not root"
    missing = [tool for tool in ("ip", "iptables") if not shutil.which(tool)]
    return "no " + ", ".join(missing) if missing else _without_namespaces()


def _without_namespaces():
    """Why root may not make any, as in some containers; "" if it may."""
    name = "cv%d-probe" % os.getpid()
    try:
        _run(["ip", "netns", "add", name])
        _run(["ip", "netns", "exec", name, "true"])
        return ""
    except RuntimeError as error:
        return "no network namespaces (%s)" % error
    finally:
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


def _run(command):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.strip()))


def _enter(space):
    if _LIBC.setns(space.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Pod:
    def __init__(self, pods, name, ip, space):
        self.pods, self.name, self.ip, self.space = pods, name, ip, space
        self.ip6 = "fd99::" + ip.rsplit(".", 1)[1]
        self.node = None
        self.captured = False
        self._children = []

    def command(self, *arguments):
        return ["ip", "netns", "exec", self.space, *arguments]

    def run(self, *arguments):
        _run(self.command(*arguments))

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile are the pod's, for as long as they live."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open("/run/netns/" + self.space, "rb") as here:
            _enter(here)
            try:
                yield
            finally:
                _enter(home)

    def start(self, *arguments, **options):
        """A process in the pod, which ends with it."""
        child = subprocess.Popen(self.command(*arguments), stdin=subprocess.DEVNULL, **options)
        self._children.append(child)
        return child

    def _start_listening(self, program, *arguments):
        return self._await_listening([sys.executable, "-c", program, *arguments])

    def _await_listening(self, command):
        child = self.start(*command, stdout=subprocess.PIPE)
        if child.stdout.readline() != b"listening\n":
            raise RuntimeError("%s: the helper ended" % self.name)
        return child

    def serve(self, port):
        return self._start_listening(_SERVER, str(port))

    def serve_files(self, port, folder):
        """A web server, of both families."""
        self.start(sys.executable, "-m", "http.server", "--bind", "::", "--directory", folder,
                   str(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.get(port, "/") != "", 10, "the web server of " + self.name)

    def ask(self, host, port, text="hello", within_s=15):
        """(how it ended, what came) of a connection to `host`."""
        done = subprocess.run(
            self.command(sys.executable, "-c", _CLIENT, host, str(port), text, str(within_s)),
            stdout=subprocess.PIPE, timeout=within_s * 3)
        how, _, got = done.stdout.partition(b"\n")
        return how.decode(), got.decode("utf-8", "replace")

    def curl(self, *arguments, within_s=15):
        """(exit status, output) of curl in the pod; what it says of errors comes last."""
        done = subprocess.run(
            self.command("curl", "-gsS", "--max-time", str(within_s), *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=within_s * 3)
        return done.returncode, done.stdout

    def transfer(self, host, port, size):
        """How `size` bytes came back from an echo: "FIN <size> same"."""
        done = subprocess.run(
            self.command(sys.executable, "-c", _BULK, host, str(port), str(size)),
            stdout=subprocess.PIPE, timeout=90, text=True)
        return done.stdout.strip()

    def know_names(self, **addresses):
        """A name server in the pod, for what is started there from now on: NAME.example."""
        folder = os.path.join("/etc/netns", self.space)
        os.makedirs(folder)
        with open(os.path.join(folder, "resolv.conf"), "w", encoding="utf-8") as file:
            file.write("nameserver 127.0.0.1\n")
        return self._start_listening(
            _NAMES, *("%s.example=%s" % pair for pair in addresses.items()))

    def hold(self, host, port):
        """A connection that has heard its peer, and stays; its end is for ended()."""
        return self._start_listening(_HOLDER, host, str(port))

    @staticmethod
    def ended(holder):
        """How the peer ended it: FIN or RST."""
        return holder.stdout.readline().decode().strip()

    def start_node(self, flags=None, capture=True, **variables):
        """The mesh node of this pod, by `culvert node` or by flags; ready when this returns. A ztunnel
        where Pods.ztunnels says so."""
        if self.name in self.pods.ztunnels:
            if flags:
                raise unittest.SkipTest("a ztunnel has flags of its own")
            self._start_ztunnel(**variables)
            return
        if capture:
            self._capture_connections()
        self._start_node([self.pods.binary, *(flags or ["node"]),
                          "--file-flush-interval-msec", "50"],
                         FAKE_CA="true", **variables)

    def _start_ztunnel(self, **variables):
        """Istio's node proxy, with certificates of our nodes' authority."""
        self._capture_connections()
        table = os.path.join(self.pods.folder, self.name + ".yaml")
        with open(self.pods.table_path, encoding="utf-8") as source, \
                open(table, "w", encoding="utf-8") as file:
            file.write(_as_yaml(source.read()))
        folder = os.path.join(self.pods.folder, self.name + "-issuer")
        os.makedirs(folder, exist_ok=True)
        self._await_listening([binaries.venv_python(), _ISSUER, self.pods.authority_path(),
                               folder, str(_CA_PORT)])
        self._start_node([binaries.find_ztunnel()], LOCAL_XDS_PATH=table, XDS_ADDRESS="",
                         CA_ADDRESS="https://127.0.0.1:%d" % _CA_PORT,
                         CA_ROOT_CA=os.path.join(folder, "ca.crt"), **variables)

    def _capture_connections(self):
        for rule in _RULES.strip().splitlines() if not self.captured else ():
            self.run(*rule.split())
        self.captured = True

    def _start_node(self, command, **variables):
        environment = {
            "PATH": os.environ["PATH"], "TMPDIR": self.pods.folder, "PROXY_MODE": "dedicated",
            "PROXY_WORKLOAD_INFO": "shop/%s/%s" % (self.name, self.name),
            "LOCAL_XDS_PATH": self.pods.table_path, "PACKET_MARK": str(MARK),
            "IPV6_ENABLED": "false", "ZTUNNEL_WORKER_THREADS": "1", **variables}
        self.out_path = os.path.join(self.pods.folder, self.name + ".out")
        self.err_path = os.path.join(self.pods.folder, self.name + ".err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.node = self.start(*command, env=environment, stdout=out, stderr=err)
        until(self._ready, 30, "the node of " + self.name)

    def _ready(self):
        if self.node.poll() is not None:
            raise AssertionError("the node of %s ended:\n%s" % (self.name, self.errors()))
        return self.get(15021, "/healthz/ready") == "ready\n"

    def errors(self):
        with open(self.err_path, encoding="utf-8") as file:
            return file.read()

    def get(self, port, path, method="GET"):
        """The body of a page of the node; "" if there is none."""
        if port == 15000 and self.name in self.pods.ztunnels:
            raise unittest.SkipTest("a ztunnel has an admin page of its own")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            with self.inside():
                connection.connect()
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
            return text if answer.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def stat(self, name):
        for line in self.get(15000, "/stats").splitlines():
            if line.startswith(name + ": "):
                return int(line[len(name) + 2:])
        return None

    def wait_stat(self, name, value, within_s=10):
        until(lambda: self.stat(name) == value, within_s, "%s of %s" % (name, self.name))

    def log(self, *wanted):
        """The lines of the node's access log that hold all of `wanted`."""
        with open(self.out_path, encoding="utf-8") as file:
            return [line for line in file.read().splitlines()
                    if all(text in line for text in ("access", *wanted))]

    def wait_log(self, *wanted, count=1, within_s=10):
        """The first such line, as soon as there are `count` of them."""
        def enough():
            lines = self.log(*wanted)
            return lines[:1] if len(lines) >= count else []

        return until(enough, within_s, "%d lines of %s with %s" % (count, self.name, wanted))[0]

    def descriptors(self):
        """How many the node has open."""
        return len(os.listdir("/proc/%d/fd" % self.node.pid))

    def cut(self, port, cut=True):
        """Answers what comes from and to a port with RST, or does so no longer."""
        for side in ("--sport", "--dport"):
            self.run("iptables", "-w", "-I" if cut else "-D", "INPUT", "-p", "tcp", side, str(port),
                     "--tcp-flags", "RST", "NONE", "-j", "REJECT", "--reject-with", "tcp-reset")

    def capture(self, path):
        """Writes what passes the pod's interface to a file from now on."""
        return self._start_listening(_CAPTURE, "eth0", path)

    def close(self):
        for child in self._children:
            child.send_signal(signal.SIGKILL if child is not self.node else signal.SIGTERM)
        for child in self._children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout:
                child.stdout.close()


class Pods:
    """`ztunnels`: the names of those whose nodes are $ZTUNNEL."""

    def __init__(self, binary, folder, ztunnels=()):
        self.binary, self.folder, self.ztunnels = binary, folder, ztunnels
        if ztunnels:
            authority.make(self.authority_path())
        self.table_path = os.path.join(folder, "mesh.json")
        self.pods = {}
        self._prefix = "cv%d-%d" % (os.getpid(), next(_COUNT))
        self._bridge = self._prefix + "-bridge"
        _run(["ip", "netns", "add", self._bridge])
        self._in_bridge("ip", "link", "add", "br0", "type", "bridge")
        self._in_bridge("ip", "link", "set", "br0", "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _in_bridge(self, *arguments):
        _run(["ip", "netns", "exec", self._bridge, *arguments])

    def add(self, name):
        """A pod with an address of its own, and nothing in it."""
        number = len(self.pods) + 1
        space = "%s-%s" % (self._prefix, name)
        pod = Pod(self, name, "10.99.0.%d" % number, space)
        _run(["ip", "netns", "add", space])
        self.pods[name] = pod
        self._in_bridge("ip", "link", "add", "p%d" % number, "type", "veth", "peer", "name", "eth0",
                        "netns", space)
        self._in_bridge("ip", "link", "set", "p%d" % number, "master", "br0", "up")
        for command in (("link", "set", "lo", "up"), ("addr", "add", pod.ip + "/24", "dev", "eth0"),
                        ("addr", "add", pod.ip6 + "/64", "dev", "eth0", "nodad"),
                        ("link", "set", "eth0", "up"), ("route", "add", "default", "dev", "eth0")):
            pod.run("ip", *command)
        return pod

    def workload(self, name, **more):
        """A workload of the table: HBONE, in the namespace shop, of the service account `name`."""
        return {"uid": "c1//Pod/shop/" + name, "name": name, "namespace": "shop",
                "serviceAccount": name, "trustDomain": "cluster.local", "protocol": "HBONE",
                "workloadIps": [self.pods[name].ip], "workloadName": name, "workloadType": "pod",
                "canonicalName": name, "clusterId": "c1", "services": {}, **more}

    @staticmethod
    def service(hostname, vip, **more):
        """A service of the namespace shop: its port 80 is its endpoints' 8080."""
        return {"name": hostname.split(".")[0], "namespace": "shop", "hostname": hostname,
                "vips": [vip], "ports": {"80": 8080}, **more}

    def authority_path(self):
        """Where the nodes' lab authority lies, certificate and key."""
        return os.path.join(self.folder, "culvert-lab-ca-%d.pem" % os.geteuid())

    def table(self, workloads, policies=(), services=()):
        """Writes the table that the nodes read."""
        if any(pod.node for pod in self.pods.values() if pod.name in self.ztunnels):
            raise unittest.SkipTest("a ztunnel reads its table once")
        path = self.table_path + ".new"
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps({"workloads": list(workloads), "policies": list(policies),
                                   "services": list(services)}))
        os.rename(path, self.table_path)

    def close(self):
        for pod in self.pods.values():
            pod.close()
        for space in [pod.space for pod in self.pods.values()] + [self._bridge]:
            subprocess.run(["ip", "netns", "del", space], check=False)
            shutil.rmtree(os.path.join("/etc/netns", space), ignore_errors=True)
