#!/usr/bin/env bash
# Builds the local control plane from the modules pinned in go.mod, into .local/bin. Says how far it has come, because the
# first build takes minutes. What is up to date is not built again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$here/../.." && pwd)/.local/bin
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -mod=readonly" GOWORK=off

command -v go >/dev/null || { echo "controlplane: Go is missing: install Go 1.26 or later, https://go.dev/dl/" >&2; exit 1; }

cd "$here"
names=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok kwokctl)
kubernetes=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl})
etcd=go.etcd.io/etcd/server/v3
kwok=(sigs.k8s.io/kwok/cmd/{kwok,kwokctl})
stamp=$(cat go.mod go.sum build.sh | cksum | tr ' ' -)-$(go env GOVERSION)

up_to_date() {
  local name
  [[ -f $bin/stamp && $(<"$bin/stamp") == "$stamp" ]] || return 1
  for name in "${names[@]}"; do [[ -x $bin/$name ]] || return 1; done
}
up_to_date && exit 0

# One build at a time; a lock whose owner is gone is taken over.
mkdir -p "$bin"
lock=$bin/.lock
until (set -C; echo $$ >"$lock") 2>/dev/null; do
  if owner=$(cat "$lock" 2>/dev/null) && [[ -n $owner ]] && ! kill -0 "$owner" 2>/dev/null; then rm -f "$lock"; continue; fi
  echo "controlplane: waiting for the build of process $owner"
  sleep 5
done
log=$(mktemp) pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -f "$lock" "$log"' EXIT
trap 'exit 130' INT TERM
up_to_date && exit 0

compiled() { grep -vc '^go: ' "$log" || true; }

# build OUTPUT PACKAGE...: compiles the packages, with a line every five seconds.
build() {
  local output=$1 status=0
  shift
  go build -v -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$output" "$@" 2>>"$log" &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; kill -0 "$pid" 2>/dev/null || break 2; done
    echo "controlplane: $(compiled) of $total packages compiled, $SECONDS s"
  done
  wait "$pid" || status=$?
  pid=
  if [[ $status != 0 ]]; then
    grep -vE '^(go: downloading .*|[A-Za-z0-9._~/-]+)$' "$log" | tail -n 40 >&2 || true
    echo "controlplane: go build failed. What was compiled is kept: run '$0' again, for instance after an interrupted download." >&2
    exit "$status"
  fi
}

rm -f "$bin/stamp"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
echo "controlplane: Kubernetes $version, $(go list -m -f 'etcd {{.Version}}' "$etcd"), $(go list -m -f 'kwok {{.Version}}' sigs.k8s.io/kwok); some ten minutes the first time on two cores"
echo "controlplane: looking for what must be compiled, downloading what is missing"
total=$(go list -deps -f '{{if .Stale}}{{.ImportPath}}{{end}}' "${kubernetes[@]}" "$etcd" "${kwok[@]}" | grep -c . || true)
build "$bin/" "${kubernetes[@]}"
build "$bin/etcd" "$etcd"
build "$bin/" "${kwok[@]}"
echo "$stamp" >"$bin/stamp"
echo "controlplane: built in $SECONDS s"
