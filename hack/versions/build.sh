#!/usr/bin/env bash
# Builds API server, controller manager and scheduler of another version of Kubernetes, as in build.sh 1.34, from the modules pinned in
# v1.34/go.mod, into .local/versions/v1.34/bin. Nothing where that is the version of hack/controlplane.
set -euo pipefail
[[ ${1:-} =~ ^1\.[0-9]+$ ]] || { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
source "$(dirname "$0")/../modules.sh"

if grep -q "k8s.io/kubernetes v$1\." ../controlplane/go.mod; then exit 0; fi
[[ -f v$1/go.mod ]] || { echo "versions: no Kubernetes $1 here: want one of $(grep -ho 'k8s.io/kubernetes v1\.[0-9]*' ../controlplane/go.mod v1.*/go.mod | sort -V | sed 's/.*v//' | tr '\n' ' ')" >&2; exit 2; }
here+=/v$1 bin=$(dirname "$bin")/versions/v$1/bin
cd "$here"
kubernetes=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler})
programs "kubernetes-$1" kube-apiserver kube-controller-manager kube-scheduler

of_kubernetes
echo "$title: Kubernetes $version; some ten minutes the first time on two cores"
total "${kubernetes[@]}"
build "$bin/" "${kubernetes[@]}"
built
