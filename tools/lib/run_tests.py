"""Runs bazel test once for each configuration and counts the cases. Called by tools/test."""
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BAZEL = os.environ.get("BAZEL", "bazel").split()
# Which tests a configuration leaves out is said by tags, in .bazelrc.
CONFIGURATIONS = [None, "asan", "tsan"]
NO_TESTS = 4  # Bazel's exit status when the tags leave none.


def cases_of(result):
    """The test cases in the test.xml of one testResult event."""
    for output in result.get("testActionOutput", []):
        if output["name"] == "test.xml" and output["uri"].startswith("file://"):
            try:
                tree = xml.etree.ElementTree.parse(output["uri"][len("file://"):])
                return tree.getroot().findall(".//testcase")
            except (OSError, xml.etree.ElementTree.ParseError):
                return []
    return []


def skip_reason(case):
    """Why a case did not run; None when it did."""
    element = case.find("skipped")
    if element is not None:
        return " ".join((element.get("message") or element.text or "no reason given").split())
    if case.get("status") == "notrun":
        return "disabled"
    return None


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add_result(self, label, result):
        cases = cases_of(result)
        bad = sum(any(c.find(t) is not None for t in ("failure", "error")) for c in cases)
        if result["status"] != "PASSED":  # A crash or a timeout leaves no case that says so.
            bad = max(bad, 1)
        reasons = [(c, skip_reason(c)) for c in cases]
        skipped = ["%s %s: %s" % (label, c.get("name"), r) for c, r in reasons if r]
        self.failed += [label] * bad
        self.skipped += skipped
        self.passed += max(len(cases) - bad - len(skipped), 0) if cases else 1 - bad

    def add_events(self, path, name):
        """Reads Bazel's event file. A test that could not be built has no result: it failed."""
        tested, unbuilt = set(), []
        with open(path, encoding="utf-8") as lines:
            for event in map(json.loads, lines):
                ident = event.get("id", {})
                if "testResult" in event:
                    label = ident["testResult"]["label"]
                    tested.add(label)
                    self.add_result(label + name, event["testResult"])
                elif "targetCompleted" in ident and not event.get("completed", {}).get("success"):
                    unbuilt.append(ident["targetCompleted"]["label"])
        self.failed += [label + name + " (not built)" for label in unbuilt if label not in tested]


def run(configuration, targets, tally):
    name = " (%s)" % configuration if configuration else ""
    print("== bazel test%s" % name, flush=True)
    before, started = len(tally.failed), time.monotonic()
    with tempfile.TemporaryDirectory() as tmp:
        events = os.path.join(tmp, "events")
        command = BAZEL + ["test", "--keep_going", "--build_event_json_file=" + events]
        command += [] if sys.stdout.isatty() else ["--noshow_progress"]
        command += ["--config=" + configuration] if configuration else []
        code = subprocess.run(command + ["--"] + targets, cwd=ROOT).returncode
        if os.path.exists(events):
            tally.add_events(events, name)
    if code not in (0, NO_TESTS) and len(tally.failed) == before:
        tally.failed.append("bazel test%s ended with status %d" % (name, code))
    print("== %d s" % (time.monotonic() - started), flush=True)


def main():
    tally = Tally()
    for configuration in CONFIGURATIONS:
        run(configuration, sys.argv[1:] or ["//..."], tally)
    for line in tally.skipped:
        print("skipped: " + line)
    for line in sorted(set(tally.failed)):
        print("failed: " + line)
    print("%d passed, %d failed" % (tally.passed, len(tally.failed)))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
