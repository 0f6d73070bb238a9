# Builds programs from the modules pinned in a go.mod into .local/bin, for the build.sh beside that, which sources this. Says how far
# it has come, because a first build takes minutes. What is up to date is not built again.
#
#   programs TITLE NAME...     ends the script where all of them are up to date; or else waits until nobody else builds
#   of_kubernetes              sets version to that of k8s.io/kubernetes, and flags to what has its programs say so
#   total PACKAGE...           counts what must be compiled for all the packages
#   build OUTPUT PACKAGE...    compiles packages; flags holds more flags of go build
#   built                      says so, and remembers it
#
# The module is the folder of that build.sh, and its programs go into .local/bin: it may set here and bin to others.
#
# shellcheck shell=bash
here=$(cd "$(dirname "$0")" && pwd)
script=$here/$(basename "$0")
modules=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/modules.sh
bin=$(cd "$here/../.." && pwd)/.local/bin
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -mod=readonly" GOWORK=off
title=$(basename "$here") names=() flags=() stamp=

command -v go >/dev/null || { echo "$title: Go is missing: install Go 1.26 or later, https://go.dev/dl/" >&2; exit 1; }
cd "$here"

up_to_date() {
  local name
  [[ -f $bin/$title.stamp && $(<"$bin/$title.stamp") == "$stamp" ]] || return 1
  for name in "${names[@]}"; do [[ -x $bin/$name ]] || return 1; done
}

programs() {
  title=$1 names=("${@:2}")
  stamp=$(cat go.mod go.sum "$script" "$modules" | cksum | tr ' ' -)-$(go env GOVERSION)
  if up_to_date; then exit 0; fi
  # One build at a time; a lock whose owner is gone is taken over.
  mkdir -p "$bin"
  lock=$bin/.lock
  until (set -C; echo $$ >"$lock") 2>/dev/null; do
    if owner=$(cat "$lock" 2>/dev/null) && [[ -n $owner ]] && ! kill -0 "$owner" 2>/dev/null; then rm -f "$lock"; continue; fi
    echo "$title: waiting for the build of process $owner"
    sleep 5
  done
  log=$(mktemp) pid=
  trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -f "$lock" "$log"' EXIT
  trap 'exit 130' INT TERM
  if up_to_date; then exit 0; fi
  rm -f "$bin/$title.stamp"
}

of_kubernetes() {
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  flags=(-ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version")
}

total() {
  echo "$title: looking for what must be compiled, downloading what is missing"
  count=$(go list "${flags[@]}" -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' "$@" | grep -c . || true)
}

compiled() { grep -vc '^go: ' "$log" || true; }

build() {
  local output=$1 status=0
  shift
  go build -v "${flags[@]}" -o "$output" "$@" 2>>"$log" &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; kill -0 "$pid" 2>/dev/null || break 2; done
    echo "$title: $(compiled) of $count packages compiled, $SECONDS s"
  done
  wait "$pid" || status=$?
  pid=
  if [[ $status != 0 ]]; then
    grep -vE '^(go: downloading .*|[A-Za-z0-9._~/-]+)$' "$log" | tail -n 40 >&2 || true
    echo "$title: go build failed. What was compiled is kept: run '$0' again, for instance after an interrupted download." >&2
    exit "$status"
  fi
}

built() {
  echo "$stamp" >"$bin/$title.stamp"
  echo "$title: built in $SECONDS s"
}
