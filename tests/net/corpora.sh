#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what fuzzers have found, and what they begin with, is read without a complaint, under ASan
# and UBSan: each input of tests/fuzz once. `make fuzz` looks for more.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/fuzz/run replay
