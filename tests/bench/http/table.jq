# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The rows of summary.jq for people. "detached": weir without XDP on its interface.

def pad($n): tostring | . + " " * ([$n - length, 1] | max);
def lpad($n): (. // "-") | tostring | " " * ([$n - length, 1] | max) + .;
def figure($who): .medians[$who] | if . then round else . end | lpad(9);

"row            unit                weir  haproxy   splice    nginx   ratio  goal  verdict   detached  ratio",
(.[] | (.row | pad(15)) + (.unit | pad(14))
	+ figure("weir") + figure("haproxy") + figure("haproxy-splice") + figure("nginx")
	+ (.ratio | lpad(8)) + (.goal | lpad(6)) + "  " + (.verdict | pad(8))
	+ figure("weir-detached") + (.detached | lpad(8))
	+ (if .medians["weir-copy"] then "  copy " + figure("weir-copy") + ", splice" + figure("weir-splice") else "" end)
	+ (if .row == "rules" then "  ten \(.medians["weir-10"] | round), a thousand \(.medians["weir-1000"] | round)" else "" end))
