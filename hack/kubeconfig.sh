#!/usr/bin/env bash
# Writes a kubeconfig that speaks as one of Fonster's own ServiceAccounts, so that its RBAC is what it gets:
#
#   kubeconfig.sh fonster-controller-manager|fonster-page OUT
#
# It reads KUBECONFIG, whose user must be allowed to create the token. The token is good for a day.
set -euo pipefail
usage="usage: kubeconfig.sh fonster-controller-manager|fonster-page OUT"
account=${1:?$usage} out=${2:?$usage}
if ! kubectl get --raw /readyz >/dev/null 2>&1; then
  echo "no cluster answers at ${KUBECONFIG:-~/.kube/config}: start one with 'make cluster-up', or set KUBECONFIG" >&2
  exit 1
fi
if ! token=$(kubectl create token "$account" -n fonster-system --duration=24h 2>/dev/null); then
  echo "the ServiceAccount $account is not there: run 'make install' first" >&2
  exit 1
fi
umask 077
kubectl config view --raw --minify --flatten >"$out"
user=$(kubectl --kubeconfig "$out" config view -o jsonpath='{.users[0].name}')
KUBECONFIG=$out kubectl config unset "users.$user" >/dev/null
KUBECONFIG=$out kubectl config set-credentials "$user" --token="$token" >/dev/null
