# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Measurements of `make bench-http`, to a line of JSON per row: the medians of each contestant, and
# the median of the ratios of weir's to the best other one's in each round.

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# Goals; where less is better, a ratio is to be at most that. A row may be of another's measurements,
# for another than weir as it comes.
def rows: [
	{ row: "128-c8", unit: "requests/cpu-s" },
	{ row: "128-c32", unit: "requests/cpu-s", goal: 1.25 },
	{ row: "128-c32-routed", of: "128-c32", who: "weir-routed", unit: "requests/cpu-s", goal: 1.7 },
	{ row: "128-c128", unit: "requests/cpu-s" },
	{ row: "128-one-core", unit: "requests/s", goal: 1.0 },
	{ row: "16k-c32", unit: "requests/cpu-s", goal: 1.2 },
	{ row: "1m-c8", unit: "requests/cpu-s", goal: 1.1 },
	{ row: "rules", unit: "requests/cpu-s", goal: 1.1, less: true },
	{ row: "p99", unit: "us", goal: 1.0, less: true },
	{ row: "idle", unit: "B", goal: 0.5, less: true }
];

# Of one round, {who: figure}: weir beside the best other one, with or without a program. Memory is
# compared with HAProxy's, and what a thousand rules cost with what ten do.
def ratio($row; $who; $xdp):
	if $row.row == "rules" then .["weir-10"] / .["weir-1000"]
	elif $row.row == "idle" then .weir / .haproxy
	else .[$who] / ([to_entries[] | select(.key | startswith("weir") | not)
			| select((.key | endswith("-xdp")) == $xdp) | .value]
		| if $row.less then min else max end) end;

def ratios($row; $who; $xdp): group_by(.round)
	| map(map({ key: .who, value: .figure }) | from_entries | ratio($row; $who; $xdp)) | median
	| . * 1000 | round / 1000;

. as $all | rows[] | . as $row
| [$all[] | select(.row == ($row.of // $row.row))]
| select(length > 0)
| . as $measured
| any($measured[]; .who == "weir-detached") as $both
| ($measured | ratios($row; $row.who // "weir"; $both)) as $ratio
| { row: $row.row, unit: $row.unit,
    medians: ($measured | group_by(.who) | map({ key: .[0].who, value: (map(.figure) | median) }) | from_entries),
    ratio: $ratio, goal: $row.goal,
    who: ($row.who // "weir"),
    detached: (if $both and ($row.who | not) then $measured | ratios($row; "weir-detached"; false) else null end),
    alone: (if $both and ($row.who | not) then $measured | ratios($row; "weir"; false) else null end),
    verdict: (if $row.goal == null then "-"
	elif $row.less then (if $ratio <= $row.goal then "holds" else "over" end)
	elif $ratio >= $row.goal then "holds" else "under" end) }
