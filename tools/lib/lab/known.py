# SPDX-License-Identifier: Apache-2.0
"""The list of known differences: a table in docs/envoy_differences.md."""

import os
import re
from typing import NamedTuple

from lab.binaries import ROOT

PAGE = os.path.join(ROOT, "docs", "envoy_differences.md")
_ROW = re.compile(r"^\|\s*`([\w-]+)`\s*\|\s*(\w+)\s*\|\s*`(.*)`\s*\|(.*)\|\s*$")


class Known(NamedTuple):
    """One row: differences of `section` whose `key: envoy => culvert` the pattern finds."""

    ident: str
    section: str
    pattern: re.Pattern
    why: str


def read(path=PAGE):
    """The rows of the page; a `|` within a pattern is written `\\|` there."""
    rows = []
    if not os.path.exists(path):
        return rows
    with open(path, encoding="utf-8") as file:
        for line in file:
            if match := _ROW.match(line):
                ident, section, pattern, why = match.groups()
                rows.append(Known(ident, section, re.compile(pattern.replace("\\|", "|")),
                                  why.strip()))
    return rows


def find(rows, section, key, envoy, culvert):
    """The id of the row that explains a difference, None if there is none."""
    text = "%s: %s => %s" % (key, envoy, culvert)
    for row in rows:
        if row.section in (section, "any") and row.pattern.search(text):
            return row.ident
    return None
