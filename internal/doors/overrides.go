package doors

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

// CEL about emergency overrides. Annotations of a workload, or of its namespace: a person writes the reason; the mutating
// policies stamp who and until when, by the API server's clock; and the validating policies believe neither without a check.

// OverriddenLabel marks what carries an override, so that the operator need not watch every workload.
const OverriddenLabel = group + "/overridden"

const (
	newReason = `object.metadata.?annotations[?'maintenance.fonster.dev/override'].orValue('')`
	oldReason = `(oldObject == null ? '' : oldObject.metadata.?annotations[?'maintenance.fonster.dev/override'].orValue(''))`
	newUntil  = `object.metadata.?annotations[?'maintenance.fonster.dev/override-until'].orValue('')`
	oldUntil  = `(oldObject == null ? '' : oldObject.metadata.?annotations[?'maintenance.fonster.dev/override-until'].orValue(''))`
	newBy     = `object.metadata.?annotations[?'maintenance.fonster.dev/override-by'].orValue('')`
	newFrom   = `object.metadata.?annotations[?'maintenance.fonster.dev/override-from'].orValue('')`
	oldFrom   = `(oldObject == null ? '' : oldObject.metadata.?annotations[?'maintenance.fonster.dev/override-from'].orValue(''))`
	newSpent  = `object.metadata.?annotations[?'maintenance.fonster.dev/override-spent'].orValue('')`
	oldSpent  = `(oldObject == null ? '' : oldObject.metadata.?annotations[?'maintenance.fonster.dev/override-spent'].orValue(''))`
	newMark   = `object.metadata.?labels[?'` + OverriddenLabel + `'].orValue('')`
	oldMark   = `(oldObject == null ? '' : oldObject.metadata.?labels[?'` + OverriddenLabel + `'].orValue(''))`

	// sets: the request brings a reason that is neither there already nor used up.
	sets = `(object != null && ` + newReason + ` != '' && ` + newReason + ` != ` + oldReason + ` && !(` + newReason + ` in ` + oldSpent + `.split('\n')))`

	// ends: the request takes a reason away, or another one in its place.
	ends = `(object != null && ` + oldReason + ` != '' && ` + newReason + ` != ` + oldReason + ` && !(` + oldReason + ` in ` + oldSpent + `.split('\n')))`

	// spentNow is what is used up when a request ends an override: its reason first, and then the last few before it. A reason
	// that the request brings back is kept, or it would stand once there are too many.
	spentNow = `([` + oldReason + `] + ` + oldSpent + `.split('\n').filter(s, s == ` + newReason + ` && s != '')` +
		` + ` + oldSpent + `.split('\n').filter(s, s != ` + newReason + ` && s != '')).join('\n').find('^[^\n]*(\n[^\n]*){0,7}')`

	// fromNow is when an override begins, and at which generation of its object. Empty where no time is known.
	fromNow = `(variables.now.size() == 0 ? '' : string(variables.now[0]) + '/' + string(oldObject == null ? 1 : oldObject.metadata.?generation.orValue(0)))`
)

// clock is CEL for the times of a request, as the variables of a policy have them, for where there are none.
const clock = `(` + allWriters + `).filter(m, has(m.time)).map(m, m.time)`

// stands is CEL that says whether the override in an object's annotations stands, by a clock: it has the mark, without which notes
// are nothing, as nobody guards them; its reason is not used up; and its end lies ahead. Where no time is known, the operator's note
// that it is used up must do.
func stands(object, clock string) string {
	return strings.NewReplacer("OBJECT", object, "CLOCK", clock).Replace(
		`(OBJECT.metadata.?labels[?'` + OverriddenLabel + `'].orValue('') == 'true'` +
			` && OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override'].orValue('') != ''` +
			` && !(OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override'].orValue('') in OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override-spent'].orValue('').split('\n'))` +
			` && OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override-until'].hasValue()` +
			` && CLOCK.all(t, string(t) < OBJECT.metadata.annotations['maintenance.fonster.dev/override-until']))`)
}

// ownStands: the override of the object itself stands, and the request does not take it away.
func ownStands(clock string) string {
	return `(oldObject != null && (object == null || ` + newReason + ` == ` + oldReason + `) && ` + stands("oldObject", clock) + `)`
}

func namespaceStands(clock string) string {
	return `(namespaceObject != null && ` + stands("namespaceObject", clock) + `)`
}

const (
	// unaware: the request takes away the notes together with the reason, as who replaces all annotations does.
	unaware = newReason + ` == '' && ` + newUntil + ` == '' && ` + oldUntil + ` != ''`

	// again: it brings a reason that is used up.
	again = newReason + ` in ` + oldSpent + `.split('\n') && ` + newReason + ` != ''`
)

// restoredStands: the override of the object itself stands, and what the request does to it will be put back. The API server
// invokes mutating policies in no order, so one may be asked before noteOverridesPolicy has put it back. What they let pass for
// this, and is not put back after all, the validating policies refuse.
func restoredStands(clock string) string {
	return `(oldObject != null && object != null && (` + unaware + ` || ` + again + ` || ` + newFrom + ` != '' && ` + newFrom + ` != ` + oldFrom + `) && ` + stands("oldObject", clock) + `)`
}

const maxReason = "256"

const (
	// varNow holds the time of the request: the earliest of its new stamps, so that whatever is forged shortens the override;
	// or, in the second request in a second, the latest of the old ones. Empty where there is none.
	varNow = `variables.newStamps.size() > 0 ? variables.newStamps.filter(t, variables.newStamps.all(u, t <= u))` +
		` : variables.stamps.filter(t, variables.stamps.all(u, u <= t))`
	latest = `string(timestamp(variables.now[0]) + duration(params.spec.overrides.maxDuration))`

	gateNames = `params.spec.?overrides.?windows.orValue([])`
)

// mayOverride lists variables that say, one window each, which windows of the gate the client may override. The API server
// lets one expression ask for two rights at most, but each variable is an expression of its own.
func mayOverride() []admissionv1.Variable {
	list := []admissionv1.Variable{{Name: "names", Expression: gateNames}}
	var each []string
	for i := range gate.MaxWindowNames {
		name := fmt.Sprintf("mayOverride%d", i)
		list = append(list, admissionv1.Variable{Name: name, Expression: fmt.Sprintf(`variables.names.size() > %d`+
			` && authorizer.group('maintenance.fonster.dev').resource('maintenancewindows').name(variables.names[%d]).check('override').allowed()`, i, i)})
		each = append(each, "variables."+name)
	}
	return append(list, admissionv1.Variable{Name: "mayOverride", Expression: strings.Join(each, " || ")})
}

// mayPass are variables that say whether an override passes each change freeze in the way: they allow it, and the client has
// the right to override every one of them. Each right is asked for in a variable of its own, as for windows. A request is as many
// disruptions at most.
func mayPass(disruptions int) []admissionv1.Variable {
	const may = `authorizer.group('maintenance.fonster.dev').resource('changefreezes').name(%s).check('override').allowed()`
	var list []admissionv1.Variable
	var all []string
	add := func(name, expression string) {
		list = append(list, admissionv1.Variable{Name: name, Expression: expression})
		all = append(all, "variables."+name)
	}
	for i := range disruptions {
		each := fmt.Sprintf(`variables.frozen.size() <= %d || variables.frozen[%d].all(f, `, i, i)
		add(fmt.Sprintf("mayPass%d", i), each+`f.?overridable.orValue(false) && `+fmt.Sprintf(may, "f.name")+`)`)
		for j := range gate.MaxAlsoFrozen {
			add(fmt.Sprintf("mayPass%dAlso%d", i, j), each+fmt.Sprintf(`f.?also.orValue([]).size() <= %d || `, j)+fmt.Sprintf(may, fmt.Sprintf("f.also[%d]", j))+`)`)
		}
	}
	return append(list, admissionv1.Variable{Name: "mayPass", Expression: strings.Join(all, " && ")})
}

// settingValidations hold the setting of an override against the gate. applies is CEL that says whether the gate governs.
func settingValidations(applies string) []admissionv1.Validation {
	guard := `!variables.sets || !` + applies + ` || `
	const refused = `'the override of ' + variables.subject + ' is refused: '`
	return []admissionv1.Validation{
		overrideSigned(guard),
		{
			Expression:        guard + newReason + `.size() <= ` + maxReason + ` && ` + newReason + `.trim() != '' && !` + newReason + `.matches('\\p{Cc}')`,
			MessageExpression: refused + ` + 'its reason must be one line of text without control characters, of at most ` + maxReason + ` characters'`,
			Message:           "the reason of an override must be one line of text without control characters, of at most " + maxReason + " characters",
			Reason:            new(metav1.StatusReasonForbidden),
		},
		{
			Expression:        guard + `params.spec.?overrides.?reasonPatterns.orValue([]).all(p, ` + newReason + `.matches(p))`,
			MessageExpression: refused + ` + 'its reason must match ' + params.spec.?overrides.?reasonPatterns.orValue([]).join(' and ')`,
			Message:           "the reason of the override does not match the pattern of a window",
			Reason:            new(metav1.StatusReasonForbidden),
		},
		{
			Expression: guard + `variables.names.size() == 0 || variables.mayOverride`,
			MessageExpression: refused + ` + request.userInfo.username + ' has no right to override any of the windows ' + variables.names.join(', ') + ' (verb override on maintenancewindows.maintenance.fonster.dev). ` +
				`kubectl window override --dry-run tells who has it.'`,
			Message: "no right to override any of the windows",
			Reason:  new(metav1.StatusReasonForbidden),
		},
		{
			Expression:        guard + `variables.now.size() > 0`,
			MessageExpression: refused + ` + 'the time of the request is not known, as the managedFields of the object tell none'`,
			Message:           "the time of the request is not known",
			Reason:            new(metav1.StatusReasonForbidden),
		},
		{
			Expression: guard + `variables.now.size() == 0 || ` + newUntil + `.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$') && ` + newUntil + ` <= ` + latest,
			MessageExpression: refused + ` + (` + newUntil + ` == '' ? 'this cluster does not stamp its end; use kubectl window override, or set ` +
				`maintenance.fonster.dev/override-until too' : 'it may end at ' + ` + latest + ` + ' at the latest, in that form, not at ' + ` + newUntil + `)`,
			Message: "the override ends too late, or its end cannot be read",
			Reason:  new(metav1.StatusReasonForbidden),
		},
	}
}

// overrideSigned holds an override that says until when it stands against who sets it. Without the label the operator would neither
// record it nor end it. guard is CEL that is true for other requests, with its operator.
func overrideSigned(guard string) admissionv1.Validation {
	return admissionv1.Validation{
		Expression: guard + newUntil + ` == '' || ` + newBy + ` == request.userInfo.username && ` + newMark + ` == 'true'`,
		Message:    "an override that says until when it stands must say who sets it (" + notes + "by) and carry the label " + OverriddenLabel + "=true: use kubectl window override",
		Reason:     new(metav1.StatusReasonForbidden),
	}
}

const (
	overridesPolicyName = "fonster-overrides"
	createdOverrides    = "fonster-overrides-create"
	noteOverrides       = "fonster-overrides-note"
)

// createdOverridesPolicy holds the override that a workload is created with against its gate. A policy of its own: its
// bindings let a creation pass where the gate is gone.
func createdOverridesPolicy() *admissionv1.ValidatingAdmissionPolicy {
	return policy(createdOverrides, "Holds an override that a workload is created with against its Gate. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind: &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, admissionv1.Create),
			}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "sets-an-override", Expression: sets + "\n&& " + notExempt()}},
			Variables: append([]admissionv1.Variable{
				{Name: "sets", Expression: "true"},
				{Name: "stamps", Expression: "[]"},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "now", Expression: varNow},
				{Name: "subject", Expression: `request.kind.kind + ' ' + request.namespace + '/' + object.metadata.?name.orValue('')`},
			}, mayOverride()...),
			Validations: settingValidations("has(params.spec.overrides)"),
		})
}

// changedAnnotation is CEL that says whether a request changes an annotation.
func changedAnnotation(key string) string {
	return `object.metadata.?annotations[?'` + key + `'] != (oldObject == null ? optional.none() : oldObject.metadata.?annotations[?'` + key + `'])`
}

const (
	notes       = "maintenance.fonster.dev/override-"
	markChanged = newMark + ` != ` + oldMark
)

var (
	untilChanged, byChanged   = changedAnnotation(notes + "until"), changedAnnotation(notes + "by")
	spentChanged, fromChanged = changedAnnotation(notes + "spent"), changedAnnotation(notes + "from")
	// concernsOverrides is false for most requests: those that change no metadata, which costs least to ask, and the operator's.
	concernsOverrides = byOthers + ` && (oldObject == null || ` + annotationsChanged + ` || ` + labelsChanged + `) && (` +
		strings.Join([]string{sets, ends, untilChanged, byChanged, spentChanged, fromChanged, markChanged}, " || ") + `)`
	byOthers        = `request.userInfo.username != '` + OperatorUser + `'`
	longestOverride = `string(timestamp(variables.now[0]) + duration('24h'))`
	onlyOperator    = `only the operator of Fonster sets, changes or removes `
)

// overridesPolicy keeps everybody but the operator from writing the notes of an override as they are not: who set it, from when
// until when it stands, what is used up. It is asked about what has the mark, before the request or after it: without it notes are nothing.
// Where the mutating policies are, they have put such notes right already.
func overridesPolicy() *admissionv1.ValidatingAdmissionPolicy {
	return policy(overridesPolicyName, "Who set an override, until when it stands and what is used up, are as they are. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: written(),
			MatchConditions:  []admissionv1.MatchCondition{{Name: "set-ended-or-notes-changed", Expression: concernsOverrides}},
			Variables: []admissionv1.Variable{
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "now", Expression: varNow},
				{Name: "sets", Expression: sets},
				{Name: "forged", Expression: strings.Join([]string{
					`(variables.sets && !(` + notControlPlane() + `) ? ['maintenance.fonster.dev/override'] : [])`,
					`(` + untilChanged + ` && !variables.sets ? ['` + notes + `until'] : [])`,
					`(` + byChanged + ` && !(variables.sets && ` + newBy + ` == request.userInfo.username) ? ['` + notes + `by'] : [])`,
					`(` + spentChanged + ` && !(` + ends + ` && ` + newSpent + ` == ` + spentNow + `) ? ['` + notes + `spent'] : [])`,
					`(` + fromChanged + ` && !(variables.sets && ` + newFrom + ` == ` + fromNow + `) ? ['` + notes + `from'] : [])`,
					`(` + markChanged + ` && !(variables.sets && ` + newMark + ` == 'true') ? ['` + OverriddenLabel + `'] : [])`,
				}, " + ")},
			},
			Validations: []admissionv1.Validation{
				{
					Expression: `variables.forged.size() == 0`,
					MessageExpression: `'` + onlyOperator + `' + variables.forged.join(', ') + ' of ' + request.kind.kind + ' ' + object.metadata.name` +
						` + ': leave it as it is, and out of a copy'`,
					Message: onlyOperator + "the notes of an override",
					Reason:  new(metav1.StatusReasonForbidden),
				},
				overrideSigned(`!variables.sets || `),
				{ // where no gate governs, none holds the end against its own maximum
					Expression: `!variables.sets || ` + newUntil + ` == '' || variables.now.size() > 0 && ` + newUntil + ` <= ` + longestOverride,
					Message:    "an override stands for 24 hours at most",
					Reason:     new(metav1.StatusReasonForbidden),
				},
			},
		})
}

// What can be held or carry an override, as it is written.
var (
	writtenWorkloads  = rule("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, admissionv1.Create, admissionv1.Update)
	writtenNamespaces = rule("", "v1", []string{"namespaces"}, admissionv1.Create, admissionv1.Update)
)

func written() *admissionv1.MatchResources {
	return &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{writtenWorkloads, writtenNamespaces}}
}

// noteOverridesPolicy keeps the notes of what has the mark, wherever it is: its gate may be gone, or never have been there.
func noteOverridesPolicy() *admissionv1.MutatingAdmissionPolicy {
	return mutatingPolicy(noteOverrides, "Keeps the notes of an override as they are. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints:   written(),
			MatchConditions:    []admissionv1.MatchCondition{{Name: "set-ended-or-notes-changed", Expression: concernsOverrides}},
			ReinvocationPolicy: admissionv1.IfNeededReinvocationPolicy,
			Variables:          noteVariables(),
			Mutations:          []admissionv1.Mutation{noteMutation()},
		})
}

// noteVariables are what noteMutation needs.
func noteVariables() []admissionv1.Variable {
	const copied = `(` + newFrom + ` != '' && ` + newFrom + ` != ` + oldFrom + ` && ` + newFrom + ` != ` + fromNow + ` || oldObject == null && ` + newReason + ` in ` + newSpent + `.split('\n'))`
	return []admissionv1.Variable{
		{Name: "stamps", Expression: varStamps},
		{Name: "newStamps", Expression: varNewStamps},
		{Name: "now", Expression: varNow},
		// The control plane passes before any right is asked for, and copies what others wrote: it sets none.
		{Name: "restores", Expression: copied + ` || ` + ends + ` && (` + unaware + ` || ` + again + `) || ` + sets + ` && !(` + notControlPlane() + `)`},
		{Name: "sets", Expression: sets + ` && !variables.restores`},
		{Name: "ends", Expression: ends + ` && !variables.restores`},
	}
}

// noteMutation writes, into the request itself, who sets an override and from when; notes a reason that is taken away as used up;
// and keeps all notes as they were in any other request. So notes that come with a copy are nothing: kubectl rollout undo brings those
// that a ReplicaSet had, a restored backup its own. A copied reason is put back with its notes, and so is one that stands and would go
// with them, as kubectl replace takes both away; to end it, the reason is taken away alone. Done twice, it is the same.
func noteMutation() admissionv1.Mutation {
	return admissionv1.Mutation{
		PatchType: admissionv1.PatchTypeJSONPatch,
		JSONPatch: &admissionv1.JSONPatch{Expression: strings.Join([]string{
			`(has(object.metadata.annotations) ? [] : [JSONPatch{op: "add", path: "/metadata/annotations", value: {}}])`,
			`(has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {}}])`,
			`(variables.restores ? ` + keepAnnotation("maintenance.fonster.dev/override") + ` : [])`,
			`(variables.sets ? [JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey('` + OverriddenLabel + `'), value: "true"}]` +
				` : ` + oldMark + ` != '' ? [JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey('` + OverriddenLabel + `'), value: string(` + oldMark + `)}] : ` + clearLabel(OverriddenLabel) + `)`,
			`(variables.sets ? [` + addAnnotation(notes+"by", "request.userInfo.username") + `] : ` + keepAnnotation(notes+"by") + `)`,
			`(variables.sets && variables.now.size() > 0 ? [` + addAnnotation(notes+"from", fromNow) + `] : ` + keepAnnotation(notes+"from") + `)`,
			`(variables.sets ? [] : ` + keepAnnotation(notes+"until") + `)`,
			`(variables.ends ? [` + addAnnotation(notes+"spent", spentNow) + `] : ` + keepAnnotation(notes+"spent") + `)`,
		}, "\n+ ")},
	}
}

// keepAnnotation lists the patch that makes an annotation what it was.
func keepAnnotation(key string) string {
	return `(oldObject != null && oldObject.metadata.?annotations[?'` + key + `'].hasValue() ? [` + addAnnotation(key, `string(oldObject.metadata.annotations['`+key+`'])`) + `]` +
		` : object.metadata.?annotations[?'` + key + `'].hasValue() ? [JSONPatch{op: "remove", path: "/metadata/annotations/" + jsonpatch.escapeKey('` + key + `')}] : [])`
}

func addAnnotation(key, value string) string {
	return `JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey('` + key + `'), value: ` + value + `}`
}

// stampOverridesPolicy writes the notes of an override where a gate governs: those of noteMutation, and until when it stands: the API
// server's time and maxDuration of the gate. Where several gates govern, or the client asks for less, the earliest end counts.
func stampOverridesPolicy(name, applies string, on ...admissionv1.NamedRuleWithOperations) *admissionv1.MutatingAdmissionPolicy {
	asked := newUntil + ` != '' && ` + newUntil + ` != ` + oldUntil
	return mutatingPolicy(name, "Notes who sets an override, until when it stands and what is used up. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: on},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "set-ended-or-notes-changed", Expression: concernsOverrides + applies,
			}},
			ReinvocationPolicy: admissionv1.IfNeededReinvocationPolicy,
			Variables:          append(noteVariables(), admissionv1.Variable{Name: "latest", Expression: `variables.sets && variables.now.size() > 0 && has(params.spec.overrides) ? ` + latest + ` : ''`}),
			Mutations: []admissionv1.Mutation{noteMutation(), {
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: `variables.latest == '' || (` + asked + `) && ` + newUntil + ` <= variables.latest ? []` +
					` : [` + addAnnotation(notes+"until", "variables.latest") + `]`},
			}},
		})
}
