#!/usr/bin/env bash
# A cluster to play with: Fonster, four municipalities with workloads, windows of this week, the page. It needs no terminal.
#
#   run.sh up     starts all of it, and prints what to try; where it runs already, operator and page start anew, and the windows begin
#                 from now
#   run.sh down   ends it, and nothing else
#
#   PLAY          its name: play
#   PLAY_PORT     the first of four ports of 127.0.0.1: 8190 for the page, then the metrics, and the probes of operator and page
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
name=${PLAY:-play} port=${PLAY_PORT:-8190}
folder=$root/.local/play/$name
export KUBECONFIG=$root/.local/$name.kubeconfig PATH=$root/.local/bin:$root/bin:$PATH

fail() { echo "play: $*" >&2; exit 1; }
[[ $name =~ ^[a-z0-9][a-z0-9-]*$ ]] || fail "PLAY=$name: want small letters, digits and '-'"
[[ $port =~ ^[0-9]+$ ]] && ((port > 0 && port < 65533)) || fail "PLAY_PORT=$port: want a port, with three more after it"

# ours PID PROGRAM tells whether a process is one that was started here: a pid file may be older than the process that has its number now.
ours() {
  local command
  if [[ -d /proc/self ]]; then command=$(tr '\0' ' ' <"/proc/$1/cmdline") 2>/dev/null || return 1
  else command=$(ps -o args= -p "$1") || return 1; fi
  [[ $command == "$root/bin/$2 "* ]]
}

# stop PROGRAM ends a program that was started here: in peace, so that its lease is free, or else after five seconds.
stop() {
  local file=$folder/$1.pid pid
  [[ -f $file ]] || return 0
  pid=$(<"$file")
  if ours "$pid" "$1"; then
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
      ours "$pid" "$1" || break
      sleep 0.1
    done
    if ours "$pid" "$1"; then kill -9 "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$file"
}

# start PROGRAM ACCOUNT PORT FLAG... runs a program as its own ServiceAccount; PORT is that of its probes.
start() {
  hack/kubeconfig.sh "$2" "$folder/$1.kubeconfig"
  KUBECONFIG=$folder/$1.kubeconfig nohup "$root/bin/$1" --health-probe-bind-address=127.0.0.1:"$3" "${@:4}" \
    >"$folder/$1.log" 2>&1 </dev/null &
  echo $! >"$folder/$1.pid"
  for _ in $(seq 300); do
    if curl -fs -o /dev/null "http://127.0.0.1:$3/readyz"; then return; fi
    kill -0 "$(<"$folder/$1.pid")" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$folder/$1.log" >&2
  fail "$1 did not become ready; its log: $folder/$1.log"
}

# local_time SECONDS FORMAT writes an instant as a clock on a wall in Sweden shows it.
local_time() { LC_ALL=C TZ=Europe/Stockholm date -d "@$1" "+$2"; }

# weekday DAYS is the day of the week, as an RRULE has it, some days from now.
weekday() { local day; day=$(local_time $((now + $1 * 86400)) %a); printf '%.2s' "${day^^}"; }

# windows prints four windows around now, one of each enforcement but Audit.
windows() {
  cat <<END
# Open since a minute ago, for an hour.
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: osthammar-nu}
spec:
  title: Servicefönster Östhammar
  titles: {en: Maintenance window Östhammar}
  timeZone: Europe/Stockholm
  schedules:
  - dates: ["$(local_time $((now - 60)) %F)"]
    startTime: "$(local_time $((now - 60)) %T)"
    endTime: "$(local_time $((now + 3600)) %T)"
  namespaceSelector: {matchLabels: {kommun: osthammar}}
---
# Two nights a week; outside them changes are refused.
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: heby-natter}
spec:
  title: Nattfönster Heby
  titles: {en: Nights Heby}
  timeZone: Europe/Stockholm
  schedules:
  - rrule: FREQ=WEEKLY;BYDAY=$(weekday 2),$(weekday 5)
    startTime: "22:00"
    endTime: "04:00"
  cutoff: 30m
  namespaceSelector: {matchLabels: {kommun: heby}}
---
# Opens in ten minutes; until then changes are accepted, and their rollouts wait.
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: tierp-strax}
spec:
  title: Servicefönster Tierp
  titles: {en: Maintenance window Tierp}
  timeZone: Europe/Stockholm
  schedules:
  - dates: ["$(local_time "$soon" %F)"]
    startTime: "$(local_time "$soon" %T)"
    endTime: "$(local_time $((soon + 3600)) %T)"
  namespaceSelector: {matchLabels: {kommun: tierp}}
  enforcement: Hold
  release: {maxConcurrent: 1}
---
# One day a week; at other times changes pass, with a warning.
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: knivsta-dagtid}
spec:
  title: Servicefönster Knivsta
  titles: {en: Maintenance window Knivsta}
  timeZone: Europe/Stockholm
  schedules:
  - rrule: FREQ=WEEKLY;BYDAY=$(weekday 3)
    startTime: "09:00"
    endTime: "20:00"
  namespaceSelector: {matchLabels: {kommun: knivsta}}
  enforcement: Warn
END
}

tell() {
  local dim=$'\e[2m' bold=$'\e[1m' plain=$'\e[0m'
  [[ -t 1 ]] || dim='' bold='' plain=''
  try() { printf '%s%s%s\n    %s\n' "$bold" "$1" "$plain" "$dim$2$plain"; }
  cat <<END

It runs: a cluster, the operator, the page, four municipalities, a window for each ($folder/windows.yaml).
The page for people: http://127.0.0.1:$port/
Logs: $folder/*.log

In the shell in which you play:

export KUBECONFIG=$KUBECONFIG PATH=$root/.local/bin:$root/bin:\$PATH

END
  try "kubectl get mw" "four windows: one is open, one opens at $(local_time "$soon" %H:%M), two wait for their day"
  try "kubectl -n heby set image deployment/web app=app:2" "refused, with the next opening and the way for an emergency"
  try "kubectl window when deploy/web -n heby" "what may be done to it now, what not, from when, and who may let it through"
  try "kubectl -n heby get gate" "the same for everybody who may view the namespace, without any tool of ours"
  try "kubectl -n osthammar set image deployment/web app=app:2" "passes: that window is open until $(local_time $((now + 3600)) %H:%M)"
  try "kubectl -n tierp set image deployment/web app=app:2; kubectl window held -n tierp" \
    "accepted; the rollout waits, and begins by itself at $(local_time "$soon" %H:%M)"
  try "kubectl window override deploy/web -n heby --reason 'INC-1234 disken full' --for 10m --as jour" \
    "an emergency: now the change in heby passes, and the page tells of it; --as anna has no right to"
  try "kubectl window freeze valstopp --reason 'Val: inga ändringar'" \
    "nothing more, anywhere, also in osthammar: try; 'kubectl window unfreeze valstopp' lifts it"
  printf '\nmake play-down ends all of it.\n'
}

up() {
  command -v curl >/dev/null || fail "curl is missing: install it, this asks the operator with it whether it is ready"
  mkdir -p "$folder"
  for program in fonster fonster-page; do stop $program; done
  for taken in $(seq "$port" $((port + 3))); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$taken") 2>/dev/null ||
      fail "port $taken of 127.0.0.1 is taken by something else: end that, or choose four others, as with make play PLAY_PORT=9190"
  done
  echo "a cluster: real API server, controllers and scheduler; nodes and pods simulated by kwok"
  KUBECONFIG_OUT=$KUBECONFIG hack/controlplane/cluster.sh up "$name" >/dev/null
  echo "Fonster: its CRDs, policies and RBAC; operator and page"
  hack/install.sh >"$folder/install.log" 2>&1 || { tail -n 5 "$folder/install.log" >&2; fail "could not install; the log: $folder/install.log"; }
  start fonster fonster-controller-manager $((port + 2)) --metrics-bind-address=127.0.0.1:$((port + 1))
  start fonster-page fonster-page $((port + 3)) --page-bind-address=127.0.0.1:"$port" --page-audience-label=kommun \
    --page-audiences=heby=Heby,knivsta=Knivsta,osthammar=Östhammar,tierp=Tierp --page-language=sv --page-organisation=IT-Centrum
  echo "municipalities, workloads and windows"
  now=$(date +%s) soon=$(($(date +%s) + 600))
  # What is there already stays: it may have been played with.
  kubectl create -f hack/play/municipalities.yaml 2>&1 >/dev/null | grep -v AlreadyExists >&2 || true
  for namespace in osthammar heby tierp knivsta; do
    kubectl -n $namespace wait --for=create --timeout=10s deployment/web >/dev/null
  done
  windows >"$folder/windows.yaml"
  kubectl apply -f "$folder/windows.yaml" >/dev/null
  kubectl wait --for=condition=Ready --timeout=30s mw --all >/dev/null
  for namespace in osthammar heby tierp knivsta; do
    kubectl -n $namespace wait --for=create --timeout=30s gate/gate >/dev/null
  done
  tell
}

down() {
  for program in fonster fonster-page; do stop $program; done
  KUBECONFIG_OUT=$KUBECONFIG hack/controlplane/cluster.sh down "$name"
  rm -rf "$folder" "$KUBECONFIG"
  echo "ended: the cluster $name, its operator and its page"
}

case ${1:-} in
  up | down) "$1" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
