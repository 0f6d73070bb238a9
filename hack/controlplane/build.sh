#!/usr/bin/env bash
# Builds the local control plane from the modules pinned in go.mod, into .local/bin.
set -euo pipefail
source "$(dirname "$0")/../modules.sh"

kubernetes=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl})
etcd=go.etcd.io/etcd/server/v3
kwok=(sigs.k8s.io/kwok/cmd/{kwok,kwokctl})
programs controlplane etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok kwokctl

of_kubernetes
echo "controlplane: Kubernetes $version, $(go list -m -f 'etcd {{.Version}}' "$etcd"), $(go list -m -f 'kwok {{.Version}}' sigs.k8s.io/kwok); some ten minutes the first time on two cores"
total "${kubernetes[@]}" "$etcd" "${kwok[@]}"
build "$bin/" "${kubernetes[@]}"
build "$bin/etcd" "$etcd"
build "$bin/" "${kwok[@]}"
built
