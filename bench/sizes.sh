#!/bin/sh
# Stripped sizes of the two programs of the release build, and of the operator image made of it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${1:-$here/build-release}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for program in wasmctl wasm-operator; do
    strip -o "$tmp/$program" "$build/$program"
    printf '%-14s %8d bytes stripped\n' "$program" "$(wc -c <"$tmp/$program")"
done
printf 'operator image: '
"$here/deploy/image.py" --binary "$build/wasm-operator" --output "$tmp/image.tar"
