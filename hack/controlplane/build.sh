#!/usr/bin/env bash
# Builds the local control plane from the modules pinned in go.mod, into .local/bin. Says how far it has come, because the
# first build takes minutes. What is up to date is not built again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$here/../.." && pwd)/.local/bin
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -mod=readonly"

command -v go >/dev/null || { echo "controlplane: Go is missing: install Go 1.26 or later, https://go.dev/dl/" >&2; exit 1; }

cd "$here"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
names=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok kwokctl)
stamp=$(cat go.mod go.sum build.sh | sha256sum | cut -d' ' -f1)-$(go env GOVERSION)
if [[ -f $bin/stamp && $(<"$bin/stamp") == "$stamp" ]]; then
  missing=0
  for name in "${names[@]}"; do [[ -x $bin/$name ]] || missing=1; done
  [[ $missing == 0 ]] && exit 0
fi

# build OUTPUT PACKAGE...: compiles the packages, with a line every five seconds that tells how many were compiled.
build() {
  local output=$1 log status=0 started=$SECONDS
  shift
  log=$(mktemp)
  go build -v -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$output" "$@" 2>"$log" &
  local pid=$!
  while kill -0 $pid 2>/dev/null; do
    for _ in 1 2 3 4 5; do sleep 1; kill -0 $pid 2>/dev/null || break; done
    echo "controlplane: $((SECONDS - started)) s, $(wc -l <"$log") packages compiled, now $(tail -n 1 "$log")"
  done
  wait $pid || status=$?
  if [[ $status != 0 ]]; then
    grep -v '^[a-z0-9./_-]*$' "$log" >&2 || true
    echo "controlplane: the build failed; run '$0' again to see whether a download was interrupted" >&2
    exit $status
  fi
  rm -f "$log"
}

mkdir -p "$bin"
rm -f "$bin/stamp"
echo "controlplane: building Kubernetes $version, etcd and kwok; about nine minutes the first time on two cores (some 2,500 packages)"
build "$bin/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl}
build "$bin/etcd" go.etcd.io/etcd/server/v3
build "$bin/" sigs.k8s.io/kwok/cmd/{kwok,kwokctl}
echo "$stamp" >"$bin/stamp"
echo "controlplane: built in $SECONDS s"
