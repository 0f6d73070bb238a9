package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
)

func mergePatch(format string, args ...any) client.Patch {
	return client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, format, args...))
}

// guardTests are the tests of the guards, by name.
var guardTests = map[string]func(*testing.T){
	"namespace-deleted": TestNamespaceGuard, "namespace-relabelled": TestNamespaceGuard, "status-metadata": TestStatusGuard,
	"held-labels": TestReservedKeys, "override-notes": TestReservedKeys, "strictest": TestHold, "gate-written": TestGateGuard,
	"selectors": TestSelectorBounds, "operator": TestOperatorIdentity, "crd-removed": TestAttackOnCRDs,
}

// TestEveryGuardIsTried keeps the list of guards and their tests together.
func TestEveryGuardIsTried(t *testing.T) {
	known := map[string]bool{}
	for _, g := range doors.Guards {
		known[g.Name] = true
		if guardTests[g.Name] == nil {
			t.Errorf("guard %s has no test", g.Name)
		}
	}
	for name := range guardTests {
		if !known[name] {
			t.Errorf("there is no guard %s", name)
		}
	}
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
	// Gate and opening of one label: another value of it lies in both.
	namespace(t, base+"-heby", "kommun", base+"-heby")
	window(t, base+"-both", "", nextYear(), namespaces(metav1.LabelSelectorRequirement{Key: "kommun", Operator: metav1.LabelSelectorOpIn, Values: []string{base + "-heby", base + "-tierp"}}))
	window(t, base+"-tierp", "", always(), namespaces(metav1.LabelSelectorRequirement{Key: "kommun", Operator: metav1.LabelSelectorOpIn, Values: []string{base + "-tierp"}}))
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })

	dry := client.NewDryRunClient(shared.Admin)
	relabel := func(name, labels string) error {
		return dry.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, mergePatch(`{"metadata":{"labels":%s}}`, labels))
	}
	remove := func(c client.Client, name string) error {
		return client.NewDryRunClient(c).Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	owned := func(c client.Client, name, owners string) error {
		return client.NewDryRunClient(c).Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, mergePatch(`{"metadata":{"ownerReferences":%s}}`, owners))
	}
	const dead = `[{"apiVersion":"v1","kind":"Node","name":"gone","uid":"00000000-0000-0000-0000-000000000000"}]`
	for title, tc := range map[string]struct {
		err  error
		says []string // nil: it passes
	}{
		"given an owner while closed":            {owned(shared.Admin, closed, dead), []string{"Delete of Namespace " + closed, "garbage collector", "maintenance windows (" + closed + ")", "In an emergency: kubectl annotate namespace " + closed}},
		"given an owner while frozen":            {owned(shared.Admin, frozen, dead), []string{"Delete of Namespace " + frozen, "change freeze " + frozen}},
		"given an owner while open":              {owned(shared.Admin, open, dead), nil},
		"given no owners":                        {owned(shared.Admin, closed, "[]"), nil},
		"relabelled into a window that is open":  {relabel(base+"-heby", `{"kommun":"`+base+`-tierp"}`), []string{"relabelling Namespace " + base + "-heby", "into a window that is open", "maintenance windows (" + base + "-both)"}},
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
	window(t, ns, ns, nextYear())
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
				wantRefused(t, client.NewDryRunClient(own).Patch(t.Context(), o, mergePatch("%s", patch)), "its own marks and notes, and never other labels")
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
				forged := mergePatch(`{"metadata":{"annotations":{%q:"2025-01-01T00:00:00Z"}}}`, key)
				wantRefused(t, client.NewDryRunClient(own).Patch(t.Context(), o, forged), "its own marks and notes, and never other annotations")
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

	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, prefix+"override", "INC-1"))
	wantPassed(t, shared.Admin.Patch(t.Context(), d, mergePatch(`{"metadata":{"annotations":{%q:null}}}`, prefix+"override")))
	replaced := d.DeepCopy()
	wantPassed(t, shared.Admin.Patch(t.Context(), replaced, mergePatch(`{"metadata":{"annotations":null}}`)))
	if replaced.Annotations[prefix+"override-spent"] != "INC-1" {
		t.Errorf("the note is lost with the other annotations: %v", replaced.Annotations)
	}
	wantPassed(t, dry.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"annotations":{"note":"seen"}}}`)))
	wantRefused(t, own.Patch(t.Context(), d, mergePatch(`{"metadata":{"annotations":{%q:null}}}`, prefix+"override-spent")), "never fewer annotations")
}

// TestStatusGuard: metadata that the doors and guards watch is not changed through a status, or finalizers of a namespace; a
// status is, with metadata that they do not watch; and the control plane does as it likes.
func TestStatusGuard(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "owner"}})
	objects := []client.Object{newDeployment(0)(ns), newStatefulSet(0)(ns), newDaemonSet(nowhere)(ns), newReplicaSet(0)(ns), newReplicationController(0)(ns), newPod()(ns)}
	for i, o := range objects {
		name(o, fmt.Sprintf("web-%d", i))
		create(t, o)
	}
	objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
	const prefix = "maintenance.fonster.dev/"
	patch := func(c client.Client, o client.Object, p string) error {
		return client.NewDryRunClient(c).Status().Patch(t.Context(), o.DeepCopyObject().(client.Object), mergePatch("%s", p))
	}
	for title, p := range map[string]string{
		"an override":    `{"metadata":{"annotations":{"` + prefix + `override":"INC-1","` + prefix + `override-until":"2099-01-01T00:00:00Z"}}}`,
		"another label":  `{"metadata":{"labels":{"app":"other"}}}`,
		"the mark held":  `{"metadata":{"labels":{"` + prefix + `held":"true"}}}`,
		"a label less":   `{"metadata":{"labels":{"app":null,"team":null}}}`,
		"a dead owner":   `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"00000000-0000-0000-0000-000000000000"}]}}`,
		"a spent reason": `{"metadata":{"annotations":{"` + prefix + `override-spent":"INC-1"}}}`,
	} {
		t.Run(title, func(t *testing.T) {
			for _, o := range objects {
				_, isDeployment := o.(*appsv1.Deployment)
				_, isPod := o.(*corev1.Pod)
				labels, owners := strings.Contains(p, "labels"), strings.Contains(p, "owner")
				if isDeployment && labels || isPod && owners { // the API server leaves them as they are
					wantPassed(t, patch(shared.Admin, o, p))
					continue
				}
				wantRefused(t, patch(shared.Admin, o, p), "metadata is changed through the resource itself, not through its status", "are not changed through its status")
				for _, user := range []string{"system:kube-controller-manager", doors.OperatorUser} {
					wantPassed(t, patch(as(t, user), o, p))
				}
				wantPassed(t, patch(as(t, "system:node:n1", "system:nodes"), o, p))
			}
		})
	}
	for _, o := range objects {
		wantPassed(t, patch(shared.Admin, o, `{"metadata":{"annotations":{"example.com/note":"seen"}},"status":{"conditions":[]}}`))
	}

	t.Run("finalize", func(t *testing.T) {
		finalize := func(label string) error {
			space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
			get(t, space)
			if label != "" {
				space.Labels["team"] = label
			}
			return client.NewDryRunClient(shared.Admin).SubResource("finalize").Update(t.Context(), space)
		}
		wantRefused(t, finalize("other"), "are not changed through its finalize", "metadata is changed through the resource itself")
		wantPassed(t, finalize(""))
	})
}

// TestRelabelIntoAnOpenWindow: a workload behind a closed gate does not get into another's window, that is open, by its labels;
// neither in two requests.
func TestRelabelIntoAnOpenWindow(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	window(t, ns+"-open", ns, always(), objects("tier", "batch"))
	window(t, ns+"-elsewhere", ns, always(), objects("tier", "night"), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.NamespaceSelector.MatchLabels["site"] = "elsewhere" })
	eventually(t, 10*time.Second, func() error { // the closed gate knows of the other
		mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		get(t, mw)
		gate := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: mw.Status.Gate}}
		get(t, gate)
		if len(gate.Spec.AlsoOpen) != 2 {
			return fmt.Errorf("alsoOpen: %v", gate.Spec.AlsoOpen)
		}
		return nil
	})
	wantRefused(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":{"tier":"batch"}}}`)), "of Deployment "+ns+"/web", "into another that is open")
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	wantPassed(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":{"tier":"web"}}}`)))
	wantPassed(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":{"tier":"night"}}}`)))
}

// TestReplicaSetLeaves: under a window for deletions alone, a ReplicaSet does not walk out of its selector.
func TestReplicaSetLeaves(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	rs := newReplicaSet(1)(ns)
	name(rs, "web")
	create(t, rs)
	window(t, ns, ns, nextYear(), objects("tier", "matrix"), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Delete} })
	patch := func(p string) error {
		return shared.Admin.Patch(t.Context(), rs.DeepCopyObject().(client.Object), mergePatch("%s", p))
	}
	wantRefused(t, patch(`{"metadata":{"labels":{"tier":null}}}`), "Delete of ReplicaSet "+ns+"/web", "take it out of the window")
	wantPassed(t, patch(`{"metadata":{"labels":{"note":"seen"}}}`))
}

// TestPodLevelResize: other resources of a pod as a whole restart what shares them. The pod has no node: none here declares to
// its API server that it can resize.
func TestPodLevelResize(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	for policy, refused := range map[corev1.ResourceResizeRestartPolicy]bool{corev1.RestartContainer: true, corev1.NotRequired: false} {
		t.Run(string(policy), func(t *testing.T) {
			p := newPod(policy)(ns).(*corev1.Pod)
			name(p, strings.ToLower(string(policy)))
			p.Spec.NodeSelector = map[string]string{"no-such-node": "true"}
			p.Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m")}}
			create(t, p)
			eventually(t, 5*time.Second, func() error { // the scheduler writes to it
				get(t, p)
				p.Spec.Resources.Requests[corev1.ResourceCPU] = resource.MustParse("300m")
				err := shared.Admin.SubResource("resize").Update(t.Context(), p)
				if apierrors.IsConflict(err) {
					return err
				}
				if !refused {
					wantPassed(t, err)
					return nil
				}
				wantRefused(t, err, "Rollout of Pod "+ns+"/"+p.Name, "by a resize that restarts a container")
				return nil
			})
		})
	}
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
