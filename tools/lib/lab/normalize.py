# SPDX-License-Identifier: Apache-2.0
"""Takes out of a proxy's output what differs from run to run, and nothing else."""

import json
import re

_LOG_LINE = re.compile(r"^\[\d{4}-\d\d-\d\d[ T][^\n]*", re.MULTILINE)
_VALIDATING = re.compile(r"error initializing configuration '[^']*': ")
_DUMP = re.compile(r"goo\.gle/debug\w*\s.*?^\s*: ", re.DOTALL | re.MULTILINE)
_NEAR = re.compile(r"near (line )?\d+:\d+ \(offset \d+\)")


def error_text(text):
    """A configuration error without random blanks, message dumps and positions."""
    text = _DUMP.sub("", text)
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.splitlines())
    return _NEAR.sub("near L:C (offset N)", "\n".join(line for line in lines if line))


def startup_error(stderr):
    """Why a proxy did not start: its reason without the log around it."""
    validating = _VALIDATING.search(stderr)
    if validating:
        reason = stderr[validating.end():]
        following = _LOG_LINE.search(reason)
        return error_text(reason[:following.start()] if following else reason)
    last = 0
    for last_line in _LOG_LINE.finditer(stderr):
        last = last_line.end()
    return error_text(stderr[last:]) or error_text(stderr)


# What an access-log operator prints that no two runs have in common.
_VOLATILE = re.compile(
    r"START_TIME|EMIT_TIME|DURATION|CONNECTION_ID|STREAM_ID|UNIQUE_ID|SESSION_ID"
    r"|UPSTREAM_LOCAL_PORT|DOWNSTREAM_(DIRECT_)?REMOTE_PORT")
_COMMAND = re.compile(r"%([A-Z_]+)(?:\([^)]*\))?(?::\d+)?%")
_DEFAULT_FORMAT = (
    '[%START_TIME%] "%REQ_METHOD% %REQ_PATH% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %UPSTREAM_SERVICE_TIME% "%X_FORWARDED_FOR%" '
    '"%USER_AGENT%" "%REQUEST_ID%" "%AUTHORITY%" "%UPSTREAM_HOST%"')
_MASKS = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
]
# The kernel's ephemeral range: a client's own port, never one of a configuration.
_EPHEMERAL = re.compile(r"(\d+\.\d+\.\d+\.\d+|\]):(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}"
                        r"|[45]\d{4}|60\d{3})\b")


def generic(text):
    """Masks times, ids and ephemeral ports wherever they stand."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return _EPHEMERAL.sub(r"\1:<port>", text)


class LogForm:
    """One access-log format: knows which parts of its lines are volatile."""

    def __init__(self, form):
        self._json = form if isinstance(form, dict) else None
        self._names = []
        self._pattern = None
        if self._json is None:
            self._pattern = self._compile((form or _DEFAULT_FORMAT).rstrip("\n"))

    def _compile(self, form):
        parts, at = [], 0
        for command in _COMMAND.finditer(form):
            parts.append(re.escape(form[at:command.start()]))
            parts.append("(.*?)")
            self._names.append(command.group(1))
            at = command.end()
        return re.compile("".join(parts) + re.escape(form[at:]) + r"\Z")

    def apply(self, line):
        """The line with its volatile parts masked; None if it is not of this format."""
        if self._json is not None:
            return self._apply_json(line)
        match = self._pattern.match(line)
        if not match:
            return None
        text, at = "", 0
        for index, name in enumerate(self._names, 1):
            text += line[at:match.start(index)]
            value = match.group(index)
            text += "<%s>" % name.lower() if _VOLATILE.search(name) and value != "-" else value
            at = match.end(index)
        return generic(text + line[at:])

    def _apply_json(self, line):
        try:
            value = json.loads(line)
        except ValueError:
            return None
        if not isinstance(value, dict) or not set(value) <= set(self._json):
            return None
        # What is left is printed as the proxy printed it, so that order and quotes still count.
        for path, old in self._volatile(self._json, value):
            key = json.dumps(path) + ":"
            line = line.replace(key + json.dumps(old), key + '"<masked>"', 1)
        return generic(line)

    def _volatile(self, form, value):
        for key, inner in form.items():
            if isinstance(inner, dict) and isinstance(value.get(key), dict):
                yield from self._volatile(inner, value[key])
            elif isinstance(inner, str) and value.get(key) is not None:
                if any(_VOLATILE.search(name) for name in _COMMAND.findall(inner)):
                    yield key, value[key]


def log_lines(lines, forms):
    """Access-log lines, each masked by the first of its formats that it fits."""
    known = [LogForm(form) for form in forms] or [LogForm(None)]
    masked = []
    for line in lines:
        fits = (form.apply(line) for form in known)
        masked.append(next((text for text in fits if text is not None), None) or generic(line))
    return masked
