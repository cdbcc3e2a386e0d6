# SPDX-License-Identifier: Apache-2.0
"""A comparison as text for a terminal, as Markdown for a page, as JSON for a program."""

import json
import shutil

_TITLES = {
    "startup": "Start", "clients": "What each client saw", "backends": "What the backends saw",
    "counters": "Counters", "log": "Access log", "clusters": "/clusters",
    "listeners": "/listeners", "end": "End"}
# Sections of many lines, of which equal ones are only counted unless all is asked for.
_LONG = {"clusters", "counters"}
_RED, _GREEN, _DIM, _BOLD, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


def _sections(rows):
    for section in _TITLES:
        inside = [row for row in rows if row.section == section]
        if inside:
            yield section, inside


def _kept(section, rows, everything):
    """(the rows to print, how many are left out because they are equal and dull)."""
    if everything or section not in _LONG:
        return rows, 0
    if section == "counters":
        kept = [row for row in rows if not row.same or row.envoy not in ("0", "even")]
    else:
        kept = [row for row in rows if not row.same]
    return kept, len(rows) - len(kept)


def _left_out(section, count):
    what = "lines that are equal" if section == "clusters" else "that are 0 on both sides"
    return "and %d %s" % (count, what)


class Text:
    """Columns for a terminal; values too wide for them stand below each other."""

    def __init__(self, colour, names, width=None):
        self._colour = colour
        self._names = names
        self._width = max(80, width or shutil.get_terminal_size((110, 40)).columns)

    def _paint(self, colour, text):
        return colour + text + _PLAIN if self._colour else text

    def comparison(self, result, everything):
        head = "%s: %s beside %s" % (result.name, *self._names)
        lines = [self._paint(_BOLD, head)]
        lines += [self._paint(_DIM, "   note: " + note) for note in result.notes]
        for section, rows in _sections(result.rows):
            lines += [""] + self._section(section, rows, everything)
        good = not result.unknown
        lines += ["", self._paint(_GREEN if good else _RED, result.summary())]
        return "\n".join(lines) + "\n"

    def _section(self, section, rows, everything):
        kept, left_out = _kept(section, rows, everything)
        key_width = min(max([len(row.key) for row in kept] + [24]), self._width // 2)
        value_width = (self._width - key_width - 7) // 2
        columns = "   %-*s  %-*s  %s" % (key_width, _TITLES[section], value_width,
                                         self._names[0].split()[0], self._names[1].split()[0])
        lines = [self._paint(_BOLD, columns if kept else columns.split("  ")[0] + "   " +
                             _TITLES[section])]
        for row in kept:
            lines += self._row(row, key_width, value_width)
        if left_out:
            lines.append(self._paint(_DIM, "   " + _left_out(section, left_out)))
        return lines

    def _row(self, row, key_width, value_width):
        mark = "  " if row.same else "!="
        tail = "  [known: %s]" % row.known if row.known else ""
        colour = "" if row.same else (_DIM if row.known else _RED)
        fits = max(len(row.envoy), len(row.culvert)) <= value_width and \
            "\n" not in row.envoy + row.culvert and len(row.key) <= key_width
        if fits:
            line = "%s %-*s  %-*s  %s%s" % (mark, key_width, row.key, value_width, row.envoy,
                                            row.culvert, tail)
            return [self._paint(colour, line.rstrip()) if colour else line.rstrip()]
        if row.same and row.envoy == row.culvert and "\n" not in row.envoy:
            return ["   %-*s  %s" % (key_width, row.key, row.envoy)]
        lines = ["%s %s%s" % (mark, row.key, tail)]
        lines += _indented(self._names[0].split()[0], row.envoy)
        lines += _indented(self._names[1].split()[0], row.culvert)
        return [self._paint(colour, line) if colour else line for line in lines]

    def summary(self, results):
        """A table of files, for more than one."""
        width = max(len(result.name) for result in results)
        lines = [self._paint(_RED if result.unknown else _GREEN,
                             "%-*s  %s" % (width, result.name, result.summary()))
                 for result in results]
        return "\n".join(lines) + "\n"


def _indented(name, value):
    parts = value.split("\n")
    return ["     %-8s %s" % (name, parts[0])] + ["     %-8s %s" % ("", part)
                                                  for part in parts[1:]]


def _cell(text):
    if not text:
        return ""
    return "`%s`" % text.replace("|", "\\|").replace("\n", "` <br> `")


def markdown(result, names, everything):
    """One file as a chapter of a page."""
    lines = ["## " + result.name, "", result.summary().capitalize() + "."]
    lines += ["", *("Note: %s." % note for note in result.notes)] if result.notes else []
    for section, rows in _sections(result.rows):
        kept, left_out = _kept(section, rows, everything)
        if kept:
            lines += ["", "| | %s | %s | %s |" % (_TITLES[section], *names), "|---|---|---|---|"]
        for row in kept:
            mark = "" if row.same else "!= " + (row.known or "")
            lines.append("| %s | %s | %s | %s |" % (mark.strip(), _cell(row.key),
                                                    _cell(row.envoy), _cell(row.culvert)))
        if left_out:
            lines += ["", "%s: %s." % (_TITLES[section], _left_out(section, left_out))]
    return "\n".join(lines) + "\n"


def markdown_report(results, names, everything):
    """Many files: a table first, then a chapter for each file that differs."""
    good = sum(not result.unknown for result in results)
    lines = ["# %s beside %s" % names, "",
             "%d files; %d without a difference that is not known." % (len(results), good), "",
             "| file | %s | %s | result |" % names, "|---|---|---|---|"]
    for result in results:
        said = ["serves", "serves"]
        for row in result.rows:
            if row.section == "startup":
                said = [value.split(":")[0] if row.key == "outcome" else "refuses"
                        for value in (row.envoy, row.culvert)]
        lines.append("| %s | %s | %s | %s |" % (result.name, *said, result.summary()))
    chapters = [markdown(result, names, everything)
                for result in results if everything or result.differences]
    return "\n".join(lines) + "\n\n" + "\n".join(chapters)


def as_json(results, names):
    """All rows of all files."""
    return json.dumps({
        "envoy": names[0], "culvert": names[1],
        "files": [{
            "file": result.name, "notes": result.notes,
            "differences": len(result.differences), "unknown": len(result.unknown),
            "rows": [row._asdict() for row in result.rows],
        } for result in results],
    }, indent=1) + "\n"
