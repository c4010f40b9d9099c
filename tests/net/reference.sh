#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what is generated from the tables is right: the JSON Schema gives every configuration of
# tests/corpus the verdict of `weir check`, and refuses no changed one that weir takes; completion
# works in bash and is sound in zsh and fish; the manual pages pass mandoc, name every verb and key,
# and `make install` puts all of it where it belongs.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

LAB_DIR=$(mktemp -d)
trap 'rm -rf "$LAB_DIR"' EXIT
cd "$ROOT"

# ---- the schema ----
/usr/bin/python3 tests/lib/schema.py "$WEIR" tests/corpus 20261122 1000 >"$LAB_DIR/schema.out"
if (($(wc -l <"$LAB_DIR/schema.out") == 1)); then
	ok "weir schema and weir check agree: $(cat "$LAB_DIR/schema.out")"
else
	fail "weir schema and weir check disagree"
	head -n 20 "$LAB_DIR/schema.out"
fi

# ---- completion ----
for shell in bash zsh fish; do
	"$WEIR" completion $shell >"$LAB_DIR/weir.$shell"
done
check "bash reads its completion" bash -n "$LAB_DIR/weir.bash"
check "zsh reads its completion" zsh -n "$LAB_DIR/weir.zsh"
check "fish reads its completion" fish --no-execute "$LAB_DIR/weir.fish"

# completed WORD...: what bash offers for the last word, sorted, on one line.
completed() {
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir
		printf "%s\n" "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd " "' _ "$LAB_DIR/weir.bash" "$@"
}

# completes WANTED WORD...
completes() {
	local wanted=$1 got
	shift
	got=$(completed "$@")
	[[ $got == "$wanted" ]] && ok "bash completes '$*'" || fail "bash completes '$*' to '$got'"
}
completes "schema set show stats" weir s
completes "--generic" weir run --g
completes "drain" weir -N "$LAB" dr
completes "drops" weir show dr
completes "bash" weir completion b
completes "tests/corpus/good.yaml" weir check tests/corpus/g
completes "lo" weir attach lo
cat >"$LAB_DIR/zsh-test" <<-'END'
	compdef() { :; }
	compadd() { shift; print -l -- "$@"; }
	_files() { print FILES; }
	. "$1"
	words=(weir check '') CURRENT=3
	_weir
END
check "zsh offers files behind check" \
	bash -c "zsh -f '$LAB_DIR/zsh-test' '$LAB_DIR/weir.zsh' | grep -qx FILES"
check "fish offers verbs" bash -c \
	"fish -c '. $LAB_DIR/weir.fish; complete -C \"weir undr\"' | grep -q '^undrain.*again'"

# ---- the manual, as it is installed ----
make -s SAN=1 O="$BUILD" DESTDIR="$LAB_DIR/root" PREFIX=/usr install >"$LAB_DIR/install.out" 2>&1 ||
	fail "make install: $(tail -n 3 "$LAB_DIR/install.out")"
SHARE=$LAB_DIR/root/usr/share
for file in sbin/weir share/man/man8/weir.8 share/man/man5/weir.yaml.5 share/man/man7/weir-metrics.7 \
	share/bash-completion/completions/weir share/zsh/site-functions/_weir \
	share/fish/vendor_completions.d/weir.fish; do
	check "make install: $file" test -s "$LAB_DIR/root/usr/$file"
done
for page in man8/weir.8 man5/weir.yaml.5 man7/weir-metrics.7; do
	mandoc -Tlint -Wwarning "$SHARE/man/$page" >"$LAB_DIR/lint" 2>&1 || true
	check "mandoc has no warning about $page" test ! -s "$LAB_DIR/lint"
	check "man shows $page" bash -c "man -l --warnings '$SHARE/man/$page' 2>&1 >/dev/null | (! grep .)"
done
mandoc -Tutf8 "$SHARE/man/man8/weir.8" | col -b >"$LAB_DIR/weir.8"
mandoc -Tutf8 "$SHARE/man/man5/weir.yaml.5" | col -b >"$LAB_DIR/weir.yaml.5"
missing=
for verb in $("$WEIR" help | awk '/^  [a-z]/ { print $1 }'); do
	grep -qE "^ +$verb( |$)" "$LAB_DIR/weir.8" || missing+=" $verb"
done
[[ -z $missing ]] && ok "weir(8) names every verb" || fail "weir(8) lacks:$missing"
missing=
for key in $("$WEIR" schema | jq -r '[.. | .properties? // empty | keys[]] | unique[]'); do
	grep -qE "^ +$key( |$)" "$LAB_DIR/weir.yaml.5" || missing+=" $key"
done
[[ -z $missing ]] && ok "weir.yaml(5) names every key" || fail "weir.yaml(5) lacks:$missing"
((FAILURES == 0))
