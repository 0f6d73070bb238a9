package policygen

import "fonster.dev/fonster/internal/policy"

// Protection keeps the gates themselves: what must not be written around the rules.
type Protection struct {
	// Name is unique; a test of that name must exist.
	Name string
	// Policy is the name of the policy that protects it.
	Policy string
	// What is protected, and How, for readers.
	What, How string
}

// Integrity lists what is protected, for the page docs/rules.md and for the test that everything on it is tried.
var Integrity = []Protection{
	{
		Name: "namespace-deleted", Policy: "fonster-namespaces", What: "a Namespace is deleted, or given other owners",
		How: "refused while its gate is closed for `Delete`",
	},
	{
		Name: "namespace-relabelled", Policy: "fonster-namespaces", What: "a label of a governed Namespace is changed that any window or freeze selects on",
		How: "refused while anything is closed there",
	},
	{
		Name: "object-relabelled", Policy: "fonster-workloads-deny", What: "labels of a workload, ReplicaSet or pod are changed so that other windows or freezes select it by their objectSelector",
		How: "refused while anything is closed for it",
	},
	{
		Name: "gated-label", Policy: "fonster-gated", What: "the label `gated` of a Namespace is changed, which says that it has a Gate",
		How: "refused to everybody but the operator",
	},
	{
		Name: "status-metadata", Policy: "fonster-status",
		What: "labels, ownerReferences or annotations of ours are changed through the status of a workload, pod or Namespace, or through namespaces/finalize; where nothing governs, of what is held, overridden or gated",
		How:  "refused to everybody but the control plane and the operator: metadata is changed through the resource itself, where the other rules see it",
	},
	{
		Name: "held-labels", Policy: "fonster-held", What: "the labels `held`, `held-since`, `held-partition` are written",
		How: "restored on what is held, and refused elsewhere, to everybody but the operator, at creation too; without `held` the other two mean nothing",
	},
	{
		Name: "override-notes", Policy: "fonster-overridden", What: "`override-until`, `override-by`, `override-from`, `override-spent` are written",
		How: "put back as they were, whoever but the operator writes them, where a gate governs and on what has the label `overridden`, at creation too; elsewhere they mean nothing, as nothing stands without the label; where the API server has no mutating policies, refused on what has the label; who sets an override may name an earlier end",
	},
	{
		Name: "gate-written", Policy: "fonster-gates", What: "a Gate is written",
		How: "refused to everybody but the operator, the garbage collector and the namespace controller",
	},
	{
		Name: "selectors", Policy: "fonster-selectors", What: "a window or freeze has a selector that no Gate could carry",
		How: "refused",
	},
	{
		Name: "operator", Policy: policy.OperatorGuard, What: "the operator changes a workload or Namespace",
		How: "refused but for its own marks and notes: of workloads the labels `held`, `held-since`, `held-partition`, where `held` is set already, and then `paused`, `partition` or `type` too; of Namespaces the label `gated`; " +
			"the end of an override, never its beginning; nothing in the namespaces where nothing is governed. Never a pod template, replicas, owners, finalizers or other labels",
	},
	{
		Name: "crd-removed", Policy: "fonster-crds", What: "a CRD of Fonster is deleted, no longer served, or written off by its status",
		How: "refused to everybody while the policies are there: `make uninstall` removes them first",
	},
}
