# SPDX-License-Identifier: Apache-2.0
"""Which files are taken and which are refused, and with what words."""

import os
import re
import unittest

import corpus_case
from corpus_case import DATA, IS_ENVOY
from lab import normalize, proxy

_VALID = os.path.join(DATA, "valid")
_INVALID = os.path.join(DATA, "invalid")


def table(name):
    """The rows of a list in data/, as lists of words."""
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return [line.split() for line in file if line.strip() and not line.startswith("#")]


def files_in(folder):
    return sorted(name[:-len(".yaml")] for name in os.listdir(folder) if name.endswith(".yaml"))


def validate(folder, name):
    return proxy.run_to_end(corpus_case.binary(),
                            ["-c", name + ".yaml", "--mode", "validate", "--use-dynamic-base-id"],
                            cwd=folder)


def add_case(cls, name, check):
    """One case for one file, so that each is counted and named by itself."""
    setattr(cls, "test_" + re.sub(r"\W", "_", name), lambda self: check(self, name))


class Valid(unittest.TestCase):
    """Files in scope validate; Envoy takes all of the corpus."""

    def takes(self, name):
        status, stdout, stderr = validate(_VALID, name)
        self.assertEqual(status, 0, stderr)
        self.assertEqual(stdout.strip(), "configuration '%s.yaml' OK" % name)


class NotYet(unittest.TestCase):
    """Files out of scope for now are refused with what is missing."""

    def refuses(self, name):
        status, stdout, stderr = validate(_VALID, name)
        self.assertEqual((status, stdout), (1, ""), stderr)
        reason = normalize.startup_error(stderr)
        self.assertRegex(reason, r"^[a-z_]+[\w.\[\]<>-]*( \([^)]*\))?: ",
                         "does not begin with a field's path")
        self.assertRegex(reason, dict(table("not_yet.txt"))[name])


class Invalid(unittest.TestCase):
    """Files with a mistake exit 1 and say where and what."""

    ROWS = {row[0]: row[1:] for row in table("invalid.txt")}

    def refuses(self, name):
        self.check(name, validate(_INVALID, name))

    def refuses_to_serve(self, name):
        name = name[len("serve-"):]
        self.check(name, proxy.run_to_end(
            corpus_case.binary(), ["-c", name + ".yaml", "--use-dynamic-base-id"], cwd=_INVALID))

    def check(self, name, outcome):
        status, stdout, stderr = outcome
        path, sentence = self.ROWS[name]
        self.assertEqual((status, stdout), (1, ""), stderr)
        reason = normalize.startup_error(stderr)
        if sentence == "yes" or IS_ENVOY:
            with open(os.path.join(_INVALID, name + ".err"), encoding="utf-8") as file:
                self.assertIn(normalize.error_text(file.read()), reason)
        if not IS_ENVOY:
            self.assertTrue(reason.startswith(path),
                            "begins with %r, not with the path %s" % (reason[:120], path))


class Lists(unittest.TestCase):
    def test_each_invalid_file_is_listed(self):
        self.assertEqual(sorted(Invalid.ROWS), files_in(_INVALID))

    def test_each_listed_file_is_there(self):
        self.assertLessEqual({row[0] for row in table("not_yet.txt")}, set(files_in(_VALID)))


def _fill():
    missing = set() if IS_ENVOY else {row[0] for row in table("not_yet.txt")}
    for name in files_in(_VALID):
        if name in missing:
            add_case(NotYet, name, NotYet.refuses)
        else:
            add_case(Valid, name, Valid.takes)
    for name in files_in(_INVALID):
        add_case(Invalid, name, Invalid.refuses)
        add_case(Invalid, "serve-" + name, Invalid.refuses_to_serve)


_fill()

if __name__ == "__main__":
    corpus_case.main()
