#!/bin/sh
# Installs wasmctl and wasm-operator, shows them at work, or runs every test. See --help.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
cd "$here" || exit 1
cache=${WASMCTL_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/wasmctl}
logs=$cache/log
began=$(date +%s)
parts_pid=''

# A Go that is new enough to fetch the right one itself, for machines whose own is older.
go_toolchain=golang.org/toolchain@v0.0.1-go1.26.8
go_least=1.21
rust_least=1.89
node_least=18

packages_build='build-essential cmake ninja-build pkg-config libcurl4-openssl-dev libcjson-dev libyaml-dev libnats-dev
libuv1-dev libmicrohttpd-dev libssl-dev libpcre2-dev libncurses-dev'
packages_parts='util-linux procps ca-certificates'
packages_actor='clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32'
packages_demo='curl'
packages_fuzz='clang-14 libclang-rt-14-dev'
packages_test='libcmocka-dev python3 valgrind curl openssl git tmux ncurses-term'

usage() {
    cat <<USAGE
Usage: ./install.sh [COMMAND] [--prefix DIR]

  (none)     build and install wasmctl and wasm-operator (into ~/.local, or /usr/local as root)
  demo       install what is missing, build, start a local environment and run an actor in it
  test       install what is missing, build and run every test
  parts      build the real parts of the local environment (kube-apiserver, etcd, nats-server, wasmCloud host)
  uninstall  remove what was installed
  help       print this text

  --prefix DIR   where to install

Parts and tools are kept in $cache and built once.
USAGE
}

elapsed() {
    elapsed_seconds=$(($(date +%s) - began))
    printf '%d:%02d' $((elapsed_seconds / 60)) $((elapsed_seconds % 60))
}

say() {
    printf '[%s] %s\n' "$(elapsed)" "$*"
}

die() {
    printf '[%s] FAILED: %s\n' "$(elapsed)" "$*" >&2
    exit 1
}

# run LOG TEXT COMMAND...: output goes to the log; a failure names the command, its status and the end of the log.
run() {
    run_log=$logs/$1.log
    run_text=$2
    shift 2
    mkdir -p "$logs" || die "cannot create $logs"
    say "$run_text"
    "$@" >"$run_log" 2>&1 && return 0
    run_code=$?
    {
        printf '[%s] FAILED: %s\n' "$(elapsed)" "$run_text"
        printf '  command: %s\n  status:  %s\n  log:     %s, which ends with:\n' "$*" "$run_code" "$run_log"
        tail -n 20 "$run_log" | sed 's/^/    /'
        if grep -q 'No space left on device' "$run_log"; then
            echo "  the disk is full: free some space, then run this again; it goes on where it stopped"
        fi
    } >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_debian12() {
    [ -r /etc/os-release ] && (
        # shellcheck disable=SC1091
        . /etc/os-release
        [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ]
    )
}

have_package() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt_updated=''
# Debian packages that are missing are installed; elsewhere the user is told what is needed.
need_packages() {
    missing=''
    command -v dpkg-query >/dev/null 2>&1 ||
        die "this is not Debian: install what these Debian packages hold, then build with cmake --preset dev: $*"
    for package in "$@"; do
        have_package "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    is_debian12 || say "this is not Debian 12: package names may differ"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
        die "missing packages; as root run: apt-get install -y$missing"
    fi
    if [ -z "$apt_updated" ]; then
        run apt-update "fetching the list of packages" as_root apt-get update
        apt_updated=1
    fi
    # shellcheck disable=SC2086 # a list of words
    run apt-install "installing packages:$missing" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing
}

# reaches HAVE LEAST: versions as numbers with dots.
reaches() {
    awk -v have="$1" -v least="$2" 'BEGIN {
        split(have, h, "."); split(least, l, ".")
        for (i = 1; i <= 3; i++) {
            if (h[i] + 0 > l[i] + 0) exit 0
            if (h[i] + 0 < l[i] + 0) exit 1
        }
        exit 0
    }'
}

go_version() {
    (cd / && GOTOOLCHAIN=local go version 2>/dev/null) | sed -n 's/^go version go\([0-9.]*\).*/\1/p'
}

need_go() {
    if reaches "$(go_version)" "$go_least"; then
        return
    fi
    # An old Go can still fetch a newer one as a module.
    command -v go >/dev/null 2>&1 || need_packages golang-go
    case $(uname -m) in
    x86_64) go_arch=amd64 ;;
    aarch64) go_arch=arm64 ;;
    *) die "Go $go_least or newer is needed; install it and run this again" ;;
    esac
    go_home=$cache/go
    if [ ! -x "$go_home/bin/go" ]; then
        rm -rf "$go_home.new" "$go_home"
        mkdir -p "$go_home.new" || die "cannot create $go_home.new"
        run go-toolchain "fetching Go ($go_toolchain)" sh -c "cd '$go_home.new' && \
            GOFLAGS=-mod=mod GONOSUMDB=golang.org/toolchain go mod download -json '$go_toolchain.linux-$go_arch' >download.json && \
            cp -R \"\$(sed -n 's/.*\"Dir\": \"\\(.*\\)\".*/\\1/p' download.json)/.\" . && chmod -R u+w . && \
            chmod +x bin/* pkg/tool/*/*"
        mv "$go_home.new" "$go_home" || die "cannot move $go_home.new into place"
    fi
    PATH=$go_home/bin:$PATH
    export PATH
    reaches "$(go_version)" "$go_least" || die "Go $go_least or newer is needed; install it and run this again"
}

rust_version() {
    (cd / && rustc --version 2>/dev/null) | sed -n 's/^rustc \([0-9.]*\).*/\1/p'
}

need_rust() {
    if [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
        export PATH
    fi
    if command -v cargo >/dev/null 2>&1 && reaches "$(rust_version)" "$rust_least"; then
        return
    fi
    # Debian keeps a current compiler for its browsers.
    need_packages rustc-web cargo-web
    reaches "$(rust_version)" "$rust_least" || die "Rust $rust_least or newer is needed (install it with rustup), found $(rust_version)"
}

need_node() {
    command -v node >/dev/null 2>&1 || need_packages nodejs
    command -v npm >/dev/null 2>&1 || need_packages npm
    node_version=$(node --version 2>/dev/null | sed 's/^v//')
    reaches "$node_version" "$node_least" || die "Node.js $node_least or newer is needed, found $node_version"
}

# The parts take longest, so they are begun first and awaited last.
begin_parts() {
    # shellcheck disable=SC2086
    need_packages $packages_parts
    parts_missing=$(dev/parts/build.sh --list | grep -cv ' ready' || true)
    [ "$parts_missing" != 0 ] || return 0
    need_go
    need_rust
    say "building the real parts in the background (once; about 15 minutes on two cores)"
    dev/parts/build.sh &
    parts_pid=$!
}

finish_parts() {
    [ -n "$parts_pid" ] || return 0
    say "waiting for the real parts"
    wait "$parts_pid" || die "a part was not built; see above, then run this again: what was built is kept"
    parts_pid=''
}

# Ctrl-C ends what runs in the background too.
interrupted() {
    trap '' INT TERM
    [ -z "$parts_pid" ] || kill -TERM "$parts_pid" 2>/dev/null
    wait
    exit 130
}
trap interrupted INT TERM

# build PRESET
build() {
    run "configure-$1" "configuring ($1)" cmake --preset "$1"
    run "build-$1" "building ($1)" cmake --build --preset "$1"
}

build_hello() {
    # shellcheck disable=SC2086
    need_packages $packages_actor
    need_node
    hello=$cache/examples/hello.wasm
    mkdir -p "$cache/examples"
    run hello "building the actor hello from source" examples/hello/build.sh "$hello"
}

do_install() {
    # shellcheck disable=SC2086
    need_packages $packages_build
    if [ -z "$prefix" ]; then
        [ "$(id -u)" = 0 ] && prefix=/usr/local || prefix=$HOME/.local
    fi
    build release
    run install "installing into $prefix" cmake --install build-release --prefix "$prefix" --strip
    for program in kubectl-wasm kubectl_complete-wasm; do
        ln -sf wasmctl "$prefix/bin/$program" || die "cannot write $prefix/bin/$program"
    done
    say "installed $prefix/bin/wasmctl, $prefix/bin/wasm-operator and $prefix/bin/kubectl-wasm,"
    say "the manual (man wasmctl) and the completions of bash, zsh and fish in $prefix/share"
    # The other shells and prefixes look there by themselves.
    case ${SHELL:-} in
    */zsh)
        [ "$prefix" = /usr/local ] ||
            say "for zsh add this to ~/.zshrc before compinit: fpath=($prefix/share/zsh/site-functions \$fpath)"
        ;;
    esac
    case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) say "$prefix/bin is not in PATH: add it" ;;
    esac
}

do_uninstall() {
    if [ -z "$prefix" ]; then
        [ "$(id -u)" = 0 ] && prefix=/usr/local || prefix=$HOME/.local
    fi
    for file in bin/wasmctl bin/wasm-operator bin/kubectl-wasm bin/kubectl_complete-wasm \
        share/bash-completion/completions/wasmctl share/zsh/site-functions/_wasmctl \
        share/fish/vendor_completions.d/wasmctl.fish share/man/man1/wasmctl.1; do
        if [ -e "$prefix/$file" ] || [ -L "$prefix/$file" ]; then
            rm -f "$prefix/$file" || die "cannot remove $prefix/$file"
            say "removed $prefix/$file"
        fi
    done
    # Plugins may have pages of such names too: ours name the program.
    for page in "$prefix"/share/man/man1/wasmctl-*.1; do
        if [ -f "$page" ] && head -n 1 "$page" | grep -q '"wasmctl [^"]*" "wasmctl"$'; then
            rm -f "$page" || die "cannot remove $page"
        fi
    done
}

do_demo() {
    begin_parts
    # shellcheck disable=SC2086
    need_packages $packages_build $packages_demo
    if [ ! -f build/CMakeCache.txt ]; then
        run configure-dev "configuring" cmake --preset dev -DWASMCTL_TESTS=OFF
    fi
    run build-dev "building wasmctl and wasm-operator" cmake --build --preset dev --target wasmctl wasm-operator
    build_hello
    finish_parts
    trap - INT TERM
    exec dev/demo.sh "$here/build/wasmctl" "$hello"
}

# Adds the counts of a CTest result file to the totals.
count_results() {
    set -- "$(sed -n 's/.*<testsuite .*tests="\([0-9]*\)".*/\1/p; s/^[[:space:]]*tests="\([0-9]*\)".*/\1/p' "$1" | head -n 1)" \
        "$(sed -n 's/.*failures="\([0-9]*\)".*/\1/p' "$1" | head -n 1)" \
        "$(sed -n 's/.*disabled="\([0-9]*\)".*/\1/p' "$1" | head -n 1)" \
        "$(sed -n 's/.*skipped="\([0-9]*\)".*/\1/p' "$1" | head -n 1)"
    total_failed=$((total_failed + ${2:-0}))
    total_skipped=$((total_skipped + ${3:-0} + ${4:-0}))
    total_passed=$((total_passed + ${1:-0} - ${2:-0} - ${3:-0} - ${4:-0}))
}

# run_tests TEXT PRESET CTEST_ARGUMENT...
run_tests() {
    say "$1"
    tests_preset=$2
    shift 2
    rm -f "$logs/ctest.xml"
    ctest --preset "$tests_preset" --output-on-failure --output-junit "$logs/ctest.xml" "$@"
    tests_code=$?
    [ -s "$logs/ctest.xml" ] || die "ctest wrote no result (status $tests_code)"
    count_results "$logs/ctest.xml"
}

do_test() {
    total_passed=0 total_failed=0 total_skipped=0
    begin_parts
    # shellcheck disable=SC2086
    need_packages $packages_build $packages_test
    mkdir -p "$logs"
    build dev
    run_tests "unit, fault and command-line tests" dev -LE e2e -j 2
    build asan
    run_tests "unit and fault tests with AddressSanitizer and UndefinedBehaviorSanitizer" asan -j 2
    # shellcheck disable=SC2086
    need_packages $packages_fuzz
    build fuzz
    run_tests "fuzzers, ${WASMCTL_FUZZ_SECONDS:-60} seconds each" fuzz -j 2
    build_hello
    WASMCTL_TEST_HELLO=$hello
    examples/hello/build.sh --greeting "Hello again" "$cache/examples/hello-again.wasm" >"$logs/hello-again.log" 2>&1 ||
        die "building the second version of hello failed; see $logs/hello-again.log"
    WASMCTL_TEST_HELLO_AGAIN=$cache/examples/hello-again.wasm
    export WASMCTL_TEST_HELLO WASMCTL_TEST_HELLO_AGAIN
    finish_parts
    run_tests "end-to-end tests against the real parts" dev -L e2e
    printf '%s passed, %s failed, %s skipped\n' "$total_passed" "$total_failed" "$total_skipped"
    [ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
}

command=install
prefix=''
while [ $# -gt 0 ]; do
    case $1 in
    install | demo | test | parts | uninstall | help) command=$1 ;;
    -h | --help) command=help ;;
    --prefix)
        [ $# -ge 2 ] || die "--prefix needs a folder"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    *)
        usage >&2
        die "unknown argument \"$1\""
        ;;
    esac
    shift
done
case $prefix in
'' | /*) ;;
*) prefix=$here/$prefix ;;
esac

case $command in
help) usage ;;
install) do_install ;;
uninstall) do_uninstall ;;
parts)
    begin_parts
    finish_parts
    say "all parts are ready"
    ;;
demo) do_demo ;;
test) do_test ;;
esac
