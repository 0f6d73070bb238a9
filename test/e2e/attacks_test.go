package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/policy"
)

// stage is a namespace behind a closed window, with what its admin tries to disrupt.
type stage struct {
	*tenant

	ns      string
	web     *appsv1.Deployment // at its second revision
	old     *appsv1.ReplicaSet // the first, of no pods
	current *appsv1.ReplicaSet // the second
	dormant *appsv1.Deployment // paused by its user, with the annotation that rolls back
	nap     *appsv1.Deployment // whose place sleeper would take
	sleeper *appsv1.ReplicaSet // older than nap, and of another controller
	boss    *corev1.ConfigMap  // which is that
	db      *appsv1.StatefulSet
	twin    *appsv1.ControllerRevision // equal to db's second revision, and older
	rc      *corev1.ReplicationController
	scaled  *autoscalingv2.HorizontalPodAutoscaler // of the Deployment auto, which has 3
	pods    map[types.UID]string
}

// attackModes are the windows that stand before a stage.
var attackModes = map[string]func(*v1alpha1.MaintenanceWindow){
	"deny": everyDisruption,
	"hold": func(mw *v1alpha1.MaintenanceWindow) {
		everyDisruption(mw)
		mw.Spec.Enforcement = v1alpha1.Hold
	},
	"default": func(*v1alpha1.MaintenanceWindow) {},
}

// TestAttacks replays, as an admin of the namespace, what led around a closed gate by way of the controllers that always pass. Each request
// is refused or does nothing, and no pod is lost.
func TestAttacks(t *testing.T) {
	for title, option := range attackModes {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, option)
			for _, attack := range []struct {
				name string
				do   func(*testing.T, *stage)
			}{
				{"rollback by annotation", attackByRollback},
				{"paused with a ReplicaSet", attackByReplicaSet},
				{"annotations of a ReplicaSet", attackByAnnotation},
				{"autoscalers", attackByAutoscaler},
				{"sleepers", attackBySleeper},
				{"selector of a ReplicationController", attackBySelector},
				{"ControllerRevisions", attackByRevision},
				{"to zero", attackByZero},
			} {
				t.Run(attack.name, func(t *testing.T) {
					attack.do(t, s)
					s.undisturbed(t, 3*time.Second)
				})
			}
			t.Run("neighbours", func(t *testing.T) { neighbours(t, s) })
		})
	}
}

// newStage prepares everything while nothing is governed, as somebody would who knows when the window closes; then it closes.
func newStage(t *testing.T, option windowOption) *stage {
	t.Helper()
	ns := testName(t)
	namespace(t, ns)
	s := &stage{tenant: newTenant(t, ns, ns), ns: ns}
	s.web = deployment(t, ns, "web", 4)
	s.dormant = deployment(t, ns, "dormant", 1)
	deployment(t, ns, "auto", 3)
	s.boss = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "boss"}}
	create(t, s.boss)
	s.sleeper = replicaSetOf("sleeper", "nap", "app:666", 0)
	s.sleeper.Namespace = ns
	s.sleeper.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "boss", UID: s.boss.UID, Controller: new(true)}}
	create(t, s.sleeper)
	s.nap = deployment(t, ns, "nap", 3)
	s.db = newStatefulSet(3)(ns).(*appsv1.StatefulSet)
	name(s.db, "db")
	s.rc = newReplicationController(2)(ns).(*corev1.ReplicationController)
	name(s.rc, "rc")
	bare := newReplicaSet(2)(ns)
	name(bare, "bare")
	for _, o := range []client.Object{s.db, s.rc, bare} {
		create(t, o)
		eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), o) })
	}
	for _, d := range []*appsv1.Deployment{s.web, s.dormant} {
		wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
		settledRollout(t, d)
	}
	eventually(t, 10*time.Second, func() error {
		get(t, s.dormant)
		pausedToRollBack(s.dormant)
		return shared.Admin.Update(t.Context(), s.dormant)
	})
	s.findReplicaSets(t)
	s.twin = s.cloneRevision(t, "db-twin", -1)
	create(t, s.twin)
	s.scaled = newAutoscaler("Deployment")(ns).(*autoscalingv2.HorizontalPodAutoscaler)
	s.scaled.Name, s.scaled.Spec.ScaleTargetRef.Name, s.scaled.Spec.MinReplicas, s.scaled.Spec.MaxReplicas = "auto", "auto", new(int32(2)), 6
	s.scaled.Spec.Behavior = nil
	create(t, s.scaled)
	window(t, ns, ns, nextYear(), option)
	time.Sleep(time.Second) // pods of the rollouts above end
	var pods corev1.PodList
	wantPassed(t, shared.Admin.List(t.Context(), &pods, client.InNamespace(ns)))
	s.pods = map[types.UID]string{}
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			s.pods[p.UID] = p.Name
		}
	}
	return s
}

func (s *stage) findReplicaSets(t *testing.T) {
	t.Helper()
	var list appsv1.ReplicaSetList
	eventually(t, 20*time.Second, func() error {
		wantPassed(t, shared.Admin.List(t.Context(), &list, client.InNamespace(s.ns), client.MatchingLabels{"app": "web"}))
		s.old, s.current = nil, nil
		for i := range list.Items {
			switch *list.Items[i].Spec.Replicas {
			case 0:
				s.old = &list.Items[i]
			case 4:
				s.current = &list.Items[i]
			}
		}
		if s.old == nil || s.current == nil {
			return fmt.Errorf("%d ReplicaSets", len(list.Items))
		}
		return nil
	})
}

// undisturbed watches for a while that each pod which was there when the window closed lives on.
func (s *stage) undisturbed(t *testing.T, span time.Duration) {
	t.Helper()
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		var pods corev1.PodList
		wantPassed(t, shared.Admin.List(t.Context(), &pods, client.InNamespace(s.ns)))
		alive := map[types.UID]bool{}
		for _, p := range pods.Items {
			alive[p.UID] = p.DeletionTimestamp == nil
		}
		for uid, pod := range s.pods {
			if !alive[uid] {
				t.Fatalf("pod %s is gone", pod)
			}
		}
	}
}

// refused runs a command that must be refused by a policy of ours.
func (s *stage) refused(t *testing.T, stdin string, args ...string) {
	t.Helper()
	out, err := s.kubectl(t, stdin, append([]string{"-n", s.ns}, args...)...)
	if err == nil || !strings.Contains(out, "ValidatingAdmissionPolicy 'fonster-") {
		t.Errorf("kubectl %s: not refused by a gate:\n%s", strings.Join(args, " "), out)
	}
	wantSaid(t, strings.TrimSpace(out))
}

func (s *stage) passes(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if out, err := s.kubectl(t, stdin, append([]string{"-n", s.ns}, args...)...); err != nil {
		t.Errorf("kubectl %s: refused:\n%s", strings.Join(args, " "), out)
	}
}

// everyWay are the ways to write one change of an object.
var everyWay = []string{"update", "json patch", "merge patch", "strategic merge patch", "server-side apply"}

// refusedEveryWay makes a change of an object as the tenant, by each verb and type of patch, and wants it refused.
func (s *stage) refusedEveryWay(t *testing.T, o client.Object, change func(client.Object)) {
	t.Helper()
	for _, way := range everyWay {
		current := o.DeepCopyObject().(client.Object)
		get(t, current)
		changed := current.DeepCopyObject().(client.Object)
		change(changed)
		err := write(t, s.Client, way, current, changed)
		if way == "server-side apply" && apierrors.IsInvalid(err) { // it adds where the others replace
			continue
		}
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "fonster-") {
			t.Errorf("%s of %T %s: want a refusal, got %v", way, o, o.GetName(), err)
			continue
		}
		wantSaid(t, err.Error())
	}
}

// write writes a change by a way.
func write(t *testing.T, c client.Client, way string, current, changed client.Object) error {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(changed)
	wantPassed(t, err)
	metadata := object["metadata"].(map[string]any)
	switch way {
	case "update":
		return c.Update(t.Context(), changed)
	case "merge patch":
		return c.Patch(t.Context(), changed, client.MergeFrom(current))
	case "strategic merge patch":
		return c.Patch(t.Context(), changed, client.StrategicMergeFrom(current))
	case "json patch":
		patch := []map[string]any{{"op": "add", "path": "/spec", "value": object["spec"]}}
		if object["spec"] == nil { // a ControllerRevision
			patch = []map[string]any{{"op": "add", "path": "/revision", "value": object["revision"]}}
		}
		for _, field := range []string{"labels", "annotations", "ownerReferences"} {
			if value := metadata[field]; value != nil {
				patch = append(patch, map[string]any{"op": "add", "path": "/metadata/" + field, "value": value})
			} else if field == "ownerReferences" && len(current.GetOwnerReferences()) > 0 {
				patch = append(patch, map[string]any{"op": "remove", "path": "/metadata/" + field})
			}
		}
		data, err := json.Marshal(patch)
		wantPassed(t, err)
		return c.Patch(t.Context(), changed, client.RawPatch(types.JSONPatchType, data))
	}
	gvk, err := c.GroupVersionKindFor(changed)
	wantPassed(t, err)
	object["apiVersion"], object["kind"] = gvk.GroupVersion().String(), gvk.Kind
	for field := range metadata {
		if !slices.Contains([]string{"name", "namespace", "labels", "annotations", "ownerReferences"}, field) {
			delete(metadata, field)
		}
	}
	delete(object, "status")
	data, err := json.Marshal(object)
	wantPassed(t, err)
	return c.Patch(t.Context(), changed, client.RawPatch(types.ApplyPatchType, data), client.ForceOwnership, client.FieldOwner("attack"))
}

// replicaSetOf is a ReplicaSet that the Deployment of an app would take over.
func replicaSetOf(name, app, image string, n int32) *appsv1.ReplicaSet {
	labels := map[string]string{"app": app, "pod-template-hash": name}
	r := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{
			"deployment.kubernetes.io/desired-replicas": "4", "deployment.kubernetes.io/max-replicas": "5", "deployment.kubernetes.io/revision": "77",
		}},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(n), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template(app, image)},
	}
	r.Spec.Template.Labels = labels
	return r
}

// manifest writes an object as kubectl reads it.
func manifest(t *testing.T, o client.Object) string {
	t.Helper()
	gvk, err := shared.Admin.GroupVersionKindFor(o)
	wantPassed(t, err)
	o.GetObjectKind().SetGroupVersionKind(gvk)
	data, err := json.Marshal(o)
	wantPassed(t, err)
	return string(data)
}

// cloneRevision is a ControllerRevision like the current one of db, under another name.
func (s *stage) cloneRevision(t *testing.T, name string, later int64) *appsv1.ControllerRevision {
	t.Helper()
	get(t, s.db)
	r := &appsv1.ControllerRevision{}
	wantPassed(t, shared.Admin.Get(t.Context(), client.ObjectKey{Namespace: s.ns, Name: s.db.Status.UpdateRevision}, r))
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name, Labels: r.Labels}, Data: r.Data, Revision: r.Revision + later,
	}
}

// asClusterAdmin is what a tenant has no right to, tried by somebody who has every one.
func (s *stage) asClusterAdmin() *stage {
	admin := *s
	admin.tenant = &tenant{Client: shared.Admin, kubeconfig: s.kubeconfig}
	return &admin
}

func attackByRollback(t *testing.T, s *stage) {
	s.refused(t, "", "annotate", "deployment/web", "deprecated.deployment.rollback.to=1")
	s.refusedEveryWay(t, s.web, rollBack)
	s.refused(t, "", "rollout", "resume", "deployment/dormant")
	s.refused(t, "", "patch", "deployment", "dormant", "-p", `{"spec":{"paused":false,"template":{"spec":{"containers":[{"name":"main","image":"app:3"}]}}}}`)
	s.refused(t, "", "annotate", "deployment/dormant", "deprecated.deployment.rollback.to=0", "--overwrite")
	// To create one with the annotation is to create one: it has no pods to roll back.
	fresh := newDeployment(1)(s.ns).(*appsv1.Deployment)
	name(fresh, "fresh")
	rollBack(fresh)
	s.passes(t, manifest(t, fresh), "create", "-f", "-")
	eventually(t, 10*time.Second, func() error { return isSettled(t.Context(), fresh) })
}

func attackByReplicaSet(t *testing.T, s *stage) {
	ready := func() error {
		if get(t, s.web); s.web.Status.ObservedGeneration < s.web.Generation {
			return fmt.Errorf("not yet seen")
		}
		return nil
	}
	held := s.enforcement(t) == v1alpha1.Hold
	s.passes(t, "", "patch", "deployment", "web", "-p", `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"100%"}}}}`) // nothing is in progress
	if held {
		s.passes(t, "", "set", "image", "deployment/web", "main=app:900")
	} else {
		s.passes(t, "", "patch", "deployment", "web", "-p", `{"spec":{"paused":true,"template":{"spec":{"containers":[{"name":"main","image":"app:900"}]}}}}`)
	}
	eventually(t, 10*time.Second, ready)
	own := func(kind, apiVersion string, uid types.UID) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "boss", UID: uid, Controller: new(true)}}
	}
	for title, owners := range map[string][]metav1.OwnerReference{
		"nobody's":           nil,
		"a ConfigMap's":      own("ConfigMap", "v1", s.boss.UID),
		"a forged kind's":    own("Thing", "example.com/v1", s.web.UID), // a Deployment knows its own by the UID
		"a forged Rollout's": own("Rollout", "argoproj.io/v1alpha1", s.web.UID),
		"its Deployment's":   own("Deployment", "apps/v1", s.web.UID),
	} {
		r := replicaSetOf("rs900", "web", "app:900", 4)
		r.OwnerReferences = owners
		if err := client.NewDryRunClient(s.Client).Create(t.Context(), inNamespace(r.DeepCopy(), s.ns)); !apierrors.IsForbidden(err) {
			t.Errorf("created %s: %v", title, err)
		}
		s.refused(t, manifest(t, r), "create", "-f", "-")
		s.refused(t, manifest(t, r), "apply", "--server-side", "-f", "-")
	}
	// The old one of the old template, scaled up.
	s.refused(t, "", "scale", "rs/"+s.old.Name, "--replicas=4")
	s.refused(t, "", "patch", "rs", s.old.Name, "--subresource=scale", "--type=merge", "-p", `{"spec":{"replicas":4}}`)
	s.refused(t, "", "patch", "rs", s.old.Name, "--subresource=scale", "--type=json", "-p", `[{"op":"replace","path":"/spec/replicas","value":4}]`)
	s.refusedEveryWay(t, s.old, replicas(4))
	s.refusedEveryWay(t, s.current, replicas(3))
	s.refused(t, "", "scale", "rs/"+s.current.Name, "--replicas=3")
	if get(t, s.web); held && (s.web.Labels[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting || !s.web.Spec.Paused) {
		t.Errorf("no longer held: %v, paused %t", s.web.Labels, s.web.Spec.Paused)
	}
	s.undisturbed(t, 3*time.Second)
	// Taken back, it rolls nothing out.
	s.passes(t, "", "set", "image", "deployment/web", "main=app:2")
	eventually(t, 20*time.Second, func() error {
		if get(t, s.web); s.web.Status.UpdatedReplicas != 4 || s.web.Status.ObservedGeneration < s.web.Generation || held && s.web.Spec.Paused {
			return fmt.Errorf("not taken back: %+v", s.web.Status)
		}
		return nil
	})
	if !held {
		s.passes(t, "", "rollout", "resume", "deployment/web")
	}
}

func attackByAnnotation(t *testing.T, s *stage) {
	s.refused(t, "", "annotate", "rs/"+s.current.Name, "deployment.kubernetes.io/desired-replicas=1", "deployment.kubernetes.io/max-replicas=100000", "--overwrite")
	s.refused(t, "", "annotate", "rs/"+s.current.Name, "deployment.kubernetes.io/desired-replicas-")
	s.refused(t, "", "scale", "rs/"+s.old.Name, "--replicas=20")
	for key, value := range map[string]string{"desired-replicas": "1", "max-replicas": "100000", "revision": "77"} {
		s.refusedEveryWay(t, s.current, believe(key, value))
	}
	s.passes(t, "", "annotate", "rs/"+s.current.Name, "note=seen")
}

func attackByAutoscaler(t *testing.T, s *stage) {
	ofReplicaSet := fmt.Sprintf(`{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"rs"},"spec":{"minReplicas":1,"maxReplicas":1,`+
		`"scaleTargetRef":{"apiVersion":"apps/v1","kind":"ReplicaSet","name":%q}}}`, s.current.Name)
	if s.governs(t, v1alpha1.ScaleDown) {
		s.refused(t, "", "autoscale", "deployment", "web", "--min=1", "--max=1", "--cpu=80%")
		s.refused(t, "", "autoscale", "statefulset", "db", "--min=1", "--max=1", "--cpu=80%")
		s.refused(t, ofReplicaSet, "create", "-f", "-")
		s.refused(t, ofReplicaSet, "apply", "--server-side", "-f", "-")
		s.refused(t, strings.ReplaceAll(ofReplicaSet, "autoscaling/v2", "autoscaling/v1"), "create", "-f", "-")
		s.refusedEveryWay(t, s.scaled, onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.MinReplicas, h.Spec.MaxReplicas = new(int32(1)), 1
		}))
		s.refusedEveryWay(t, s.scaled, onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.ScaleTargetRef.Name = "web" }))
		return
	}
	// To scale down is not governed. But the autoscaler has no business with what belongs to a Deployment.
	s.passes(t, ofReplicaSet, "create", "-f", "-")
	eventually(t, 60*time.Second, func() error {
		out, err := shared.Kubectl("-n", s.ns, "get", "events", "--field-selector", "reason=FailedRescale")
		if err != nil || !strings.Contains(out, "its Deployment would replace the pods") {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	s.undisturbed(t, 3*time.Second)
	s.passes(t, "", "delete", "hpa", "rs")
}

func attackBySleeper(t *testing.T, s *stage) {
	get(t, s.nap)
	s.refused(t, "", "patch", "rs", "sleeper", "--type=json", "-p", `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"app:1"}]`)
	s.refusedEveryWay(t, s.sleeper, onReplicaSet(func(r *appsv1.ReplicaSet) { r.Spec.Template.Spec.Containers[0].Image = "app:1" }))
	s.refused(t, "", "patch", "rs", "sleeper", "--type=merge", "-p", `{"metadata":{"ownerReferences":null}}`)
	s.refused(t, "", "patch", "rs", "sleeper", "--type=json", "-p", `[{"op":"remove","path":"/metadata/ownerReferences"}]`)
	s.refused(t, "", "scale", "rs/sleeper", "--replicas=3")
	// One that is nobody's, and one that a Deployment has dropped.
	s.refusedEveryWay(t, &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "bare"}}, newImage)
	s.refusedEveryWay(t, s.old, onReplicaSet(func(r *appsv1.ReplicaSet) {
		r.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "boss", UID: s.boss.UID, Controller: new(true)}}
	}))
	// The garbage collector would let it go, on behalf of whoever deletes its controller.
	s.passes(t, "", "delete", "configmap", "boss", "--cascade=orphan", "--wait=false")
	s.undisturbed(t, 5*time.Second)
	if get(t, s.sleeper); len(s.sleeper.OwnerReferences) != 1 || s.sleeper.OwnerReferences[0].UID != s.boss.UID {
		t.Errorf("it has been let go: %v", s.sleeper.OwnerReferences)
	}
}

func attackBySelector(t *testing.T, s *stage) {
	s.refused(t, "", "patch", "rc", "rc", "-p", `{"spec":{"selector":{"v":"2","app":"rc"},"template":{"metadata":{"labels":{"v":"2"}}}}}`)
	s.refusedEveryWay(t, s.rc, selectAnew)
}

func attackByRevision(t *testing.T, s *stage) {
	clone := s.cloneRevision(t, "db-clone", 1)
	wantRefused(t, shared.Admin.Create(t.Context(), clone), "Rollout of ControllerRevision "+s.ns+"/db-clone by creating it")
	s.asClusterAdmin().refusedEveryWay(t, s.twin, renumber)
	s.passes(t, "", "annotate", "statefulset", "db", "note=poke")
}

func attackByZero(t *testing.T, s *stage) {
	for _, target := range []string{"deployment/web", "statefulset/db", "rc/rc", "rs/bare"} {
		s.refused(t, "", "scale", target, "--replicas=0")
		s.refused(t, "", "patch", target, "--type=merge", "-p", `{"spec":{"replicas":0}}`)
		out, _ := s.kubectl(t, "", "-n", s.ns, "scale", target, "--replicas=0")
		if !s.governs(t, v1alpha1.ScaleDown) && (!strings.Contains(out, "Delete of") || !strings.Contains(out, "by scaling it to zero")) {
			t.Errorf("it does not say why:\n%s", out)
		}
	}
	s.refusedEveryWay(t, s.db, replicas(0))
}

// neighbours pass, and do what they are for.
func neighbours(t *testing.T, s *stage) {
	s.passes(t, "", "scale", "deployment/web", "--replicas=5")
	s.passes(t, "", "patch", "rs", "bare", "-p", `{"spec":{"replicas":3}}`)
	s.passes(t, "", "label", "hpa", "auto", "team=a")
	s.passes(t, "", "annotate", "hpa", "auto", "note=seen")
	s.passes(t, "", "patch", "hpa", "auto", "-p", `{"spec":{"minReplicas":4,"maxReplicas":7}}`)
	wantReplicas := func(name string, want int32) {
		t.Helper()
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name}}
		eventually(t, 60*time.Second, func() error {
			if get(t, d); *d.Spec.Replicas != want || d.Status.ReadyReplicas != want {
				return fmt.Errorf("%s has %d replicas, %d are ready, want %d", name, *d.Spec.Replicas, d.Status.ReadyReplicas, want)
			}
			return nil
		})
	}
	wantReplicas("web", 5)
	wantReplicas("auto", 4)
	s.undisturbed(t, time.Second)
	s.passes(t, "", "scale", "deployment/auto", "--replicas=9") // the autoscaler takes away what is above its bounds
	wantReplicas("auto", 7)
	argoRollouts(t, s)
	// An override lets an undo through, and what it brings of an override is nothing.
	wantPassed(t, annotateWith(t.Context(), shared.Admin, s.web, override.Reason, "INC-1"))
	before := overrideOf(t, s.web)
	s.passes(t, "", "rollout", "undo", "deployment/web", "--to-revision=1")
	eventually(t, 20*time.Second, func() error {
		if get(t, s.web); image(s.web) != "app:1" || s.web.Status.UpdatedReplicas != 5 || s.web.Status.ReadyReplicas != 5 {
			return fmt.Errorf("not undone: %s %+v", image(s.web), s.web.Status)
		}
		return nil
	})
	if after := overrideOf(t, s.web); !after.Until.Equal(before.Until) || after.Reason != before.Reason {
		t.Errorf("the override is %+v, it was %+v", after, before)
	}
}

// argoRollouts makes and scales its ReplicaSets, which nobody else may who has no right to the finalizers of its objects.
func argoRollouts(t *testing.T, s *stage) {
	t.Helper()
	user := "argo-rollouts-" + s.ns
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: user}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"replicasets"}, Verbs: []string{"create", "get", "update"}},
		{APIGroups: []string{"argoproj.io"}, Resources: []string{"rollouts", "rollouts/finalizers"}, Verbs: []string{"update"}},
	}}
	create(t, role)
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: user, APIGroup: rbacv1.GroupName}},
	})
	argo, err := shared.As(user)
	wantPassed(t, err)
	r := inNamespace(replicaSetOf("canary", "canary", "app:1", 0), s.ns).(*appsv1.ReplicaSet)
	ofRollouts(r)
	eventually(t, 10*time.Second, func() error { return argo.Create(t.Context(), r) })
	t.Cleanup(func() { _ = as(t, "system:kube-controller-manager").Delete(t.Context(), r) })
	eventually(t, 10*time.Second, func() error {
		if err := argo.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
			return err
		}
		r.Spec.Replicas = new(int32(2))
		return argo.Update(t.Context(), r)
	})
	s.refused(t, "", "patch", "rs", "canary", "-p", `{"spec":{"replicas":3}}`)
}

func onReplicaSet(change func(*appsv1.ReplicaSet)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.ReplicaSet)) }
}

func inNamespace(o client.Object, ns string) client.Object {
	o.SetNamespace(ns)
	return o
}

func (s *stage) spec(t *testing.T) v1alpha1.MaintenanceWindowSpec {
	t.Helper()
	mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}
	get(t, mw)
	return mw.Spec
}

func (s *stage) enforcement(t *testing.T) v1alpha1.Enforcement {
	t.Helper()
	return s.spec(t).Enforcement
}

func (s *stage) governs(t *testing.T, d v1alpha1.Disruption) bool {
	t.Helper()
	for _, governed := range s.spec(t).Disruptions {
		if governed == d {
			return true
		}
	}
	return false
}

// TestControlPlaneSetsNoOverride: the Deployment controller copies the annotations of a ReplicaSet when it rolls back, and passes before
// any right is asked for. What it copies of an override is put back, whoever wrote it.
func TestControlPlaneSetsNoOverride(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	a := newTenant(t, ns, ns)
	d := deployment(t, ns, "web", 2)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	settledRollout(t, d)
	// Rollouts are not governed here, so the controller may be made to roll back.
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Delete} })
	unset := func(why string) {
		t.Helper()
		if o := overrideOf(t, d); o.Reason != "" || !o.Until.IsZero() || d.Labels[v1alpha1.OverriddenLabel] != "" {
			t.Errorf("%s: %+v, %v", why, o, d.Labels)
		}
	}
	if out, err := a.kubectl(t, "", "-n", ns, "annotate", "rs", "-l", "app=web", "maintenance.fonster.dev/override=tenant says so"); err != nil {
		t.Fatal(out)
	}
	if out, err := a.kubectl(t, "", "-n", ns, "annotate", "deployment/web", "deprecated.deployment.rollback.to=1"); err != nil {
		t.Fatal(out)
	}
	eventually(t, 20*time.Second, func() error {
		if get(t, d); image(d) != "app:1" {
			return fmt.Errorf("not rolled back: %s", image(d))
		}
		return nil
	})
	unset("copied by the Deployment controller")
	for i, user := range append((policy.Identity{}).ExemptUsers(), "system:node:n1") {
		if user == (policy.Identity{}).User() {
			continue
		}
		c := as(t, user)
		if user == "system:node:n1" {
			c = as(t, user, "system:nodes")
		}
		wantPassed(t, annotateWith(t.Context(), c, d, override.Reason, fmt.Sprintf("INC-%d", i)))
		unset(user)
	}
	if _, err := a.kubectl(t, "", "-n", ns, "delete", "deployment", "web"); err == nil {
		t.Error("deleted under an override that nobody may set")
	}
	// One that stands is neither replaced nor ended.
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-A"))
	before := overrideOf(t, d)
	wantPassed(t, annotateWith(t.Context(), as(t, "system:serviceaccount:kube-system:deployment-controller"), d, override.Reason, "INC-B"))
	if after := overrideOf(t, d); after.Reason != before.Reason || !after.Until.Equal(before.Until) || after.By != before.By {
		t.Errorf("the override is %+v, it was %+v", after, before)
	}
}
