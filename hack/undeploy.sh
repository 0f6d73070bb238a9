#!/usr/bin/env bash
# Stops the operator in the cluster of KUBECONFIG, so that nothing is left that only the operator would let go: refuses while rollouts
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
('kubectl window held' tells which). Then try again.
END
  exit 1
}

until held=$(marked =true) && [[ -z $held ]] || refuse "$held"; let_go=$(marked) && [[ -z $let_go ]]; do
  ((SECONDS < patience)) || refuse "$let_go"
  echo "waiting for what has been let go and is not yet done:" $let_go
  sleep 2
done

replicas=$(kubectl get $manager --ignore-not-found -o 'jsonpath={.spec.replicas}' 2>/dev/null) || true # the namespace may be gone
if [[ -n $replicas ]]; then
  trap 'kubectl scale $manager --replicas="$replicas"' EXIT
  kubectl scale $manager --replicas=0
  kubectl wait -n fonster-system --for=delete pods -l app.kubernetes.io/name=fonster --timeout=2m
fi

# Below Kubernetes 1.36 there are no mutating policies.
if kubectl get --raw /apis/admissionregistration.k8s.io/v1 | grep -q '"mutatingadmissionpolicies"'; then
  kubectl get mutatingadmissionpolicybindings -o name | { grep '/fonster-hold-' || true; } | xargs -r kubectl delete --ignore-not-found
fi
# What would have been held must not be refused instead. A freeze goes on, and so does what some window refuses.
if [[ -n $(kubectl get crd gates.maintenance.fonster.dev --ignore-not-found -o name) ]]; then
  kubectl get gates -o go-template='{{range .items}}{{$gate := .metadata.name}}{{range $d := .spec.disruptions}}{{with $d.enforcement}}{{if and (eq . "Hold") (eq $d.disruption "Rollout") (not $d.freezes)}}{{$gate}}{{"\n"}}{{end}}{{end}}{{end}}{{end}}' |
    sed 's/^/fonster-workloads-deny-/' | xargs -r kubectl delete validatingadmissionpolicybindings --ignore-not-found
fi
sleep 2 # the API server rereads bindings each second

held=$(marked)
[[ -z $held ]] || refuse "$held"
trap - EXIT
kubectl delete --ignore-not-found -k "$root/config/manager"
