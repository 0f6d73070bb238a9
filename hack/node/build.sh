#!/usr/bin/env bash
# Builds what a real node is made of besides Debian's packages, into .local/bin: kubelet and kube-proxy from the modules pinned in go.mod,
# and the registry, pause and web of this folder.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$root/.local/bin"
(cd "$root/hack/node" && CGO_ENABLED=0 GOWORK=off go build -ldflags '-s -w' -o "$root/.local/bin/" ./registry ./pause ./web)
source "$root/hack/modules.sh"

kubernetes=(k8s.io/kubernetes/cmd/{kubelet,kube-proxy})
programs node kubelet kube-proxy

of_kubernetes
echo "node: kubelet and kube-proxy $version; some minutes the first time on two cores"
total "${kubernetes[@]}"
build "$bin/" "${kubernetes[@]}"
built
