# SPDX-License-Identifier: Apache-2.0
"""Runs unittest and writes one <testcase> for each case where Bazel looks for it."""

import os
import time
import unittest
import xml.etree.ElementTree as ET


class _Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = []
        self._began = 0.0
        self._bad = None

    def startTest(self, test):
        self._began = time.monotonic()
        self._bad = None
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.cases.append((test.id(), time.monotonic() - self._began, self._bad))

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "error", self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failure", self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            both = self.failures + self.errors
            self._bad = ("failure", both[-1][1] if both else str(err[1]))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def _note(self, test, kind, text):
        if isinstance(test, unittest.TestCase):
            self._bad = (kind, text)
        else:  # setUpClass failed: there is no case to hang it on.
            self.cases.append((str(test), 0.0, (kind, text)))


def _write(path, result):
    kinds = [bad[0] for _, _, bad in result.cases if bad]
    counts = {"tests": str(len(result.cases)), "failures": str(kinds.count("failure")),
              "errors": str(kinds.count("error")), "skipped": str(kinds.count("skipped"))}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", name="python", **counts)
    for full_name, seconds, bad in result.cases:
        class_name, _, name = full_name.rpartition(".")
        case = ET.SubElement(suite, "testcase", name=name, classname=class_name,
                             time="%.3f" % seconds)
        if bad:
            ET.SubElement(case, bad[0], message=bad[1].strip().splitlines()[-1]).text = bad[1]
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def run(suite):
    """True if every case passed."""
    result = unittest.TextTestRunner(resultclass=_Result, verbosity=2).run(suite)
    if path := os.environ.get("XML_OUTPUT_FILE"):
        _write(path, result)
    return result.wasSuccessful()


def main():
    """What a test file calls at its end, in place of unittest.main()."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(__import__("__main__"))
    raise SystemExit(0 if run(suite) else 1)
