package doors

import (
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

// A held rollout is marked by labels, never by annotations: the controllers of Kubernetes copy a workload's annotations to its
// ReplicaSets and ControllerRevisions, where ours would stay for ever; its labels they leave alone.
const (
	// HeldLabel says that the rollout of a workload waits (HeldWaiting), or has been let go and is not yet done: in its turn
	// (HeldReleasing), or outside the queue (HeldLetGo), and then nothing holds it again. Informers select by it, so that the
	// operator reads nothing but what is held.
	HeldLabel = group + "/held"
	// HeldSinceLabel is when it was held, by the API server's clock, as in HeldTime.
	HeldSinceLabel = group + "/held-since"
	// HeldPartitionLabel is the partition that the user of a StatefulSet wants.
	HeldPartitionLabel = group + "/held-partition"
	// ReleasePriority is the annotation by which the owner of a workload places it in the queue: an integer, higher goes first.
	ReleasePriority = group + "/release-priority"

	// HeldWaiting, HeldReleasing and HeldLetGo are the values of HeldLabel.
	HeldWaiting   = "true"
	HeldReleasing = "releasing"
	HeldLetGo     = "let-go"

	// HeldTime is how HeldSinceLabel writes a time of UTC: RFC 3339, but for the colons, which a label must not have.
	HeldTime = "2006-01-02T15.04.05Z"

	// HeldPartition parks a StatefulSet: past every ordinal, also past those that scaling up may bring.
	HeldPartition = 1<<31 - 1
)

// heldLabels are the labels that only the operator and its policies write.
var heldLabels = []string{HeldLabel, HeldSinceLabel, HeldPartitionLabel}

// Names of the policies that hold.
const (
	holdPolicyName     = "fonster-hold"
	heldPolicyName     = "fonster-held"
	heldKeepPolicyName = "fonster-held-keep"
)

// overrideStands is CEL that says whether an emergency override stands for the request: then nothing is held.
func overrideStands() string {
	return `(` + sets + ` || ` + ownStands(clock) + ` || ` + restoredStands(clock) + ` || ` + namespaceStands(clock) + `)`
}

const (
	heldBefore = `oldObject.metadata.?labels[?'` + HeldLabel + `'].orValue('')`
	heldAfter  = `object.metadata.?labels[?'` + HeldLabel + `'].orValue('')`
	byOperator = `request.userInfo.username == '` + OperatorUser + `'`

	isDeployment  = `request.resource.resource == 'deployments'`
	isStatefulSet = `request.resource.resource == 'statefulsets'`
	isDaemonSet   = `request.resource.resource == 'daemonsets'`

	addLabels = `(has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {}}])`

	// latestNewStamp is the API server's clock as HeldSinceLabel has it; empty where the request tells none. Of the new times
	// the latest: a forged one can only send its object further back in the queue.
	latestNewStamp = `variables.newStamps.filter(t, variables.newStamps.all(u, u <= t)).map(t, string(t).replace(':', '.'))`

	// released says whether the value of HeldLabel is one of what has been let go.
	released = ` in ['` + HeldReleasing + `', '` + HeldLetGo + `']`

	lastApplied = `metadata.?annotations[?'kubectl.kubernetes.io/last-applied-configuration'].orValue('')`

	// userParked: its user has stopped what is held. Of a StatefulSet it is the strategy that has no partition. Holding has put
	// the same values into the others, so there it is a manifest that newly says so, as kubectl apply leaves it behind.
	userParked = `(` + isStatefulSet + ` ? object.spec.updateStrategy.?type.orValue('') == 'OnDelete' : object.` + lastApplied + ` != oldObject.` + lastApplied + ` && (` +
		isDeployment + ` ? object.spec.?paused.orValue(false) && object.` + lastApplied + `.contains('"paused":true')` +
		` : object.spec.updateStrategy.?type.orValue('') == 'OnDelete' && object.` + lastApplied + `.contains('"type":"OnDelete"')))`
)

var (
	parkedPartition = strconv.Itoa(HeldPartition)

	// isHeld says whether nothing of the object is rolled out.
	isHeld = `(` + isDeployment + ` ? object.spec.?paused.orValue(false) : ` +
		isStatefulSet + ` ? ` + newPartition + ` == ` + parkedPartition + ` : ` +
		`object.spec.updateStrategy.?type.orValue('') == 'OnDelete')`

	// park lists the patches that stop the rollouts of the object.
	park = `(` + isDeployment + ` ? [JSONPatch{op: "add", path: "/spec/paused", value: true}] : ` +
		isStatefulSet + ` ? (has(object.spec.updateStrategy.rollingUpdate) ? [] : [JSONPatch{op: "add", path: "/spec/updateStrategy/rollingUpdate", value: {}}])` +
		` + [JSONPatch{op: "add", path: "/spec/updateStrategy/rollingUpdate/partition", value: ` + parkedPartition + `}] : ` +
		`[JSONPatch{op: "add", path: "/spec/updateStrategy/type", value: "OnDelete"}])`

	// unpark lists the patches that give back what the user had set. A Deployment that is not paused has no such field.
	unpark = `(` + isDeployment + ` ? (has(object.spec.paused) ? [JSONPatch{op: "remove", path: "/spec/paused"}] : []) : ` +
		isStatefulSet + ` ? (` + userParked + ` ? [] : (has(object.spec.updateStrategy.rollingUpdate) ? [] : [JSONPatch{op: "add", path: "/spec/updateStrategy/rollingUpdate", value: {}}])` +
		` + [JSONPatch{op: "add", path: "/spec/updateStrategy/rollingUpdate/partition", value: int(oldObject.metadata.?labels[?'` + HeldPartitionLabel + `'].orValue('0'))}]) : ` +
		`[JSONPatch{op: "add", path: "/spec/updateStrategy/type", value: "RollingUpdate"}]` +
		` + (has(object.spec.updateStrategy.rollingUpdate) ? [] : [JSONPatch{op: "add", path: "/spec/updateStrategy/rollingUpdate", value: {"maxUnavailable": 1, "maxSurge": 0}}]))`
)

// setLabel is the patch that sets a label to a CEL value.
func setLabel(key, value string) string {
	return `JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey('` + key + `'), value: string(` + value + `)}`
}

// clearLabel lists the patch that takes a label away, where it is.
func clearLabel(key string) string {
	return `(object.metadata.?labels[?'` + key + `'].hasValue() ? [JSONPatch{op: "remove", path: "/metadata/labels/" + jsonpatch.escapeKey('` + key + `')}] : [])`
}

// keepLabel lists the patch that makes a label what it was.
func keepLabel(key string) string {
	old := `oldObject.metadata.?labels[?'` + key + `']`
	return `(` + old + `.hasValue() ? [` + setLabel(key, `oldObject.metadata.labels['`+key+`']`) + `] : ` + clearLabel(key) + `)`
}

// holdDoor is CEL that says whether a request begins a rollout that can be held.
func holdDoor() string {
	return `(` + isDeployment + ` ? (` + deploymentRollout + `) : ` + isStatefulSet + ` ? (` + statefulSetRollout + `) : (` + daemonSetRollout + `))`
}

func holdRules() *admissionv1.MatchResources {
	return &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
		rule("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, admissionv1.Update),
	}}
}

// holdPolicy accepts a rollout outside the windows of a gate with enforcement Hold, and stops it. What is held already is
// heldKeepPolicy's. Frozen, a change is refused like any other, so it is left alone here.
func holdPolicy() *admissionv1.MutatingAdmissionPolicy {
	rollout := `params.spec.?disruptions.orValue([]).filter(d, d.disruption == '` + string(gate.Rollout) + `' && d.?enforcement.orValue('') == '` + string(gate.Hold) + `'`
	return mutatingPolicy(holdPolicyName, "Accepts a rollout outside the windows, and holds it. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: holdRules(),
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "rollout-and-not-plainly-open",
				Expression: heldBefore + ` != '` + HeldWaiting + `' && ` + rollout + ` && !(` + plainlyOpen + `)).size() > 0 && ` +
					notExempt() + ` && ` + holdDoor() + ` && !(` + overrideStands() + `)`,
			}},
			Variables: []admissionv1.Variable{
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "clock", Expression: varClock},
				{Name: "namespaceLabels", Expression: varNamespaceLabels},
				{Name: "objectLabels", Expression: oldLabels},
				{Name: "alsoOpen", Expression: alsoOpen(workloads.reaches(), `d == '`+string(gate.Rollout)+`'`)},
				{Name: "closed", Expression: rollout + ` && !` + open +
					` && !d.?freezes.orValue([]).exists(f, f.enforcement == '` + string(gate.Deny) + `' && ` + inForce + `)).size() > 0`},
				{Name: "since", Expression: latestNewStamp},
			},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: `!variables.closed ? [] : ` + addLabels +
					` + [` + setLabel(HeldLabel, `'`+HeldWaiting+`'`) + `]` +
					` + (variables.since.size() > 0 ? [` + setLabel(HeldSinceLabel, `variables.since[0]`) + `] : ` + clearLabel(HeldSinceLabel) + `)` +
					` + (` + isStatefulSet + ` ? [` + setLabel(HeldPartitionLabel, newPartition) + `] : [])` +
					` + ` + park},
			}},
		})
}

// heldKeepPolicy keeps what is held as it is, whoever writes it and whatever the gates say: only the operator lets it go, and
// does so by its label alone. What the user had set comes back here: what a policy writes, its owner goes on owning, so that the
// owner's server-side apply does not conflict with the operator.
func heldKeepPolicy() *admissionv1.MutatingAdmissionPolicy {
	// What the user wants now, also when the policy is invoked again after it has parked the object itself.
	wish := `(` + newPartition + ` != ` + parkedPartition + ` ? string(` + newPartition + `)` +
		` : object.metadata.?labels[?'` + HeldPartitionLabel + `'].orValue('').matches('^[0-9]{1,9}$') ? object.metadata.labels['` + HeldPartitionLabel + `']` +
		` : oldObject.metadata.?labels[?'` + HeldPartitionLabel + `'].orValue('0'))`
	keep := addLabels + ` + [` + setLabel(HeldLabel, `'`+HeldWaiting+`'`) + `] + ` + keepLabel(HeldSinceLabel) +
		` + (` + isStatefulSet + ` ? [` + setLabel(HeldPartitionLabel, wish) + `] : ` + clearLabel(HeldPartitionLabel) + `) + ` + park
	drop := clearLabel(HeldLabel) + ` + ` + clearLabel(HeldSinceLabel) + ` + ` + clearLabel(HeldPartitionLabel)
	// What is released and not yet done keeps its mark; a new hold of it is holdPolicy's.
	mark := addLabels + ` + ` + keepLabel(HeldLabel) + ` + ` + keepLabel(HeldSinceLabel)
	again := `(` + isStatefulSet + ` ? [` + setLabel(HeldPartitionLabel, newPartition) + `] : []) + ` + park
	return mutatingPolicy(heldKeepPolicyName, "Keeps what is held, until the operator releases it. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: holdRules(),
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "held-or-released",
				Expression: byOperator + ` ? ` + heldBefore + ` != ` + heldAfter + ` : ` +
					heldBefore + ` == '` + HeldWaiting + `' && !(` + overrideStands() + `) || ` + heldBefore + released + ` && ` + heldAfter + ` == ''`,
			}},
			ReinvocationPolicy: admissionv1.IfNeededReinvocationPolicy,
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: byOperator + ` ? (` +
					heldBefore + ` == '` + HeldWaiting + `' && ` + heldAfter + released + ` ? ` + clearLabel(HeldPartitionLabel) + ` + ` + unpark + ` : ` +
					heldBefore + ` == '` + HeldReleasing + `' && ` + heldAfter + ` == '` + HeldWaiting + `' && !` + userParked + ` ? ` + again + ` : []) : ` +
					heldBefore + released + ` ? ` + mark + ` : ` +
					userParked + ` ? ` + drop + ` : ` + keep},
			}},
		})
}

// holds are requests that a gate of another target has held: where this gate refuses, or is frozen, the strictest counts.
var holds = Family{
	Name:  "holds",
	Title: "Rollouts held by another target's gate",
	Doors: []Door{
		heldNow("deployment", "deployments", "Deployment"),
		heldNow("statefulset", "statefulsets", "StatefulSet"),
		heldNow("daemonset", "daemonsets", "DaemonSet"),
	},
}

func heldNow(name, resource, kind string) Door {
	return Door{
		Name: name + "-held", Disruption: gate.Rollout, Group: "apps", Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary:  "a rollout that another target's gate would hold",
		Disrupts: heldAfter + ` == '` + HeldWaiting + `' && ` + heldBefore + ` != '` + HeldWaiting + `'`,
	}
}

var (
	holdsDeny = mode{name: "deny", enforcements: []gate.Enforcement{gate.Deny}, action: admissionv1.Deny}
	holdsWarn = mode{name: "warn", enforcements: []gate.Enforcement{gate.Deny, gate.Hold}, action: admissionv1.Warn}
)

// holdPolicies are the validating policies that go with holding.
func holdPolicies() []*admissionv1.ValidatingAdmissionPolicy {
	policies := []*admissionv1.ValidatingAdmissionPolicy{familyPolicy(holds, holdsDeny), holdsWarnPolicy()}
	for _, p := range policies { // all else passes without a look at it
		p.Spec.MatchConstraints.ObjectSelector = having(HeldLabel).ObjectSelector
	}
	return policies
}

// holdsWarnPolicy tells whoever changes what is held that it is, and until when.
func holdsWarnPolicy() *admissionv1.ValidatingAdmissionPolicy {
	return policy(holdsWarn.policyName(holds), "Tells whoever changes what is held until when it is. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: holdRules(),
			MatchConditions: []admissionv1.MatchCondition{{
				Name:       "held",
				Expression: heldAfter + ` == '` + HeldWaiting + `' && ` + notExempt(),
			}},
			Variables: []admissionv1.Variable{
				{Name: "namespaceLabels", Expression: varNamespaceLabels},
				{Name: "objectLabels", Expression: oldLabels},
				{Name: "subject", Expression: holds.subject()},
				{Name: "outside", Expression: `params.spec.?disruptions.orValue([]).filter(d, d.disruption == '` + string(gate.Rollout) + `')`},
				{Name: "openings", Expression: `variables.outside.size() == 0 ? [] : ` + openings(workloads.reaches())},
				{Name: "soonest", Expression: `variables.openings.filter(o, variables.openings.all(p, o.opensAt <= p.opensAt))`},
			},
			Validations: []admissionv1.Validation{{
				Expression: `false`,
				MessageExpression: `'held' + (variables.outside.exists(d, d.state == '` + "Open" + `') ? ' until its turn, in the window that is open now'` +
					` : variables.soonest.size() > 0 ? ' until ' + variables.soonest[0].opens : ': no coming opening is known') + ': the rollout of ' + variables.subject` +
					` + ' waits' + (variables.soonest.size() > 0 ? ' for ' + variables.soonest[0].?opensWindow.orValue(variables.soonest[0].?window.orValue('')) : '')`,
				Message: "held until a maintenance window opens",
			}},
		})
}

// heldPolicy keeps everybody but the operator from saying that something is held. What the mutating policies have written into
// somebody's request is told from a forgery by what it says: it stops the rollout, now; and what was held, stays it.
func heldPolicy() *admissionv1.ValidatingAdmissionPolicy {
	const (
		changed = `object.metadata.?labels[?k] != (oldObject == null ? optional.none() : oldObject.metadata.?labels[?k])`
		since   = `object.metadata.?labels[?'` + HeldSinceLabel + `']`
	)
	workload := `oldObject != null && request.resource.resource in ['deployments', 'statefulsets', 'daemonsets']`
	begun := heldBefore + ` != '` + HeldWaiting + `' && ` + heldAfter + ` == '` + HeldWaiting + `' && ` + isHeld +
		` && (variables.newStamps.size() == 0 ? !` + since + `.hasValue() : ` + since + `.orValue('') == ` + latestNewStamp + `[0])`
	kept := heldBefore + ` == '` + HeldWaiting + `' && ` + heldAfter + ` == '` + HeldWaiting + `' && ` + isHeld +
		` && ` + since + ` == oldObject.metadata.?labels[?'` + HeldSinceLabel + `']`
	dropped := heldBefore + ` == '` + HeldWaiting + `' && ` + userParked + ` && ` + list(heldLabels) + `.all(k, !object.metadata.?labels[?k].hasValue())`
	// One expression for three kinds, of which the API server's type checker knows each by itself.
	untyped := func(e string) string { return strings.ReplaceAll(e, "object.spec", "dyn(object).spec") }
	return policy(heldPolicyName, "Only the operator and its policies say that an object is held. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: written(),
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "reserved-labels-changed", Expression: list(heldLabels) + `.exists(k, ` + changed + `) && !(` + byOperator + `)`,
			}},
			Variables: []admissionv1.Variable{
				{Name: "keys", Expression: list(heldLabels) + `.filter(k, ` + changed + `)`},
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
			},
			Validations: []admissionv1.Validation{{
				Expression: untyped(workload + ` && (` + begun + ` || ` + kept + ` || ` + dropped + `)`),
				MessageExpression: `'only the operator of Fonster sets, changes or removes ' + variables.keys.join(', ') + ' of ' + request.kind.kind + ' ' + object.metadata.name` +
					` + ': leave it as it is, and out of a copy'`,
				Message: "only the operator of Fonster sets, changes or removes this label",
				Reason:  new(metav1.StatusReasonForbidden),
			}},
		})
}

// HoldPolicies are the names of the policies that it takes to hold, by kind.
func HoldPolicies() map[string]map[string]bool {
	validating := map[string]bool{heldPolicyName: true}
	for _, p := range holdPolicies() {
		validating[p.Name] = true
	}
	return map[string]map[string]bool{
		"ValidatingAdmissionPolicy": validating,
		"MutatingAdmissionPolicy":   {holdPolicyName: true, heldKeepPolicyName: true},
	}
}

// HoldBindings returns the binding of the policy that holds, for a gate where something may be held. They need the API
// MutatingAdmissionPolicy v1.
func HoldBindings(g gate.Gate) []*admissionv1.MutatingAdmissionPolicyBinding {
	if !slices.Contains(g.Governs, gate.Rule{Disruption: gate.Rollout, Enforcement: gate.Hold}) {
		return nil
	}
	b := mutatingBinding(holdPolicyName+"-"+g.Name, admissionv1.MutatingAdmissionPolicyBindingSpec{
		PolicyName:     holdPolicyName,
		ParamRef:       &admissionv1.ParamRef{Name: g.Name, ParameterNotFoundAction: new(admissionv1.DenyAction)},
		MatchResources: matchTarget(g.Target.Namespaces, g.Target.Objects),
	})
	b.Labels[GateLabel] = g.Name
	return []*admissionv1.MutatingAdmissionPolicyBinding{b}
}

// holdNeeded says whether a mode of the family holds could ever act at the gate.
func holdNeeded(m mode, g gate.Gate) bool {
	governs := func(e gate.Enforcement) bool {
		return slices.Contains(g.Governs, gate.Rule{Disruption: gate.Rollout, Enforcement: e})
	}
	if m.name == holdsDeny.name {
		return g.HoldsNearby && governs(gate.Deny)
	}
	return governs(gate.Hold)
}
