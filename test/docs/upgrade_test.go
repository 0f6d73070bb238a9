package docs

import (
	"strings"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

// anOlderVersion is installed as one whose Gates are cluster-scoped was: with a Gate, a policy that only it had, and a window.
const anOlderVersion = `
kubectl kustomize config/crd | awk '/^kind: CustomResourceDefinition/ {gates = 0} /^    kind: Gate$/ {gates = 1} gates && /^  scope: Namespaced/ {$0 = "  scope: Cluster"} 1' |
  kubectl apply --server-side -f -
kubectl wait --for=condition=Established --timeout=60s crd/gates.maintenance.fonster.dev
for part in rbac viewers manager; do kubectl apply --server-side -k config/$part; done
kubectl create namespace heby
kubectl label namespace heby kommun=heby
kubectl -n heby create deployment web --image=app:1
kubectl apply -f - <<'END'
apiVersion: maintenance.fonster.dev/v1alpha1
kind: Gate
metadata: {name: gate}
spec: {summary: {state: Closed}}
---
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: heby-natter}
spec:
  timeZone: UTC
  schedules: [{dates: ["2199-05-13"], startTime: "09:00", endTime: "20:00"}]
  namespaceSelector: {matchLabels: {kommun: heby}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fonster-scales-deny, labels: {app.kubernetes.io/managed-by: fonster}}
spec:
  paramKind: {apiVersion: maintenance.fonster.dev/v1alpha1, kind: Gate}
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}]
  validations: [{expression: "true"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fonster-scales-deny-heby, labels: {app.kubernetes.io/managed-by: fonster}}
spec:
  policyName: fonster-scales-deny
  paramRef: {name: gate, parameterNotFoundAction: Allow}
  validationActions: [Deny]
END
for part in policies mutating; do kubectl apply --server-side -k config/$part; done
kubectl -n fonster-system rollout status --timeout=60s deployment/fonster-controller-manager
`

// TestUpgrading follows docs/upgrade.md, from a version whose Gates are cluster-scoped. Beside other tests: most of its time it waits.
func TestUpgrading(t *testing.T) {
	t.Parallel()
	s, c := installing(t, "upgrade", cluster.Root(), "IMG=...", "IMG=registry.example.se/fonster:v0.1.0")
	s.must(t, anOlderVersion)
	if out, err := s.run("make --no-print-directory install"); err == nil || !strings.Contains(out, "Nothing has been changed") {
		t.Errorf("make install over the older version: %v\n%s", err, out)
	}
	s.document(t, "docs/upgrade.md")
	operator, err := c.StartOperator(t.Context()) // kwok runs no programs: this one runs beside its pods
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"kubectl wait --for=condition=Enforced --timeout=60s mw/heby-natter",
		"kubectl -n heby wait --for=create --timeout=30s gate/gate",
		"[[ $(kubectl -n heby set image deployment/web app=app:2 --dry-run=server 2>&1) == *'Rollout of Deployment heby/web is outside'* ]]",
		"[[ $(make --no-print-directory install 2>&1) != *'Not of this version'* ]]",
	} {
		if out, err := s.run(command); err != nil {
			t.Fatalf("%s: %v\n%s\n%s", command, err, out, operator.Log())
		}
	}
}
