#!/bin/sh
# Called by cargo in place of rustc, as: rustc-wrapper.sh RUSTC ARGS...
#
# The crate wasmcloud-host stops the compilers it was not written for with "queries overflow the depth limit": it needs
# a recursion limit it does not set itself. This adds the attribute to that one crate and leaves every other call as it
# is. RUSTC_BOOTSTRAP must not reach the rest: build scripts take it for a nightly compiler and turn features on.
compiler=$1
shift
previous=
for argument in "$@"; do
    if [ "$previous" = --crate-name ] && [ "$argument" = wasmcloud_host ]; then
        RUSTC_BOOTSTRAP=1 exec "$compiler" "$@" -Zcrate-attr='recursion_limit="512"'
    fi
    previous=$argument
done
exec "$compiler" "$@"
