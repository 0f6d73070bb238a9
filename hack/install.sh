#!/usr/bin/env bash
# Installs CRDs, RBAC and policies into the cluster of KUBECONFIG, and returns when the API server evaluates them: until it has read the
# new CRD of Gates, it refuses whatever policies match in namespaces that have one.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$root/.local/bin:$PATH
# put installs the policies and bindings of a folder as they are here, whatever has become of those in the cluster, and notes them: to apply
# leaves what others have added, so where somebody has written more than a status, they are replaced as a whole; again where the status has
# just been written.
applied=$(mktemp)
trap 'rm -f "$applied"' EXIT
put() {
  kubectl apply --server-side --force-conflicts -k "$1" | tee -a "$applied"
  local writes='{range .items[*]}{range .metadata.managedFields[?(@.operation=="Update")]}{.operation}/{.subresource}{"\n"}{end}{end}'
  [[ -n $(kubectl get "$2" -l app.kubernetes.io/managed-by=fonster -o jsonpath="$writes" | grep -vx Update/status) ]] || return 0
  for _ in $(seq 10); do
    if kubectl replace -k "$1"; then return 0; fi
    sleep 1
  done
  return 1
}
# A CRD's scope cannot be changed: the old one would stay, and with it nothing of this version would work.
scope=$(kubectl get crd gates.maintenance.fonster.dev --ignore-not-found -o 'jsonpath={.spec.scope}')
if [[ $scope == Cluster ]]; then
  cat >&2 <<END
An older version is installed, whose Gates are cluster-scoped, and Kubernetes cannot change the scope of a CRD. Nothing has been changed.
Follow docs/upgrade.md, "From a version whose Gates are cluster-scoped": it takes the old CRD away first.
END
  exit 1
fi
case ${VIEWERS:-all} in
  all | none) ;;
  *) echo "VIEWERS=$VIEWERS: want all (everybody may read windows and freezes) or none" >&2; exit 1 ;;
esac
for part in crd rbac; do kubectl apply --server-side --force-conflicts -k "$root/config/$part"; done
if [[ ${VIEWERS:-all} == all ]]; then
  kubectl apply --server-side --force-conflicts -k "$root/config/viewers"
else
  kubectl delete --ignore-not-found -k "$root/config/viewers"
fi
# Policies that read a kind which is not served yet would refuse meanwhile.
kubectl wait --for=condition=Established --timeout=60s -f "$root/config/crd/bases"
kinds=validatingadmissionpolicies,validatingadmissionpolicybindings
put "$root/config/policies" "$kinds"
# Below Kubernetes 1.36 there are no mutating policies.
if kubectl get --raw /apis/admissionregistration.k8s.io/v1 | grep -q '"mutatingadmissionpolicies"'; then
  mutating=mutatingadmissionpolicies,mutatingadmissionpolicybindings
  put "$root/config/mutating" "$mutating"
  kinds+=,$mutating
fi
# What another version has left is told, and not deleted: it may be what holds a rollout.
left=$(comm -13 <(cut -d' ' -f1 "$applied" | sort) \
  <(for ours in maintenance.fonster.dev/part app.kubernetes.io/managed-by=fonster; do kubectl get "$kinds" -l "$ours" -o name; done | sort -u))
if [[ -n $left ]]; then
  printf 'Not of this version, and left as it is (docs/upgrade.md tells what to do):\n%s\n' "$left" >&2
fi
# A Namespace that would have a Gate is judged by policies that read one.
for _ in $(seq 60); do
  answer=$(kubectl label namespace fonster-system maintenance.fonster.dev/gated=true --dry-run=server 2>&1) || true
  [[ $answer == *"not yet synced"* ]] || exit 0
  sleep 0.5
done
echo "the policies are installed, but not in force after 30 seconds: $answer" >&2
exit 1
