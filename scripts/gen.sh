#!/usr/bin/env bash
# Generates the Kitex code of the demo (idl/*.thrift) and of Muster's own tests (internal/echo/echo.thrift).
#
#   scripts/gen.sh          writes it into the tree, and removes what no IDL asks for any more
#   scripts/gen.sh -check   writes nothing; fails, with the difference, where the committed code is stale
#
# The generator is the one that demo/go.mod pins as a tool. Only folders named kitex_gen are touched, never a handler.
set -euo pipefail

cd "$(dirname "$0")/.."

case "${1-}" in
"") check= ;;
-check) check=1 ;;
*)
	echo "usage: scripts/gen.sh [-check]" >&2
	exit 2
	;;
esac

# All is made in a copy of the tree's shape, and moved in only once it is complete: a failure leaves the tree as it was,
# and what is stale can't stay behind.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/demo" "$work/internal/echo"
cp -R idl "$work/idl"
cp internal/echo/echo.thrift "$work/internal/echo/"
echo "module github.com/muster-go/muster" >"$work/go.mod"
echo "module github.com/muster-go/muster/demo" >"$work/demo/go.mod"

# "go tool" runs only inside the module that pins the tool, and the generator writes where it stands.
kitex=$(go -C demo tool -n github.com/cloudwego/kitex/tool/cmd/kitex)

generate() { # folder module idl...
	local dir=$1 module=$2 idl
	shift 2
	for idl in "$@"; do
		if ! (cd "$work/$dir" && GOWORK=off "$kitex" -module "$module" -gen-path kitex_gen "$idl") >"$work/log" 2>&1; then
			cat "$work/log" >&2
			echo "gen.sh: $dir: $idl: the generator failed" >&2
			exit 1
		fi
	done
}

generate demo github.com/muster-go/muster/demo ../idl/user.thrift ../idl/order.thrift
generate internal/echo github.com/muster-go/muster echo.thrift

status=0
for dir in demo internal/echo; do
	if [ -n "$check" ]; then
		diff -ru "$dir/kitex_gen" "$work/$dir/kitex_gen" || status=1
	else
		rm -rf "$dir/kitex_gen"
		mv "$work/$dir/kitex_gen" "$dir/kitex_gen"
	fi
done
if [ "$status" != 0 ]; then
	echo "gen.sh: the generated code is stale: run scripts/gen.sh and commit what it writes" >&2
fi
exit "$status"
