#!/usr/bin/env bash
# Starts and stops a local cluster: real API server, controllers and scheduler; nodes and pods simulated by kwok. Everything
# listens on 127.0.0.1.
#
#   cluster.sh up NAME      prints the path of its kubeconfig: KUBECONFIG_OUT, or .local/kubeconfig
#   cluster.sh down NAME
#
# The controller manager and the scheduler run under their own identities, as in a real cluster, because admission looks at
# who asks: each controller as a service account of its own, or, with USE_SERVICE_ACCOUNT_CREDENTIALS=false, all as
# system:kube-controller-manager. API_SERVER_ONLY=true starts no controllers, scheduler or kwok.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/.local/bin
verb=${1:-} name=${2:-}
[[ $verb =~ ^(up|down)$ && -n $name ]] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }

export KWOK_WORKDIR=$root/.local/kwok
export PATH=$bin:$PATH
kubeconfig=${KUBECONFIG_OUT:-$root/.local/kubeconfig}
unset KUBECONFIG

# free_port prints a port of loopback that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# identity PORT USER FOLDER writes a kubeconfig with a token of its own for system:USER.
identity() {
  local token
  token=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
  echo "$token,system:$2,system:$2" >>"$3/tokens.csv"
  cat >"$3/$2.kubeconfig" <<END
apiVersion: v1
kind: Config
current-context: local
contexts: [{name: local, context: {cluster: local, user: $2}}]
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$1", certificate-authority: "$KWOK_WORKDIR/clusters/$name/pki/ca.crt"}}]
users: [{name: $2, user: {token: $token}}]
END
}

# configuration FOLDER prints kwokctl's configuration.
configuration() {
  cat <<END
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokctlConfiguration
options:
  bindAddress: 127.0.0.1
componentsPatches:
- name: etcd
  extraArgs:
  - {key: unsafe-no-fsync, value: "true"}
- name: kube-apiserver
  extraArgs:
  - {key: token-auth-file, value: "$1/tokens.csv"}
- name: kube-scheduler
  extraArgs:
  - {key: kubeconfig, value: "$1/kube-scheduler.kubeconfig", override: true}
- name: kube-controller-manager
  extraArgs:
  - {key: kubeconfig, value: "$1/kube-controller-manager.kubeconfig", override: true}
  - {key: use-service-account-credentials, value: "${USE_SERVICE_ACCOUNT_CREDENTIALS:-true}"}
END
}

down() {
  if [[ -x $bin/kwokctl && -d $KWOK_WORKDIR/clusters/$name ]]; then
    kwokctl delete cluster --name "$name" --kubeconfig "$kubeconfig" >"$KWOK_WORKDIR/$name.log" 2>&1 || true
    rm -rf "$KWOK_WORKDIR/clusters/$name" "$KWOK_WORKDIR/identities/$name" "$KWOK_WORKDIR/$name.log"
  fi
}

up() {
  "$here/build.sh" >&2
  if [[ -f $kubeconfig ]] && kubectl --kubeconfig "$kubeconfig" get --raw /readyz >/dev/null 2>&1; then
    echo "$kubeconfig"
    return
  fi
  down # what a crash may have left
  local log=$KWOK_WORKDIR/$name.log identities=$KWOK_WORKDIR/identities/$name port
  rm -rf "$identities"
  mkdir -p "$identities"
  port=$(free_port)
  identity "$port" kube-controller-manager "$identities"
  identity "$port" kube-scheduler "$identities"
  configuration "$identities" >"$identities/kwokctl.yaml"
  if ! kwokctl create cluster --config "$identities/kwokctl.yaml" --name "$name" --runtime binary --kubeconfig "$kubeconfig" \
    --etcd-binary "$bin/etcd" --kube-apiserver-binary "$bin/kube-apiserver" \
    --kube-controller-manager-binary "$bin/kube-controller-manager" --kube-scheduler-binary "$bin/kube-scheduler" \
    --kwok-controller-binary "$bin/kwok" --kube-apiserver-port "$port" --disable-qps-limits ${API_SERVER_ONLY:+--disable kube-controller-manager,kube-scheduler,kwok-controller} --wait 60s >"$log" 2>&1; then
    cat "$log" >&2
    for f in "$KWOK_WORKDIR/clusters/$name"/logs/*.log; do [[ -f $f ]] && { echo "== $f"; tail -n 5 "$f"; } >&2; done
    echo "cluster: could not start $name" >&2
    exit 1
  fi
  rm -f "$log"
  kubectl --kubeconfig "$kubeconfig" apply -f "$here/cluster.yaml" >/dev/null
  echo "$kubeconfig"
}

"$verb"
