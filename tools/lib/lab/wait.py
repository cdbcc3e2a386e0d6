# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, never for a time."""

import time

_STEP_S = 0.01


def until(condition, within_s, what):
    """Returns the condition's first true value; AssertionError after within_s."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %g s in vain for %s" % (within_s, what))
        time.sleep(_STEP_S)
