#!/usr/bin/env python3
"""What a reviewer should not have to say: layers, sizes, contracts, docs that name what is there.

Each check is a function that takes the tree and yields "path:line: what is wrong".
"""
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import time
from xml.sax.saxutils import quoteattr

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDERS = ["api", "bazel", "docs", "source", "test", "tools"]
FILE_LINES_MAX = 600
HEADER_LINES_MAX = 250
FUNCTION_CODE_LINES_MAX = 60
COLUMNS_MAX = 100
BANNED_WORDS = ["blacklist", "whitelist", "blazing", "leverage", "seamless", "utilize"]


class Tree:
    """Every text file of ours, by its path from the root."""

    def __init__(self):
        self.files = {}
        for name in sorted(os.listdir(ROOT)):
            if name.endswith((".md", ".bazel")) or name in (".bazelrc", "WORKSPACE"):
                self.read(name)
        for folder in FOLDERS:
            for at, folders, names in os.walk(os.path.join(ROOT, folder)):
                folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
                for name in sorted(names):
                    self.read(os.path.relpath(os.path.join(at, name), ROOT))

    def read(self, path):
        try:
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                self.files[path] = file.read().split("\n")
        except (OSError, UnicodeDecodeError):  # A binary, a certificate, a dangling link.
            pass

    def matching(self, *endings, under=""):
        for path, lines in self.files.items():
            if path.startswith(under) and path.endswith(endings):
                yield path, lines

    def cpp(self, under=""):
        return self.matching(".cc", ".h", under=under)


def is_test(path):
    return path.startswith("test/") or re.search(r"_(test|benchmark|fuzz_test)\.cc$", path)


def room_of(path):
    """source/net/buffer.h -> net, source/filters/echo/echo.cc -> filters/echo"""
    parts = path.split("/")[1:-1]
    return "/".join(parts[:2]) if parts and parts[0] == "filters" else "/".join(parts[:1])


def read_layers(tree):
    """{room or pattern: layer}, [(header prefix, [places])]"""
    layers, headers = {}, []
    for number, line in enumerate(tree.files["tools/layers.txt"]):
        words = line.split("#")[0].split()
        if "->" in words:
            headers.append((words[0], words[2:]))
        else:
            layers.update({room: number for room in words})
    return layers, headers


def layer_of(room, layers):
    return next((layer for pattern, layer in layers.items() if fnmatch.fnmatch(room, pattern)), None)


def check_includes_go_to_lower_rooms(tree):
    layers, _ = read_layers(tree)
    for path, lines in tree.cpp("source/"):
        if is_test(path):
            continue
        room = room_of(path)
        if layer_of(room, layers) is None:
            yield "%s:1: the room %s is not in tools/layers.txt" % (path, room)
            continue
        for number, line in enumerate(lines, 1):
            match = re.match(r'#include "((?:source|test)/[^"]+)"', line)
            if not match:
                continue
            other = room_of(match.group(1))
            if match.group(1).startswith("test/"):
                yield "%s:%d: source includes %s" % (path, number, match.group(1))
            elif other != room and not (layer_of(other, layers) or 0) < layer_of(room, layers):
                yield "%s:%d: %s may not include %s" % (path, number, room, other)


def check_each_library_stays_in_its_room(tree):
    _, headers = read_layers(tree)
    for path, lines in tree.cpp():
        for number, line in enumerate(lines, 1):
            match = re.match(r'#include [<"]([^">]+)[">]', line)
            for prefix, places in headers if match else []:
                if not match.group(1).startswith(prefix) or (is_test(path) and places != ["none"]):
                    continue
                here = [room_of(path), path[len("source/"):]]
                if path.startswith("tools/") or any(
                        fnmatch.fnmatch(h, p) for h in here for p in places):
                    continue
                yield "%s:%d: <%s> belongs to %s" % (path, number, match.group(1), " ".join(places))


def check_sizes(tree):
    for path, lines in tree.cpp():
        count = len(lines) - 1
        limit = HEADER_LINES_MAX if path.endswith(".h") else FILE_LINES_MAX
        if count > limit:
            yield "%s:1: %d lines, at most %d" % (path, count, limit)
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and "http" not in line:
                yield "%s:%d: %d columns" % (path, number, len(line))


NOT_CODE = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'|//[^\n]*|/\*.*?\*/|^#[^\n]*',
                      re.DOTALL | re.MULTILINE)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def functions(lines):
    """(line, code lines) of each function body: the outermost braces below namespaces and classes."""
    text = NOT_CODE.sub(blank, "\n".join(lines))
    scopes, head, number, start = [], "", 1, 0
    for char in text:
        number += char == "\n"
        if char == "{":
            if re.search(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$", head):
                scopes.append("scope")
            elif "function" in scopes or head.rstrip().endswith("="):
                scopes.append("inner")
            else:
                scopes.append("function")
                start = number
        elif char == "}" and scopes and scopes.pop() == "function":
            body = text.split("\n")[start:number - 1]
            yield start, sum(bool(line.strip()) for line in body)
        head = "" if char in "{};" else head + char


def check_functions_are_short(tree):
    for path, lines in tree.cpp():
        for number, count in functions(lines):
            if count > FUNCTION_CODE_LINES_MAX:
                yield "%s:%d: a function of %d code lines, at most %d" % (
                    path, number, count, FUNCTION_CODE_LINES_MAX)


def check_public_classes_say_their_threads(tree):
    for path, lines in tree.matching(".h", under="source/"):
        classes = [n for n, l in enumerate(lines, 1) if re.match(r"class \w[^;]*$", l)]
        if classes and "/internal/" not in path and not any("Threads:" in l for l in lines):
            yield "%s:%d: a public class without a word on Threads:" % (path, classes[0])


def check_tests_do_not_sleep(tree):
    for path, lines in tree.cpp():
        for number, line in enumerate(lines, 1):
            if is_test(path) and re.search(r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until|SleepFor)\(", line):
                yield "%s:%d: a test that sleeps" % (path, number)


def check_nothing_is_left_for_later(tree):
    for path, lines in tree.files.items():
        for number, line in enumerate(lines, 1):
            if path != "test/style/style_test.py" and re.search(r"\b(TODO|FIXME|XXX)\b", line):
                yield "%s:%d: %s" % (path, number, line.strip())


def check_licence_line(tree):
    for path, lines in tree.matching(".cc", ".h", ".proto"):
        if lines[0] != "// SPDX-License-Identifier: Apache-2.0":
            yield "%s:1: the first line is not the SPDX line" % path
        if path.endswith(".h") and "#pragma once" not in lines[:4]:
            yield "%s:1: no #pragma once" % path


def check_format(tree):
    files = [os.path.join(ROOT, path) for path, _ in tree.matching(".cc", ".h", ".proto")]
    if shutil.which("clang-format-19"):
        result = subprocess.run(["clang-format-19", "--dry-run", "--Werror"] + files,
                                stderr=subprocess.PIPE, text=True)
        for path, number in sorted(set(re.findall(r"^(\S+?):(\d+):.* error:", result.stderr, re.M))):
            yield "%s:%s: tools/format changes this" % (os.path.relpath(path, ROOT), number)


def check_words(tree):
    pattern = re.compile(r"\b(%s)" % "|".join(BANNED_WORDS), re.IGNORECASE)
    for path, lines in tree.files.items():
        for number, line in enumerate(lines, 1):
            if path != "test/style/style_test.py" and pattern.search(line):
                yield "%s:%d: %s" % (path, number, pattern.search(line).group(0))


def check_docs_name_what_is_there(tree):
    """`source/net/listener.cc:onAccept`, `Class::method` after the colon too, or the function in the
    next cell of a table; and relative links."""
    for path, lines in tree.matching(".md"):
        for number, line in enumerate(lines, 1):
            for file, name in re.findall(r"`((?:source|test|tools|bazel)/[\w./-]+\.\w+)(?:(?::|` \| `)([\w:~]+))?`", line):
                text = tree.files.get(file)
                word = name.split("::")[-1]
                if text is None:
                    yield "%s:%d: there is no %s" % (path, number, file)
                elif name and not any(re.search(r"\b%s\b" % re.escape(word), l) for l in text):
                    yield "%s:%d: there is no %s in %s" % (path, number, name, file)
            for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), link)):
                    yield "%s:%d: the link %s leads nowhere" % (path, number, link)


def check_checklists_name_tests(tree):
    """`SuiteTest.Name` in a checklist is a C++ test; `SuiteTest.*` is a suite."""
    tests = set()
    for path, lines in tree.cpp():
        if is_test(path):
            for suite, name in re.findall(r"\bTEST(?:_[FP])?\((\w+),\s*(\w+)\)", "\n".join(lines)):
                tests.update(("%s.%s" % (suite, name), suite + ".*"))
    for path, lines in tree.matching("_checklist.md"):
        for number, line in enumerate(lines, 1):
            for test in re.findall(r"`(\w+Test\.[\w*]+)`", line):
                if test not in tests:
                    yield "%s:%d: there is no test %s" % (path, number, test)


def check_close_reasons_page_is_the_table(tree):
    """docs/close_reasons.md has the rows of CULVERT_CLOSE_CODES, in its order."""
    header = "".join(line.rstrip("\\ ") + " " for line in tree.files["source/net/close_reason.h"])
    row = r'X\(k(\w+), k(\w+), ([\w| ]+), "([^"]*)",\s*"([^"]*)"\)'
    table = [(code, side.lower(), "`%s`" % local if local else "", sentence)
             for code, side, _, local, sentence in re.findall(row, header)]
    page = "docs/close_reasons.md"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]]
             for line in tree.files[page] if line.startswith("| ")]
    rows = [(code, side, local, meaning) for code, side, _, local, meaning in cells[1:]]
    if not table or rows != table:
        odd = sorted(set(rows) ^ set(table)) or "their order differs"
        yield "%s: is not the table of source/net/close_reason.h: %s" % (page, odd)


def main():
    tree = Tree()
    checks = {n[len("check_"):]: f for n, f in globals().items() if n.startswith("check_")}
    cases, bad = [], 0
    for name, check in checks.items():
        started = time.monotonic()
        faults = list(check(tree))
        bad += bool(faults)
        print("%s %s" % ("FAILED" if faults else "ok    ", name))
        print("".join("  %s\n" % fault for fault in faults), end="")
        failure = "<failure message=%s/>" % quoteattr("\n".join(faults)) if faults else ""
        cases.append('<testcase name=%s time="%.3f">%s</testcase>' % (
            quoteattr(name), time.monotonic() - started, failure))
    if "XML_OUTPUT_FILE" in os.environ:
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as out:
            out.write('<testsuites><testsuite name="style" tests="%d" failures="%d">%s</testsuite></testsuites>'
                      % (len(cases), bad, "".join(cases)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
