package enforced

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// cached is a cache that has seen policies, each twice.
func cached(t *testing.T, policies ...client.Object) client.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := admissionv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, p := range policies {
		object := digestOf(t, digestOf(t, p)).DeepCopyObject().(client.Object)
		object.SetResourceVersion("")
		b.WithObjects(object)
	}
	return b.Build()
}

func digestOf(t *testing.T, o client.Object) client.Object {
	t.Helper()
	digested, err := Digest(policy.Identity{})(o)
	if err != nil {
		t.Fatal(err)
	}
	return digested.(client.Object)
}

// all is something of each kind, as installed; a policy and its binding may share a name.
func all() []client.Object {
	named := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, UID: "some-uid", ResourceVersion: "1", Generation: 1, Labels: map[string]string{"a": "b"}}
	}
	rules := &admissionv1.MatchResources{MatchPolicy: new(admissionv1.Equivalent), ResourceRules: make([]admissionv1.NamedRuleWithOperations, 2)}
	return []client.Object{
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named("deny"), Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: new(admissionv1.Fail), ParamKind: &admissionv1.ParamKind{Kind: "Gate"}, MatchConstraints: rules,
			Validations: []admissionv1.Validation{{Expression: "false"}, {Expression: "1 == 2"}}, Variables: []admissionv1.Variable{{Name: "a", Expression: "1"}},
		}},
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named("crds")},
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named("deny"), Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "deny", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}, ParamRef: &admissionv1.ParamRef{Selector: &metav1.LabelSelector{}},
		}},
		&admissionv1.MutatingAdmissionPolicy{ObjectMeta: named("hold"), Spec: admissionv1.MutatingAdmissionPolicySpec{FailurePolicy: new(admissionv1.Fail)}},
		&admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: named("hold-binding"), Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: "hold"}},
	}
}

func kindOf(o client.Object) string { return strings.TrimPrefix(fmt.Sprintf("%T", o), "*v1.") }

// wantedOf is what a version installs.
func wantedOf(t *testing.T, list []client.Object) hashes {
	t.Helper()
	wanted := hashes{}
	for _, o := range list {
		kind := kindOf(o)
		if wanted[kind] == nil {
			wanted[kind] = map[string]string{}
		}
		wanted[kind][o.GetName()] = digestOf(t, o).GetAnnotations()[digestKey]
	}
	return wanted
}

// TestInstalled: what is as it should be is found so; and each policy and binding that is gone, and each kind of change, is seen.
func TestInstalled(t *testing.T) {
	wanted := wantedOf(t, all())
	look := func(knowsMutating bool, installed ...client.Object) (missing, changed string) {
		t.Helper()
		m, c, err := compare(t.Context(), cached(t, installed...), wanted, knowsMutating)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(m, ", "), strings.Join(c, ", ")
	}
	other := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "somebody-elses"}}
	if missing, changed := look(true, append(all(), other)...); missing+changed != "" {
		t.Fatalf("all of them: missing %s, changed %s", missing, changed)
	}
	if missing, changed := look(false, all()[:3]...); missing+changed != "" {
		t.Errorf("without the API of mutating policies: missing %s, changed %s", missing, changed)
	}
	for i, o := range all() {
		if missing, changed := look(true, append(all()[:i], all()[i+1:]...)...); missing != kindOf(o)+" "+o.GetName() || changed != "" {
			t.Errorf("without %s %s: missing %q, changed %q", kindOf(o), o.GetName(), missing, changed)
		}
	}
	for title, change := range changes {
		list := all()
		change(list[0].(*admissionv1.ValidatingAdmissionPolicy))
		if missing, changed := look(true, list...); missing != "" || changed != "ValidatingAdmissionPolicy deny" {
			t.Errorf("%s: missing %q, changed %q", title, missing, changed)
		}
	}
	for title, tc := range map[string]struct {
		which  int
		change func(client.Object)
	}{
		"what a binding does": {2, func(o client.Object) {
			o.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.ValidationActions[0] = admissionv1.Warn
		}},
		"a binding's param": {2, func(o client.Object) { o.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.ParamRef = nil }},
		"what a binding matches": {2, func(o client.Object) {
			o.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.MatchResources = &admissionv1.MatchResources{}
		}},
		"a mutating policy": {3, func(o client.Object) {
			o.(*admissionv1.MutatingAdmissionPolicy).Spec.FailurePolicy = new(admissionv1.Ignore)
		}},
		"a mutating binding": {4, func(o client.Object) { o.(*admissionv1.MutatingAdmissionPolicyBinding).Spec.PolicyName = "another" }},
	} {
		list := all()
		tc.change(list[tc.which])
		if missing, changed := look(true, list...); missing != "" || changed != kindOf(list[tc.which])+" "+list[tc.which].GetName() {
			t.Errorf("%s: missing %q, changed %q", title, missing, changed)
		}
	}
}

// TestKindsAgree: what this version installs is of kinds that are looked at.
func TestKindsAgree(t *testing.T) {
	for kind := range policy.Installed() {
		if lists[kind] == nil || !slices.Contains(policy.Kinds, kind) {
			t.Errorf("%s is not looked at", kind)
		}
	}
	for _, kind := range policy.Kinds {
		if lists[kind] == nil {
			t.Errorf("there is no list of %s", kind)
		}
	}
	if len(Kinds(false)) != 2 || len(Kinds(true)) != len(policy.Kinds) {
		t.Errorf("kinds %v, %v", Kinds(false), Kinds(true))
	}
}

// changes are what somebody could change of a policy so that it lets pass what it should not, or stop what it should not; labels and
// annotations, forged ones too, hide none of them.
var changes = map[string]func(*admissionv1.ValidatingAdmissionPolicy){
	"failurePolicy": func(p *admissionv1.ValidatingAdmissionPolicy) { p.Spec.FailurePolicy = new(admissionv1.Ignore) },
	"an expression": func(p *admissionv1.ValidatingAdmissionPolicy) { p.Spec.Validations[0].Expression = "true" },
	"a validation":  func(p *admissionv1.ValidatingAdmissionPolicy) { p.Spec.Validations = p.Spec.Validations[1:] },
	"a variable":    func(p *admissionv1.ValidatingAdmissionPolicy) { p.Spec.Variables[0].Expression = "[]" },
	"no param":      func(p *admissionv1.ValidatingAdmissionPolicy) { p.Spec.ParamKind = nil },
	"another matchPolicy": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.MatchConstraints.MatchPolicy = new(admissionv1.Exact)
	},
	"a condition": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionv1.MatchCondition{Name: "never", Expression: "false"})
	},
	"an exclusion": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.MatchConstraints.ExcludeResourceRules = p.Spec.MatchConstraints.ResourceRules
	},
	"an objectSelector": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	},
	"a namespaceSelector": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	},
	"a resource less": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.MatchConstraints.ResourceRules = p.Spec.MatchConstraints.ResourceRules[1:]
	},
	"an expression, and a forged digest": func(p *admissionv1.ValidatingAdmissionPolicy) {
		digested, _ := Digest(policy.Identity{})(p.DeepCopy())
		p.Annotations = digested.(client.Object).GetAnnotations()
		p.Spec.Validations[0].Expression = "true"
	},
	"an expression, and no label": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Labels, p.Spec.Validations[0].Expression = nil, "true"
	},
}

// TestChanges: what this version installs wakes when it comes, goes or changes; no status of it does, and nobody else's policy.
func TestChanges(t *testing.T) {
	changes := changesOf(wantedOf(t, all()))
	for i, ours := range all() {
		theirs, touched := all()[i], all()[i]
		theirs.SetName("somebody-elses")
		touched.SetResourceVersion("2")
		if !changes.Create(event.CreateEvent{Object: digestOf(t, ours)}) || !changes.Delete(event.DeleteEvent{Object: digestOf(t, ours)}) {
			t.Errorf("%s comes and goes unseen", ours.GetName())
		}
		if changes.Create(event.CreateEvent{Object: digestOf(t, theirs)}) || changes.Delete(event.DeleteEvent{Object: digestOf(t, theirs)}) {
			t.Error("woken by somebody else's policy")
		}
		if changes.Update(event.UpdateEvent{ObjectOld: digestOf(t, ours), ObjectNew: digestOf(t, touched)}) {
			t.Errorf("%s: woken by what is no change", ours.GetName())
		}
	}
	ours, edited := all()[0], all()[0]
	edited.(*admissionv1.ValidatingAdmissionPolicy).Spec.FailurePolicy = new(admissionv1.Ignore)
	if !changes.Update(event.UpdateEvent{ObjectOld: digestOf(t, ours), ObjectNew: digestOf(t, edited)}) {
		t.Error("an edit is unseen")
	}
}

// TestDigestIsSmall: nothing is kept that grows with what is installed; and anything else is left as it is.
func TestDigestIsSmall(t *testing.T) {
	for _, o := range all() {
		o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl"}})
		o.SetName(strings.Repeat("n", 20))
		if size := digestOf(t, o).(interface{ Size() int }).Size(); size > 200 {
			t.Errorf("%T: %d bytes are kept", o, size)
		}
	}
	other := &admissionv1.ValidatingWebhookConfiguration{}
	if got, err := Digest(policy.Identity{})(other); got != any(other) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// TestCondition: what a window is told, by what is wrong.
func TestCondition(t *testing.T) {
	many := []string{"ValidatingAdmissionPolicy a", "b", "c", "d", "e", "f"}
	for title, tc := range map[string]struct {
		report Report
		reason string
		status metav1.ConditionStatus
		says   []string
	}{
		"nothing":              {Report{}, v1alpha1.ReasonEnforced, metav1.ConditionTrue, []string{"holds requests"}},
		"elsewhere":            {Report{Gates: map[string]string{"other": "boom"}, Omitted: map[string]int{"other": 1}}, v1alpha1.ReasonEnforced, metav1.ConditionTrue, []string{"holds requests"}},
		"missing":              {Report{Missing: many, Changed: []string{"x"}}, v1alpha1.ReasonPoliciesMissing, metav1.ConditionFalse, []string{"ValidatingAdmissionPolicy a, b, c, d and 2 more", "make install", "Not as this version of the operator has them: x"}},
		"changed":              {Report{Changed: many}, v1alpha1.ReasonPoliciesChanged, metav1.ConditionFalse, []string{"upgrade", "make install"}},
		"a gate":               {Report{Gates: map[string]string{"a": "too large", "other": "boom"}}, v1alpha1.ReasonGateNotWritten, metav1.ConditionFalse, []string{"in namespace a,", "again: too large"}},
		"gates":                {Report{Gates: map[string]string{"b": "slow", "a": "too large", "other": "boom"}}, v1alpha1.ReasonGateNotWritten, metav1.ConditionFalse, []string{"in 2 namespaces (a, b),", "again: too large"}},
		"more than it can say": {Report{Omitted: map[string]int{"a": 3}}, v1alpha1.ReasonEnforced, metav1.ConditionTrue, []string{"in namespace a: up to 3 of them"}},
	} {
		c := tc.report.Condition(func(namespace string) bool { return namespace != "other" })
		if c.Type != v1alpha1.ConditionEnforced || c.Reason != tc.reason || c.Status != tc.status {
			t.Errorf("%s: %+v", title, c)
		}
		for _, text := range tc.says {
			if !strings.Contains(c.Message, text) {
				t.Errorf("%s: it does not say %q: %s", title, text, c.Message)
			}
		}
		if strings.Contains(c.Message, "boom") {
			t.Errorf("%s: told of what it does not govern: %s", title, c.Message)
		}
	}
}

// TestState: who listens is woken by each change, and by no repetition; and readiness follows what could not be written.
func TestState(t *testing.T) {
	s := &State{}
	woken := s.Changes()
	if _, known := s.Report(); known {
		t.Error("known before it was told")
	}
	bad := func() Report {
		return Report{Gates: map[string]string{"g": Problem(errors.New(strings.Repeat("x", 1000)))}}
	}
	for i, step := range []struct {
		report  Report
		changed bool
		ready   bool
	}{{Report{}, true, true}, {Report{Omitted: map[string]int{}}, false, true}, {bad(), true, false}, {bad(), false, false}, {Report{Missing: []string{"p"}}, true, true}} {
		if changed := s.Tell(step.report); changed != step.changed {
			t.Errorf("step %d: changed %v", i, changed)
		}
		if err := s.Ready(); (err == nil) != step.ready || err != nil && len(err.Error()) > 700 {
			t.Errorf("step %d: ready: %v", i, err)
		}
		select {
		case <-woken:
			if !step.changed {
				t.Errorf("step %d: woken for nothing", i)
			}
		default:
			if step.changed {
				t.Errorf("step %d: not woken", i)
			}
		}
	}
	s.Tell(Report{})
	s.Tell(bad()) // nobody has read: it must not wait
}

// TestLive: what is read from the API server itself is judged as what a cache keeps; forged annotations hide nothing.
func TestLive(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := admissionv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	for kind, names := range policy.Installed() {
		for name, hash := range names {
			meta := metav1.ObjectMeta{Name: name, Annotations: map[string]string{digestKey: hash}}
			switch kind {
			case policy.Validating:
				b.WithObjects(&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: meta})
			case policy.ValidatingBinding:
				b.WithObjects(&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta})
			}
		}
	}
	missing, changed, err := Live(t.Context(), b.Build(), policy.Identity{}, false)
	if want := len(policy.Installed()[policy.Validating]) + len(policy.Installed()[policy.ValidatingBinding]); err != nil || len(missing) > 0 || len(changed) != want {
		t.Errorf("missing %v, %d changed, want %d: %v", missing, len(changed), want, err)
	}
}
