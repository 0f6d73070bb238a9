package policygen

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// namespaces keeps a namespace from being deleted while its gate is closed, and from being relabelled out of a window or into an open one;
// and holds the setting of an override on it against its Gate.
func (g *generator) namespaces() {
	own := decisionDefinitions(denying, map[string]string{
		"labelsKnown": "false", "kinds": "{}",
		"ruled":        "namespaceDeleted ? ['Delete'] : namespaceRelabelled ? disruptions : []",
		"because":      "request.operation == 'DELETE' ? '' : " + quote(" "+becauseOwner),
		"overridden":   "setsOverride && overridable || standsOnObject",
		"askedTargets": "wholeTargets.size() > 0 ? wholeTargets : targetsBefore", "maySet": "mayOverrideParts",
		"whichWindows":   "wholeTargets.size() > 0 ? 'any of the windows ' : 'windows that together govern everything in it, of '",
		"frozenWhat":     "namespaceDeleted ? 'Delete of ' + subject + because : 'Changing the labels of ' + subject",
		"outsideWhat":    "namespaceDeleted ? 'Delete of ' + subject + because : 'Changing the labels of ' + subject + ', by which windows select it,'",
		"notedByFreezes": "namespaceDeleted ? 'Delete' : ''", "notedByWindows": "namespaceDeleted ? 'Delete' : ''",
		"outsideEnd": "namespaceDeleted ? inEmergency : ' Change its labels while everything is open, or change the window.'",
	})
	g.validating(validatingPolicy{
		name: "fonster-namespaces", description: "Keeps a namespace from being deleted or relabelled while its gate is closed.",
		gate: v1alpha1.RefusesLabel, action: admissionv1.Deny, audited: true,
		rules:     []admissionv1.NamedRuleWithOperations{ofNamespaces(admissionv1.Update, admissionv1.Delete)},
		condition: "(request.operation == 'DELETE' ? !has(oldObject.metadata.deletionTimestamp) : setsOverride || labelsChanged || ownersChanged) && !exempt",
		own:       own, validations: append([]validation{settingOverride}, decision(false)...),
	})
}

// holding are the policies by which a rollout is accepted outside the windows, and held.
func (g *generator) holding() {
	held := map[string]string{"labelsKnown": "true", "kinds": "{}"}
	g.mutating(mutatingPolicy{
		name: "fonster-hold", description: "Accepts a rollout outside the windows, and holds it.", gate: v1alpha1.HoldsLabel,
		rules: []admissionv1.NamedRuleWithOperations{written(admissionv1.Update)},
		// The generation is counted up only after mutating admission. What is held already is fonster-held-keep's.
		condition: "heldBefore != 'true' && object.spec != oldObject.spec && mayHold && !plainlyOpen(['Rollout']) && !exempt",
		own:       held, patches: []string{"holdsRollout ? holdPatches : []"},
	})
	g.mutating(mutatingPolicy{
		name: "fonster-held-keep", description: "Keeps what is held, until the operator releases it.", about: ofObjects(v1alpha1.HeldLabel),
		rules:     []admissionv1.NamedRuleWithOperations{written(admissionv1.Update)},
		condition: "concernsHeld", own: held, patches: []string{"heldPatches"}, reinvoked: true,
	})
	g.validating(validatingPolicy{
		name: "fonster-holds-warn", description: "Tells whoever changes what is held until when it is.", gate: v1alpha1.RefusesLabel, action: admissionv1.Warn,
		rules:     []admissionv1.NamedRuleWithOperations{written(admissionv1.Update)},
		about:     ofObjects(v1alpha1.HeldLabel),
		condition: "heldAfter == 'true' && !exempt",
		own:       held,
		validations: []validation{{
			expression: "overrideStands && frozenForHeld.size() == 0", message: "The rollout is held until a maintenance window opens.", tells: "heldMessage",
		}},
	})
}

// overrides are the policies that stamp overrides, and keep their notes.
func (g *generator) overrides() {
	g.mutating(mutatingPolicy{
		name: "fonster-overrides-note", description: "Keeps the notes of an override as they are.", about: ofObjects(v1alpha1.OverriddenLabel),
		rules: marked(), condition: "concernsOverrides", patches: []string{"overrideNotes"}, reinvoked: true,
	})
	g.mutating(mutatingPolicy{
		name: "fonster-overrides-stamp", description: "Notes who sets an override, until when it stands and what is used up.", gate: v1alpha1.RefusesLabel,
		rules: marked(), condition: "concernsOverrides", reinvoked: true,
		own:     map[string]string{"labelsKnown": "request.resource.resource != 'namespaces'"},
		patches: []string{"governs ? overrideNotes : []", "governs ? overrideEnd : []"},
	})
}

// advice warns of what passes and is probably not meant.
func (g *generator) advice() {
	g.validating(validatingPolicy{
		name: "fonster-reasons", description: "Warns of a reason of an override that is used up.", action: admissionv1.Warn,
		rules:     []admissionv1.NamedRuleWithOperations{written(admissionv1.Update), ofNamespaces(admissionv1.Update)},
		about:     ofObjects(v1alpha1.OverrideSpentLabel),
		condition: "annotationsChanged && reasonUsedUp",
		validations: []validation{{
			expression: "false",
			message:    "The reason of the override is used up and opens nothing: give a new one.",
			tells:      "'The reason \"' + newReason + '\" is used up and opens nothing: give a new one.'",
		}},
	})
	g.validating(validatingPolicy{
		name: "fonster-pod-labels", description: "Warns of pods that do not carry the labels by which a window selects their workload.",
		gate: v1alpha1.NarrowsLabel, action: admissionv1.Warn,
		rules:     []admissionv1.NamedRuleWithOperations{written(admissionv1.Create, admissionv1.Update)},
		condition: "(oldObject == null || labelsChanged || generationChanged) && podsNotSelected && !exempt",
		own:       map[string]string{"kinds": "{}"},
		validations: []validation{{
			expression: "false",
			message:    "The pods do not carry the labels by which a maintenance window or change freeze selects their workload: give the pod template the same labels.",
			tells:      "podsNotSelectedMessage",
		}},
	})
}
