package e2e

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
)

func mergePatch(format string, args ...any) client.Patch {
	return client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, format, args...))
}

// TestNamespaceGuard: a namespace is neither deleted nor relabelled out of a closed or frozen gate, also while no operator
// runs; into one, out of an open one, and with labels that no gate selects on, it is.
func TestNamespaceGuard(t *testing.T) {
	base := testName(t)
	closed, open, frozen, both := base+"-closed", base+"-open", base+"-frozen", base+"-both"
	for _, name := range []string{closed, open, frozen} {
		namespace(t, name)
	}
	namespace(t, both, "team", closed, "site", base)
	window(t, closed, closed, nextYear())
	window(t, open, open, always())
	window(t, frozen, frozen, always())
	freeze(t, frozen, frozen, nil)
	// Another target's window, open now, opens the gate for what it governs too, but for a namespace only as a whole.
	window(t, base+"-site", "", always(), namespaces(metav1.LabelSelectorRequirement{Key: "site", Operator: metav1.LabelSelectorOpIn, Values: []string{base}}))
	window(t, base+"-part", "", always(), objects("tier", "web"), everywhere)
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })

	dry := client.NewDryRunClient(shared.Admin)
	relabel := func(name, labels string) error {
		return dry.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, mergePatch(`{"metadata":{"labels":%s}}`, labels))
	}
	remove := func(c client.Client, name string) error {
		return client.NewDryRunClient(c).Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for title, tc := range map[string]struct {
		err  error
		says []string // nil: it passes
	}{
		"relabelled out of a closed gate":        {relabel(closed, `{"team":null}`), []string{"relabelling Namespace " + closed, "maintenance windows (" + closed + ")", "Next opening: ", "by " + closed, "Relabel it while"}},
		"relabelled from one gate to another":    {relabel(closed, `{"team":"another"}`), []string{"relabelling Namespace " + closed}},
		"relabelled out of a frozen gate":        {relabel(frozen, `{"team":null}`), []string{"relabelling Namespace " + frozen, "change freeze " + frozen + " is in force"}},
		"relabelled with what no gate selects":   {relabel(closed, `{"note":"seen"}`), nil},
		"annotated":                              {dry.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: closed}}, mergePatch(`{"metadata":{"annotations":{"note":"seen"}}}`)), nil},
		"relabelled out of an open gate":         {relabel(open, `{"team":null}`), nil},
		"relabelled into a closed gate":          {relabel(open, `{"team":"`+closed+`"}`), nil},
		"relabelled while another target opens":  {relabel(both, `{"team":null}`), nil},
		"deleted while closed":                   {remove(shared.Admin, closed), []string{"Delete of Namespace " + closed, "maintenance windows (" + closed + ")", "Next opening: ", "In an emergency: kubectl annotate namespace " + closed}},
		"deleted while frozen":                   {remove(shared.Admin, frozen), []string{"Delete of Namespace " + frozen, "change freeze " + frozen}},
		"deleted while open":                     {remove(shared.Admin, open), nil},
		"deleted while another target opens":     {remove(shared.Admin, both), nil},
		"deleted by the namespace controller":    {remove(as(t, "system:serviceaccount:kube-system:namespace-controller"), closed), nil},
		"deleted by one that only looks like it": {remove(as(t, "system:serviceaccount:default:namespace-controller"), closed), []string{"Delete of Namespace"}},
	} {
		t.Run(title, func(t *testing.T) {
			if tc.says == nil {
				wantPassed(t, tc.err)
				return
			}
			wantRefused(t, tc.err, tc.says...)
		})
	}
}

// TestReservedKeys: nobody but the operator says that something is held, or that an override stands; neither at creation.
func TestReservedKeys(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	s := newStatefulSet(0)(ns).(*appsv1.StatefulSet)
	name(s, "db")
	create(t, s)
	own := as(t, doors.OperatorUser)
	dry := client.NewDryRunClient(shared.Admin)
	const prefix = "maintenance.fonster.dev/"
	for _, patch := range []string{
		`{"metadata":{"labels":{"` + prefix + `held":"true"}}}`,
		`{"metadata":{"labels":{"` + prefix + `held":"releasing"}}}`,
		`{"metadata":{"labels":{"` + prefix + `held-since":"2020-01-01T00.00.00Z"}}}`,
		`{"metadata":{"labels":{"` + prefix + `held-partition":"0"}}}`,
	} {
		t.Run(patch, func(t *testing.T) {
			for _, o := range []client.Object{d.DeepCopy(), s.DeepCopy(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}} {
				wantRefused(t, dry.Patch(t.Context(), o, mergePatch("%s", patch)), "only the operator of Fonster sets, changes or removes "+prefix)
				wantPassed(t, client.NewDryRunClient(own).Patch(t.Context(), o, mergePatch("%s", patch)))
			}
		})
	}
	for _, key := range []string{"override-until", "override-by", "override-from", "override-spent"} {
		key = prefix + key
		t.Run(key, func(t *testing.T) { // the mutating policies put it right again
			for _, o := range []client.Object{d.DeepCopy(), s.DeepCopy(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}} {
				wantPassed(t, dry.Patch(t.Context(), o, mergePatch(`{"metadata":{"annotations":{%q:"2025-01-01T00:00:00Z"}}}`, key)))
				if o.GetAnnotations()[key] != "" {
					t.Errorf("anybody writes it on %T", o)
				}
				wantPassed(t, client.NewDryRunClient(own).Patch(t.Context(), o, mergePatch(`{"metadata":{"annotations":{%q:"2025-01-01T00:00:00Z"}}}`, key)))
				if o.GetAnnotations()[key] == "" {
					t.Errorf("the operator does not write it on %T", o)
				}
			}
			copied := newDeployment(1)(ns)
			name(copied, "copy")
			copied.SetAnnotations(map[string]string{key: "2025-01-01T00:00:00Z"})
			wantPassed(t, dry.Create(t.Context(), copied))
			if copied.GetAnnotations()[key] != "" {
				t.Errorf("a copy keeps it")
			}
		})
	}
	for _, patch := range []string{
		`{"metadata":{"annotations":{"` + prefix + `release-priority":"7"}}}`,
		`{"metadata":{"annotations":{"` + prefix + `override-notice":"Akut arbete"}}}`,
		`{"metadata":{"labels":{"held":"true"}}}`,
	} {
		wantPassed(t, dry.Patch(t.Context(), d.DeepCopy(), mergePatch("%s", patch)))
	}

	wantPassed(t, own.Patch(t.Context(), d, mergePatch(`{"metadata":{"annotations":{%q:"INC-1"}}}`, prefix+"override-spent")))
	replaced := d.DeepCopy()
	wantPassed(t, shared.Admin.Patch(t.Context(), replaced, mergePatch(`{"metadata":{"annotations":null}}`)))
	if replaced.Annotations[prefix+"override-spent"] != "INC-1" {
		t.Errorf("the note is lost with the other annotations: %v", replaced.Annotations)
	}
	wantPassed(t, dry.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"annotations":{"note":"seen"}}}`)))
	wantPassed(t, own.Patch(t.Context(), d, mergePatch(`{"metadata":{"annotations":{%q:null}}}`, prefix+"override-spent")))
}

// TestGateGuard: nobody writes a Gate but the operator and the garbage collector, whatever their rights.
func TestGateGuard(t *testing.T) {
	ns := testName(t)
	gate := gateOf(t, window(t, ns, ns, nextYear()))
	forged := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: "forged"}, Spec: v1alpha1.GateSpec{Disruptions: []v1alpha1.GateDisruption{{Disruption: v1alpha1.Rollout, State: v1alpha1.GateOpen}}}}
	for _, user := range []string{"kubernetes-admin", "system:kube-scheduler", "system:serviceaccount:fonster-system:default"} {
		c := client.NewDryRunClient(as(t, user))
		wantRefused(t, c.Patch(t.Context(), gate.DeepCopy(), mergePatch(`{"spec":{"disruptions":[]}}`)), "the operator writes the Gate")
		wantRefused(t, c.Delete(t.Context(), gate.DeepCopy()), "the operator writes the Gate")
		wantRefused(t, c.Create(t.Context(), forged.DeepCopy()), "the operator writes the Gate")
	}
	wantPassed(t, client.NewDryRunClient(as(t, "system:serviceaccount:kube-system:generic-garbage-collector")).Delete(t.Context(), gate))
}
