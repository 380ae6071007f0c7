#!/bin/sh
# The main job on one machine: a local environment, one manifest, one actor that answers HTTP. Called by install.sh demo.
# Usage: demo.sh WASMCTL HELLO_COMPONENT
set -u

wasmctl=$1
hello=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
began=$(date +%s)

say() {
    now=$(date +%s)
    printf '\n[%d:%02d] %s\n' $(((now - began) / 60)) $(((now - began) % 60)) "$*"
}

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# Shows a command as the user would type it, then runs it.
show() {
    printf '$ wasmctl %s\n' "$*"
    "$wasmctl" "$@" || die "wasmctl $*"
}

say "Starting a local environment: API server, NATS and a wasmCloud host"
"$wasmctl" dev up --hosts 1 --host-label intention=actor || die "the environment did not start; see wasmctl dev logs"
KUBECONFIG=$("$wasmctl" dev kubeconfig) || die "no kubeconfig"
export KUBECONFIG
nats=$("$wasmctl" dev status -o json | sed -n 's/.*"nats": *"\(nats:[^"]*\)".*/\1/p' | head -n 1)
[ -n "$nats" ] || die "wasmctl dev status names no NATS address"
state=$(dirname "$KUBECONFIG")
provider=$("$here/dev/parts/build.sh" --path wasmcloud-host)/http-server.par.gz

# The port stays the same from run to run unless somebody took it meanwhile.
port_file=$state/demo-http-port
port=$(cat "$port_file" 2>/dev/null || true)
if [ -z "$port" ]; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null) || port=8000
    echo "$port" >"$port_file"
fi

say "Applying one manifest: a lattice, an HTTP provider and the actor hello"
manifest=$state/hello.yaml
sed -e "s|@IMAGE@|file://$hello|" -e "s|@PROVIDER@|file://$provider|" -e "s|@NATS@|$nats|" \
    -e "s|@HTTP_ADDRESS@|127.0.0.1:$port|" "$here/examples/hello/hello.demo.yaml.in" >"$manifest" || die "cannot write $manifest"
show apply -f "$manifest"

say "Waiting until the actor is ready"
show wait --for=condition=Ready wasmactor/hello --timeout=60s
show get wasmactors,latticehosts

say "Asking the actor over HTTP"
printf '$ curl http://127.0.0.1:%s/\n' "$port"
curl --fail --silent --max-time 10 --retry 20 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port/" ||
    curl --fail --silent --show-error --max-time 10 "http://127.0.0.1:$port/" ||
    die "the actor did not answer on http://127.0.0.1:$port/"

say "It runs. What to try next:"
cat <<NEXT
  export KUBECONFIG=$KUBECONFIG
  wasmctl describe wasmactor hello
  wasmctl get wasmactors -w
  wasmctl dev host add                        # a second host
  wasmctl dev status
  wasmctl delete -f $manifest
  wasmctl dev down                            # stop everything

wasmctl is $wasmctl; ./install.sh installs it.
NEXT
