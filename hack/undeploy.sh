#!/usr/bin/env bash
# Stops the operator and the page in the cluster of KUBECONFIG, so that nothing is left that only the operator would let go: refuses while rollouts
# are held, waits for those let go, stops the operator, takes away what holds, and then removes it. Where something has been held in
# between, the operator runs again.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mark=maintenance.fonster.dev/held
manager="-n fonster-system deployment/fonster-controller-manager"
patience=600 # seconds; as long as a Deployment has for progress

# marked [=VALUE] lists the workloads with the mark.
marked() {
  kubectl get deployments.apps,statefulsets.apps,daemonsets.apps -A -l "$mark${1:-}" \
    -o 'jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} ({.kind}.apps/{.metadata.name}): {.metadata.labels.maintenance\.fonster\.dev/held}{"\n"}{end}' |
    sed -e 's/(Deployment\./(deployment./;s/(StatefulSet\./(statefulset./;s/(DaemonSet\./(daemonset./;s/: true$/: held/'
}

refuse() {
  cat >&2 <<END
Rollouts are held or under way, and without the operator nobody would see to them:
$1
Let the operator release them first: open the windows they wait for, change their enforcement to Warn, or delete them
('kubectl window held -A' tells which). Then try again.
END
  exit 1
}

# restore lets the operator run and hold again.
restore() {
  if [[ $mutating ]]; then kubectl apply --server-side --force-conflicts -f "$root/config/mutating/bindings.yaml"; fi
  kubectl scale $manager --replicas="$replicas"
}

# Below Kubernetes 1.36 there are no mutating policies.
mutating=$(kubectl get --raw /apis/admissionregistration.k8s.io/v1 | grep -o '"mutatingadmissionpolicies"' | head -1) || true

until held=$(marked =true) && [[ -z $held ]] || refuse "$held"; let_go=$(marked) && [[ -z $let_go ]]; do
  ((SECONDS < patience)) || refuse "$let_go"
  echo "waiting for what has been let go and is not yet done:" $let_go
  sleep 2
done

replicas=$(kubectl get $manager --ignore-not-found -o 'jsonpath={.spec.replicas}' 2>/dev/null) || true # the namespace may be gone
if [[ -n $replicas ]]; then
  trap restore EXIT
  kubectl scale $manager --replicas=0
  kubectl wait -n fonster-system --for=delete pods -l app.kubernetes.io/name=fonster --timeout=2m
fi

if [[ $mutating ]]; then kubectl delete mutatingadmissionpolicybinding fonster-hold --ignore-not-found; fi
# What would have been held must not be refused instead: a rollout that only Hold stops passes from now on. Freezes go on, and so does what
# some window refuses. Gates take it from nobody but the operator, in whose name an administrator may write.
if [[ -n $(kubectl get crd gates.maintenance.fonster.dev --ignore-not-found -o name) ]]; then
  as_operator='--as=system:serviceaccount:fonster-system:fonster-controller-manager --as-group=system:masters'
  kubectl get gates -A -o go-template='{{range .items}}{{$ns := .metadata.namespace}}{{range $i, $t := .spec.targets}}{{if eq $t.enforcement "Hold"}}{{range $j, $d := $t.disruptions}}{{if eq $d "Rollout"}}{{$ns}} {{if eq (len $t.disruptions) 1}}[{"op":"replace","path":"/spec/targets/{{$i}}/enforcement","value":"Warn"}]{{else}}[{"op":"remove","path":"/spec/targets/{{$i}}/disruptions/{{$j}}"}]{{end}}{{"\n"}}{{end}}{{end}}{{end}}{{end}}{{end}}' |
    while read -r namespace patch; do printf '%s\0%s\0' "$namespace" "$patch"; done |
    xargs -r -0 -n 2 -P 8 bash -c 'kubectl '"$as_operator"' -n "$1" patch gate gate --type=json -p "$2"' patch
fi
sleep 2 # the API server rereads bindings each second

held=$(marked)
[[ -z $held ]] || refuse "$held"
trap - EXIT
for part in manager page; do kubectl delete --ignore-not-found -k "$root/config/$part"; done
