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
	"fonster.dev/fonster/hack/policygen"
	"fonster.dev/fonster/internal/policy"
)

func mergePatch(format string, args ...any) client.Patch {
	return client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, format, args...))
}

// protectionTests are the tests of what protects the gates themselves, by name.
var protectionTests = map[string]func(*testing.T){
	"namespace-deleted": TestNamespaceGuard, "namespace-relabelled": TestNamespaceGuard, "object-relabelled": TestRelabelled,
	"gated-label": TestGatedLabel, "status-metadata": TestStatusGuard, "held-labels": TestReservedKeys, "override-notes": TestReservedKeys,
	"gate-written": TestGateGuard, "selectors": TestSelectorBounds, "operator": TestOperatorIdentity, "crd-removed": TestAttackOnCRDs,
}

// TestEveryProtectionIsTried keeps the list of protections and their tests together.
func TestEveryProtectionIsTried(t *testing.T) {
	known := map[string]bool{}
	for _, g := range policygen.Integrity {
		known[g.Name] = true
		if protectionTests[g.Name] == nil {
			t.Errorf("protection %s has no test", g.Name)
		}
	}
	for name := range protectionTests {
		if !known[name] {
			t.Errorf("there is no protection %s", name)
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
		"relabelled into a window that is open":  {relabel(base+"-heby", `{"kommun":"`+base+`-tierp"}`), []string{"Changing the labels of Namespace " + base + "-heby, by which windows select it,", "maintenance windows (" + base + "-both)"}},
		"relabelled out of a closed gate":        {relabel(closed, `{"team":null}`), []string{"Changing the labels of Namespace " + closed, "maintenance windows (" + closed + ")", "Next opening: ", "by " + closed, "Change its labels while everything is open"}},
		"relabelled from one gate to another":    {relabel(closed, `{"team":"another"}`), []string{"Changing the labels of Namespace " + closed}},
		"relabelled out of a frozen gate":        {relabel(frozen, `{"team":null}`), []string{"Changing the labels of Namespace " + frozen, "change freeze " + frozen + " is in force"}},
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
	own := as(t, policy.Identity{}.User())
	dry := client.NewDryRunClient(shared.Admin)
	const prefix = "maintenance.fonster.dev/"
	for _, patch := range []string{
		`{"metadata":{"labels":{"` + prefix + `held":"true"}}}`,
		`{"metadata":{"labels":{"` + prefix + `held":"releasing"}}}`,
		`{"metadata":{"labels":{"` + prefix + `held":"true","` + prefix + `held-since":"2020-01-01T00.00.00Z"}}}`,
	} {
		t.Run(patch, func(t *testing.T) {
			for _, o := range []client.Object{d.DeepCopy(), s.DeepCopy(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}} {
				wantRefused(t, dry.Patch(t.Context(), o, mergePatch("%s", patch)), prefix+"held", "is managed by Fonster and cannot be changed; leave it out when you copy the object")
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
	for _, key := range []string{"held-since", "held-partition"} { // without held they mean nothing
		patch := mergePatch(`{"metadata":{"labels":{%q:"0"}}}`, prefix+key)
		wantPassed(t, dry.Patch(t.Context(), s.DeepCopy(), patch))
		wantRefused(t, client.NewDryRunClient(own).Patch(t.Context(), s.DeepCopy(), patch), "its own marks and notes, and never other labels")
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

// TestStatusGuard: where a Gate is, metadata that the rules and protections watch is not changed through a status, or finalizers of a
// namespace; a status is, with metadata that they do not watch; and the control plane does as it likes.
func TestStatusGuard(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, always())
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
				wantRefused(t, patch(shared.Admin, o, p), "The metadata of "+kindOf(t, o)+" "+o.GetName()+" cannot be changed through its status; update the "+kindOf(t, o)+" itself")
				for _, user := range []string{"system:kube-controller-manager", (policy.Identity{}).User()} {
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
		wantRefused(t, finalize("other"), "The metadata of Namespace "+ns+" cannot be changed through its finalize; update the Namespace itself")
		wantPassed(t, finalize(""))
	})
}

// TestStatusGuardOfMarks: where nothing governs, a status is nobody's business, but for marks and the notes that go with them, which would be
// believed once something does.
func TestStatusGuardOfMarks(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	const prefix = "maintenance.fonster.dev/"
	note := `{"metadata":{"annotations":{"` + prefix + `override-until":"2099-01-01T00:00:00Z"}}}`
	mark := func(label string) string { return `{"metadata":{"labels":{"` + prefix + label + `":"true"}}}` }
	for title, o := range map[string]client.Object{"StatefulSet": newStatefulSet(0)(ns), "ReplicaSet": newReplicaSet(0)(ns), "Namespace": &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}} {
		t.Run(title, func(t *testing.T) {
			if title != "Namespace" {
				name(o, "web-"+strings.ToLower(title))
				create(t, o)
			}
			status := client.NewDryRunClient(shared.Admin).Status()
			for _, label := range []string{"held", "overridden", "gated"} {
				wantRefused(t, status.Patch(t.Context(), o.DeepCopyObject().(client.Object), mergePatch("%s", mark(label))), "cannot be changed through its status")
			}
			for _, p := range []string{`{"metadata":{"labels":{"app":"other"}}}`, note} {
				wantPassed(t, status.Patch(t.Context(), o.DeepCopyObject().(client.Object), mergePatch("%s", p)))
			}
		})
	}

	// An override that was set while something governed.
	d, mw := deployment(t, ns, "web", 1), window(t, ns, ns, nextYear())
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, prefix+"override", "INC-1"))
	wantPassed(t, shared.Admin.Delete(t.Context(), mw))
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	eventually(t, 10*time.Second, func() error {
		if get(t, space); space.Labels[v1alpha1.GatedLabel] != "" {
			return fmt.Errorf("it has a Gate still: %v", space.Labels)
		}
		return nil
	})
	wantRefused(t, shared.Admin.Status().Patch(t.Context(), d, mergePatch("%s", note)), "cannot be changed through its status")
}

// kindOf is the kind of an object.
func kindOf(t *testing.T, o client.Object) string {
	t.Helper()
	gvk, err := shared.Admin.GroupVersionKindFor(o)
	wantPassed(t, err)
	return gvk.Kind
}

// TestRelabelled: a workload behind a closed gate gets neither into another's window, that is open, by its labels, nor out of its own, nor
// out of or into a freeze; also not in two requests. Labels that no window of the namespace selects by pass, and all do while nothing is
// closed for it. A window over another namespace never matters.
func TestRelabelled(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	namespace(t, ns+"-elsewhere")
	d, batch := deployment(t, ns, "web", 1), deployment(t, ns, "batch", 1, func(d *appsv1.Deployment) { d.Labels["tier"] = "batch" })
	window(t, ns, ns, nextYear(), objects("app", "web"))
	window(t, ns+"-open", ns, always(), objects("tier", "batch"))
	window(t, ns+"-elsewhere", ns+"-elsewhere", always(), objects("tier", "night"))
	relabel := func(d *appsv1.Deployment, labels string) error {
		return shared.Admin.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":%s}}`, labels))
	}
	says := []string{"Changing the labels of Deployment " + ns + "/web, by which windows and freezes select it, is outside its maintenance windows (" + ns + ")", "Next opening: ", "In an emergency: "}
	wantRefused(t, relabel(d, `{"tier":"batch"}`), says...)
	wantRefused(t, relabel(d, `{"app":"other"}`), says...)
	wantRefused(t, relabel(d, `{"app":null,"tier":"batch"}`), says...)
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	wantPassed(t, relabel(d, `{"tier":"web"}`))
	wantPassed(t, relabel(d, `{"tier":"night"}`))
	wantPassed(t, relabel(batch, `{"tier":"web"}`))
	wantPassed(t, relabel(batch, `{"tier":"batch"}`))
	wantPassed(t, relabel(batch, `{"app":"web"}`)) // into a closed one, beside the open one
	wantPassed(t, relabel(batch, `{"tier":null}`)) // and out of the open one
	wantRefused(t, relabel(batch, `{"tier":"batch"}`), "Changing the labels of Deployment "+ns+"/batch")

	cf := freeze(t, ns+"-freeze", ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.ObjectSelector = selector("frozen") })
	frozen := deployment(t, ns, "frozen", 1)
	wantRefused(t, relabel(frozen, `{"app":"other"}`), "Changing the labels of Deployment "+ns+"/frozen, by which windows and freezes select it, is refused: change freeze "+cf.Name+" is in force")
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
	wantRefused(t, patch(`{"metadata":{"labels":{"tier":null}}}`), "Changing the labels of ReplicaSet "+ns+"/web, by which windows and freezes select it, is outside its maintenance windows")
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

// TestGateGuard: nobody writes a Gate but the operator and the garbage collector, whatever their rights and by whatever verb.
func TestGateGuard(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	namespace(t, ns+"-free")
	window(t, ns, ns, nextYear())
	gate := gateOf(t, ns)
	forged := &v1alpha1.Gate{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns + "-free", Name: v1alpha1.GateName},
		Spec:       v1alpha1.GateSpec{Summary: v1alpha1.GateSummary{State: v1alpha1.GateOpen}},
	}
	const says = "the operator writes the Gate"
	for _, user := range []string{"kubernetes-admin", "system:kube-scheduler", "system:serviceaccount:fonster-system:default"} {
		c := client.NewDryRunClient(as(t, user))
		wantRefused(t, c.Patch(t.Context(), gate.DeepCopy(), mergePatch(`{"spec":{"targets":[]}}`)), says)
		wantRefused(t, c.Patch(t.Context(), gate.DeepCopy(), mergePatch(`{"metadata":{"labels":{%q:null}}}`, v1alpha1.RefusesLabel)), says)
		wantRefused(t, c.Patch(t.Context(), gate.DeepCopy(), mergePatch(`{"metadata":{"ownerReferences":null}}`)), says)
		replaced := gate.DeepCopy()
		replaced.Spec.Targets[0].Open = true
		wantRefused(t, c.Update(t.Context(), replaced), says)
		wantRefused(t, c.Delete(t.Context(), gate.DeepCopy()), says)
		wantRefused(t, c.DeleteAllOf(t.Context(), &v1alpha1.Gate{}, client.InNamespace(ns)), says)
		wantRefused(t, c.Create(t.Context(), forged.DeepCopy()), says)
	}
	wantPassed(t, client.NewDryRunClient(as(t, "system:serviceaccount:kube-system:generic-garbage-collector")).Delete(t.Context(), gate))
	wantPassed(t, client.NewDryRunClient(as(t, "system:serviceaccount:kube-system:namespace-controller")).Delete(t.Context(), gate))
	if _, err := live(t, gate); err != nil {
		t.Errorf("the Gate is gone: %v", err)
	}
}

// TestGatedLabel: nobody but the operator says which namespaces have a Gate: neither is the label taken away where one is, by whatever
// request, nor set where none is; and a namespace that is deleted goes away with its Gate.
func TestGatedLabel(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	namespace(t, ns+"-free")
	window(t, ns, ns, nextYear())
	operator.Kill() // nobody puts anything right
	t.Cleanup(func() { restartOperator(t) })
	gated, free := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-free"}}
	const says = "The label " + v1alpha1.GatedLabel + " of a Namespace is managed by Fonster and cannot be changed"
	for _, user := range []string{"kubernetes-admin", "system:kube-controller-manager", "system:serviceaccount:fonster-system:default"} {
		c := as(t, user)
		for _, value := range []string{`null`, `"false"`, `""`} {
			wantRefused(t, c.Patch(t.Context(), gated.DeepCopy(), mergePatch(`{"metadata":{"labels":{%q:%s}}}`, v1alpha1.GatedLabel, value)), says)
		}
		wantRefused(t, c.Patch(t.Context(), gated.DeepCopy(), mergePatch(`{"metadata":{"labels":null}}`)), says)
		wantRefused(t, c.Patch(t.Context(), free.DeepCopy(), mergePatch(`{"metadata":{"labels":{%q:"true"}}}`, v1alpha1.GatedLabel)), says)
		for _, object := range []*corev1.Namespace{gated, free} {
			replaced := object.DeepCopy()
			get(t, replaced)
			if object == gated {
				delete(replaced.Labels, v1alpha1.GatedLabel)
			} else {
				replaced.Labels[v1alpha1.GatedLabel] = "true"
			}
			wantRefused(t, c.Update(t.Context(), replaced), says)
		}
	}
	wantRefused(t, shared.Admin.Status().Patch(t.Context(), gated.DeepCopy(), mergePatch(`{"metadata":{"labels":{%q:null}}}`, v1alpha1.GatedLabel)), "cannot be changed through its status")
	wantRefused(t, shared.Admin.Delete(t.Context(), gated), "Delete of Namespace")

	// Born with the label, it has no Gate, and nothing is refused; the operator takes the label away.
	born := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-born", Labels: map[string]string{v1alpha1.GatedLabel: "true"}}}
	create(t, born)
	d := deployment(t, born.Name, "web", 1)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	restartOperator(t)
	eventually(t, 5*time.Second, func() error {
		if get(t, born); born.Labels[v1alpha1.GatedLabel] != "" {
			return fmt.Errorf("still labelled: %v", born.Labels)
		}
		return nil
	})

	gate := gateOf(t, ns)
	wantPassed(t, as(t, "system:serviceaccount:kube-system:namespace-controller").Delete(t.Context(), gated))
	gone(t, gate)
	gone(t, gated)
}
