package doors

// Guard keeps the gates themselves: what must not be written around the doors.
type Guard struct {
	// Name is unique among the guards; a test of that name must exist.
	Name string
	// Policy is the name of the policy that guards.
	Policy string
	// What is guarded, and How, for readers.
	What, How string
}

// Guards lists what is guarded, for the page docs/doors.md and for the test that every guard is tried.
var Guards = []Guard{
	{
		Name: "namespace-deleted", Policy: "fonster-namespaces", What: "a Namespace is deleted, or given other owners",
		How: "refused while a gate is closed for `Delete` that governs it, or anything in it",
	},
	{
		Name: "namespace-relabelled", Policy: "fonster-namespaces", What: "a Namespace is relabelled out of a gate, or into a window that is open",
		How: "refused while any disruption of the gate is closed. Only labels that windows select on count",
	},
	{
		Name: "status-metadata", Policy: "fonster-status",
		What: "labels, ownerReferences or annotations of ours are changed through the status of a workload, pod or Namespace, or through namespaces/finalize",
		How:  "refused to everybody but the control plane and the operator: metadata is changed through the resource itself, where doors and guards see it",
	},
	{
		Name: "held-labels", Policy: "fonster-held", What: "the labels `held`, `held-since`, `held-partition` are written",
		How: "restored on what is held, and refused elsewhere, to everybody but the operator; at creation too",
	},
	{
		Name: "override-notes", Policy: "fonster-overrides", What: "`override-until`, `override-by`, `override-from`, `override-spent` are written",
		How: "put back as they were, whoever but the operator writes them, where a gate governs and on what has the label `overridden`, at creation too; elsewhere they mean nothing, as nothing stands without the label; where the API server has no mutating policies, refused on what has the label; who sets an override may name an earlier end",
	},
	{
		Name: "strictest", Policy: holdsDeny.policyName(holds), What: "what another target's gate would hold, while this one is closed for `Deny` or frozen",
		How: "refused: the strictest counts",
	},
	{
		Name: "gate-written", Policy: "fonster-gates", What: "a Gate is written",
		How: "refused to everybody but the operator and the garbage collector",
	},
	{
		Name: "selectors", Policy: "fonster-selectors", What: "a window or freeze has a selector that no binding could carry",
		How: "refused",
	},
	{
		Name: "operator", Policy: "fonster-operator", What: "the operator changes a workload or Namespace",
		How: "refused but for its own marks and notes: of workloads the labels `held`, `held-since`, `held-partition`, where `held` is set already, and then `paused`, `partition` or `type` too; " +
			"the end of an override, never its beginning; nothing in the namespaces where nothing is governed. Never a pod template, replicas, owners, finalizers or other labels",
	},
	{
		Name: "crd-removed", Policy: "fonster-crds", What: "a CRD of Fonster is deleted, no longer served, or written off by its status",
		How: "refused to everybody while the policies are there: `make uninstall` removes them first",
	},
}
