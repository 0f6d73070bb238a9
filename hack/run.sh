#!/usr/bin/env bash
# Runs the operator in the foreground, and the page beside it, against the cluster of KUBECONFIG, each as its own ServiceAccount.
# Arguments are the operator's; PAGE_ARGS are the page's.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
local=$root/.local
mkdir -p "$local"
"$root/hack/kubeconfig.sh" fonster-controller-manager "$local/operator.kubeconfig"
"$root/hack/kubeconfig.sh" fonster-page "$local/page.kubeconfig"
echo "the page: http://127.0.0.1:8090/"
# shellcheck disable=SC2086 # arguments are split at spaces
KUBECONFIG=$local/page.kubeconfig "$root/bin/fonster-page" --page-bind-address=127.0.0.1:8090 --health-probe-bind-address=127.0.0.1:8082 ${PAGE_ARGS:-} &
page=$!
trap 'kill "$page" 2>/dev/null' EXIT
KUBECONFIG=$local/operator.kubeconfig "$root/bin/fonster" --metrics-bind-address=127.0.0.1:8443 --health-probe-bind-address=127.0.0.1:8081 "$@"
