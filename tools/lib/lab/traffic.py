# SPDX-License-Identifier: Apache-2.0
"""The clients of a comparison: a script of a few words, and what each client saw.

A script is steps joined by commas; a step is VERB[:ARGUMENT][@SOURCE][*COUNT]:

  hello[:TEXT]      sends TEXT (hi), waits for the answer, half-closes, reads to the end
  hasty[:TEXT]      sends TEXT and half-closes at once
  silent[:SECONDS]  sends nothing, watches for SECONDS (2.5), then half-closes
  bulk[:BYTES]      sends BYTES (1000000) while it reads, half-closes when all is back
  pair[:TEXT]       says hello while an earlier client holds its connection open
  reset[:TEXT]      sends TEXT, waits for the answer, leaves with RST

SOURCE is the address to connect from, as 127.0.0.2. Each step meets every listener.
"""

import contextlib
import os
import re
import time
from typing import NamedTuple

from lab.client import Client

DEFAULT = "hello,hasty,silent,bulk,hello@127.0.0.2,pair,reset"

_STEP = re.compile(r"(?P<verb>[a-z]+)(:(?P<argument>[^@*,]+))?(@(?P<source>[\w.:]+))?"
                   r"(\*(?P<count>\d+))?\Z")
_ANSWER_S = 1.0  # how long to wait for the first byte of an answer
_QUIET_S = 0.15  # an answer is over when nothing comes for so long
_END_S = 8.0


class Step(NamedTuple):
    text: str
    verb: str
    argument: str
    source: str


def parse(script):
    """The steps of a script; ValueError names the step that is none."""
    steps = []
    for text in filter(None, (part.strip() for part in re.split(r"[,\n]", script))):
        match = _STEP.match(text)
        if not match or match["verb"] not in _VERBS:
            raise ValueError("traffic: %r is no step; verbs are %s"
                             % (text, ", ".join(sorted(_VERBS))))
        label = text.partition("*")[0]
        step = Step(label, match["verb"], match["argument"] or "", match["source"])
        steps += [step] * int(match["count"] or 1)
    return steps


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


def _say(data, how):
    shown = repr(data.decode("utf-8", "backslashreplace")) if data else "nothing"
    if len(data) > 200:
        shown = "%s... (%d bytes)" % (shown[:40], len(data))
    return "%s, %s" % (shown, how if how != "open" else "stays open")


def _sent(step, where, paused):
    """A client that has written its text by the time the proxy sees it."""
    with paused():
        client = Client(where, step.source)
        client.send((step.argument or "hi").encode())
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
        greeting = ending.data[:-len(sent)]
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


_VERBS = {"hello": _hello, "hasty": _hasty, "silent": _silent, "bulk": _bulk, "pair": _pair,
          "reset": _reset}
