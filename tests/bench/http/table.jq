# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The rows of summary.jq for people. Where there are two lines, the first is of all behind a program
# on their interface, the second of all without one.

def pad($n): tostring | . + " " * ([$n - length, 1] | max);
def lpad($n): (. // "-") | tostring | " " * ([$n - length, 1] | max) + .;
def figure($who): .medians[$who] | if . then round else . end | lpad(9);
# Without a program where no other figure was taken.
def behind($who): if .medians[$who + "-xdp"] then figure($who + "-xdp") else figure($who) end;

"row            unit                weir  haproxy   splice    nginx   ratio  goal  verdict",
(.[] | (.row | pad(15)) + (.unit | pad(14))
	+ figure(.who) + behind("haproxy") + behind("haproxy-splice") + behind("nginx")
	+ (.ratio | lpad(8)) + (.goal | lpad(6)) + "  " + (.verdict | pad(8))
	+ (if .medians["weir-copy"] then "copy " + figure("weir-copy") + ", splice" + figure("weir-splice") else "" end)
	+ (if .row == "rules" then "ten \(.medians["weir-10"] | round), a thousand \(.medians["weir-1000"] | round)" else "" end),
(select(.detached) | ("  without XDP" | pad(29))
	+ figure("weir-detached") + figure("haproxy") + figure("haproxy-splice") + figure("nginx")
	+ (.detached | lpad(8)) + "        weir alone with it: \(.alone)"))
