#!/bin/sh
# Builds the real parts of the local environment into the cache. See README.md beside this file and --help.
#
# Two builders run side by side, one for the Go parts and one for the Rust part, each part in a session of its
# own so that an interrupt ends it with everything it started. A part is built in a directory of the cache that
# nobody looks into and moved into place as its last step: what is found under its name is complete.
# shellcheck disable=SC2317 # reached through names in variables and traps
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
self=$here/build.sh
table=$here/versions
cache=${WASMCTL_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/wasmctl}
logs=$cache/log
work=$cache/build

# What the manifests ask for.
go_least=1.26
rust_least=1.89

# Memory in which a linker and the largest crate fit together.
both_builders_mib=6000

usage() {
    cat <<USAGE
Usage: build.sh [OPTION]... [PART]...
Build the parts named, or all but the optional ($optional_parts), into $cache.

  -j N         jobs of each builder (default: number of processors)
  --list       print each part, its version and whether it is there
  --path PART  print the directory of the part's programs; status 1 if it is not built
  --dry-run    print what would be built and how
  --help       print this text
USAGE
}

say() {
    printf 'parts: %s\n' "$*"
}

die() {
    printf 'parts: %s\n' "$*" >&2
    exit 1
}

misuse() {
    printf "parts: %s\nTry 'build.sh --help'.\n" "$*" >&2
    exit 2
}

#
# The table
#

all_parts() {
    awk '!/^#/ && NF >= 3 { print $1 }' "$table"
}

# Built only when they are named: nothing here needs them, benchmarks compare with them.
optional_parts=stern

default_parts() {
    all_parts | grep -vxF "$optional_parts"
}

version_of() {
    awk -v part="$1" '!/^#/ && $1 == part { print $2 }' "$table"
}

programs_of() {
    awk -v part="$1" '!/^#/ && $1 == part { for (i = 3; i <= NF; i++) print $i }' "$table"
}

directory_of() {
    printf '%s/%s-%s\n' "$cache" "$1" "$(version_of "$1")"
}

is_ready() {
    ready_directory=$(directory_of "$1")
    for ready_program in $(programs_of "$1"); do
        [ -s "$ready_directory/bin/$ready_program" ] || return 1
    done
}

builder_of() {
    case $1 in
    wasmcloud-host) echo rust ;;
    *) echo go ;;
    esac
}

module_of() {
    case $1 in
    kube-apiserver | kubectl) echo k8s.io/kubernetes ;;
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    nats-server) echo github.com/nats-io/nats-server/v2 ;;
    stern) echo github.com/stern/stern ;;
    esac
}

package_of() {
    case $1 in
    kube-apiserver | kubectl) echo "k8s.io/kubernetes/cmd/$1" ;;
    *) module_of "$1" ;;
    esac
}

# kubectl refuses a server, and the server itself, that do not know their version.
link_flags_of() {
    printf '%s' '-s -w'
    case $1 in
    kube-apiserver | kubectl)
        flags_version=$(version_of "$1")
        flags_minor=${flags_version#*.}
        for flags_package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
            printf ' -X %s.gitVersion=v%s -X %s.gitMajor=%s -X %s.gitMinor=%s -X %s.gitTreeState=clean' \
                "$flags_package" "$flags_version" "$flags_package" "${flags_version%%.*}" \
                "$flags_package" "${flags_minor%%.*}" "$flags_package"
        done
        ;;
    stern) printf ' -X github.com/stern/stern/cmd.version=%s' "$(version_of "$1")" ;;
    esac
}

#
# Prerequisites
#

# version_reaches HAVE LEAST: both as numbers with dots.
version_reaches() {
    awk -v have="$1" -v least="$2" 'BEGIN {
        split(have, h, "."); split(least, l, ".")
        for (i = 1; i <= 3; i++) {
            if (h[i] + 0 > l[i] + 0) exit 0
            if (h[i] + 0 < l[i] + 0) exit 1
        }
        exit 0
    }'
}

# Any go since 1.21 fetches the version the manifests name, unless the environment forbids it.
check_go() {
    command -v go >/dev/null 2>&1 ||
        die "go is missing: install Go $go_least or newer (any since 1.21 will do, it fetches the version needed)"
    go_version=$(cd / && GOTOOLCHAIN=local go version | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
    [ -n "$go_version" ] || die "cannot tell the version of $(command -v go); 'go version' prints: $(go version 2>&1)"
    version_reaches "$go_version" 1.21 ||
        die "$(command -v go) is Go $go_version; $go_least or newer is needed (any since 1.21 fetches it by itself)"
    if ! version_reaches "$go_version" "$go_least"; then
        say "Go $go_version is older than $go_least: it will fetch the newer one"
        GOTOOLCHAIN=auto
        export GOTOOLCHAIN
    fi
}

check_rust() {
    # Where rustup puts them; a shell that is not a login shell does not look there.
    if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
        export PATH
    fi
    command -v cargo >/dev/null 2>&1 || die "cargo is missing: install Rust $rust_least or newer (by rustup)"
    rust_version=$(cd / && rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p')
    [ -n "$rust_version" ] || die "rustc does not run: $(cd / && rustc --version 2>&1 | head -n 1)"
    version_reaches "$rust_version" "$rust_least" ||
        die "$(command -v rustc) is Rust $rust_version; $rust_least or newer is needed ('rustup update stable')"
    command -v "${CC:-cc}" >/dev/null 2>&1 || die "${CC:-cc} is missing: install a C compiler (Debian: gcc and libc6-dev)"
}

# What a build takes for a while, cold, in MiB; most of it is given back or kept as the cache of the compiler.
disk_need_of() {
    case $1 in
    kube-apiserver) echo 4000 ;;
    kubectl | stern | wasmcloud-host) echo 2500 ;;
    *) echo 800 ;;
    esac
}

# The parts of one builder follow each other, so the largest counts; the two builders add up.
check_disk() {
    disk_need=0
    for disk_list in "$1" "$2"; do
        disk_most=0
        for disk_part in $disk_list; do
            [ "$(disk_need_of "$disk_part")" -le "$disk_most" ] || disk_most=$(disk_need_of "$disk_part")
        done
        disk_need=$((disk_need + disk_most))
    done
    disk_free=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
    [ "${disk_free:-0}" -ge "$disk_need" ] ||
        die "$cache is on a disk with $disk_free MiB free; building$1$2 takes about $disk_need MiB for a while"
}

check_prerequisites() {
    for check_program in awk sed flock setsid df nproc tail; do
        command -v "$check_program" >/dev/null 2>&1 || die "$check_program is missing"
    done
    case $(uname -m) in
    x86_64 | aarch64) ;;
    *) say "these parts were never built on $(uname -m); trying" ;;
    esac
    [ -z "$1" ] || check_go
    [ -z "$2" ] || check_rust
    check_disk "$1" "$2"
}

#
# Building one part: runs in a session of its own, writes to the log only
#

# step COMMAND...: what fails here is what the user is shown.
step() {
    printf '+ %s\n' "$*" >&2
    printf '%s\n' "$*" >"$state/command"
    "$@"
}

network_failed() {
    tail -n 40 "$1" | grep -Eq 'dial tcp|no such host|Could ?n.t resolve|could not resolve|failed to resolve|name resolution|[Nn]etwork is unreachable|failed to download|[Cc]onnection (refused|reset|timed out)|i/o timeout|TLS handshake timeout|unexpected status code 5[0-9][0-9]|spurious network error'
}

# Downloads fail now and then; what was fetched is kept, so another attempt goes on where the last one ended.
step_with_network() {
    for attempt in 1 2 3; do
        step "$@" && return 0
        step_code=$?
        network_failed "$log" || return "$step_code"
        [ "$attempt" = 3 ] || { echo "attempt $attempt failed on the network, trying again"; sleep 3; }
    done
    return "$step_code"
}

build_go() {
    module=$(module_of "$part")
    cd "$here/go/$part" || return 1
    grep -Eq "^(require )?[[:space:]]*$module v$version( |\$)" go.mod || {
        echo "go/$part/go.mod does not require $module v$version, which the table of versions names"
        return 1
    }
    export CGO_ENABLED=0 GOWORK=off GOTMPDIR="$state/tmp" GOFLAGS='-mod=readonly -trimpath -buildvcs=false'
    package=$(package_of "$part")
    step_with_network go list -deps "$package" >"$state/packages" || return
    step_with_network go build -v -p "$jobs" -ldflags "$(link_flags_of "$part")" -o "$new/bin/$part" "$package" || return
    case $part in
    kube-apiserver) set -- --version ;;
    kubectl) set -- version --client ;;
    *) set -- --version ;;
    esac
    step "$new/bin/$part" "$@" >"$state/version" || return
    cat "$state/version"
    grep -q "$version" "$state/version" || {
        echo "the program built does not call itself $version"
        return 1
    }
}

build_rust() {
    cd "$here/rust" || return 1
    export CARGO_TARGET_DIR="$work/$part-$version/target" CARGO_INCREMENTAL=0 CARGO_NET_RETRY=5
    export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
    export RUSTC_WRAPPER="$here/rust/rustc-wrapper.sh"
    rust_target=$(rustc -vV | sed -n 's/^host: //p')
    step_with_network cargo fetch --locked --target "$rust_target" || return
    step cargo tree --locked --workspace --target "$rust_target" --edges normal,build --prefix none --format '{p}' >"$state/tree" || return
    sed 's/ (\*)$//' "$state/tree" | sort -u >"$state/packages"
    step_with_network cargo build --release --locked -j "$jobs" || return
    built=$CARGO_TARGET_DIR/release
    step cp "$built/wasmcloud-host" "$new/bin/" || return
    step "$built/parpack" http-server "$version" "$built/http-server-provider" "$new/bin/http-server.par.gz" || return
    step "$new/bin/wasmcloud-host" --version >"$state/version" || return
    grep -q "$version" "$state/version" || {
        echo "the host built does not call itself $version; rust/host/Cargo.toml and the table of versions differ"
        return 1
    }
}

# Called as: build.sh --worker PART JOBS
worker() {
    part=$1
    jobs=$2
    version=$(version_of "$part")
    log=$logs/$part.log
    state=$work/$part.state
    new=$work/$part-$version/new
    began=$(date +%s)
    exec >"$log" 2>&1
    echo "$part $version, $(uname -m), $(date -u '+%Y-%m-%dT%H:%M:%SZ')"
    rm -rf "$new"
    mkdir -p "$new/bin" "$state/tmp" || exit 1
    "build_$(builder_of "$part")" || {
        code=$?
        echo "failed with status $code"
        exit "$code"
    }
    printf '%s %s built in %s s\n' "$part" "$version" $(($(date +%s) - began)) | tee "$new/built"
    target=$(directory_of "$part")
    rm -rf "$target"
    step mv "$new" "$target" || exit 1
    rm -rf "${work:?}/$part-$version"
}

#
# Running the builders
#

elapsed() {
    elapsed_seconds=$(($(date +%s) - $1))
    printf '%d:%02d' $((elapsed_seconds / 60)) $((elapsed_seconds % 60))
}

# progress_of PART: how far it is, in a few words.
progress_of() {
    progress_total=0
    [ ! -s "$work/$1.state/packages" ] || progress_total=$(wc -l <"$work/$1.state/packages")
    awk -v part="$1" -v builder="$(builder_of "$1")" -v total="$progress_total" '
        builder == "go" && /^go: downloading/ { fetched++; next }
        builder == "go" && /^[a-z][^ :]*$/ { compiled++; current = $1; next }
        builder == "rust" && /^ +Downloaded/ { fetched++; next }
        builder == "rust" && /^ +Compiling/ { compiled++; current = $2; next }
        END {
            if (compiled) printf "%s %d/%d %s", part, compiled, (total > compiled ? total : compiled), current
            else if (fetched) printf "%s fetching, %d so far", part, fetched
            else printf "%s starting", part
        }' "$logs/$1.log" 2>/dev/null || printf '%s starting' "$1"
}

report_progress() {
    line="$(elapsed "$run_began")"
    for report_part in $go_current $rust_current; do
        line="$line | $(progress_of "$report_part")"
    done
    if [ -n "$live" ]; then
        printf '\r\033[K%.*s' "$((columns - 1))" "$line"
    else
        say "$line"
    fi
}

clear_live() {
    [ -z "$live" ] || printf '\r\033[K'
}

explain_failure() {
    if tail -n 60 "$1" | grep -qi 'no space left on device'; then
        echo "the disk is full: free some space (the cache is $cache), then run this again; it goes on where it stopped"
    elif network_failed "$1"; then
        echo "the package registry was not reached: look at the network and proxy settings, then run this again"
    elif tail -n 60 "$1" | grep -Eq 'signal: killed|SIGKILL|out of memory|cannot allocate memory'; then
        echo "a compiler was killed, most often for want of memory: run this again with -j 1"
    fi
}

report_failure() {
    failed_log=$logs/$1.log
    clear_live
    {
        say "$1 $(version_of "$1") FAILED with status $2"
        say "  command: $(cut -c 1-300 "$work/$1.state/command" 2>/dev/null)"
        say "  log:     $failed_log, which ends with:"
        tail -n 20 "$failed_log" | sed 's/^/    /'
        failed_hint=$(explain_failure "$failed_log")
        [ -z "$failed_hint" ] || say "  $failed_hint"
    } >&2
}

# start PART: sets $started to the process that leads its session.
start() {
    rm -rf "${work:?}/$1.state"
    mkdir -p "$work/$1.state"
    : >"$logs/$1.log"
    clear_live
    say "$1 $(version_of "$1"): building, log $logs/$1.log"
    setsid sh "$self" --worker "$1" "$jobs" </dev/null &
    started=$!
}

# finish PART PID: reaps it and says how it ended.
finish() {
    wait "$2"
    finish_code=$?
    clear_live
    if [ "$finish_code" = 0 ] && is_ready "$1"; then
        finish_size=$(du -sm "$(directory_of "$1")" | cut -f 1)
        say "$1 $(version_of "$1"): ready, $finish_size MiB ($(sed 's/.*built/built/' "$(directory_of "$1")/built"))"
        rm -rf "${work:?}/$1.state"
    else
        failed="$failed $1"
        report_failure "$1" "$finish_code"
    fi
}

# The leader of a session is the number of its process group.
end_builders() {
    trap '' INT TERM HUP
    for end_pid in $go_pid $rust_pid; do
        kill -s TERM -- "-$end_pid" 2>/dev/null
    done
    for end_pid in $go_pid $rust_pid; do
        wait "$end_pid" 2>/dev/null
    done
    clear_live
    say "interrupted; what was compiled is kept, run this again to go on" >&2
    trap - INT TERM HUP
    exit $((128 + $1))
}

take_lock() {
    exec 9>"$cache/lock"
    flock -n 9 && return
    say "another build is using $cache, waiting for it"
    waited=$(date +%s)
    until flock -w 15 9; do
        say "still waiting ($(elapsed "$waited"))"
    done
}

next_part() {
    # shellcheck disable=SC2086 # a list of words
    set -- $1
    echo "${1:-}"
}

rest_of() {
    # shellcheck disable=SC2086
    set -- $1
    [ $# -eq 0 ] || shift
    echo "$*"
}

# Without memory for both, the second builder waits for the first.
memory_for_both() {
    memory_mib=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null)
    [ "${memory_mib:-0}" -ge "$both_builders_mib" ]
}

build_all() {
    go_todo=$1
    rust_todo=$2
    go_current='' rust_current='' go_pid='' rust_pid='' failed=''
    live='' columns=80 report_every=15
    if [ -t 1 ]; then
        live=yes report_every=1
        columns=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2)
        [ "${columns:-0}" -ge 20 ] || columns=80
    fi
    run_began=$(date +%s)
    reported=$run_began
    trap 'end_builders 2' INT
    trap 'end_builders 15' TERM
    trap 'end_builders 1' HUP
    side_by_side=yes
    memory_for_both || side_by_side=''
    while :; do
        if [ -n "$go_pid" ] && ! kill -0 "$go_pid" 2>/dev/null; then
            finish "$go_current" "$go_pid"
            go_pid='' go_current=''
        fi
        if [ -n "$rust_pid" ] && ! kill -0 "$rust_pid" 2>/dev/null; then
            finish "$rust_current" "$rust_pid"
            rust_pid='' rust_current=''
        fi
        if [ -z "$go_pid" ] && [ -n "$go_todo" ]; then
            go_current=$(next_part "$go_todo")
            go_todo=$(rest_of "$go_todo")
            start "$go_current"
            go_pid=$started
        fi
        if [ -z "$rust_pid" ] && [ -n "$rust_todo" ] && { [ -n "$side_by_side" ] || [ -z "$go_pid" ]; }; then
            rust_current=$(next_part "$rust_todo")
            rust_todo=$(rest_of "$rust_todo")
            start "$rust_current"
            rust_pid=$started
        fi
        [ -n "$go_pid$rust_pid" ] || break
        sleep 1
        if [ $(($(date +%s) - reported)) -ge "$report_every" ]; then
            report_progress
            reported=$(date +%s)
        fi
    done
    trap - INT TERM HUP
    [ -z "$failed" ] || die "not built:$failed"
    say "all parts ready in $cache ($(elapsed "$run_began"))"
}

# Under the lock nobody else has use for what an earlier run left behind.
clear_leftovers() {
    mkdir -p "$work"
    for left in "$work"/*; do
        [ -e "$left" ] || continue
        keep=''
        for left_part in $(all_parts); do
            [ "$left" != "$work/$left_part-$(version_of "$left_part")" ] || keep=yes
        done
        [ -n "$keep" ] || rm -rf "$left"
    done
}

#
# Command line
#

known_part() {
    [ -n "$(version_of "$1")" ] || misuse "no part is called '$1'; there are: $(all_parts | tr '\n' ' ')"
}

list() {
    for list_part in $(all_parts); do
        if is_ready "$list_part"; then list_state=ready; else list_state=missing; fi
        printf '%-15s %-9s %-8s %s\n' "$list_part" "$(version_of "$list_part")" "$list_state" \
            "$(directory_of "$list_part")"
    done
}

show_plan() {
    for plan_part in $1; do
        if [ "$(builder_of "$plan_part")" = go ]; then
            plan_how="go build -ldflags '$(link_flags_of "$plan_part")' $(package_of "$plan_part") in $here/go/$plan_part"
        else
            plan_how="cargo build --release --locked in $here/rust"
        fi
        say "$plan_part $(version_of "$plan_part"): would run $plan_how"
    done
}

main() {
    [ -r "$table" ] || die "$table is missing"
    parts='' dry_run='' jobs=''
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h) usage; exit 0 ;;
        --list) list; exit 0 ;;
        --path)
            [ $# -eq 2 ] || misuse "--path takes one part"
            known_part "$2"
            printf '%s/bin\n' "$(directory_of "$2")"
            is_ready "$2"
            exit
            ;;
        --worker) worker "$2" "$3"; exit 0 ;;
        --dry-run) dry_run=yes ;;
        -j | --jobs)
            [ $# -ge 2 ] || misuse "$1 takes a number"
            jobs=$2
            shift
            ;;
        -j*) jobs=${1#-j} ;;
        -*) misuse "unknown option $1" ;;
        *)
            known_part "$1"
            parts="$parts $1"
            ;;
        esac
        shift
    done
    [ -n "$jobs" ] || jobs=$(nproc 2>/dev/null || echo 2)
    case $jobs in
    *[!0-9]* | 0* | ?????*) misuse "-j takes a number from 1 to 9999, not '$jobs'" ;;
    esac
    [ -n "$parts" ] || parts=$(default_parts)

    # Once without the lock: when all is there, nobody needs to wait for a build of something else.
    todo=$(for todo_part in $parts; do is_ready "$todo_part" || echo "$todo_part"; done)
    if [ -n "$dry_run" ]; then
        [ -n "$todo" ] || say "nothing to do, all parts are in $cache"
        show_plan "$todo"
        exit 0
    fi
    if [ -z "$todo" ]; then
        say "all parts are in $cache"
        exit 0
    fi
    mkdir -p "$cache" "$logs" || die "cannot create the cache directory $cache (WASMCTL_CACHE names another)"
    command -v flock >/dev/null 2>&1 || die "flock is missing (Debian: util-linux)"
    take_lock
    go_parts='' rust_parts=''
    for todo_part in $parts; do
        ! is_ready "$todo_part" || continue
        case $(builder_of "$todo_part") in
        go) go_parts="$go_parts $todo_part" ;;
        rust) rust_parts="$rust_parts $todo_part" ;;
        esac
    done
    [ -n "$go_parts$rust_parts" ] || { say "all parts are in $cache"; exit 0; }
    check_prerequisites "$go_parts" "$rust_parts"
    clear_leftovers
    build_all "$go_parts" "$rust_parts"
}

# On one line with exit: the shell reads no more of this file, which may change during a long build.
main "$@"; exit
