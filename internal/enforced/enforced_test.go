package enforced

import (
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
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
		once, err := Digest(p)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := Digest(once)
		if err != nil {
			t.Fatal(err)
		}
		object := twice.(client.Object).DeepCopyObject().(client.Object)
		object.SetResourceVersion("")
		b.WithObjects(object)
	}
	return b.Build()
}

func all() (policies []client.Object) {
	for _, p := range doors.Policies() {
		policies = append(policies, p)
	}
	for _, p := range doors.MutatingPolicies() {
		policies = append(policies, p)
	}
	return policies
}

// TestPolicies: what is as it should be is found so; and each policy that is gone, and each kind of change, is seen.
func TestPolicies(t *testing.T) {
	look := func(knowsMutating bool, policies ...client.Object) (missing, changed string) {
		t.Helper()
		m, c, err := Policies(t.Context(), cached(t, policies...), knowsMutating)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(m, ", "), strings.Join(c, ", ")
	}
	other := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "somebody-elses"}}
	if missing, changed := look(true, append(all(), other)...); missing+changed != "" {
		t.Fatalf("all of them: missing %s, changed %s", missing, changed)
	}
	var validatingOnly []client.Object
	for _, p := range all() {
		if _, is := p.(*admissionv1.ValidatingAdmissionPolicy); is {
			validatingOnly = append(validatingOnly, p)
		}
	}
	if missing, changed := look(false, validatingOnly...); missing+changed != "" {
		t.Errorf("without the API of mutating policies: missing %s, changed %s", missing, changed)
	}
	for i, p := range all() {
		missing, _ := look(true, append(all()[:i], all()[i+1:]...)...)
		if !strings.HasSuffix(missing, "AdmissionPolicy "+p.GetName()) || strings.Contains(missing, ",") {
			t.Errorf("without %s: missing %q", p.GetName(), missing)
		}
	}
	for title, change := range changes {
		list := all()
		for i, p := range list {
			if p.GetName() == "fonster-workloads-deny" {
				changed := p.(*admissionv1.ValidatingAdmissionPolicy).DeepCopy()
				change(changed)
				list[i] = changed
			}
		}
		if missing, changed := look(true, list...); missing != "" || changed != "ValidatingAdmissionPolicy fonster-workloads-deny" {
			t.Errorf("%s: missing %q, changed %q", title, missing, changed)
		}
	}
	list := all()
	for i, p := range list {
		if p.GetName() == "fonster-hold" {
			changed := p.(*admissionv1.MutatingAdmissionPolicy).DeepCopy()
			changed.Spec.FailurePolicy = new(admissionv1.Ignore)
			list[i] = changed
		}
	}
	if missing, changed := look(true, list...); missing != "" || changed != "MutatingAdmissionPolicy fonster-hold" {
		t.Errorf("a mutating policy: missing %q, changed %q", missing, changed)
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
		digested, _ := Digest(p.DeepCopy())
		p.Annotations = digested.(client.Object).GetAnnotations()
		p.Spec.Validations[0].Expression = "true"
	},
	"an expression, and no label": func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Labels, p.Spec.Validations[0].Expression = nil, "true"
	},
}

// TestChanges: a policy of this version wakes when it comes, goes or changes; no status of it does, and nobody else's policy.
func TestChanges(t *testing.T) {
	digest := func(p *admissionv1.ValidatingAdmissionPolicy) client.Object {
		o, err := Digest(p)
		if err != nil {
			t.Fatal(err)
		}
		return o.(client.Object)
	}
	ours, theirs := doors.Policies()[0], doors.Policies()[0].DeepCopy()
	theirs.Name = "somebody-elses"
	edited, touched := ours.DeepCopy(), ours.DeepCopy()
	edited.Spec.FailurePolicy, touched.ResourceVersion = new(admissionv1.Ignore), "2"
	if !Changes.Create(event.CreateEvent{Object: digest(ours)}) || !Changes.Delete(event.DeleteEvent{Object: digest(ours)}) {
		t.Error("ours comes and goes unseen")
	}
	if Changes.Create(event.CreateEvent{Object: digest(theirs)}) || Changes.Delete(event.DeleteEvent{Object: digest(theirs)}) {
		t.Error("woken by somebody else's policy")
	}
	if !Changes.Update(event.UpdateEvent{ObjectOld: digest(ours), ObjectNew: digest(edited)}) || Changes.Update(event.UpdateEvent{ObjectOld: digest(ours), ObjectNew: digest(touched)}) {
		t.Error("an edit is unseen, or what is none is seen")
	}
}

// TestDigestIsSmall: of a policy nothing is kept that grows with it.
func TestDigestIsSmall(t *testing.T) {
	for _, p := range all() {
		p.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl"}})
		o, err := Digest(p)
		if err != nil {
			t.Fatal(err)
		}
		var size int
		switch d := o.(type) {
		case *admissionv1.ValidatingAdmissionPolicy:
			size = d.Size()
		case *admissionv1.MutatingAdmissionPolicy:
			size = d.Size()
		}
		if size > 200 {
			t.Errorf("%s: %d bytes are kept", p.GetName(), size)
		}
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
		"nothing":            {Report{}, v1alpha1.ReasonEnforced, metav1.ConditionTrue, []string{"holds requests"}},
		"another's gate":     {Report{Gates: map[string]string{"other": "boom"}}, v1alpha1.ReasonEnforced, metav1.ConditionTrue, []string{"holds requests"}},
		"missing":            {Report{Missing: many, Changed: []string{"x"}}, v1alpha1.ReasonPoliciesMissing, metav1.ConditionFalse, []string{"ValidatingAdmissionPolicy a, b, c, d and 2 more", "make install", "Not as this version of the operator has them: x"}},
		"changed":            {Report{Changed: many}, v1alpha1.ReasonPoliciesChanged, metav1.ConditionFalse, []string{"upgrade", "make install"}},
		"a static binding":   {Report{Bindings: map[string]string{"b": "forbidden"}}, v1alpha1.ReasonBindingsMissing, metav1.ConditionFalse, []string{"b. It tries again: forbidden"}},
		"its gate":           {Report{Gates: map[string]string{"g": "too large"}}, v1alpha1.ReasonGateNotWritten, metav1.ConditionFalse, []string{"Gate g", "too large"}},
		"less than its gate": {Report{WithoutOthers: map[string]string{"g": "too large"}, Omitted: map[string]int{"g": 3}}, v1alpha1.ReasonEnforced, metav1.ConditionTrue, []string{"without what windows", "3 openings"}},
	} {
		c := tc.report.Condition("g")
		if c.Type != v1alpha1.ConditionEnforced || c.Reason != tc.reason || c.Status != tc.status {
			t.Errorf("%s: %+v", title, c)
		}
		for _, text := range tc.says {
			if !strings.Contains(c.Message, text) {
				t.Errorf("%s: it does not say %q: %s", title, text, c.Message)
			}
		}
		if c := tc.report.Condition(""); c.Reason == v1alpha1.ReasonGateNotWritten {
			t.Errorf("%s: told of what has no gate", title)
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
	}{{Report{}, true, true}, {Report{Omitted: map[string]int{}}, false, true}, {bad(), true, false}, {bad(), false, false}, {Report{Missing: []string{"p"}}, true, true}, {Report{Bindings: map[string]string{"b": "no"}}, true, false}} {
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
