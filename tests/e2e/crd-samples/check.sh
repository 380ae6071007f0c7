#!/bin/sh
# Tries the samples against the API server of $KUBECONFIG: check.sh KUBECTL. See README.md.
set -u

kubectl=${1:?usage: check.sh KUBECTL}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
crds=$here/../../../crds
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

fail() {
    failed=$((failed + 1))
    printf 'FAIL %s: %s\n' "$1" "$2"
}

send() {
    "$kubectl" apply --server-side --validate=strict -f "$1" 2>&1
}

# Writes the documents of a file to $work/1.yaml, $work/2.yaml, ...; prints how many.
split() {
    rm -f "$work"/*.yaml
    awk -v dir="$work" 'BEGIN { n = 1 } /^---$/ { n++; next } { print > (dir "/" n ".yaml") } END { print n }' "$1"
}

forget() {
    "$kubectl" delete --ignore-not-found --wait=true -f "$1" >/dev/null 2>&1
}

out=$("$kubectl" apply --server-side --force-conflicts -f "$crds" 2>&1) || {
    printf 'FAIL crds: %s\n' "$out"
    exit 1
}
case $out in
*[Ww]arning*) fail crds "$out" ;;
esac
for crd in "$crds"/*.yaml; do
    "$kubectl" wait --for=condition=Established --timeout=60s -f "$crd" >/dev/null || fail "$crd" 'not Established'
    problem=$("$kubectl" get -f "$crd" -o 'jsonpath={.status.conditions[?(@.type=="NonStructuralSchema")].message}')
    [ -z "$problem" ] || fail "$crd" "$problem"
done
# Installed but not served yet: the kinds appear in discovery shortly after.
"$kubectl" get lattices,latticehosts,wasmactors,wasmproviders >/dev/null || exit 1

for file in "$here"/good/*.yaml; do
    name=good/$(basename "$file")
    n=$(split "$file")
    ok=1
    i=1
    while [ "$i" -le "$n" ]; do
        out=$(send "$work/$i.yaml") || {
            fail "$name" "document $i is refused: $out"
            ok=0
        }
        i=$((i + 1))
    done
    forget "$file"
    passed=$((passed + ok))
done

for file in "$here"/bad/*.yaml; do
    name=bad/$(basename "$file")
    expect=$(sed -n '1s/^# expect: //p' "$file")
    n=$(split "$file")
    ok=1
    i=1
    while [ "$i" -lt "$n" ]; do
        out=$(send "$work/$i.yaml") || {
            fail "$name" "document $i is refused: $out"
            ok=0
        }
        i=$((i + 1))
    done
    if [ -z "$expect" ]; then
        fail "$name" 'its first line is not "# expect: TEXT"'
        ok=0
    elif out=$(send "$work/$n.yaml"); then
        fail "$name" "is accepted: $out"
        ok=0
    else
        case $out in
        *"$expect"*) ;;
        *)
            fail "$name" "expected \"$expect\", got: $out"
            ok=0
            ;;
        esac
    fi
    [ "$n" = 1 ] && [ "$ok" = 1 ] || forget "$file"
    passed=$((passed + ok))
done

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
