# SPDX-License-Identifier: Apache-2.0
"""The clients of a comparison: a script of a few words, and what each client saw.

A script is steps joined by commas; a step is VERB[:ARGUMENT][@SOURCE][*COUNT]:

  hello[:TEXT]      sends TEXT (hi), waits for the answer, half-closes, reads to the end
  hasty[:TEXT]      sends TEXT and half-closes at once
  silent[:SECONDS]  sends nothing, watches for SECONDS (2.5), then half-closes
  bulk[:BYTES]      sends BYTES (1000000) while it reads, half-closes when all is back
  pair[:TEXT]       says hello while an earlier client holds its connection open
  reset[:TEXT]      sends TEXT, waits for the answer, leaves with RST
  tls[:OPTIONS]     says hello within TLS; OPTIONS, with ; between: sni=NAME, alpn=NAME,
                    max=1.2, cert=STEM for STEM.pem and STEM.key
  connect[:OPTIONS] says hello in a tunnel that it asks for by HTTP/2 CONNECT to=HOST:PORT
                    (127.0.0.1:11001), within TLS with the options of tls

SOURCE is the address to connect from, as 127.0.0.2. TEXT may have \\r and \\n. Each step meets
every listener.
"""

import contextlib
import hashlib
import os
import re
import ssl
import time
from typing import NamedTuple

from lab import http2_client
from lab.client import Client

DEFAULT = "hello,hasty,silent,bulk,hello@127.0.0.2,pair,reset"
# What else a file is asked that has such a text in it.
_ALSO = {
    "DownstreamTlsContext": "tls,tls:sni=echo.lab.test,tls:max=1.2,tls:alpn=h2,"
                            "tls:cert=certs/client,tls:cert=certs/foreign",
    "connect_matcher": "connect:cert=certs/client;alpn=h2,connect:cert=certs/foreign;alpn=h2,"
                       "connect:cert=certs/client;alpn=h2;to=127.0.0.1:11001",
    "listener.proxy_protocol": "hello:PROXY TCP4 192.0.2.7 192.0.2.8 1111 2222\\r\\nhi",
    "tls_inspector": "tls:sni=second.lab.test",
}

_STEP = re.compile(r"(?P<verb>[a-z]+)(:(?P<argument>[^@*,]+))?(@(?P<source>[\w.:]+))?"
                   r"(\*(?P<count>\d+))?\Z")
_OWN_PORT = re.compile(rb"(PROXY TCP[46] \S+ \S+) \d+")  # of this client, in what a backend echoes
_ANSWER_S = 1.0  # how long to wait for the first byte of an answer
_QUIET_S = 0.15  # an answer is over when nothing comes for so long
_END_S = 8.0


class Step(NamedTuple):
    text: str
    verb: str
    argument: str
    source: str
    folder: str = ""  # Where the files that it names are.


def script_for(text):
    """The default script for a file of this text."""
    return ",".join([DEFAULT] + [steps for word, steps in _ALSO.items() if word in text])


def parse(script, folder=""):
    """The steps of a script; ValueError names the step that is none."""
    steps = []
    for text in filter(None, (part.strip() for part in re.split(r"[,\n]", script))):
        match = _STEP.match(text)
        if not match or match["verb"] not in _VERBS:
            raise ValueError("traffic: %r is no step; verbs are %s"
                             % (text, ", ".join(sorted(_VERBS))))
        label = text.partition("*")[0]
        step = Step(label, match["verb"], match["argument"] or "", match["source"],
                    folder)
        steps += [step] * int(match["count"] or 1)
    return steps


def destinations(steps):
    """Where the tunnels lead that the steps ask for: {(address, port)}."""
    return {(address, int(port)) for step in steps
            for address, port in re.findall(r"\bto=([\d.]+):(\d+)", step.argument)}


def run(step, where, paused=contextlib.nullcontext):
    """What the step's client saw at `where`, as text.

    Within paused() the proxy stands still: a client connects and sends there, so that its bytes
    are always there before the proxy looks, and the end is no race.
    """
    try:
        return _VERBS[step.verb](step, where, paused)
    except ConnectionRefusedError:
        return "connection refused"
    except OSError as problem:
        return "cannot connect: %s" % (problem.strerror or problem)


def _wait_for_answer(client):
    """Reads until nothing more comes, as a person at a terminal would."""
    client.read_some(_ANSWER_S)
    while client.read_some(_QUIET_S):
        pass


def _text(step):
    """The bytes of a step's TEXT."""
    return (step.argument or "hi").encode().decode("unicode_escape").encode("latin-1")


def _say(data, how):
    data = _OWN_PORT.sub(rb"\1 <port>", data)
    shown = repr(data.decode("utf-8", "backslashreplace")) if data else "nothing"
    if len(data) > 200:
        shown = "%s... (%d bytes)" % (shown[:40], len(data))
    return "%s, %s" % (shown, how if how != "open" else "stays open")


def _sent(step, where, paused):
    """A client that has written its text by the time the proxy sees it."""
    with paused():
        client = Client(where, step.source)
        client.send(_text(step))
        if step.verb == "hasty":
            client.half_close()
    return client


def _hello(step, where, paused):
    with _sent(step, where, paused) as client:
        _wait_for_answer(client)
        client.half_close()
        ending = client.end(_END_S)
    return _say(ending.data, ending.how)


def _hasty(step, where, paused):
    with _sent(step, where, paused) as client:
        ending = client.end(_END_S)
    return _say(ending.data, ending.how)


def _silent(step, where, paused):
    seconds = float(step.argument or 2.5)
    with Client(where, step.source) as client:
        ending = client.end(seconds)
        if ending.how != "open":
            late = round(ending.after_s)
            when = "at once" if late == 0 else "after %d s" % late
            return "%s %s" % (_say(ending.data, ending.how), when)
        seen = _say(ending.data, "open")
        client.half_close()
        return "%s; then %s" % (seen, client.end(_END_S).how)


def _bulk(step, where, paused):
    sent = os.urandom(int(step.argument or 1_000_000))
    with Client(where, step.source) as client:
        at = 0
        while at < len(sent) and client.how == "open":
            client.send(sent[at:at + 32768])
            at += 32768
            client.read_some(0.001)
        deadline = time.monotonic() + _END_S
        while len(client.data) < len(sent) and time.monotonic() < deadline:
            if not client.read_some(_ANSWER_S):
                break
        _wait_for_answer(client)
        client.half_close()
        ending = client.end(_END_S)
    if sent and ending.data.endswith(sent):
        greeting = _OWN_PORT.sub(rb"\1 <port>", ending.data[:-len(sent)])
        whole = "all %d bytes back" % len(sent)
        start = repr(greeting.decode("utf-8", "backslashreplace")) + ", " if greeting else ""
        return "%s%s, %s" % (start, whole, ending.how)
    if len(ending.data) < 200:
        return _say(ending.data, ending.how)
    return "%d of %d bytes back, %s" % (len(ending.data), len(sent), ending.how)


def _pair(step, where, paused):
    with Client(where, step.source) as first:
        _wait_for_answer(first)
        second = _hello(step, where, paused)
        first.half_close()
        ending = first.end(_END_S)
    return "first %s; second %s" % (_say(ending.data, ending.how), second)


def _reset(step, where, paused):
    with _sent(step, where, paused) as client:
        _wait_for_answer(client)
        seen = _say(client.data, client.how)
        client.reset()
    return seen + "; leaves with RST"


def _tls_context(options, folder):
    """Of a client that takes any certificate: it is the proxy that is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "max" in options:
        context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2,
                                   "1.3": ssl.TLSVersion.TLSv1_3}[options["max"]]
    if "alpn" in options:
        context.set_alpn_protocols([options["alpn"]])
    if "cert" in options:
        stem = os.path.join(folder, options["cert"])
        context.load_cert_chain(stem + ".pem", stem + ".key")
    return context


def _options(step):
    return dict(part.partition("=")[::2] for part in filter(None, step.argument.split(";")))


class _NoHandshake(Exception):
    pass


def _secured(client, options, folder):
    """Shakes hands, and says what came of it."""
    context = _tls_context(options, folder)
    try:
        client.sock = context.wrap_socket(client.sock, server_hostname=options.get("sni"))
    except (ssl.SSLError, ConnectionError) as problem:
        reason = getattr(problem, "reason", None) or "connection reset"
        raise _NoHandshake("no handshake: %s" % reason) from None
    except TimeoutError:
        raise _NoHandshake("no handshake in time") from None
    about = [client.sock.version(), client.sock.selected_alpn_protocol(),
             _name_of(client.sock.getpeercert(binary_form=True))]
    return " ".join(filter(None, about))


def _tls(step, where, paused):
    with Client(where, step.source) as client:
        try:
            about = _secured(client, _options(step), step.folder)
        except _NoHandshake as problem:
            return str(problem)
        try:
            client.send(b"hi")
        except ssl.SSLError:  # What a reset shortly after the handshake is, if it was noticed so soon.
            return "%s: %s; then RST" % (about, _say(b"", "RST"))
        _wait_for_answer(client)
        seen = _say(client.data, client.how)
        client.half_close()
        return "%s: %s; then %s" % (about, seen, client.end(_END_S).how)


def _connect(step, where, paused):
    options = _options(step)
    with Client(where, step.source) as client:
        try:
            about = _secured(client, options, step.folder)
        except _NoHandshake as problem:
            return str(problem)
        peer = http2_client.Http2(client.sock, timeout_s=_END_S)
        stream = peer.connect(options.get("to", "127.0.0.1:11001"))
        try:
            peer.wait(lambda: stream.status or stream.reset is not None, "answer")
            if stream.status == "200":
                peer.send(stream, b"hi", end=True)
            peer.wait_end(stream)
        except AssertionError as problem:
            return "%s: %s" % (about, problem)
        fields = ", ".join("%s: %s" % field for field in stream.fields
                           if field[0] not in ("date", "server"))
        end = "FIN" if stream.reset is None else "RST_STREAM %d" % stream.reset
        return "%s: %s; %s" % (about, fields, _say(stream.data, end))


def _name_of(certificate):
    """A few digits that tell one certificate from another."""
    return "certificate " + hashlib.sha256(certificate).hexdigest()[:8]


_VERBS = {"hello": _hello, "hasty": _hasty, "silent": _silent, "bulk": _bulk, "pair": _pair,
          "reset": _reset, "tls": _tls, "connect": _connect}
