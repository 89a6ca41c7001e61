#!/usr/bin/env bash
# Runs each fuzz target of the library for a while, one after another: scripts/fuzz.sh [duration].
set -euo pipefail
cd "$(dirname "$0")/.."
for dir in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do
	for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -c6-); do
		echo "== $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-20s}" "./$dir"
	done
done
