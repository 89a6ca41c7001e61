#!/usr/bin/env bash
# Runs each fuzz target of the library for a while, two beside each other: scripts/fuzz.sh [duration].
# With -keep what the fuzzer found interesting becomes part of the tests, in testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=
if [ "${1-}" = -keep ]; then
	keep=yes
	shift
fi
export duration=${1:-20s} keep

# one DIR TARGET: fuzzes one target and prints what came of it, in one piece.
one() {
	local out code=0 cache
	out=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$duration" -parallel 1 "$1" 2>&1) || code=$?
	if [ $code != 0 ] && grep -A2 -- "^--- FAIL: $2 " <<<"$out" | sed -n '2,3p' | paste -sd'|' | grep -qx '    context deadline exceeded|FAIL'; then
		# A race in Go's fuzzer, mended in Go 1.27 (golang/go#75804): it takes the end of -fuzztime for a failure. A finding
		# says something else, and names its input.
		out+=$'\n(the time was up; nothing was found)'
		code=0
	fi
	printf '== %s %s\n%s\n' "$1" "$2" "$(tail -n $([ $code = 0 ] && echo 4 || echo 40) <<<"$out")"
	if [ -n "$keep" ]; then
		cache=$(go env GOCACHE)/fuzz/$(go list "$1")/$2
		mkdir -p "$1/testdata/fuzz/$2"
		[ ! -d "$cache" ] || cp -n "$cache"/* "$1/testdata/fuzz/$2/" 2>/dev/null || true
	fi
	return $code
}
export -f one

git ls-files '*_test.go' | xargs grep -o '^func Fuzz[A-Za-z0-9_]*' | sed -E 's|^([^:]*/)?[^/:]*:func |./\1 |' |
	xargs -n2 -P2 bash -c 'one "${0%/}" "$1" || exit 1'
