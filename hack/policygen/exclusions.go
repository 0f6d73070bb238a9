package policygen

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// Exclusion is a set of requests that no rule watches, on purpose.
type Exclusion struct {
	// Why tells a reader; Way names it in a few words.
	Way, Why string
	// Operations are CREATE, UPDATE and DELETE; empty: all of them.
	Operations []string
	// Resources are written group/resource, with the subresource; */status is every status.
	Resources []string
}

// Exclusions lists every way to write to the API that no rule watches. A test holds it against what the API server serves, so
// that a new version of Kubernetes cannot bring a way in unseen.
var Exclusions = []Exclusion{
	{
		Way: "status", Why: "the controllers' and kubelets' own; no change of status is ever refused, so that they always work. Metadata that is written along with it is guarded, above. Keep the right to write status to them: a forged one can hide pods, or end them",
		Resources: []string{"*/status"},
	},
	{
		Way: "creating workloads and pods", Why: "healing is creating. One whose selector fits pods or ReplicaSets that have no controller takes them over, and removes what is too many: see below",
		Operations: []string{"CREATE"},
		Resources: []string{
			"apps/deployments", "apps/statefulsets", "apps/daemonsets",
			"core/replicationcontrollers", "core/pods", "core/namespaces",
		},
	},
	{
		Way: "a new ephemeral container; binding a pod to its node", Why: "a pod that serves goes on. What an ephemeral container then does is done inside the pod, as with exec",
		Resources: []string{"core/pods/ephemeralcontainers", "core/pods/binding", "core/bindings"},
	},
	{
		Way: "kubectl exec, attach, port-forward, proxy", Why: "what is done inside a container is not seen at the API: keep the right narrow",
		Resources: []string{
			"core/pods/exec", "core/pods/attach", "core/pods/portforward", "core/pods/proxy", "core/services/proxy", "core/nodes/proxy",
		},
	},
	{
		Way: "finalizing a namespace", Why: "comes after its deletion, which is gated; metadata that is written along with it is guarded, above",
		Resources: []string{"core/namespaces/finalize"},
	},
	{
		Way: "nodes: deletion, a NoExecute taint, cordon; device taints", Why: "not yet: windows select namespaces, not nodes. A drain goes through the rule pod-evict",
		Resources: []string{"core/nodes", "resource.k8s.io/devicetaintrules"},
	},
	{
		Way: "Jobs and CronJobs", Why: "not yet: they end by themselves, and begin anew. The pods of a Job are pods like others",
		Resources: []string{"batch/jobs", "batch/cronjobs"},
	},
	{
		Way: "deleting a HorizontalPodAutoscaler", Why: "its workload keeps the replicas that it has",
		Operations: []string{"DELETE"},
		Resources:  []string{"autoscaling/horizontalpodautoscalers"},
	},
	{
		Way: "PodDisruptionBudgets, PriorityClasses", Why: "disturb nothing by themselves: an eviction that one lets through is gated; preemption is the scheduler's",
		Resources: []string{"policy/poddisruptionbudgets", "scheduling.k8s.io/priorityclasses"},
	},
	{
		Way: "configuration: ConfigMaps, Secrets, PodTemplates, ServiceAccounts, quotas and limits", Why: "no pod restarts for it; what an application does with it is its own",
		Resources: []string{
			"core/configmaps", "core/secrets", "core/podtemplates", "core/serviceaccounts", "core/serviceaccounts/token",
			"core/limitranges", "core/resourcequotas",
		},
	},
	{
		Way: "network: Services, Endpoints, Ingresses, NetworkPolicies, address ranges", Why: "out of scope: no pod is touched, though traffic may be",
		Resources: []string{
			"core/services", "core/endpoints", "discovery.k8s.io/endpointslices", "networking.k8s.io/ingresses", "networking.k8s.io/ingressclasses",
			"networking.k8s.io/networkpolicies", "networking.k8s.io/ipaddresses", "networking.k8s.io/servicecidrs",
		},
	},
	{
		Way: "storage", Why: "out of scope: volumes in use are protected by finalizers of Kubernetes' own",
		Resources: []string{
			"core/persistentvolumes", "core/persistentvolumeclaims", "storage.k8s.io/csidrivers", "storage.k8s.io/csinodes",
			"storage.k8s.io/csistoragecapacities", "storage.k8s.io/storageclasses", "storage.k8s.io/volumeattachments",
			"storage.k8s.io/volumeattributesclasses", "storagemigration.k8s.io/storageversionmigrations",
		},
	},
	{
		Way: "devices", Why: "out of scope: a claim in use is protected by a finalizer",
		Resources: []string{
			"resource.k8s.io/deviceclasses", "resource.k8s.io/resourceclaims", "resource.k8s.io/resourceclaimtemplates",
			"resource.k8s.io/resourceslices", "node.k8s.io/runtimeclasses",
		},
	},
	{
		Way: "CRDs of others, API services", Why: "the objects of a CRD that is deleted go without admission. Workloads of other kinds are not governed in any case; Fonster's own CRDs are guarded, above",
		Resources: []string{"apiextensions.k8s.io/customresourcedefinitions", "apiregistration.k8s.io/apiservices"},
	},
	{
		Way: "admission policies, their bindings, webhooks", Why: "the API server exempts them from admission by policies: keep the right to write them narrow. What is missing or changed, the operator tells on every window (`Enforced=False`) until `make install`",
		Resources: []string{
			"admissionregistration.k8s.io/mutatingadmissionpolicies", "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
			"admissionregistration.k8s.io/mutatingwebhookconfigurations", "admissionregistration.k8s.io/validatingadmissionpolicies",
			"admissionregistration.k8s.io/validatingadmissionpolicybindings", "admissionregistration.k8s.io/validatingwebhookconfigurations",
		},
	},
	{
		Way: "windows and freezes", Why: "whoever has the right to write them decides: that is plain RBAC",
		Resources: []string{"maintenance.fonster.dev/maintenancewindows", "maintenance.fonster.dev/changefreezes"},
	},
	{
		Way: "rights, identities, certificates, reviews", Why: "disturb nothing by themselves; never gated, so that the control plane works",
		Resources: []string{
			"rbac.authorization.k8s.io/clusterrolebindings", "rbac.authorization.k8s.io/clusterroles", "rbac.authorization.k8s.io/rolebindings",
			"rbac.authorization.k8s.io/roles", "authentication.k8s.io/selfsubjectreviews", "authentication.k8s.io/tokenreviews",
			"authorization.k8s.io/localsubjectaccessreviews", "authorization.k8s.io/selfsubjectaccessreviews",
			"authorization.k8s.io/selfsubjectrulesreviews", "authorization.k8s.io/subjectaccessreviews",
			"certificates.k8s.io/certificatesigningrequests", "certificates.k8s.io/certificatesigningrequests/approval",
			"certificates.k8s.io/clustertrustbundles", "certificates.k8s.io/podcertificaterequests",
		},
	},
	{
		Way: "events, leases, flow control", Why: "the control plane's own; never gated",
		Resources: []string{
			"core/events", "events.k8s.io/events", "coordination.k8s.io/leases",
			"flowcontrol.apiserver.k8s.io/flowschemas", "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
		},
	},
}

// Watches says whether a policy watches requests of an operation on a resource, written as in Exclusions.
func (p *Policies) Watches(resource, operation string) bool {
	watches := func(r admissionv1.NamedRuleWithOperations) bool {
		return slices.Contains(r.Operations, admissionv1.OperationType(operation)) &&
			slices.ContainsFunc(r.Resources, func(name string) bool { return qualified(r.APIGroups[0], name) == resource })
	}
	return slices.ContainsFunc(p.Validating, func(v *admissionv1.ValidatingAdmissionPolicy) bool {
		return slices.ContainsFunc(v.Spec.MatchConstraints.ResourceRules, watches)
	})
}

func qualified(group, resource string) string {
	if group == "" {
		group = "core"
	}
	return group + "/" + resource
}

// Covers says whether the entry is about an operation on a resource.
func (e Exclusion) Covers(resource, operation string) bool {
	return (len(e.Operations) == 0 || slices.Contains(e.Operations, operation)) && slices.ContainsFunc(e.Resources, func(r string) bool {
		return r == resource || strings.HasPrefix(r, "*/") && strings.HasSuffix(resource, r[1:])
	})
}
