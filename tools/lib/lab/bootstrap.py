# SPDX-License-Identifier: Apache-2.0
"""A bootstrap file's ports and paths: found and moved in its text, and read from a config dump."""

import copy
import json
import re
from typing import NamedTuple

_PORT = re.compile(r"""(["']?port_?[vV]alue["']?\s*:\s*["']?)(\d+)""")
_TMP = re.compile(r"/tmp/[\w.+-]+")
_ADMIN = re.compile(r"""^["']?admin["']?\s*:""", re.MULTILINE)


def ports_in(text):
    """The ports that a bootstrap's text names, in order, each once."""
    return list(dict.fromkeys(int(found) for _, found in _PORT.findall(text)))


def move_ports(text, moved):
    """The text with each port of `moved` {old: new} replaced."""

    def replace(match):
        return match.group(1) + str(moved.get(int(match.group(2)), match.group(2)))

    return _PORT.sub(replace, text)


def tmp_paths_in(text):
    """The paths under /tmp that a bootstrap's text names (sockets, log files), each once."""
    return list(dict.fromkeys(_TMP.findall(text)))


def move_tmp(text, folder):
    """The text with /tmp/NAME replaced by folder/NAME."""
    return _TMP.sub(lambda match: folder + match.group(0)[len("/tmp"):], text)


def admin_port(text):
    """The port of the admin block, None if the text has no such block."""
    block = _ADMIN.search(text)
    if not block:
        return None
    port = _PORT.search(text, block.end())
    return int(port.group(2)) if port else None


class Listener(NamedTuple):
    name: str
    address: str  # "127.0.0.1" or the path of a unix socket
    port: int  # 0 for a unix socket


class Endpoint(NamedTuple):
    cluster: str
    address: str
    port: int
    tls: bool = False  # whether the proxy speaks TLS to it
    tunnels: bool = False  # whether it is asked for tunnels by HTTP/2 CONNECT


class Layout:
    """What a config dump says: where to connect, what to start, how logs are written."""

    def __init__(self, dump):
        self.listeners = []
        self.endpoints = []
        self.log_formats = []  # text, dict (JSON) or None (the default line)
        self.log_paths = []
        self.folder = "/tmp"  # where paths of the file that began with /tmp lie now
        self.pools = []  # sets of clusters among which a connection chooses by chance
        for config in dump["configs"]:
            for entry in config.get("static_listeners", []):
                self._listener(entry["listener"])
            for entry in config.get("dynamic_listeners", []):
                self._listener(entry.get("active_state", {}).get("listener", {}))
            for kind in ("static_clusters", "dynamic_active_clusters"):
                for entry in config.get(kind, []):
                    self._cluster(entry["cluster"])

    def _listener(self, listener):
        addresses = [listener.get("address")]
        addresses += [more.get("address") for more in listener.get("additional_addresses", [])]
        for address in filter(None, addresses):
            if where := _where(address):
                self.listeners.append(Listener(listener.get("name", ""), *where))
        for found in _messages(listener):
            self._logger(found)
            if weighted := found.get("weighted_clusters"):
                names = {entry["name"] for entry in weighted.get("clusters", [])}
                if names not in self.pools:
                    self.pools.append(names)

    def _logger(self, message):
        if "access_loggers" not in message.get("@type", ""):
            return
        form = message.get("log_format", {})
        text = form.get("text_format_source", {}).get("inline_string", form.get("text_format"))
        self.log_formats.append(text or form.get("json_format"))
        if path := message.get("path"):
            if path not in self.log_paths and not path.startswith("/dev/"):
                self.log_paths.append(path)

    def _cluster(self, cluster):
        text = json.dumps(cluster)
        kind = ("UpstreamTlsContext" in text, "http2_protocol_options" in text)
        if override := cluster.get("original_dst_lb_config", {}).get("upstream_port_override"):
            self.endpoints.append(Endpoint(cluster["name"], "127.0.0.1", override, *kind))
        for group in cluster.get("load_assignment", {}).get("endpoints", []):
            for entry in group.get("lb_endpoints", []):
                if where := _where(entry.get("endpoint", {}).get("address", {})):
                    self.endpoints.append(Endpoint(cluster["name"], *where, *kind))

    def moved_to(self, folder):
        """The same layout for a run whose paths lie in another folder."""

        def move(entry):
            return entry._replace(address=entry.address.replace(self.folder, folder))

        moved = copy.copy(self)
        moved.folder = folder
        moved.listeners = [move(entry) for entry in self.listeners]
        moved.endpoints = [move(entry) for entry in self.endpoints]
        moved.log_paths = [path.replace(self.folder, folder) for path in self.log_paths]
        return moved


def _where(address):
    """(address, port) of an Address message in JSON; None for internal ones."""
    if socket_address := address.get("socket_address"):
        return socket_address.get("address", ""), int(socket_address.get("port_value", 0))
    if pipe := address.get("pipe"):
        return pipe.get("path", ""), 0
    return None


def _messages(value):
    """All objects within a JSON value, outermost first, in order."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _messages(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _messages(inner)
