package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

// holdable is a workload of each kind that can be held, with what stops it.
type holdable struct {
	object client.Object
	kind   string
	// parked says whether nothing of it is rolled out.
	parked func(client.Object) bool
}

// holdables creates one of each kind in a namespace, and waits for their pods.
func holdables(t *testing.T, ns string) []holdable {
	t.Helper()
	d := deployment(t, ns, "web", 2)
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "db", Labels: map[string]string{"app": "db"}},
		Spec: appsv1.StatefulSetSpec{
			Replicas: new(int32(3)), Selector: selector("db"), Template: template("db", "app:1"), PodManagementPolicy: appsv1.ParallelPodManagement,
			UpdateStrategy: partition(1),
		},
	}
	ds := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "agent", Labels: map[string]string{"app": "agent"}},
		Spec:       appsv1.DaemonSetSpec{Selector: selector("agent"), Template: template("agent", "app:1")},
	}
	create(t, s)
	create(t, ds)
	eventually(t, 30*time.Second, func() error {
		get(t, s)
		get(t, ds)
		if s.Status.ReadyReplicas != 3 || ds.Status.NumberReady == 0 || ds.Status.NumberReady != ds.Status.DesiredNumberScheduled {
			return fmt.Errorf("not ready: %+v %+v", s.Status, ds.Status)
		}
		return nil
	})
	return []holdable{
		{d, "Deployment", func(o client.Object) bool { return o.(*appsv1.Deployment).Spec.Paused }},
		{s, "StatefulSet", func(o client.Object) bool {
			r := o.(*appsv1.StatefulSet).Spec.UpdateStrategy.RollingUpdate
			return r != nil && r.Partition != nil && *r.Partition == v1alpha1.HeldPartition
		}},
		{ds, "DaemonSet", func(o client.Object) bool {
			return o.(*appsv1.DaemonSet).Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType
		}},
	}
}

func (h holdable) resource() string { return strings.ToLower(h.kind) + "/" + h.object.GetName() }

// patchImage is a rollout.
func patchImage(ctx context.Context, c client.Client, o client.Object, image string) error {
	return c.Patch(ctx, o, client.RawPatch("application/strategic-merge-patch+json",
		fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, image)))
}

// wantHeld checks that an object is held with the marks of ours.
func wantHeld(t *testing.T, h holdable) {
	t.Helper()
	get(t, h.object)
	labels := h.object.GetLabels()
	if !h.parked(h.object) || labels[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting {
		t.Fatalf("%s is not held: parked %v, labels %v", h.resource(), h.parked(h.object), labels)
	}
	eventually(t, 15*time.Second, func() error { // of a second write in one second the policies know no time: the operator adds it
		get(t, h.object)
		held := h.object.GetLabels()[v1alpha1.HeldSinceLabel]
		if since, err := time.Parse(v1alpha1.HeldTime, held); err != nil || time.Since(since).Abs() > 5*time.Minute {
			return fmt.Errorf("%s: held since %q: %w", h.resource(), held, err)
		}
		return nil
	})
}

func podUIDs(t *testing.T, ns string) []string {
	t.Helper()
	var pods corev1.PodList
	if err := shared.Admin.List(t.Context(), &pods, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	uids := make([]string, len(pods.Items))
	for i, p := range pods.Items {
		uids[i] = string(p.UID)
	}
	slices.Sort(uids)
	return uids
}

// manifest is what a user keeps in Git: kind, name, spec; with more fields of the spec laid over it.
func (h holdable) manifest(image, more string) string {
	name := h.object.GetName()
	spec := map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{"app": name}},
		"template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"app": name}},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": image}}},
		},
	}
	switch h.kind {
	case "Deployment":
		spec["replicas"] = 2
	case "StatefulSet":
		spec["replicas"], spec["serviceName"], spec["podManagementPolicy"] = 3, "", "Parallel"
	}
	if more != "" {
		var extra map[string]any
		if err := json.Unmarshal([]byte(more), &extra); err != nil {
			panic(err)
		}
		maps.Copy(spec, extra)
	}
	content, _ := json.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": h.kind,
		"metadata": map[string]any{"namespace": h.object.GetNamespace(), "name": name, "labels": map[string]any{"app": name}}, "spec": spec,
	})
	return string(content)
}

// strategies are what a manifest may say of what holding changes.
func (h holdable) strategies() map[string]string {
	return map[string]map[string]string{
		"Deployment":  {"without": "", "with": `{"paused":false}`},
		"StatefulSet": {"without": "", "with": `{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":1}}}`},
		"DaemonSet":   {"without": "", "with": `{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":2,"maxSurge":0}}}`},
	}[h.kind]
}

// wantWarnings waits until a change of each would be answered with the warning: of the policies, a loaded API server may read one
// seconds before the other.
func wantWarnings(t *testing.T, all []holdable) {
	t.Helper()
	for _, h := range all {
		eventually(t, 15*time.Second, func() error {
			out, err := shared.KubectlIn(h.manifest("app:9", ""), "apply", "--dry-run=server", "-f", "-")
			if err != nil || !strings.Contains(out, "held until") {
				return fmt.Errorf("%s: no warning: %w\n%s", h.resource(), err, out)
			}
			return nil
		})
	}
}

// TestHold: outside the window every way to write is accepted and held, with a warning; a tool that applies its manifest again
// and again changes nothing.
func TestHold(t *testing.T) {
	for title, write := range map[string]func(manifest string) (string, error){
		"helm":  helm(t),
		"edit":  func(m string) (string, error) { return edit(t, m) },
		"apply": func(m string) (string, error) { return shared.KubectlIn(m, "apply", "-f", "-") },
		"server-side apply": func(m string) (string, error) {
			return shared.KubectlIn(m, "apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-")
		},
		"replace": func(m string) (string, error) { return shared.KubectlIn(m, "replace", "-f", "-") },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			for _, strategy := range []string{"without", "with"} {
				t.Run(strategy, func(t *testing.T) {
					ns := testName(t)
					namespace(t, ns)
					all := holdables(t, ns)
					for _, h := range all { // as the tool has it
						if out, err := write(h.manifest("app:1", h.strategies()[strategy])); err != nil {
							t.Fatalf("%v\n%s", err, out)
						}
					}
					before := podUIDs(t, ns)
					window(t, ns, ns, nextYear(), hold)
					wantWarnings(t, all)
					for _, h := range all {
						out, err := write(h.manifest("app:2", h.strategies()[strategy]))
						if err != nil {
							t.Fatalf("%v\n%s", err, out)
						}
						if !strings.Contains(out, "held until ") || !strings.Contains(out, "13 May") || !strings.Contains(out, "09:00 UTC") || !strings.Contains(out, h.kind+" "+ns+"/"+h.object.GetName()) {
							t.Errorf("%s: no warning:\n%s", h.resource(), out)
						}
						wantHeld(t, h)
					}
					version := map[string]string{}
					for i := range 4 { // the status of a rollout that has just been held may still follow
						time.Sleep(1100 * time.Millisecond)
						for _, h := range all {
							if out, err := write(h.manifest("app:2", h.strategies()[strategy])); err != nil {
								t.Fatalf("%v\n%s", err, out)
							}
							wantHeld(t, h)
							if i > 0 && h.object.GetResourceVersion() != version[h.kind] {
								content, _ := json.Marshal(h.object)
								t.Errorf("%s is written again and again: %s", h.resource(), content)
							}
							version[h.kind] = h.object.GetResourceVersion()
						}
					}
					if after := podUIDs(t, ns); !slices.Equal(before, after) {
						t.Errorf("pods were replaced: %v, then %v", before, after)
					}
				})
			}
		})
	}
}

// helm upgrades as Helm does: it sends the three-way patch between the manifest as it wrote it last, the new one and what is there,
// and nothing where that is empty.
func helm(t *testing.T) func(manifest string) (string, error) {
	t.Helper()
	c, err := recordedAs("")
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	return func(manifest string) (string, error) {
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON([]byte(manifest)); err != nil {
			return "", err
		}
		schema, err := cluster.Scheme().New(o.GroupVersionKind())
		if err != nil {
			return "", err
		}
		name := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
		if last[name] == "" {
			last[name] = manifest
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return "", err
		}
		live, err := json.Marshal(o)
		if err != nil {
			return "", err
		}
		meta, err := strategicpatch.NewPatchMetaFromStruct(schema)
		if err != nil {
			return "", err
		}
		patch, err := strategicpatch.CreateThreeWayMergePatch([]byte(last[name]), []byte(manifest), live, meta, true)
		if err != nil || string(patch) == "{}" {
			return "", err
		}
		last[name] = manifest
		warnings.take()
		err = c.Patch(t.Context(), o, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner("helm"))
		return strings.Join(warnings.take(), "\n"), err
	}
}

// edit does to what is there what a manifest says, in an editor: the image, and what holding has changed where the manifest has it.
func edit(t *testing.T, manifest string) (string, error) {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(manifest)); err != nil {
		return "", err
	}
	containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	script := "sed -i -e 's#image: app:.*#image: " + containers[0].(map[string]any)["image"].(string) + "#'"
	if _, says := o.Object["spec"].(map[string]any)["paused"]; says {
		script += " -e 's/paused: true/paused: false/'"
	}
	if partition, says, _ := unstructured.NestedInt64(o.Object, "spec", "updateStrategy", "rollingUpdate", "partition"); says {
		script += fmt.Sprintf(" -e 's/ partition: .*/ partition: %d/'", partition)
	}
	if kind, says, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); says {
		script += " -e 's/type: OnDelete/type: " + kind + "/'"
	}
	t.Setenv("KUBE_EDITOR", script)
	return shared.Kubectl("-n", o.GetNamespace(), "edit", strings.ToLower(o.GetKind())+"/"+o.GetName())
}

// wantPlain waits until nothing of ours is on an object, and it is as a plain rollout of the image would have left it.
func wantPlain(t *testing.T, h holdable, image string) {
	t.Helper()
	eventually(t, 60*time.Second, func() error {
		get(t, h.object)
		for key := range h.object.GetLabels() {
			if strings.HasPrefix(key, "maintenance.fonster.dev/") && key != v1alpha1.OverriddenLabel && key != v1alpha1.OverrideSpentLabel { // an override may stand on, or its reason be used up
				return fmt.Errorf("%s still has %s: %v, parked %v; of its rollout: %v", h.resource(), key, h.object.GetLabels(), h.parked(h.object), rolledOut(h.object, image))
			}
		}
		if h.parked(h.object) {
			return fmt.Errorf("%s is still held", h.resource())
		}
		return rolledOut(h.object, image)
	})
}

// rolledOut says what of a rollout of an image is missing.
func rolledOut(o client.Object, image string) error {
	var got string
	done := false
	switch o := o.(type) {
	case *appsv1.Deployment:
		got = o.Spec.Template.Spec.Containers[0].Image
		done = o.Status.ObservedGeneration >= o.Generation && o.Status.UpdatedReplicas == *o.Spec.Replicas && o.Status.Replicas == *o.Spec.Replicas && o.Status.AvailableReplicas == *o.Spec.Replicas
	case *appsv1.StatefulSet:
		got = o.Spec.Template.Spec.Containers[0].Image
		done = o.Status.ObservedGeneration >= o.Generation && o.Status.UpdatedReplicas >= *o.Spec.Replicas-*o.Spec.UpdateStrategy.RollingUpdate.Partition && o.Status.ReadyReplicas == *o.Spec.Replicas
	case *appsv1.DaemonSet:
		got = o.Spec.Template.Spec.Containers[0].Image
		done = o.Status.ObservedGeneration >= o.Generation && o.Status.UpdatedNumberScheduled == o.Status.DesiredNumberScheduled && o.Status.NumberAvailable == o.Status.DesiredNumberScheduled
	}
	if got != image || !done {
		return fmt.Errorf("%s: image %s, rolled out %v", o.GetName(), got, done)
	}
	return nil
}

// TestRelease: what was held rolls out at the opening, and is then as its user wrote it; a change taken back drops the hold, a
// second one keeps its place, and what the user has set comes back.
func TestRelease(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all := holdables(t, ns)
	mw := window(t, ns, ns, nextYear(), hold)
	before := podUIDs(t, ns)
	for _, h := range all {
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		wantHeld(t, h)
	}
	// A change taken back.
	since := all[0].object.GetLabels()[v1alpha1.HeldSinceLabel]
	wantPassed(t, patchImage(t.Context(), shared.Admin, all[0].object, "app:1"))
	wantPlain(t, all[0], "app:1")
	time.Sleep(time.Second)
	wantPassed(t, patchImage(t.Context(), shared.Admin, all[0].object, "app:2"))
	wantHeld(t, all[0])
	if again := all[0].object.GetLabels()[v1alpha1.HeldSinceLabel]; again == since {
		t.Errorf("held since %s, though it was taken back", again)
	}
	// A second change replaces the first, in the same place.
	for _, h := range all {
		since := h.object.GetLabels()[v1alpha1.HeldSinceLabel]
		get(t, h.object)
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:3"))
		wantHeld(t, h)
		if h.object.GetLabels()[v1alpha1.HeldSinceLabel] != since {
			t.Errorf("%s has lost its place", h.resource())
		}
	}
	// Somebody resumes, by hand; another wants another partition.
	wantPassed(t, shared.Admin.Patch(t.Context(), all[0].object, mergePatch(`{"spec":{"paused":null}}`)))
	wantPassed(t, shared.Admin.Patch(t.Context(), all[1].object, mergePatch(`{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}`)))
	wantPassed(t, shared.Admin.Patch(t.Context(), all[2].object, mergePatch(`{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":2}}}}`)))
	for _, h := range all {
		wantHeld(t, h)
	}
	eventually(t, 5*time.Second, func() error {
		get(t, mw)
		if mw.Status.Held != 3 {
			return fmt.Errorf("the window counts %d held", mw.Status.Held)
		}
		return nil
	})
	if out, err := shared.Kubectl("wait", "--for=condition=Holding", "--timeout=5s", "mw/"+ns); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if after := podUIDs(t, ns); !slices.Equal(before, after) {
		t.Errorf("pods were replaced while held: %v, then %v", before, after)
	}

	get(t, mw)
	mw.Spec.Schedules = nil
	mw.Spec.Schedules = append(mw.Spec.Schedules, always())
	wantPassed(t, shared.Admin.Update(t.Context(), mw))
	busy, done := context.WithCancel(t.Context())
	defer done()
	go func() { // the account of the window is right also while others write it
		for i := 0; busy.Err() == nil; i++ {
			_ = shared.Admin.Patch(busy, &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: ns}}, mergePatch(`{"metadata":{"annotations":{"written":"%d"}}}`, i))
		}
	}()
	for _, h := range all {
		wantPlain(t, h, "app:3")
	}
	done()
	s := all[1].object.(*appsv1.StatefulSet)
	if p := *s.Spec.UpdateStrategy.RollingUpdate.Partition; p != 2 || s.Status.UpdatedReplicas != 1 {
		t.Errorf("partition %d, %d updated: want the user's 2 and 1", p, s.Status.UpdatedReplicas)
	}
	if u := all[2].object.(*appsv1.DaemonSet).Spec.UpdateStrategy; u.Type != "RollingUpdate" || u.RollingUpdate.MaxUnavailable.IntValue() != 2 {
		t.Errorf("strategy %+v", u)
	}
	wantNothingOfOurs(t, ns)
	eventually(t, 5*time.Second, func() error {
		get(t, mw)
		if c := mw.Status.CurrentOccurrence; mw.Status.Held != 0 || c == nil || c.Released < 3 {
			return fmt.Errorf("status %+v", mw.Status)
		}
		return nil
	})
	wantEvent(t, "web", "Released")
	wantEvent(t, "web", "RolledOut")
}

// wantNothingOfOurs checks that no workload, nor anything its controller made, has a label or annotation of ours.
func wantNothingOfOurs(t *testing.T, ns string) {
	t.Helper()
	out, err := shared.Kubectl("get", "-n", ns, "deployments,statefulsets,daemonsets,replicasets,controllerrevisions,pods", "-o",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.labels} {.metadata.annotations}{"\n"}{end}`)
	if err != nil {
		t.Fatal(out)
	}
	for line := range strings.Lines(out) {
		line = strings.Split(line, "kubectl.kubernetes.io/last-applied-configuration")[0]
		line = strings.ReplaceAll(line, `"maintenance.fonster.dev/release-priority":"5"`, "") // its owner's
		if strings.Contains(line, "fonster") {
			t.Errorf("left behind: %s", line)
		}
	}
}

// TestServerSideApplyNeverConflicts: holding and releasing make the server-side apply of a field's owner never conflict, without
// --force-conflicts; and the operator owns nothing afterwards. (Where two own the field, it does while held: docs/hold.md.)
func TestServerSideApplyNeverConflicts(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all := holdables(t, ns)
	apply := func(h holdable, manager, image, more string, flags ...string) {
		t.Helper()
		args := append([]string{"apply", "--server-side", "--field-manager=" + manager, "-f", "-"}, flags...)
		if out, err := shared.KubectlIn(h.manifest(image, more), args...); err != nil {
			t.Errorf("%s by %s: %v\n%s", h.resource(), manager, err, out)
		}
	}
	for _, h := range all { // made anew, by its one owner
		wantPassed(t, shared.Admin.Delete(t.Context(), h.object))
		gone(t, h.object)
		apply(h, "gitops", "app:1", h.strategies()["with"])
	}
	for _, h := range all {
		eventually(t, 30*time.Second, func() error {
			get(t, h.object)
			return rolledOut(h.object, "app:1")
		})
	}
	mw := window(t, ns, ns, nextYear(), hold)
	for _, h := range all {
		apply(h, "gitops", "app:2", h.strategies()["with"])
		wantHeld(t, h)
		apply(h, "gitops", "app:2", h.strategies()["with"])
		apply(h, "gitops", "app:2", "")
		wantHeld(t, h)
		apply(h, "gitops", "app:2", h.strategies()["with"])
	}
	openNow(t, mw, holdable{})
	for _, h := range all {
		wantPlain(t, h, "app:2")
		for _, m := range h.object.GetManagedFields() {
			if m.Manager == "fonster" {
				t.Errorf("%s: the operator owns %s", h.resource(), m.FieldsV1)
			}
		}
	}
	apply(all[1], "second", "app:2", `{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":1}}}`)
	apply(all[2], "gitops", "app:2", all[2].strategies()["with"])
}

// TestHoldAndWrittenStrategies: what apply newly writes about the strategy of what is held. OnDelete is its user's stop: the hold
// ends, and it stays. RollingUpdate again, outside the window, is a rollout, and held.
func TestHoldAndWrittenStrategies(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all := holdables(t, ns)[1:]
	apply := func(h holdable, image, strategy string) string {
		t.Helper()
		out, err := shared.KubectlIn(h.manifest(image, strategy), "apply", "-f", "-")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	const onDelete = `{"updateStrategy":{"type":"OnDelete"}}`
	for _, h := range all {
		apply(h, "app:1", h.strategies()["with"])
	}
	mw := window(t, ns, ns, nextYear(), hold)
	wantWarnings(t, all)
	before := podUIDs(t, ns)
	for _, h := range all {
		apply(h, "app:2", h.strategies()["with"])
		wantHeld(t, h)
		apply(h, "app:2", onDelete)
		get(t, h.object)
		for key := range h.object.GetLabels() {
			if strings.HasPrefix(key, "maintenance.fonster.dev/") {
				t.Errorf("%s: its user has stopped it, and it still has %s", h.resource(), key)
			}
		}
		if kind := strategyOf(h.object); kind != "OnDelete" {
			t.Errorf("%s: strategy %s, want its user's OnDelete", h.resource(), kind)
		}
		if out := apply(h, "app:3", onDelete); strings.Contains(out, "held until") {
			t.Errorf("%s: under OnDelete nothing rolls out, and nothing is held:\n%s", h.resource(), out)
		}
		if out := apply(h, "app:3", h.strategies()["with"]); !strings.Contains(out, "held until") {
			t.Errorf("%s: no warning:\n%s", h.resource(), out)
		}
		wantHeld(t, h)
	}
	time.Sleep(2 * time.Second)
	if after := podUIDs(t, ns); !slices.Equal(before, after) {
		t.Errorf("pods were replaced: %v, then %v", before, after)
	}
	openNow(t, mw, holdable{})
	for _, h := range all {
		wantPlain(t, h, "app:3")
		if kind := strategyOf(h.object); kind != "RollingUpdate" {
			t.Errorf("%s: strategy %s", h.resource(), kind)
		}
	}
	if p := *all[0].object.(*appsv1.StatefulSet).Spec.UpdateStrategy.RollingUpdate.Partition; p != 1 {
		t.Errorf("partition %d, want 1", p)
	}
	if r := all[1].object.(*appsv1.DaemonSet).Spec.UpdateStrategy.RollingUpdate; r.MaxUnavailable.IntValue() != 2 || r.MaxSurge.IntValue() != 0 {
		t.Errorf("rollingUpdate %+v", r)
	}
}

func strategyOf(o client.Object) string {
	switch o := o.(type) {
	case *appsv1.StatefulSet:
		return string(o.Spec.UpdateStrategy.Type)
	case *appsv1.DaemonSet:
		return string(o.Spec.UpdateStrategy.Type)
	}
	return ""
}

// TestHoldPartitionMark: what anybody writes into the mark that keeps a partition is a partition, or it is not taken.
func TestHoldPartitionMark(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	s := holdables(t, ns)[1]
	mw := window(t, ns, ns, nextYear(), hold)
	wantPassed(t, patchImage(t.Context(), shared.Admin, s.object, "app:2"))
	wantHeld(t, s)
	for _, value := range []string{`"none"`, `"-1"`, `"1.5"`, `""`, `"0x1"`, `"1234567890"`, `"2147483647"`, `"99999999999999999999"`, `null`} {
		wantPassed(t, shared.Admin.Patch(t.Context(), s.object, mergePatch(`{"metadata":{"labels":{%q:%s}}}`, v1alpha1.HeldPartitionLabel, value)))
		wantHeld(t, s)
		if got := s.object.GetLabels()[v1alpha1.HeldPartitionLabel]; got != "1" {
			t.Errorf("written %s, it is %q, want 1", value, got)
		}
	}
	openNow(t, mw, s)
	wantPlain(t, s, "app:2")
	if p := *s.object.(*appsv1.StatefulSet).Spec.UpdateStrategy.RollingUpdate.Partition; p != 1 {
		t.Errorf("partition %d, want 1", p)
	}
}
