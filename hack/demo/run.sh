#!/usr/bin/env bash
# The demo: a local cluster from nothing, the operator under its own ServiceAccount, IT-Centrum's notice of 2021 as objects,
# and a walk through what Fonster does with it. Each step is the kubectl command a user would type, and what came back.
# Exits non-zero when a step does not do what it says.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
cluster=fonster-demo-$$
work=$(mktemp -d)
export KUBECONFIG=$work/kubeconfig PATH=$root/.local/bin:$root/bin:$PATH
bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
[[ -t 1 ]] || bold='' dim='' red='' plain=''
operator= pages=

command -v curl >/dev/null || { echo "demo: curl is missing: install it, the demo reads the metrics with it" >&2; exit 1; }

cleanup() {
  for process in $operator $pages; do { kill -9 "$process" && wait "$process"; } 2>/dev/null; done
  KUBECONFIG_OUT=$work/kubeconfig hack/controlplane/cluster.sh down "$cluster"
  rm -rf "$work"
}
trap cleanup EXIT

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2; exit 1; }

# ask COMMAND...: shows the command and what it prints; the status is in $status, the output in $output.
ask() {
  printf '%s$ %s%s\n' "$dim" "$*" "$plain"
  output=$("$@" 2>&1)
  status=$?
  [[ -z $output ]] || printf '%s\n' "$output"
}
passes() { ask "$@"; [[ $status == 0 ]] || fail "this should have passed"; }
refused() { ask "$@"; [[ $status != 0 && $output == *forbidden* ]] || fail "this should have been refused"; }
says() { local text; for text in "$@"; do [[ $output == *"$text"* ]] || fail "the answer does not say: $text"; done; }

start_operator() {
  hack/kubeconfig.sh fonster-controller-manager "$work/operator.kubeconfig" || fail "no kubeconfig for the operator"
  KUBECONFIG=$work/operator.kubeconfig bin/fonster --metrics-bind-address=127.0.0.1:"$metrics" \
    --health-probe-bind-address=127.0.0.1:"$probes" >"$work/operator.log" 2>&1 &
  operator=$!
  ready operator "$probes"
}

start_page() {
  hack/kubeconfig.sh fonster-page "$work/page.kubeconfig" || fail "no kubeconfig for the page"
  KUBECONFIG=$work/page.kubeconfig bin/fonster-page --page-bind-address=127.0.0.1:"$page" --health-probe-bind-address=127.0.0.1:"$page_probes" \
    --page-audiences=heby=Heby,knivsta=Knivsta,tierp=Tierp,alvkarleby=Älvkarleby,osthammar=Östhammar >"$work/page.log" 2>&1 &
  pages=$!
  ready page "$page_probes"
}

# ready PROGRAM PORT waits until a program is.
ready() {
  for _ in $(seq 100); do
    curl -fs "http://127.0.0.1:$2/readyz" >/dev/null && return
    sleep 0.1
  done
  cat "$work/$1.log" >&2
  fail "the $1 did not become ready"
}

# page_says TEXT...: what the page of Östhammar has in its headings.
page_says() {
  printf "%s\$ curl -s http://127.0.0.1:$page/sv/osthammar/ | grep '<h[23]' | sed 's/<[^>]*>//g'%s\n" "$dim" "$plain"
  local text missing
  for _ in $(seq 25); do # what was applied just now is seen a moment later
    output=$(curl -fs "http://127.0.0.1:$page/sv/osthammar/" | grep '<h[23]' | sed 's/<[^>]*>//g; s/^ *//')
    missing=
    for text in "$@"; do [[ $output == *"$text"* ]] || missing=$text; done
    [[ -n $missing ]] || break
    sleep 0.2
  done
  printf '%s\n' "$output"
  says "$@"
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

say "1. A cluster: real API server, controllers and scheduler; nodes and pods simulated by kwok"
KUBECONFIG_OUT=$KUBECONFIG hack/controlplane/cluster.sh up "$cluster" >/dev/null || fail "the cluster did not start"
passes kubectl get nodes

say "2. Fonster: CRDs, policies, RBAC; and operator and page, with no rights but those of their own ServiceAccounts"
make --no-print-directory install >"$work/install.log" 2>&1 || { cat "$work/install.log" >&2; fail "make install"; }
metrics=$(free_port) probes=$(free_port) page=$(free_port) page_probes=$(free_port)
start_operator
start_page
echo "installed; the operator runs as process $operator, the page as process $pages"
echo "the page for people: http://127.0.0.1:$page/ and, for one municipality, http://127.0.0.1:$page/osthammar/"

say "3. The notice of 2021 as objects: five municipalities, Östhammar's window, the common windows"
passes kubectl apply -f config/samples/itcentrum-2021.yaml
passes kubectl window calendar -f config/samples/itcentrum-2021.yaml --from 2021-05-01 --to 2022-01-01
says "Thu 13 May 2021 09:00 CEST" "Sun 5 Dec 2021 20:00 CET"

say "4. The same pattern for a date near now: a window for Östhammar a week ahead"
day=$(date -u -d '+7 days' +%F)
cat >"$work/now.yaml" <<END
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: osthammar}
spec:
  title: Servicefönster Östhammar
  timeZone: Europe/Stockholm
  schedules:
  - {dates: ["$day"], startTime: "09:00", endTime: "20:00"}
  namespaceSelector: {matchLabels: {kommun: osthammar}}
END
cat "$work/now.yaml"
passes kubectl apply -f "$work/now.yaml"
for ns in osthammar default; do
  kubectl -n $ns create deployment web --image=app:1 --replicas=2 >/dev/null || fail "creating a deployment"
  kubectl -n $ns rollout status deployment/web --timeout=60s >/dev/null || fail "the deployment did not come up"
done
passes kubectl wait --for=create --timeout=10s -n osthammar gate/gate
passes kubectl get mw
passes kubectl get gates -A
says osthammar Closed "opens"
page_says "Inget servicefönster pågår just nu"
ask curl -fs "http://127.0.0.1:$page/osthammar/calendar.ics"
says "DTSTART;TZID=Europe/Stockholm:${day//-/}T090000" "SUMMARY:Servicefönster Östhammar"

say "5. Outside the windows a disruptive change is refused, with the opening in Swedish time and the way for an emergency"
refused kubectl -n osthammar set image deployment/web app=app:2
says "Rollout of Deployment osthammar/web" "osthammar" "$(LC_ALL=C TZ=Europe/Stockholm date -d "$day 09:00" '+%a %-d %b %Y %H:%M')" "CE" "In an emergency"
refused kubectl -n osthammar delete deployment web

say "   So are the ways around it: a single pod, the ReplicaSet behind it, the namespace around it"
refused kubectl -n osthammar delete pods --all
says "Delete of Pod osthammar/web-"
refused kubectl -n osthammar delete replicasets -l app=web
refused kubectl label namespace osthammar kommun-
refused kubectl delete namespace osthammar
says "Delete of Namespace osthammar"

say "6. Harmless changes pass, and so does everything in a namespace that no window governs"
passes kubectl -n osthammar label deployment web contact=it-centrum
passes kubectl -n osthammar scale deployment web --replicas=3
passes kubectl -n default set image deployment/web app=app:2

say "7. An emergency: the developer on duty has no right to let it through, the on-call engineer has"
for who in developer oncall; do
  kubectl -n osthammar create serviceaccount $who >/dev/null && kubectl -n osthammar create rolebinding $who --clusterrole=edit --serviceaccount=osthammar:$who >/dev/null || fail "creating $who"
done
kubectl create clusterrolebinding oncall-emergency --clusterrole=fonster-emergency --serviceaccount=osthammar:oncall >/dev/null || fail "binding the emergency role"
sleep 1 # RBAC is in force
developer=system:serviceaccount:osthammar:developer oncall=system:serviceaccount:osthammar:oncall
passes kubectl --as $developer -n osthammar get gate # whoever may view the namespace sees when it opens
refused kubectl --as $developer -n osthammar annotate deployment/web maintenance.fonster.dev/override="INC-1234 disken full"
says "has no right to override"
passes kubectl window --as $oncall override deploy/web -n osthammar --reason "INC-1234 disken full" --for 10m --notice "Ett fel i e-tjänsterna åtgärdas."
passes kubectl --as $developer -n osthammar set image deployment/web app=app:1.1
for _ in $(seq 50); do # the operator records it
  kubectl window overrides | grep -q Stands && break
  sleep 0.1
done
passes kubectl window overrides
says "Deployment osthammar/web" "Stands" "$oncall" "INC-1234 disken full"
page_says "Akut arbete pågår"
passes kubectl window --as $oncall override deploy/web -n osthammar --end
refused kubectl --as $developer -n osthammar set image deployment/web app=app:1.2

say "8. A window that opens in 20 seconds"
opens=$(($(date +%s) + 20)) closes=$(($(date +%s) + 45))
cat >"$work/soon.yaml" <<END
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: osthammar-nu}
spec:
  title: Extra servicefönster Östhammar
  class: Emergency
  timeZone: UTC
  schedules:
  - {dates: ["$(date -u -d @$opens +%F)"], startTime: "$(date -u -d @$opens +%T)", endTime: "$(date -u -d @$closes +%T)"}
  namespaceSelector: {matchLabels: {kommun: osthammar}}
END
cat "$work/soon.yaml"
passes kubectl apply -f "$work/soon.yaml"
page_says "Inget servicefönster pågår just nu" "Akut arbete planerat"
while [[ $(date +%s) -lt $((opens - 1)) ]]; do sleep 0.2; done
refused kubectl -n osthammar set image deployment/web app=app:2
echo "waiting for the edge, then the same command until it passes ..."
while [[ $(date +%s) -lt $opens ]]; do sleep 0.005; done
for _ in $(seq 40); do
  output=$(kubectl -n osthammar set image deployment/web app=app:2 2>&1) && break
done
passed=$(date +%s%3N)
printf '%s$ kubectl -n osthammar set image deployment/web app=app:2%s\n%s\n' "$dim" "$plain" "$output"
says "image updated"
echo "first success $((passed - opens * 1000)) ms after the schedule's edge, kubectl's own start included"
page_says "Akut arbete pågår"
passes kubectl wait --for=condition=Open --timeout=5s mw/osthammar-nu
passes kubectl get mw

say "9. Metrics, read with a token: the window is open, and closes when it says"
token=$(kubectl create token default -n default) || fail "no token"
kubectl create clusterrolebinding demo-metrics --clusterrole=fonster-metrics-reader --serviceaccount=default:default >/dev/null
ask curl -ks -o /dev/null -w '%{http_code}' "https://127.0.0.1:$metrics/metrics"
[[ $output == 401 || $output == 403 ]] || fail "metrics without a token should be refused"
scrape() { curl -ks -H "Authorization: Bearer $token" "https://127.0.0.1:$metrics/metrics" | grep '^fonster_' | grep -v _bucket; }
echo "$dim\$ curl -k -H 'Authorization: Bearer ...' https://127.0.0.1:$metrics/metrics | grep ^fonster_$plain"
output=$(scrape)
printf '%s\n' "$output"
says 'fonster_window_open{window="osthammar-nu"} 1' 'fonster_window_open{window="osthammar"} 0'
[[ $(awk '/^fonster_window_closes_timestamp_seconds{window="osthammar-nu"}/ {printf "%d", $2}' <<<"$output") == "$closes" ]] || fail "the closing time in the metrics is wrong"

say "10. The operator is killed. The gate still closes on the second, by the API server's own clock"
ask kill -9 "$operator"
{ wait "$operator"; } 2>/dev/null
operator=
while [[ $(date +%s) -lt $closes ]]; do sleep 0.05; done
refused kubectl -n osthammar set image deployment/web app=app:3

say "11. The operator comes back and finds everything as it should be"
start_operator
passes kubectl wait --for=condition=Open=False --timeout=10s mw/osthammar-nu
passes kubectl get events -A --field-selector involvedObject.kind=MaintenanceWindow
passes kubectl window status
page_says "Inget servicefönster pågår just nu"

say "12. Hold instead of refuse: the change is accepted, and waits for a window that opens in 25 seconds"
opens=$(($(date +%s) + 25)) closes=$(($(date +%s) + 600))
[[ $(date -u -d @$opens +%F) == $(date -u -d @$closes +%F) ]] || fail "midnight is near: try again in ten minutes"
cat >"$work/hold.yaml" <<END
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: heby-hold}
spec:
  title: Servicefönster Heby
  timeZone: UTC
  schedules:
  - {dates: ["$(date -u -d @$opens +%F)"], startTime: "$(date -u -d @$opens +%T)", endTime: "$(date -u -d @$closes +%T)"}
  namespaceSelector: {matchLabels: {demo: hold}}
  enforcement: Hold
  release: {maxConcurrent: 1, earlyClose: WhenDone}
END
cat "$work/hold.yaml"
kubectl create namespace hold-demo >/dev/null && kubectl label namespace hold-demo demo=hold >/dev/null || fail "creating a namespace"
for workload in web api; do
  kubectl -n hold-demo create deployment $workload --image=app:1 --replicas=2 >/dev/null || fail "creating a deployment"
  kubectl -n hold-demo rollout status deployment/$workload --timeout=60s >/dev/null || fail "the deployment did not come up"
done
passes kubectl apply -f "$work/hold.yaml"
passes kubectl wait --for=create --timeout=10s -n hold-demo gate/gate
sleep 0.5 # the API server has heard of it
passes kubectl -n hold-demo set image deployment/web app=app:2
says "is held until" "when heby-hold opens" "image updated"
passes kubectl -n hold-demo set image deployment/api app=app:2
passes kubectl -n hold-demo rollout resume deployment/web
says "held until"
passes kubectl window held
says "Deployment hold-demo/web" "Deployment hold-demo/api" "OPENS"
passes kubectl wait --for=condition=Holding --timeout=10s mw/heby-hold
echo "waiting for the opening: both roll out, one at a time, and then the window closes ..."
while [[ $(date +%s) -lt $opens ]]; do sleep 0.2; done
for workload in web api; do
  for _ in $(seq 300); do
    [[ $(kubectl -n hold-demo get deployment $workload -o 'jsonpath={.spec.paused}{.metadata.labels.maintenance\.fonster\.dev/held}') == "" ]] && break
    sleep 0.1
  done
  passes kubectl -n hold-demo rollout status deployment/$workload --timeout=60s
  says "successfully rolled out"
done
for _ in $(seq 100); do
  output=$(kubectl get mw heby-hold -o 'jsonpath={.status.lastOccurrence}')
  [[ $output == *'"closedEarly":true'* ]] && break
  sleep 0.1
done
passes kubectl get mw heby-hold -o 'jsonpath={.status.lastOccurrence}{"\n"}'
says '"closedEarly":true' '"released":2'
passes kubectl window held
says "No rollout is held."

say "Everything did what it says. 'make cluster-up install run' gives you the same to play with."
