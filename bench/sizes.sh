#!/bin/sh
# Stripped sizes of the two programs of the release build, and what they are linked to.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${1:-$here/build-release}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for program in wasmctl wasm-operator; do
    strip -o "$tmp/$program" "$build/$program"
    printf '%-14s %8d bytes stripped\n' "$program" "$(wc -c <"$tmp/$program")"
done
