# SPDX-License-Identifier: Apache-2.0
"""The proxies that tools/bench compares: how each is found, started and looked at."""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import string
import subprocess
import sys
import time

PEERS = pathlib.Path(__file__).parent / "peers"
ENVOY_PATH = pathlib.Path(__file__).parents[2] / "tools" / "lib" / "envoy_path"
sys.path.insert(0, str(ENVOY_PATH.parent))

from lab import mesh_table  # noqa: E402

NGINX_MODULES = "/usr/lib/nginx/modules"
START_DEADLINE_S = 20


class Missing(Exception):
    """A proxy that cannot run here; the text says what to install."""


def cpu_ns(pid):
    """What all threads of a process have spent, user and kernel, to the nanosecond."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())


def memory_kb(pid):
    """Its resident set size. What the kernel holds for sockets is not in it."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:"))


_given_ports = set()


def free_port():
    """One that nobody else was given: two proxies at one port (SO_REUSEPORT) share its clients."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def _find(program, install):
    path = shutil.which(program)
    if not path:
        raise Missing(f"{program} is missing. Install it with: {install}")
    return path


def _version(command):
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"version:? .*?(\d+\.\d+\.\d+)", run.stdout + run.stderr)
    return found.group(1) if found else ""


class Proxy:
    """One proxy process, one worker. `start` fills the template and waits until it serves."""

    # What its template needs besides, by key: without TLS and with it.
    PLAIN, TLS = {}, {}

    def __init__(self, name, scratch, backend_port, tls=False):
        self.name = name
        self.backend_port = backend_port
        self.listen_port = free_port()
        self._tls = tls
        self._scratch = pathlib.Path(scratch)
        self._process = None

    def template(self):
        """The name of a file in peers/, or None."""
        return None

    def values(self):
        """More values for the template."""
        return {key: value.replace("SCRATCH", str(self._scratch))
                for key, value in (self.TLS if self._tls else self.PLAIN).items()}

    def command(self, config):
        raise NotImplementedError

    def version(self):
        return ""

    def start(self):
        command = self.command(self._write_config())
        log = open(self._scratch / f"{self.name}.log", "wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_raise_file_limit)
        self._await_service(log.name)

    def stop(self):
        if not self._process:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def client(self, program, mode):
        """The command of a client of this."""
        return [program, mode, f"--port={self.listen_port}"]

    def cpu_ns(self):
        return cpu_ns(self._process.pid)

    def memory_kb(self):
        return memory_kb(self._process.pid)

    def rest_kb(self):
        """The memory of one that has just started, and ends."""
        self.start()
        try:
            time.sleep(1)
            return self.memory_kb()
        finally:
            self.stop()

    def _write_config(self):
        if not self.template():
            return None
        source = PEERS / self.template()
        text = string.Template(source.read_text()).substitute(
            listen=self.listen_port, backend=self.backend_port, scratch=self._scratch, **self.values())
        config = self._scratch / f"{self.name}-{source.name}"
        config.write_text(text)
        return str(config)

    def _await_service(self, log):
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.listen_port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Missing(f"{self.name} does not serve: {pathlib.Path(log).read_text()[-500:]}")


def _raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Direct(Proxy):
    """No proxy: the client talks to the backend."""

    def start(self):
        self.listen_port = self.backend_port

    def stop(self):
        pass

    def cpu_ns(self):
        return 0

    def memory_kb(self):
        return 0


class Floor(Proxy):
    def __init__(self, name, scratch, backend_port, tls, relay, options):
        super().__init__(name, scratch, backend_port, tls)
        self._relay = relay
        self._options = options

    def command(self, config):
        return [self._relay, *self._options, str(self.listen_port), str(self.backend_port)]


class HAProxy(Proxy):
    PLAIN = {"ssl": ""}
    TLS = {"ssl": "ssl crt SCRATCH/both.pem ssl-min-ver TLSv1.3"}

    def __init__(self, name, scratch, backend_port, tls, splice):
        super().__init__(name, scratch, backend_port, tls)
        self._splice = splice
        self._path = _find("haproxy", "apt-get install haproxy")

    def template(self):
        return "haproxy.cfg"

    def values(self):
        return super().values() | {"splice": "option splice-auto" if self._splice else ""}

    def command(self, config):
        return [self._path, "-db", "-f", config]

    def version(self):
        return _version([self._path, "-v"])


class Nginx(Proxy):
    PLAIN = {"ssl": "", "certificate": ""}
    TLS = {"ssl": "ssl", "certificate": "ssl_certificate SCRATCH/certificate.pem; "
           "ssl_certificate_key SCRATCH/key.pem; ssl_protocols TLSv1.3;"}

    def __init__(self, name, scratch, backend_port, tls):
        super().__init__(name, scratch, backend_port, tls)
        self._path = _find("nginx", "apt-get install nginx-light libnginx-mod-stream")
        if not pathlib.Path(NGINX_MODULES, "ngx_stream_module.so").exists():
            raise Missing("nginx has no stream module. Install it with: "
                          "apt-get install libnginx-mod-stream")

    def template(self):
        return "nginx.conf"

    def values(self):
        return super().values() | {"modules": NGINX_MODULES}

    def command(self, config):
        return [self._path, "-c", config, "-e", "stderr"]

    def version(self):
        return _version([self._path, "-v"])


# A member of the filter chain, for Envoy and Culvert.
ENVOY_TLS = """transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}
            tls_certificates:
            - certificate_chain: {filename: SCRATCH/certificate.pem}
              private_key: {filename: SCRATCH/key.pem}"""


class Envoy(Proxy):
    PLAIN, TLS = {"tls": ""}, {"tls": ENVOY_TLS}

    def __init__(self, name, scratch, backend_port, tls):
        super().__init__(name, scratch, backend_port, tls)
        found = subprocess.run([ENVOY_PATH], capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise Missing(found.stderr.strip())
        self._path = found.stdout.strip()

    def template(self):
        return "envoy.yaml"

    def command(self, config):
        return [self._path, "-c", config, "--concurrency", "1", "--disable-hot-restart",
                "-l", "error"]

    def version(self):
        return _version([self._path, "--version"])


class Culvert(Proxy):
    PLAIN, TLS = Envoy.PLAIN, Envoy.TLS

    def __init__(self, name, scratch, backend_port, tls, path):
        super().__init__(name, scratch, backend_port, tls)
        self._path = path
        if not os.access(path, os.X_OK):
            raise Missing(f"{path} is missing. Build it, or name one with --culvert")

    def template(self):
        return "envoy.yaml"

    def command(self, config):
        return [self._path, "-c", config, "--concurrency", "1", "-l", "error"]


# What takes CONNECT on the far side: the filter, and what the bootstrap must have for it.
CONNECT_BY_HCM = """- name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          codec_type: HTTP2
          stream_idle_timeout: 3600s
          http2_protocol_options:
            allow_connect: true
            initial_stream_window_size: 4194304
            initial_connection_window_size: 16777216
          upgrade_configs: [{upgrade_type: CONNECT}]
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {connect_matcher: {}}
                route: {cluster: backend, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}"""
CONNECT_BY_HBONE_SERVER = """- name: culvert.filters.hbone_server
        typed_config:
          "@type": type.googleapis.com/culvert.filters.hbone_server.v1.HboneServer
          stat_prefix: bench
          internal_listener: inside
  - name: inside
    internal_listener: {}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: inside
          cluster: backend
          idle_timeout: 3600s"""
INTERNAL_LISTENERS = """bootstrap_extensions:
- name: envoy.bootstrap.internal_listener
  typed_config: {"@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener}
"""


class Pair:
    """Two proxies of one kind with a tunnel between them: clients, near, far, backend.

    `nodes`: by their count of workloads, nodes of a mesh of the same kind, which are not started.
    """

    def __init__(self, name, near, far, nodes):
        self.name, self.near, self.far, self.nodes = name, near, far, nodes

    def start(self):
        self.far.start()
        self.near.start()

    def stop(self):
        self.near.stop()
        self.far.stop()

    def client(self, program, mode):
        return self.near.client(program, mode)

    def cpu_ns(self):
        return self.near.cpu_ns() + self.far.cpu_ns()

    def version(self):
        return self.near.version()


def _side(kind, template, more):
    """A class of proxies like `kind` that run another file."""

    class Side(kind):
        def template(self):
            return template

        def values(self):
            return more

    return Side


def make_pair(name, scratch, backend_port, binaries):
    """The pair called `name`; raises Missing where it cannot run."""
    kind, more = (Envoy, []) if name == "envoy" else (Culvert, [binaries["culvert"]])
    by_hcm = {"extensions": "", "filter": CONNECT_BY_HCM}
    by_server = {"extensions": INTERNAL_LISTENERS, "filter": CONNECT_BY_HBONE_SERVER}
    far = _side(kind, "hbone_far.yaml", by_server if name == "culvert" else by_hcm)(
        name + "-far", scratch, backend_port, False, *more)
    near = _side(kind, "hbone_near.yaml", {})(
        name + "-near", scratch, far.listen_port, False, *more)
    counts = TABLES if name == "culvert" else []
    nodes = {count: _node(count, scratch, backend_port, *more) for count in counts}
    return Pair(name, near, far, nodes)


def _node(count, scratch, backend_port, path):
    """A node with a table of so many workloads."""
    table = pathlib.Path(scratch, f"table-{count}.json")
    mesh_table.write(table, count, {
        "name": "bench", "namespace": "bench", "serviceAccount": "bench",
        "trustDomain": "cluster.local", "workloadIps": ["127.0.0.1"], "services": {}})
    side = _side(Culvert, "mesh_table.yaml", {"table": table})
    return side(f"culvert-table-{count}", scratch, backend_port, False, path)


NAMES = ["direct", "floor-copy", "floor-splice", "haproxy", "haproxy-splice", "nginx", "envoy",
         "culvert"]
# The pairs; culvert-hcm takes CONNECT by the filter that Envoy has, culvert by its own.
HBONE_NAMES = ["envoy", "culvert-hcm", "culvert"]
# So many workloads are in the tables.
TABLES = [10_000, 100_000]
# Those that terminate TLS.
TLS_NAMES = ["haproxy", "nginx", "envoy", "culvert"]
# What Culvert is to beat; floors and the bare path are no products.
PEER_NAMES = ["haproxy", "haproxy-splice", "nginx", "envoy", "ztunnel"]


def make_certificate(scratch):
    """A key and a certificate for those that terminate TLS, and both.pem with the two."""
    scratch = pathlib.Path(scratch)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=bench", "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=scratch, check=True, capture_output=True)
    both = (scratch / "certificate.pem").read_text() + (scratch / "key.pem").read_text()
    (scratch / "both.pem").write_text(both)


def make(name, scratch, backend_port, binaries, tls):
    """The proxy called `name`; raises Missing where it cannot run."""
    arguments = (name, scratch, backend_port, tls)
    if name == "direct":
        return Direct(*arguments)
    if name.startswith("floor-"):
        options = ["--splice"] if name == "floor-splice" else []
        return Floor(*arguments, binaries["floor_relay"], options)
    if name.startswith("haproxy"):
        return HAProxy(*arguments, splice=name == "haproxy-splice")
    if name == "nginx":
        return Nginx(*arguments)
    if name == "envoy":
        return Envoy(*arguments)
    return Culvert(*arguments, binaries["culvert"])
