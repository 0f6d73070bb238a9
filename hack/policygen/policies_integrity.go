package policygen

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// integrity are the policies that keep the gates themselves, and the operator. None reads a Gate: they hold whatever becomes of the Gates.
func (g *generator) integrity() {
	g.statusMetadata()
	g.gates()
	g.selectors()
	g.marks()
	g.operator()
	g.crds()
}

// statusMetadata keeps everybody but the control plane from changing metadata that rules watch by a write to a status: where a Gate is, and
// wherever the guards of marks keep them from doing so without. No status ever waits for it: the control plane passes before anything is
// looked at. Of a Namespace the labels are the old ones here, so that to say that it has a Gate is a selection of its own.
func (g *generator) statusMetadata() {
	g.validating(validatingPolicy{
		name: "fonster-status", description: "Metadata is changed through the resource itself, not through its status.", action: admissionv1.Deny,
		rules: []admissionv1.NamedRuleWithOperations{
			on("apps", "v1", []string{"deployments/status", "statefulsets/status", "daemonsets/status", "replicasets/status"}, admissionv1.Update),
			on("", "v1", []string{"replicationcontrollers/status", "pods/status", "namespaces/status", "namespaces/finalize"}, admissionv1.Update),
		},
		about: []selection{
			{namespaces: labelled(v1alpha1.GatedLabel)},
			{name: "-of-held", objects: labelled(v1alpha1.HeldLabel)},
			{name: "-of-overridden", objects: labelled(v1alpha1.OverriddenLabel)},
			{name: "-of-gated", objects: labelled(v1alpha1.GatedLabel)},
		},
		condition: "!byControlPlane && !inProtected && statusMetadataChanged",
		validations: []validation{{
			expression: "false",
			message:    "Metadata is changed through the resource itself, not through its status.",
			tells: "'The metadata of ' + request.kind.kind + ' ' + oldObject.metadata.name + ' cannot be changed through its '" +
				" + request.subResource + '; update the ' + request.kind.kind + ' itself.'",
		}},
	})
}

// gates keeps everybody but the operator from writing Gates. The garbage collector removes the Gate whose windows and freezes are gone, and
// the namespace controller what is in a namespace that is deleted.
func (g *generator) gates() {
	writers := []string{
		policy.Identity{}.User(), "system:kube-controller-manager",
		"system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:namespace-controller",
	}
	g.validating(validatingPolicy{
		name: "fonster-gates", description: "Only the operator writes Gates.", action: admissionv1.Deny,
		rules: []admissionv1.NamedRuleWithOperations{on(v1alpha1.GroupName, "*", []string{"gates"}, admissionv1.Create, admissionv1.Update, admissionv1.Delete)},
		validations: []validation{{
			expression: "request.userInfo.username in " + list(writers),
			message:    "A Gate is compiled from MaintenanceWindows and ChangeFreezes: change those, the operator writes the Gate.",
		}},
	})
}

// selectors refuses windows and freezes whose selectors cannot be read.
func (g *generator) selectors() {
	g.validating(validatingPolicy{
		name: "fonster-selectors", description: "Refuses windows and freezes whose selectors cannot be read.", action: admissionv1.Deny,
		rules: []admissionv1.NamedRuleWithOperations{on(v1alpha1.GroupName, "*", []string{"maintenancewindows", "changefreezes"}, admissionv1.Create, admissionv1.Update)},
		validations: []validation{
			{
				expression: "selectorsBounded",
				message:    "namespaceSelector and objectSelector take at most 32 requirements with 64 values in all: select by a label that the namespaces share",
			},
			{
				expression: "selectorOperators",
				message:    "the operator of a matchExpression in namespaceSelector or objectSelector must be In, NotIn, Exists or DoesNotExist",
			},
			{
				expression: "selectorArity",
				message:    "a matchExpression in namespaceSelector or objectSelector needs values with In and NotIn, and takes none with Exists and DoesNotExist",
			},
			{
				expression: "selectorKeys",
				message:    "a key in namespaceSelector or objectSelector is not a label key, such as kommun or app.kubernetes.io/name",
			},
			{
				expression: "selectorValues",
				message:    "a value in namespaceSelector or objectSelector is not a label value: at most 63 letters, digits, '-', '_' and '.'",
			},
		},
	})
}

// marks keeps the marks and notes of Fonster: the operator and its mutating policies alone write them. Each policy selects what has the mark,
// before the request or after it, so that of other changes nothing is asked; without the mark, the notes that go with it mean nothing.
func (g *generator) marks() {
	g.validating(validatingPolicy{
		name: "fonster-held", description: "Only the operator changes the labels of what is held.", action: admissionv1.Deny,
		rules: marked(), about: ofObjects(v1alpha1.HeldLabel), own: map[string]string{"kinds": "{}"},
		condition: "!byOperator && (oldObject == null || labelsChanged) && changesHeld",
		validations: []validation{{
			expression: "heldByPolicies",
			message:    "The labels of what is held are managed by Fonster and cannot be changed; leave them out when you copy an object.",
			tells:      "heldLabelsChanged.join(', ') + ' of ' + subject + ' is managed by Fonster and cannot be changed; leave it out when you copy the object.'",
		}},
	})
	g.validating(validatingPolicy{
		name: "fonster-overridden", description: "Only the operator changes the notes of an override.", action: admissionv1.Deny,
		rules: marked(), about: ofObjects(v1alpha1.OverriddenLabel), own: map[string]string{"kinds": "{}"},
		condition: "concernsOverrides",
		validations: []validation{
			{
				expression: "forgedNotes.size() == 0",
				message:    "The notes of an override are managed by Fonster and cannot be changed; leave them out when you copy an object.",
				tells:      "forgedNotes.join(', ') + ' of ' + subject + ' is managed by Fonster and cannot be changed; leave it out when you copy the object.'",
			},
			{
				expression: "!setsOverride || signed",
				message:    "An override that says until when it stands must say who sets it and carry the label maintenance.fonster.dev/overridden=true: use kubectl window override.",
			},
			{ // where nothing governs, no Gate bounds the end
				expression: "!setsOverride || newUntil == '' || now.size() > 0 && newUntil <= longestEnd",
				message:    "An override stands for 24 hours at most.",
			},
		},
	})
	g.validating(validatingPolicy{
		name: "fonster-gated", description: "Only the operator says that a Namespace has a Gate.", action: admissionv1.Deny,
		rules:     []admissionv1.NamedRuleWithOperations{ofNamespaces(admissionv1.Update)},
		condition: "!byOperator && newLabels[?'maintenance.fonster.dev/gated'] != oldLabels[?'maintenance.fonster.dev/gated']",
		validations: []validation{{
			expression: "false",
			message:    "The label " + v1alpha1.GatedLabel + " of a Namespace is managed by Fonster and cannot be changed; leave it as it is.",
		}},
	})
}

// operator keeps the operator to its marks and notes: its rights let it patch every workload of the cluster, and whoever has its token has
// them too. No selector can tell who asks, so this is evaluated for every change of a workload, wherever, and asks nothing else.
func (g *generator) operator() {
	keeps := func(allowed, what string) validation {
		const says = "The operator of Fonster writes its own marks and notes, and never "
		return validation{
			expression: allowed, message: says + what + ".",
			tells: "request.kind.kind + ' ' + oldObject.metadata.name + ': ' + " + quote(says+what+"."),
		}
	}
	g.validating(validatingPolicy{
		name: policy.OperatorGuard, description: "The operator writes its marks and notes, and nothing else, whoever has its token.",
		action:    admissionv1.Deny,
		rules:     []admissionv1.NamedRuleWithOperations{written(admissionv1.Update), ofNamespaces(admissionv1.Update)},
		condition: "byOperator",
		validations: []validation{
			keeps("!inProtected", "anything in a namespace where nothing is governed"),
			keeps("!labelsChanged || newLabels.all(k, ownLabel(k)) && oldLabels.all(k, k in newLabels || ownLabel(k))", "other labels"),
			// Of annotations there may be so many that each expression looks through them once.
			keeps("!annotationsChanged || newAnnotations.all(k, ownNote(k))", "other annotations"),
			keeps("!annotationsChanged || oldAnnotations.all(k, k in newAnnotations || ownNoteRemoved(k))", "fewer annotations"),
			keeps("!ownersChanged && object.metadata.?finalizers == oldObject.metadata.?finalizers", "ownerReferences or finalizers"),
			keeps("ownSpec", "the spec, but for what stops a rollout that is held, or lets it go"),
		},
	})
}

// crds keeps the CRDs from being deleted, or no longer served, while the policies are there that read their objects.
func (g *generator) crds() {
	const without = "Without the CRDs windows and freezes are no longer enforced; and an API server that has started again without that of the Gates " +
		"refuses what the policies match in gated namespaces, to everybody, until it is back. "
	g.validating(validatingPolicy{
		name: "fonster-crds", description: "Keeps the CRDs while the policies are there that read their objects.", action: admissionv1.Deny,
		rules: []admissionv1.NamedRuleWithOperations{
			on("apiextensions.k8s.io", "v1", []string{"customresourcedefinitions"}, admissionv1.Update, admissionv1.Delete),
			on("apiextensions.k8s.io", "v1", []string{"customresourcedefinitions/status"}, admissionv1.Update),
		},
		condition: "ofFonster",
		validations: []validation{
			{
				expression: "request.operation != 'DELETE' && (request.?subResource.orValue('') != '' || stillServed)",
				message:    "The policies of Fonster need this CustomResourceDefinition: remove them first, by make uninstall.",
				tells: "'The CustomResourceDefinition ' + oldObject.metadata.name + (request.operation == 'DELETE' ? ' cannot be deleted' : ' must go on serving " +
					v1alpha1.GroupVersion.Version + "') + ' while the policies of Fonster are there. " + without + "Remove the policies first: make uninstall.'",
			},
			{
				expression: "request.?subResource.orValue('') == '' || servedByAPIServer",
				message:    "Only the API server says whether it serves this CustomResourceDefinition.",
				tells:      "'Only the API server says whether it serves the CustomResourceDefinition ' + oldObject.metadata.name + '. ' + " + quote(without),
			},
		},
	})
}
