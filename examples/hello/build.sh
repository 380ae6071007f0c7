#!/bin/sh
# Builds the actor hello from source: C -> WebAssembly module -> WebAssembly component.
#
# Usage: build.sh [--greeting TEXT] OUT.wasm
#
#   --greeting TEXT   what it says when the configuration key "greeting" is not set
#
# Needed: clang (14 or newer) with lld, wasi-libc, compiler-rt for wasm32, Node.js 18 or newer with npm. On Debian 12:
#   apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 nodejs npm
# CLANG names another compiler. The tool that makes components, jco, is installed once into the cache folder
# (WASMCTL_CACHE, else XDG_CACHE_HOME/wasmctl, else ~/.cache/wasmctl). Nothing is done when OUT.wasm is up to date.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
toolchain=$here/../toolchain
cache=${WASMCTL_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/wasmctl}

die() {
    printf 'examples/hello/build.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p;}' "$0"
}

greeting=''
out=''
while [ $# -gt 0 ]; do
    case $1 in
    --greeting)
        [ $# -ge 2 ] || die '--greeting needs a text'
        greeting=$2
        shift
        ;;
    --greeting=*) greeting=${1#*=} ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*) die "unknown option \"$1\" (see --help)" ;;
    *)
        [ -z "$out" ] || die "one output file only, not \"$out\" and \"$1\""
        out=$1
        ;;
    esac
    shift
done
[ -n "$out" ] || die 'which file to write? Usage: build.sh [--greeting TEXT] OUT.wasm'
# The text becomes a C string.
case $greeting in
*[\"\\]*) die 'the greeting must not contain quotes or backslashes' ;;
*[![:print:]]*) die 'the greeting must be printable text on one line' ;;
esac

# A greeting is part of what the file was made from, so it is kept beside it.
stamp=$out.greeting
up_to_date() {
    [ -s "$out" ] && [ -f "$stamp" ] || return 1
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$greeting" ] || return 1
    [ -z "$(find "$here" "$toolchain" -type f \( -name '*.c' -o -name '*.h' -o -name '*.wit' -o -name '*.sh' \
        -o -name '*.mjs' -o -name 'package*.json' \) -newer "$out" 2>/dev/null)" ]
}
if up_to_date; then
    echo "$out is up to date"
    exit 0
fi

find_clang() {
    for name in ${CLANG:-clang-14 clang clang-19 clang-18 clang-17 clang-16 clang-15}; do
        if command -v "$name" >/dev/null 2>&1; then
            echo "$name"
            return 0
        fi
    done
    return 1
}
clang=$(find_clang) || die "no C compiler for WebAssembly (${CLANG:-clang-14}): apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32"
command -v node >/dev/null 2>&1 || die 'node is not there: apt-get install nodejs npm (Node.js 18 or newer)'
node_major=$(node -p 'process.versions.node.split(".")[0]') || die 'node does not run'
[ "$node_major" -ge 18 ] || die "Node.js 18 or newer is needed, this one is $(node --version)"

jco_version=$(sed -n 's/.*"@bytecodealliance\/jco": "\([^"]*\)".*/\1/p' "$toolchain/package.json")
[ -n "$jco_version" ] || die "$toolchain/package.json does not name the version of jco"
jco_home=$cache/jco-$jco_version
jco=$jco_home/node_modules/@bytecodealliance/jco

work=''
clean_up() {
    [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

install_jco() {
    command -v npm >/dev/null 2>&1 || die 'npm is not there: apt-get install npm'
    echo "installing jco $jco_version (once) into $jco_home"
    mkdir -p "$cache" || die "cannot create $cache"
    work=$(mktemp -d "$cache/jco.XXXXXX") || die "cannot write to $cache"
    cp "$toolchain/package.json" "$toolchain/package-lock.json" "$toolchain/.npmrc" "$toolchain/component.mjs" "$work/"
    # Not npm ci: it insists on the native packages of all platforms, of which none is needed here.
    (cd "$work" && npm install --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error) ||
        die "npm could not install jco $jco_version (see above): check the network and npm's registry, then run this again"
    # Another run may have been quicker: its result is as good.
    if [ ! -d "$jco" ]; then
        rm -rf "$jco_home"
        mv "$work" "$jco_home" || [ -d "$jco" ] || die "cannot create $jco_home"
        # mv into a folder that appeared this moment
        rm -rf "$jco_home/${work##*/}"
    fi
    rm -rf "$work"
    work=''
}
[ -d "$jco" ] || install_jco
cmp -s "$toolchain/component.mjs" "$jco_home/component.mjs" || cp "$toolchain/component.mjs" "$jco_home/"

mkdir -p "$(dirname -- "$out")" || die "cannot create the folder of $out"
work=$(mktemp -d)

set --
[ -z "$greeting" ] || set -- "-DGREETING=\"$greeting\""
echo "compiling with $clang"
"$clang" --target=wasm32-wasi -mexec-model=reactor -std=gnu11 -Oz -Wall -Wextra -Werror -ffunction-sections -fdata-sections \
    "$@" -Wl,--gc-sections -Wl,--strip-all -o "$work/module.wasm" "$here/hello.c" "$here/wasi.c" ||
    die "compiling failed; if a header, libclang_rt or wasm-ld is missing: apt-get install lld-14 wasi-libc libclang-rt-14-dev-wasm32"

echo 'making the component'
node "$jco_home/component.mjs" "$work/module.wasm" hello "$work/component.wasm" "$here/wit/hello.wit" "$here/wit/config.wit" ||
    die 'the component could not be made (see above)'

# The rename comes last: a half-written file is never taken for a finished one.
rm -f "$stamp"
cp "$work/component.wasm" "$out.new"
mv "$out.new" "$out"
printf '%s' "$greeting" >"$stamp"
echo "wrote $out ($(wc -c <"$out" | tr -d ' ') bytes)"
