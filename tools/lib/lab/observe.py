# SPDX-License-Identifier: Apache-2.0
"""Runs one proxy on one file under a script of traffic, and writes down all that was seen."""

import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time

from lab import bootstrap, figures, normalize, traffic
from lab.backend import Backend
from lab.ports import Ports, is_free
from lab.proxy import Proxy, Refused
from lab.tunnel_backend import TunnelBackend
from lab.wait import until

_LOOPBACK = re.compile(r"127\.|::1\Z|localhost\Z|/")
_READY_S = 45  # with a management server that is not there, Envoy waits two times 15 s
_BUSY = r"^(listener|cluster)\..*stream_cx_active$"


class Plan:
    """One file and how to run it: the ports and paths used, and what they are called in it."""

    def __init__(self, path, script, refuse, move):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.path = os.path.abspath(path)
        self.name = os.path.basename(path)
        self.steps = traffic.parse(script or traffic.script_for(self.text),
                                   os.path.dirname(self.path))
        self.refuse = set(refuse)
        self.notes = []
        self.moved = {}
        self._ports = None
        asked = traffic.destinations(self.steps)
        named = [port for port in bootstrap.ports_in(self.text) if 0 < port <= 65535]
        named += sorted({port for _, port in asked} - set(named))
        taken = [port for port in named if not is_free(port)]
        if taken and not move:
            self.notes.append("port %s is taken: other ports are used, the file's are shown"
                              % ", ".join(map(str, taken)))
        self._ports = Ports()
        if taken or move:
            self.moved = {port: self._ports.take() for port in named}
        admin = bootstrap.admin_port(self.text)
        self.adds_admin = admin is None
        self.admin_port = self._ports.take() if admin is None else self.moved.get(admin, admin)
        self.destinations = {(address, self.moved.get(port, port)) for address, port in asked}

    def write(self, folder):
        """The file as it is run, in the folder; the file itself if nothing has to change."""
        text = bootstrap.move_ports(self.text, self.moved)
        text = bootstrap.move_tmp(text, folder)
        if text == self.text:
            return self.path
        path = os.path.join(folder, self.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def flags(self):
        if not self.adds_admin:
            return []
        return ["--config-yaml", "admin: {address: {socket_address: {address: 127.0.0.1, "
                "port_value: %d}}}" % self.admin_port]

    def as_in_file(self, text, folder):
        """A proxy's text with the file's own ports and paths."""
        if self.moved:
            old = {str(new): str(old) for old, new in self.moved.items()}
            text = re.sub(r"(?<=[:_ ])(%s)\b" % "|".join(old), lambda m: old[m.group()], text)
        return text.replace(folder, "/tmp")

    def moved_argument(self, step):
        """A step's argument with the ports that are used."""
        return re.sub(r"(?<=:)\d+\b", lambda port: str(self.moved.get(int(port[0]), port[0])),
                      step.argument)

    def port_in_file(self, port):
        return next((old for old, new in self.moved.items() if new == port), port)

    def close(self):
        self._ports.close()


class Observation:
    """What was seen of one proxy: {(section, key): value}, in the order of reading."""

    def __init__(self):
        self.rows = {}
        self.failed = False  # died or fell silent: its pages were not read
        self.refused = None  # (exit status, reason) of a proxy that did not start

    def add(self, section, key, value):
        number = 1
        while (section, key) in self.rows:
            number += 1
            key = re.sub(r" #\d+$", "", key) + " #%d" % number
        self.rows[(section, key)] = value


class _Run:
    """One proxy process with its folder."""

    def __init__(self, plan, binary):
        self.plan = plan
        self.folder = tempfile.mkdtemp(prefix="culvert-lab-")
        self.proxy = Proxy(binary, plan.write(self.folder), plan.admin_port, self.folder,
                           cwd=os.path.dirname(plan.path), flags=plan.flags())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def probe(plan, envoy):
    """The layout of a file as Envoy reads it; None if Envoy refuses the file."""
    with _Run(plan, envoy) as run:
        try:
            run.proxy.wait_ready(_READY_S)
            layout = bootstrap.Layout(run.proxy.config_dump())
        except (Refused, AssertionError):
            return None
        layout.folder = run.folder
        return layout


def observe(plan, layout, binary, everything):
    """Runs the proxy, the backends and the clients. layout None: only whether it starts."""
    seen = Observation()
    with _Run(plan, binary) as run:
        if layout is None:
            _start(run, seen)
            return seen
        layout = layout.moved_to(run.folder)
        offsets = {path: _size(path) for path in layout.log_paths}
        names, backends = _start_backends(plan, layout)
        try:
            if not _start(run, seen):
                return seen
            chance = figures.Chance(layout, names)
            _serve(run, layout, chance, everything, seen)
            _logs(run, layout, offsets, chance, seen)
            _visits(plan, backends, chance, seen)
        finally:
            for server in backends.values():
                server.close()
    return seen


def _serve(run, layout, chance, everything, seen):
    """Traffic, pages and the end. A proxy that dies on the way is an observation, too."""
    try:
        _traffic(run, layout, chance, seen)
        _pages(run, chance, everything, seen)
        seen.add("end", "exit status after SIGTERM", str(run.proxy.stop()))
    except (OSError, AssertionError) as problem:
        seen.failed = True
        try:
            status = run.proxy.wait_exit(2)
        except subprocess.TimeoutExpired:
            seen.add("end", "did not answer", str(problem))
        else:
            last = "\n".join(run.proxy.stderr().splitlines()[-5:])
            seen.add("end", "died", "exit status %s\n%s" % (status, last))


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def _start(run, seen):
    try:
        run.proxy.wait_ready(_READY_S)
    except Refused as refused:
        reason = run.plan.as_in_file(normalize.startup_error(refused.stderr), run.folder)
        seen.refused = (refused.status, reason)
        return False
    except AssertionError as problem:
        seen.refused = (None, str(problem))
        return False
    return True


def _start_backends(plan, layout):
    """One backend for each loopback endpoint, named A, B, C... in the order of their ports."""
    served = {entry.port for entry in layout.listeners if entry.port}
    secure = {(entry.address, entry.port) for entry in layout.endpoints if entry.tls}
    tunneled = {(entry.address, entry.port) for entry in layout.endpoints if entry.tunnels}
    places = sorted({(entry.address, entry.port) for entry in layout.endpoints} | plan.destinations,
                    key=lambda place: (plan.port_in_file(place[1]), place[0]))
    names, backends = {}, {}
    for address, port in places:
        if plan.port_in_file(port) in plan.refuse or port in served:
            continue
        if not _LOOPBACK.match(address):
            continue
        name = chr(ord("A") + len(names) % 26)
        names[(address, port)] = name
        if port == 0:
            backends[name] = Backend(name, path=address)
        else:
            real = "127.0.0.1" if address == "localhost" else address
            tls = _tls_context(plan) if (address, port) in secure else None
            if (address, port) in tunneled:
                backends[name] = TunnelBackend(name, port, tls)
            else:
                backends[name] = Backend(name, port, real, tls=tls)
    return names, backends


def _tls_context(plan):
    """Of a backend that a proxy speaks TLS to: the certificates beside the file, if there are any."""
    folder = os.path.join(os.path.dirname(plan.path), "certs")
    if not os.path.exists(os.path.join(folder, "server.pem")):
        plan.notes.append("no certs/server.pem beside the file: its backends speak no TLS")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    context.load_verify_locations(os.path.join(folder, "ca.pem"))
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _traffic(run, layout, chance, seen):
    for step in run.plan.steps:
        for listener in layout.listeners:
            address = listener.address.replace("0.0.0.0", "127.0.0.1")
            where = (address, listener.port) if listener.port else address
            source = step.source if listener.port and ":" not in listener.address else None
            step = step._replace(source=source, argument=run.plan.moved_argument(step))
            text = traffic.run(step, where, run.proxy.paused)
            label = step.text
            if len(layout.listeners) > 1:
                label += " to %s %s" % (listener.name, listener.address)
            label = run.plan.as_in_file(label, run.folder)
            seen.add("clients", label, chance.mask_names(run.plan.as_in_file(text, run.folder)))
            _wait_idle(run.proxy)


def _wait_idle(proxy, within_s=3):
    """Lets the proxy finish with one client before the next comes."""

    def idle():
        stats = proxy.stats(_BUSY)
        return not any(value for name, value in stats.items()
                       if not name.startswith("listener.admin.") and isinstance(value, int))

    try:
        until(idle, within_s, "the proxy to be idle")
    except AssertionError:
        pass  # What stays open shows as a gauge that is not 0.


def _pages(run, chance, everything, seen):
    _wait_idle(run.proxy)
    stats, deadline = None, time.monotonic() + 2
    while True:
        again = figures.statistics(run.proxy.stats(), chance, everything)
        if again == stats or time.monotonic() > deadline:
            break
        stats = again
        time.sleep(0.05)
    for name, value in again.items():
        seen.add("counters", run.plan.as_in_file(name, run.folder), str(value))
    text = run.plan.as_in_file(run.proxy.text("/clusters"), run.folder)
    for key, value in figures.cluster_lines(text, chance).items():
        seen.add("clusters", key, value)
    for line in run.proxy.listeners():
        name, _, address = run.plan.as_in_file(line, run.folder).partition("::")
        seen.add("listeners", normalize.generic(name), address)


def _logs(run, layout, offsets, chance, seen):
    sources = [("stdout", run.proxy.out_path, 0)]
    sources += [(path, path, offsets[path]) for path in layout.log_paths]
    for label, path, offset in sources:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            file.seek(offset)
            lines = file.read().splitlines()
        label = run.plan.as_in_file(label, run.folder)
        for number, line in enumerate(normalize.log_lines(lines, layout.log_formats), 1):
            line = run.plan.as_in_file(chance.mask_hosts(line), run.folder)
            seen.add("log", "%s line %d" % (label, number), line)


def _visits(plan, backends, chance, seen):
    """What the backends saw, summed over those that stand for each other."""
    groups = {}
    for name, server in backends.items():
        label = chance.mask_names("'%s\\n" % name)[1:-2]
        groups.setdefault(label, []).extend(server.visits)
        for request in sorted({visit.request for visit in server.visits
                               if isinstance(server, TunnelBackend)}):
            seen.add("backends", label + " is asked", plan.as_in_file(request, plan.path))
    for label, visits in groups.items():
        for visit in visits:
            try:
                until(lambda: visit.end != "open", 2, "")
            except AssertionError:
                pass
        # A health check goes as it has come; a greeting that crosses its end makes that a reset.
        checks = "health_checks" in plan.text
        ends = [visit.end for visit in visits if visit.received or not checks]
        counted = ", ".join("%d %s" % (ends.count(end), end)
                            for end in ("FIN", "RST", "open") if end in ends)
        seen.add("backends", label, "%d connections, %d bytes, ended: %s"
                 % (len(visits), sum(visit.received for visit in visits), counted or "-"))
