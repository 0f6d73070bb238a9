package evaluate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"

	"fonster.dev/fonster/api/v1alpha1"
)

var (
	now   = time.Date(2026, 12, 5, 12, 0, 0, 0, time.UTC)
	gated = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team", Labels: map[string]string{v1alpha1.GatedLabel: "true"}}}
)

func deployment(image string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", Generation: 3,
		Labels: map[string]string{"app": "web"}}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: image}}
	return d
}

func gate(label string, targets ...v1alpha1.GateTarget) *v1alpha1.Gate {
	return &v1alpha1.Gate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: v1alpha1.GateName, Labels: map[string]string{label: "true"}},
		Spec:       v1alpha1.GateSpec{Targets: targets},
	}
}

func closed() v1alpha1.GateTarget { return v1alpha1.GateTarget{Opens: "Sat 5 Dec 2026 18:00 CET"} }

func rollout() Request {
	return Request{
		Operation: admission.Update, Resource: "deployments", Object: deployment("app:2"), Old: deployment("app:1"), User: "developer",
		NamespaceObject: gated, Gate: gate(v1alpha1.RefusesLabel, closed()), Now: now,
	}
}

func servers(t *testing.T) map[string]*Server {
	t.Helper()
	policies, err := Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]*Server{}
	for _, v := range []string{"1.30", "1.36", "1.37"} {
		if list[v], err = New(v, policies); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func TestEvaluate(t *testing.T) {
	for title, tc := range map[string]struct {
		change func(r *Request)
		want   string
		errors int
	}{
		"closed":          {func(*Request) {}, "denied by refuse: no window is open for deployments in team: Sat 5 Dec 2026 18:00 CET", 0},
		"no Gate":         {func(r *Request) { r.Gate = nil }, "allowed", 0},
		"another label":   {func(r *Request) { r.Gate = gate("other", closed()) }, "allowed", 0},
		"another's Gate":  {func(r *Request) { r.Gate.Namespace = "other" }, "allowed", 0},
		"not gated":       {func(r *Request) { r.NamespaceObject = nil }, "allowed", 0},
		"nothing changes": {func(r *Request) { r.Object = r.Old }, "allowed", 0},
		"open":            {func(r *Request) { r.Gate = gate(v1alpha1.RefusesLabel, v1alpha1.GateTarget{Open: true}) }, "allowed", 0},
		"open until the stamp of the request": {
			func(r *Request) {
				r.Gate = gate(v1alpha1.RefusesLabel, v1alpha1.GateTarget{Open: true, ClosesAt: new(metav1.NewTime(now)), Opens: "later"})
			},
			"denied by refuse: no window is open", 0,
		},
		"open a second longer": {
			func(r *Request) {
				r.Gate = gate(v1alpha1.RefusesLabel, v1alpha1.GateTarget{Open: true, ClosesAt: new(metav1.NewTime(now.Add(time.Second)))})
			},
			"allowed", 0,
		},
		"with the right": {
			func(r *Request) {
				r.Rights = func(right Right) bool {
					return right == Right{Verb: "override", Group: v1alpha1.GroupName, Resource: "maintenancewindows", Name: "night"}
				}
			}, "allowed", 0,
		},
		"a warning": {func(r *Request) { r.Gate = gate(v1alpha1.WarnsLabel, closed()) },
			"warned by refuse: no window is open for deployments", 0},
		"a warning, by the old labels": {
			func(r *Request) {
				r.Gate = gate(v1alpha1.WarnsLabel, closed())
				r.Object.(*appsv1.Deployment).Labels = nil
			}, "warned by refuse", 0,
		},
		"no warning of other labels": {
			func(r *Request) {
				r.Gate = gate(v1alpha1.WarnsLabel, closed())
				r.Object.(*appsv1.Deployment).Labels, r.Old.(*appsv1.Deployment).Labels = nil, nil
			}, "allowed", 0,
		},
		"an eviction": {
			func(r *Request) {
				r.Operation, r.Resource, r.Subresource, r.Old = admission.Create, "pods", "eviction", nil
				r.Object = &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-0"}}
			}, "denied by refuse: no window is open for pods in team", 0,
		},
		"a Namespace, by its new labels": {
			func(r *Request) {
				r.Resource, r.Object, r.Old, r.NamespaceObject = "namespaces",
					&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, gated, nil
			},
			"allowed", 0,
		},
		"a Namespace is deleted": {
			func(r *Request) {
				r.Operation, r.Resource, r.Object, r.Old, r.NamespaceObject = admission.Delete, "namespaces", nil, gated, nil
			},
			"denied by refuse: no window is open for namespaces in team", 0,
		},
		"a message that fails is noticed": {
			func(r *Request) {
				r.Operation, r.Resource, r.Object, r.Old = admission.Delete, "configmaps", nil,
					&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "c"}}
			}, "denied by protected: " + fellBack + "not deleted", 1,
		},
		"an excluded name": {
			func(r *Request) {
				r.Operation, r.Resource, r.Object, r.Old = admission.Delete, "configmaps", nil,
					&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "free"}}
			}, "allowed", 0,
		},
		"a message that fails": {
			func(r *Request) { r.Gate = gate(v1alpha1.RefusesLabel) }, "denied by refuse: " + fellBack + "no window is open", 1,
		},
	} {
		for v, s := range servers(t) {
			t.Run(title+"/"+v, func(t *testing.T) {
				r := rollout()
				tc.change(&r)
				before := fmt.Sprint(r.Object, r.Old)
				result := s.Evaluate(&r)
				if !strings.HasPrefix(result.String(), tc.want) || len(result.Errors) != tc.errors {
					t.Errorf("%s, errors %v; want %s", result, result.Errors, tc.want)
				}
				if fmt.Sprint(r.Object, r.Old) != before {
					t.Error("the request was changed")
				}
			})
		}
	}
}

// TestMutations: both policies are asked, the one that sees nothing to do in the first turn in the second, in either order; and what
// they make of the object is what the others judge.
func TestMutations(t *testing.T) {
	for v, s := range servers(t) {
		t.Run(v, func(t *testing.T) {
			r := rollout()
			r.Gate = gate(v1alpha1.HoldsLabel)
			result := s.Evaluate(&r)
			if !result.Allowed() || len(result.Errors) > 0 {
				t.Fatal(result, result.Errors)
			}
			held := result.Object.GetLabels()[v1alpha1.HeldLabel] == "true"
			if held != (v != "1.30") {
				t.Errorf("held: %v", held)
			}
			if result.Object.GetGeneration() != 4 {
				t.Errorf("generation %d, want 4", result.Object.GetGeneration())
			}
			overridden := gated.DeepCopy()
			overridden.Annotations = map[string]string{v1alpha1.OverrideAnnotation: "INC-1"}
			r.NamespaceObject = overridden
			if result := s.Evaluate(&r); result.Object.GetLabels()[v1alpha1.HeldLabel] != "" {
				t.Error("held in spite of an override")
			}
		})
	}
}

// TestOrders: a policy with a match condition that another policy's mutation would meet is found out.
func TestOrders(t *testing.T) {
	policies, err := Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies.Mutating {
		if p.Name == "mark" {
			p.Spec.MatchConditions = []admissionv1.MatchCondition{{Name: "paused",
				Expression: "object.spec.?paused.orValue(false) == true"}}
		}
	}
	s, err := New("1.37", policies)
	if err != nil {
		t.Fatal(err)
	}
	r := rollout()
	r.Gate = gate(v1alpha1.HoldsLabel)
	if result := s.Evaluate(&r); len(result.Errors) != 1 || !strings.Contains(result.Errors[0], "another order") {
		t.Errorf("errors %v", result.Errors)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	policies, err := Load("testdata")
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range []string{"1.36", "1.37"} {
		s, err := New(v, policies)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(v, func(b *testing.B) {
			for b.Loop() {
				r := rollout()
				s.Evaluate(&r)
			}
		})
	}
}
