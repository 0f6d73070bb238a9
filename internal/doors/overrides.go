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
	newSpent  = `object.metadata.?annotations[?'maintenance.fonster.dev/override-spent'].orValue('')`
	oldSpent  = `(oldObject == null ? '' : oldObject.metadata.?annotations[?'maintenance.fonster.dev/override-spent'].orValue(''))`
	newMark   = `object.metadata.?labels[?'` + OverriddenLabel + `'].orValue('')`
	oldMark   = `(oldObject == null ? '' : oldObject.metadata.?labels[?'` + OverriddenLabel + `'].orValue(''))`

	// sets: the request brings a reason that is neither there already nor used up.
	sets = `(object != null && ` + newReason + ` != '' && ` + newReason + ` != ` + oldReason + ` && ` + newReason + ` != ` + oldSpent + `)`

	// ends: the request takes a reason away, or another one in its place.
	ends = `(object != null && ` + oldReason + ` != '' && ` + newReason + ` != ` + oldReason + ` && ` + oldReason + ` != ` + oldSpent + `)`
)

// clock is CEL for the times of a request, as the variables of a policy have them, for where there are none.
const clock = `(` +
	`object != null && object.metadata.?managedFields.orValue([]).exists(m, has(m.time) && (oldObject == null || !oldObject.metadata.?managedFields.orValue([]).exists(n, has(n.time) && n.time == m.time)))` +
	` ? object.metadata.?managedFields.orValue([]).filter(m, has(m.time) && (oldObject == null || !oldObject.metadata.?managedFields.orValue([]).exists(n, has(n.time) && n.time == m.time))).map(m, string(m.time))` +
	` : (oldObject == null ? object : oldObject).metadata.?managedFields.orValue([]).filter(m, has(m.time)).map(m, string(m.time)))`

// stands is CEL that says whether the override in an object's annotations stands, by a clock: its reason is not used up, and
// its end lies ahead. Where no time is known, the operator's note that it is used up must do.
func stands(object, clock string) string {
	return strings.NewReplacer("OBJECT", object, "CLOCK", clock).Replace(
		`(OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override'].orValue('') != ''` +
			` && OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override'] != OBJECT.metadata.?annotations[?'maintenance.fonster.dev/override-spent']` +
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

// mayPass are variables that say whether an override passes each change freeze in the way: one that allows it, and a client
// with the right to override that freeze.
func mayPass() []admissionv1.Variable {
	var list []admissionv1.Variable
	var all []string
	for i := range 3 { // an update may be three disruptions at once
		name := fmt.Sprintf("mayPass%d", i)
		list = append(list, admissionv1.Variable{Name: name, Expression: fmt.Sprintf(`variables.frozen.size() <= %d || variables.frozen[%d].all(f, f.?overridable.orValue(false)`+
			` && authorizer.group('maintenance.fonster.dev').resource('changefreezes').name(f.name).check('override').allowed())`, i, i)})
		all = append(all, "variables."+name)
	}
	return append(list, admissionv1.Variable{Name: "mayPass", Expression: strings.Join(all, " && ")})
}

// settingValidations hold the setting of an override against the gate. applies is CEL that says whether the gate governs.
func settingValidations(applies string) []admissionv1.Validation {
	guard := `!variables.sets || !` + applies + ` || `
	const refused = `'the override of ' + variables.subject + ' is refused: '`
	return []admissionv1.Validation{
		{
			Expression:        guard + newReason + `.size() <= ` + maxReason + ` && ` + newReason + `.trim() != ''`,
			MessageExpression: refused + ` + 'its reason must be text of at most ` + maxReason + ` characters'`,
			Message:           "the reason of an override must be text of at most " + maxReason + " characters",
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

const createdOverrides = "fonster-overrides-create"

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

// overridesPolicy keeps everybody but the operator from writing the notes of an override as they are not: who set it, until
// when it stands, what is used up.
func overridesPolicy() *admissionv1.ValidatingAdmissionPolicy {
	changed := func(key string) string {
		return `object.metadata.?annotations[?'` + key + `'] != (oldObject == null ? optional.none() : oldObject.metadata.?annotations[?'` + key + `'])`
	}
	const prefix = "maintenance.fonster.dev/override-"
	until, by, spent := changed(prefix+"until"), changed(prefix+"by"), changed(prefix+"spent")
	const mark = newMark + ` != ` + oldMark
	return policy("fonster-overrides", "Who set an override, until when it stands and what is used up, are as they are. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: overridable(),
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "notes-changed", Expression: `(` + until + ` || ` + by + ` || ` + spent + ` || ` + mark + `) && request.userInfo.username != '` + OperatorUser + `'`,
			}},
			Variables: []admissionv1.Variable{
				{Name: "sets", Expression: sets},
				{Name: "forged", Expression: strings.Join([]string{
					`(` + until + ` && !variables.sets ? ['` + prefix + `until'] : [])`,
					`(` + by + ` && !(variables.sets && ` + newBy + ` == request.userInfo.username) ? ['` + prefix + `by'] : [])`,
					`(` + spent + ` && !(` + ends + ` && ` + newSpent + ` == ` + oldReason + `) ? ['` + prefix + `spent'] : [])`,
					`(` + mark + ` && !(variables.sets && ` + newMark + ` == 'true') ? ['` + OverriddenLabel + `'] : [])`,
				}, " + ")},
			},
			Validations: []admissionv1.Validation{{
				Expression: `variables.forged.size() == 0`,
				MessageExpression: `'only the operator of Fonster sets, changes or removes ' + variables.forged.join(', ') + ' of ' + request.kind.kind + ' ' + object.metadata.name` +
					` + ': leave it as it is, and out of a copy'`,
				Message: "only the operator of Fonster sets, changes or removes the notes of an override",
				Reason:  new(metav1.StatusReasonForbidden),
			}},
		})
}

// What can carry an override.
var (
	writtenWorkloads  = rule("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, admissionv1.Create, admissionv1.Update)
	writtenNamespaces = rule("", "v1", []string{"namespaces"}, admissionv1.Create, admissionv1.Update)
)

func overridable() *admissionv1.MatchResources {
	return &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{writtenWorkloads, writtenNamespaces}}
}

// noteOverridesPolicy writes, into the request itself, who sets an override; notes a reason that is taken away as used up; and
// keeps the notes when an object is replaced by one that does not know of them, as kubectl replace and some GitOps tools do.
func noteOverridesPolicy() *admissionv1.MutatingAdmissionPolicy {
	const prefix = "maintenance.fonster.dev/override-"
	lost := func(key string) string {
		return `(oldObject != null && oldObject.metadata.?annotations[?'` + key + `'].hasValue() && !object.metadata.?annotations[?'` + key + `'].hasValue())`
	}
	lostMark := `(` + oldMark + ` != '' && ` + newMark + ` == '')`
	keep := func(key string) string {
		return `(` + lost(key) + ` ? [` + addAnnotation(key, `oldObject.metadata.annotations['`+key+`']`) + `] : [])`
	}
	return mutatingPolicy("fonster-overrides-note", "Notes who sets an override, and what is used up. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: overridable(),
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "set-ended-or-lost",
				Expression: `request.userInfo.username != '` + OperatorUser + `' && (` + strings.Join([]string{
					sets, ends, lost(prefix + "until"), lost(prefix + "by"), lost(prefix + "spent"), lostMark,
				}, " || ") + `)`,
			}},
			ReinvocationPolicy: admissionv1.IfNeededReinvocationPolicy,
			Variables: []admissionv1.Variable{
				{Name: "sets", Expression: sets},
				{Name: "ends", Expression: ends},
			},
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: strings.Join([]string{
					`(has(object.metadata.annotations) ? [] : [JSONPatch{op: "add", path: "/metadata/annotations", value: {}}])`,
					`(has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {}}])`,
					`(variables.sets || ` + lostMark + ` ? [JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey('` + OverriddenLabel + `'), value: "true"}] : [])`,
					`(variables.sets ? [` + addAnnotation(prefix+"by", "request.userInfo.username") + `] : ` + keep(prefix+"by") + `)`,
					`(variables.sets ? [] : ` + keep(prefix+"until") + `)`,
					`(variables.ends ? [` + addAnnotation(prefix+"spent", oldReason) + `] : ` + keep(prefix+"spent") + `)`,
				}, "\n+ ")},
			}},
		})
}

func addAnnotation(key, value string) string {
	return `JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey('` + key + `'), value: ` + value + `}`
}

// stampOverridesPolicy writes, into the request itself, until when an override stands: the API server's time and maxDuration of
// the gate. Where several gates govern, or the client asks for less, the earliest end counts.
func stampOverridesPolicy(name, applies string, on ...admissionv1.NamedRuleWithOperations) *admissionv1.MutatingAdmissionPolicy {
	asked := newUntil + ` != '' && ` + newUntil + ` != ` + oldUntil
	return mutatingPolicy(name, "Notes until when an override stands. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: on},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "set", Expression: `request.userInfo.username != '` + OperatorUser + `' && ` + sets + ` && has(params.spec.overrides)` + applies,
			}},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			Variables: []admissionv1.Variable{
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "now", Expression: varNow},
				{Name: "latest", Expression: `variables.now.size() == 0 ? '' : ` + latest},
			},
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: `variables.latest == '' || (` + asked + `) && ` + newUntil + ` <= variables.latest ? []` +
					` : [` + addAnnotation("maintenance.fonster.dev/override-until", "variables.latest") + `]`},
			}},
		})
}
