# SPDX-License-Identifier: Apache-2.0
"""A proxy process: started on a file, asked through its admin page, stopped."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse

from lab.wait import until

# Access logs reach their file soon, so that a test need not wait ten seconds for a line.
_FLAGS = ["--file-flush-interval-msec", "50"]
# Clients that hold on are ended at once when the proxy is stopped, unless a case says otherwise.
_NO_DRAIN = ["--drain-time-s", "0"]
_ONE_WORKER = ["--concurrency", "1"]
_DYNAMIC_BASE_ID = ["--use-dynamic-base-id"]


class Refused(Exception):
    """The process ended before it was ready."""

    def __init__(self, status, stderr):
        last = "\n".join(stderr.splitlines()[-6:])
        super().__init__("exit status %s\n%s" % (status, last))
        self.status = status
        self.stderr = stderr


class Proxy:
    """One running proxy. `folder` takes its output, `cwd` is where relative paths start."""

    def __init__(self, binary, config, admin_port, folder, cwd=None, flags=()):
        self.config = config
        self.admin_port = admin_port
        self.exit_status = None
        self.out_path = os.path.join(folder, "stdout")
        self.err_path = os.path.join(folder, "stderr")
        command = [binary, "-c", config] + _FLAGS + list(flags)
        for default in (_NO_DRAIN, _ONE_WORKER):
            command += [] if default[0] in flags else default
        self._dynamic = "--base-id" not in flags
        command += _DYNAMIC_BASE_ID if self._dynamic else []
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd)

    def wait_ready(self, within_s=30):
        """Returns when /ready says LIVE. Refused if the process ends before."""
        deadline = time.monotonic() + within_s
        while True:
            if self._process.poll() is not None:
                self._finished()
                raise Refused(self.exit_status, self.stderr())
            try:
                if self.get("/ready")[0] == 200:
                    return self
            except OSError:
                pass
            if time.monotonic() > deadline:
                self.kill()
                last = "\n".join(self.stderr().splitlines()[-5:])
                raise AssertionError("not ready within %g s:\n%s" % (within_s, last))
            time.sleep(0.01)

    def _request(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except http.client.HTTPException as problem:
            raise OSError("admin %s: %r" % (path, problem)) from problem
        finally:
            connection.close()

    def get(self, path):
        """(status, body) of an admin page."""
        return self._request("GET", path)

    def post(self, path):
        return self._request("POST", path)

    def text(self, path):
        """The body of an admin page that must answer 200."""
        status, body = self.get(path)
        if status != 200:
            raise AssertionError("admin %s answered %d: %s" % (path, status, body))
        return body

    def stats(self, pattern=""):
        """Counters and gauges as numbers, text readouts as text, by name."""
        query = "?filter=" + urllib.parse.quote(pattern) if pattern else ""
        found = {}
        for line in self.text("/stats" + query).splitlines():
            name, _, value = line.partition(": ")
            if value.isdigit():
                found[name] = int(value)
            elif value.startswith('"'):
                found[name] = value.strip('"')
        return found

    def wait_stats(self, wanted, within_s=10):
        """Waits until each statistic of `wanted` has its value (or passes, if it is a function)."""
        seen = {}

        def wrong():
            seen.clear()
            seen.update(self.stats())
            return {
                name: seen.get(name)
                for name, value in wanted.items()
                if not (value(seen.get(name, 0)) if callable(value) else seen.get(name) == value)
            }

        try:
            until(lambda: not wrong(), within_s, "statistics")
        except AssertionError:
            lines = ["%s is %s, wanted %s" % (name, value, wanted[name])
                     for name, value in wrong().items()]
            if not lines:
                return
            raise AssertionError("\n".join(["statistics:"] + lines)) from None

    def clusters(self):
        """{(cluster, host or "", key): value} of the text form of /clusters."""
        found = {}
        for line in self.text("/clusters").splitlines():
            parts = line.split("::")
            host = parts[1] if len(parts) == 4 else ""
            found[(parts[0], host, parts[-2])] = parts[-1]
        return found

    def hosts(self, cluster):
        """The addresses of a cluster, as /clusters prints them."""
        parts = (line.split("::") for line in self.text("/clusters").splitlines())
        named = (p[1] for p in parts if p[0] == cluster and len(p) == 4 and p[2] == "cx_active")
        return sorted(named)

    def listeners(self):
        """The lines of the text form of /listeners, sorted."""
        return sorted(self.text("/listeners").splitlines())

    def config_dump(self):
        return json.loads(self.text("/config_dump"))

    def stderr(self):
        return _read(self.err_path)

    def stdout_lines(self):
        return _read(self.out_path).splitlines()

    def wait_stdout(self, count, within_s=15):
        """The lines of standard output, as soon as there are `count` of them."""
        return wait_lines(self.out_path, count, within_s)

    def signal(self, number):
        self._process.send_signal(number)

    @contextlib.contextmanager
    def paused(self):
        """The process stands still meanwhile: what clients do arrives all at once afterwards."""
        self.signal(signal.SIGSTOP)
        try:
            until(self._stands_still, 10, "the process to stop")
            yield
        finally:
            self.signal(signal.SIGCONT)

    def _stands_still(self):
        tasks = "/proc/%d/task" % self._process.pid
        return all(_state(os.path.join(tasks, task, "stat")) in "TtXZ"
                   for task in os.listdir(tasks))

    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process.poll() is None

    def wait_exit(self, within_s=20):
        """The exit status, as soon as the process has ended."""
        self._process.wait(within_s)
        self._finished()
        return self.exit_status

    def stop(self, within_s=20):
        """SIGTERM; the exit status."""
        if self.exit_status is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait_exit(within_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("still there %g s after SIGTERM" % within_s) from None
        return self.exit_status

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._finished()

    def _finished(self):
        self.exit_status = self._process.returncode
        base = re.search(r"base id=(\d+),", self.stderr())
        if base and self._dynamic:
            forget_base_id(base.group(1))


def forget_base_id(base_id):
    """Removes the shared memory that Envoy leaves behind for ever."""
    for stem in ("envoy_shared_memory_", "envoy_shared_log_lock_"):
        try:
            os.unlink("/dev/shm/%s%s0" % (stem, base_id))
        except OSError:
            pass


def _state(path):
    """The state letter of a thread; X if it has gone."""
    try:
        return _read(path).rpartition(") ")[2][:1]
    except OSError:
        return "X"


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def wait_lines(path, count, within_s=15):
    """The lines of a file, as soon as there are `count` of them."""

    def lines():
        found = _read(path).splitlines() if os.path.exists(path) else []
        return found if len(found) >= count else None

    try:
        return until(lines, within_s, "")
    except AssertionError:
        seen = _read(path) if os.path.exists(path) else "(no file)"
        raise AssertionError("wanted %d lines in %s, saw:\n%s" % (count, path, seen)) from None


def run_to_end(binary, arguments, cwd=None, within_s=30):
    """(exit status, stdout, stderr) of a run that is meant to end by itself."""
    done = subprocess.run([binary] + arguments, stdin=subprocess.DEVNULL, capture_output=True,
                          cwd=cwd, timeout=within_s, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), \
        done.stderr.decode("utf-8", "replace")
