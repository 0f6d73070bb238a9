#!/usr/bin/env bash
# Starts and stops a local cluster: real API server, controllers and scheduler; nodes and pods simulated by kwok. Everything
# listens on 127.0.0.1. Clusters of different names run side by side.
#
#   cluster.sh up NAME      prints the path of its kubeconfig: KUBECONFIG_OUT, or else .local/kubeconfig for the cluster
#                           fonster and .local/NAME.kubeconfig for others; a cluster that runs is left as it is
#   cluster.sh down NAME
#   cluster.sh restart NAME [COMPONENT...]    kills components (kube-apiserver, etcd, ...; all of them by default) as kill -9
#                           does, starts them again as they were, and waits for the API server; on Linux
#
# Admission looks at who asks, so the controller manager and the scheduler have identities of their own, as in a real cluster:
# each controller a service account, or, with USE_SERVICE_ACCOUNT_CREDENTIALS=false, all system:kube-controller-manager.
#
#   API_SERVER_ONLY=true    starts no controllers, scheduler or kwok
#   NODES="node-1 ..."      starts no kwok: real nodes of these names join, with identities of their own, and kube-proxy with its own
#                           (hack/node)
#   CERTIFICATE_NAMES       more names and addresses of the API server, with spaces between them
#   LEADER_ELECT=false      controllers and scheduler hold no lease: after a restart they wait for none, and none is missed when etcd stands still
#   API_SERVER_ARGS, CONTROLLER_MANAGER_ARGS    more flags, as in "v=4 event-ttl=10m"
#   KUBERNETES=1.34         API server, controllers and scheduler of another version, of those in hack/versions
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/.local/bin kubernetes=$root/.local/bin
verb=${1:-} name=${2:-}
[[ $verb =~ ^(up|down|restart)$ && $name =~ ^[a-z0-9][a-z0-9-]*$ ]] || { sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 2; }
shift 2

umask 077
export KWOK_WORKDIR=$root/.local/kwok
export PATH=$bin:$PATH
folder=$KWOK_WORKDIR/clusters/$name identities=$KWOK_WORKDIR/identities/$name ports=$KWOK_WORKDIR/ports
file=$name.kubeconfig
[[ $name == fonster ]] && file=kubeconfig
kubeconfig=${KUBECONFIG_OUT:-$root/.local/$file}
service_accounts=${USE_SERVICE_ACCOUNT_CREDENTIALS:-true} leader_elect=${LEADER_ELECT:-true}
unset KUBECONFIG

# reserve_ports prints the first of six ports of loopback that are free, and reserves them. kwokctl's own choice is no
# reservation: clusters that start at the same moment were given the same ports, and then shared one etcd.
reserve_ports() {
  local first port free
  mkdir -p "$ports"
  while :; do
    first=$((20000 + RANDOM % 2000 * 6)) free=1
    for port in $(seq "$first" $((first + 5))); do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || free=0
    done
    [[ $free == 1 ]] && (set -C; echo "$name" >"$ports/$first") 2>/dev/null && { echo "$first"; return; }
  done
}

# identity PORT USER [GROUP] writes a kubeconfig with a token of its own for system:USER, who is in system:GROUP.
identity() {
  local token
  token=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
  echo "$token,system:$2,system:$2${3:+,system:$3}" >>"$identities/tokens.csv"
  cat >"$identities/$2.kubeconfig" <<END
apiVersion: v1
kind: Config
current-context: local
contexts: [{name: local, context: {cluster: local, user: $2}}]
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$1", certificate-authority: "$folder/pki/ca.crt"}}]
users: [{name: $2, user: {token: $token}}]
END
}

# extra_args KEY=VALUE... prints them as kwokctl's configuration has them.
extra_args() {
  local arg
  for arg in "$@"; do echo "  - {key: \"${arg%%=*}\", value: \"${arg#*=}\"}"; done
}

# configuration PORT prints kwokctl's configuration. etcd need not survive the machine, so it does not wait for the disk.
# shellcheck disable=SC2086 # arguments are split at spaces
configuration() {
  local names=${CERTIFICATE_NAMES:-}
  cat <<END
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokctlConfiguration
options:
  bindAddress: 127.0.0.1
  kubeApiserverPort: $1
  etcdPort: $(($1 + 1))
  etcdPeerPort: $(($1 + 2))
  kubeControllerManagerPort: $(($1 + 3))
  kubeSchedulerPort: $(($1 + 4))
  kwokControllerPort: $(($1 + 5))
  nodeLeaseDurationSeconds: 20
  kubeApiserverCertSANs: [${names// /, }]
componentsPatches:
- name: etcd
  extraArgs:
  - {key: unsafe-no-fsync, value: "true"}
- name: kube-apiserver
  extraArgs:
  - {key: token-auth-file, value: "$identities/tokens.csv"}
$(extra_args ${API_SERVER_ARGS:-})
- name: kube-scheduler
  extraArgs:
  - {key: kubeconfig, value: "$identities/kube-scheduler.kubeconfig", override: true}
  - {key: leader-elect, value: "$leader_elect"}
- name: kube-controller-manager
  extraArgs:
  - {key: kubeconfig, value: "$identities/kube-controller-manager.kubeconfig", override: true}
  - {key: use-service-account-credentials, value: "$service_accounts"}
  - {key: leader-elect, value: "$leader_elect"}
$(extra_args ${CONTROLLER_MANAGER_ARGS:-})
END
}

# ours PID tells whether a process is one of this cluster's: a pid file may be older than the process that has its number now.
ours() {
  local command
  if [[ -d /proc/self ]]; then command=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") || return 1
  else command=$(ps -o args= -p "$1") || return 1; fi
  [[ $command == "$folder/bin/"* ]]
}

running() {
  local file
  for file in "$folder"/pids/*.pid; do
    [[ -f $file ]] && ours "$(<"$file")" || return 1
  done
  kubectl --kubeconfig "$folder/kubeconfig.yaml" get --raw /readyz >/dev/null 2>&1
}

down() {
  local file pid
  for file in "$folder"/pids/*.pid; do
    [[ -f $file ]] || continue
    pid=$(<"$file")
    if ours "$pid"; then
      kill -9 "$pid" 2>/dev/null || true
      while ours "$pid"; do sleep 0.05; done
    fi
    rm -f "$file"
  done
  if [[ -x $bin/kwokctl && -d $folder ]]; then
    kwokctl delete cluster --name "$name" --kubeconfig "$kubeconfig" >/dev/null 2>&1 || true
  fi
  rm -rf "$folder" "$identities" "$KWOK_WORKDIR/$name.log"
  if [[ $kubeconfig == "$root/.local/"* ]]; then rm -f "$kubeconfig"; fi
  for file in "$ports"/*; do
    if [[ -f $file && $(<"$file") == "$name" ]]; then rm -f "$file"; fi
  done
}

up() {
  "$here/build.sh" >&2
  if [[ ${KUBERNETES:-} ]]; then
    "$here/../versions/build.sh" "$KUBERNETES" >&2
    [[ ! -d $here/../versions/v$KUBERNETES ]] || kubernetes=$root/.local/versions/v$KUBERNETES/bin
  fi
  if running; then
    kubectl --kubeconfig "$kubeconfig" config get-contexts "kwok-$name" >/dev/null 2>&1 ||
      kwokctl get kubeconfig --name "$name" >"$kubeconfig"
    echo "$kubeconfig"
    return
  fi
  down # what a crash may have left
  local log=$KWOK_WORKDIR/$name.log port file node disabled=()
  mkdir -p "$identities"
  port=$(reserve_ports)
  identity "$port" kube-controller-manager
  identity "$port" kube-scheduler
  if [[ ${NODES:-} ]]; then
    identity "$port" kube-proxy
    for node in $NODES; do identity "$port" "node:$node" nodes; done
  fi
  if [[ ${API_SERVER_ONLY:-} ]]; then disabled=(--disable kube-controller-manager,kube-scheduler,kwok-controller)
  elif [[ ${NODES:-} ]]; then disabled=(--disable kwok-controller); fi
  configuration "$port" >"$identities/kwokctl.yaml"
  if ! kwokctl create cluster --config "$identities/kwokctl.yaml" --name "$name" --runtime binary --kubeconfig "$kubeconfig" \
    --etcd-binary "$bin/etcd" --kube-apiserver-binary "$kubernetes/kube-apiserver" \
    --kube-controller-manager-binary "$kubernetes/kube-controller-manager" --kube-scheduler-binary "$kubernetes/kube-scheduler" \
    --kwok-controller-binary "$bin/kwok" --disable-qps-limits --wait 60s \
    "${disabled[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    for file in "$folder"/logs/*.log; do [[ -f $file ]] && { echo "== $file"; tail -n 5 "$file"; } >&2; done
    down
    echo "cluster: could not start $name" >&2
    exit 1
  fi
  rm -f "$log"
  [[ ${NODES:-} ]] || kubectl --kubeconfig "$kubeconfig" apply -f "$here/cluster.yaml" >/dev/null
  if [[ $service_accounts == false ]]; then # then the controller manager needs the rights of all controllers
    kubectl --kubeconfig "$kubeconfig" create clusterrolebinding kube-controller-manager-without-service-accounts \
      --clusterrole=cluster-admin --user=system:kube-controller-manager >/dev/null
  fi
  echo "$kubeconfig"
}

restart() {
  local components=("$@") component pid
  (($#)) || components=(etcd kube-apiserver kube-controller-manager kube-scheduler kwok-controller)
  for component in "${components[@]}"; do
    pid=$(<"$folder/pids/$component.pid")
    ours "$pid" || { echo "cluster: $component of $name does not run" >&2; exit 1; }
    mapfile -d '' -t "args_${component//-/_}" <"/proc/$pid/cmdline"
    kill -9 "$pid"
    # Its ports are free when its last thread is gone, which may be after the first.
    while ours "$pid" || compgen -G "/proc/$pid/task/[0-9]*/fd/*" >/dev/null; do sleep 0.05; done
  done
  for component in "${components[@]}"; do
    local -n args=args_${component//-/_}
    (cd "$folder" && exec setsid "${args[@]}" </dev/null >>"$folder/logs/$component.log" 2>&1) &
    echo $! >"$folder/pids/$component.pid"
    if [[ $component == kube-apiserver ]]; then
      for _ in $(seq 150); do
        kubectl --kubeconfig "$kubeconfig" get --raw /readyz >/dev/null 2>&1 && break
        sleep 0.4
      done
    fi
  done
  for _ in $(seq 50); do # on a busy machine the last of them may not have begun yet
    running && return
    sleep 0.2
  done
  echo "cluster: $name did not come back" >&2
  exit 1
}

"$verb" "$@"
