# SPDX-License-Identifier: Apache-2.0
"""Envoy and Culvert on one file under one script: the rows that differ, and those that do not."""

from typing import NamedTuple

from lab import known, observe

SECTIONS = ["startup", "clients", "backends", "counters", "log", "clusters", "listeners", "end"]
_PAGES = {"counters", "clusters", "listeners"}
ABSENT = "(absent)"


class Row(NamedTuple):
    section: str
    key: str
    envoy: str
    culvert: str
    same: bool
    known: str  # the id of a known difference, or None


class Comparison:
    """The rows of one file. `rows` is in reading order; a row that differs says if it is known."""

    def __init__(self, name, rows, notes):
        self.name = name
        self.rows = rows
        self.notes = notes
        self.differences = [row for row in rows if not row.same]
        self.unknown = [row for row in self.differences if row.known is None]

    def summary(self):
        count = len(self.differences)
        text = "1 difference" if count == 1 else "%d differences" % count
        listed = sorted({row.known for row in self.differences if row.known})
        if listed:
            text += ", %d of them known: %s" % (count - len(self.unknown), ", ".join(listed))
        return text


def compare(path, envoy, culvert, options):
    """Runs both on the file. Again, up to options.tries times, while they seem to differ:

    a value counts as different only if no run of Envoy and no run of Culvert had one in common,
    so that what Envoy itself does by chance is no difference.
    """
    rows_known = known.read()
    plan = observe.Plan(path, options.traffic, options.refuse, options.move)
    try:
        layout = observe.probe(plan, envoy)
        if layout and not layout.listeners:
            plan.notes.append("the file has no listener that a client could reach")
        theirs, ours = [], []
        for _ in range(options.tries):
            theirs.append(observe.observe(plan, layout, envoy, options.all))
            ours.append(observe.observe(plan, layout, culvert, options.all))
            rows = _rows(theirs, ours, rows_known)
            if all(row.same or row.known for row in rows):
                break
        return Comparison(plan.name, rows, plan.notes)
    finally:
        plan.close()


def _rows(theirs, ours, rows_known):
    startup = _startup_rows(theirs[0], ours[0])
    if startup is not None:
        rows = startup
    else:
        keys = dict.fromkeys(key for seen in theirs + ours for key in seen.rows)
        if any(seen.failed for seen in theirs + ours):
            keys = [key for key in keys if key[0] not in _PAGES]
        ordered = sorted(keys, key=lambda key: SECTIONS.index(key[0]))
        rows = [_row(key, theirs, ours) for key in ordered]
    return [row if row.same else row._replace(known=known.find(rows_known, *row[:4]))
            for row in rows]


def _row(key, theirs, ours):
    envoy = [seen.rows.get(key, ABSENT) for seen in theirs]
    culvert = [seen.rows.get(key, ABSENT) for seen in ours]
    return Row(*key, _shown(envoy), _shown(culvert), bool(set(envoy) & set(culvert)), None)


def _shown(values):
    return " or ".join(dict.fromkeys(values))


def _startup_rows(envoy, culvert):
    """Rows about a file that at least one of them refuses; None if both serve it."""
    if not envoy.refused and not culvert.refused:
        return None
    said = [_outcome(seen) for seen in (envoy, culvert)]
    if not (envoy.refused and culvert.refused):
        return [Row("startup", "outcome", *said, False, None)]
    statuses = [str(seen.refused[0]) for seen in (envoy, culvert)]
    # Culvert says where before Envoy's sentence; the same reason is what counts.
    same_reason = envoy.refused[1] in culvert.refused[1]
    return [
        Row("startup", "exit status", *statuses, statuses[0] == statuses[1], None),
        Row("startup", "reason", envoy.refused[1], culvert.refused[1], same_reason, None),
    ]


def _outcome(seen):
    return "refuses: " + seen.refused[1] if seen.refused else "serves"
