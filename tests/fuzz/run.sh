#!/bin/sh
# Runs fuzzers, two at a time: run.sh [-b FOLDER_OF_PROGRAMS] [SECONDS] [NAME...]
# Without names: all. Exits 1 when one found something; what did it is kept in FOLDER/<name>.crash-*.
# The same seed (WASMCTL_FUZZ_SEED, 1) tries the same inputs, so that a run says something of the change it is about; 0 takes
# another one each time, for long runs.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
programs=$here/../../build-fuzz/fuzz
seconds=${WASMCTL_FUZZ_SECONDS:-60}
if [ "${1:-}" = -b ]; then
    programs=$2
    shift 2
fi
case ${1:-} in
'' | *[!0-9]*) ;;
*)
    seconds=$1
    shift
    ;;
esac

fuzz() {
    fuzz_name=$1
    fuzz_program=$programs/fuzz_$fuzz_name
    [ -x "$fuzz_program" ] || {
        echo "there is no $fuzz_program: cmake --preset fuzz && cmake --build --preset fuzz" >&2
        return 1
    }
    mkdir -p "$programs/corpus/$fuzz_name"
    set -- "$programs/corpus/$fuzz_name"
    [ ! -d "$here/seeds/$fuzz_name" ] || set -- "$@" "$here/seeds/$fuzz_name"
    [ "$fuzz_name" != yaml ] || set -- "$@" "$here/../../crds" "$here/../../deploy"
    dictionary=''
    [ ! -f "$here/seeds/$fuzz_name.dict" ] || dictionary=-dict=$here/seeds/$fuzz_name.dict
    # shellcheck disable=SC2086 # empty or one word
    "$fuzz_program" "$@" $dictionary -seed="${WASMCTL_FUZZ_SEED:-1}" -max_total_time="$seconds" -max_len=8192 -timeout=30 -rss_limit_mb=2048 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$programs/$fuzz_name." </dev/null
}

if [ $# = 1 ]; then
    fuzz "$1"
    exit
fi
if [ $# = 0 ]; then
    for program in "$programs"/fuzz_*; do
        set -- "$@" "${program##*/fuzz_}"
    done
fi
printf '%s\n' "$@" | xargs -n 1 -P 2 "$0" -b "$programs" "$seconds"
