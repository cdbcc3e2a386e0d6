#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one file of cases where Bazel starts its tests: at the root of the runfiles.
export PYTHONPATH="$PWD/tools/lib:$PWD/test/corpus" PYTHONDONTWRITEBYTECODE=1
exec python3 "$1"
