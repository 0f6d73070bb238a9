package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// everyDisruption makes a window govern all there is.
func everyDisruption(mw *v1alpha1.MaintenanceWindow) {
	mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
}

// uids are the pods of a namespace that are not about to go, by UID.
func uids(t *testing.T, namespace string) map[types.UID]string {
	t.Helper()
	var pods corev1.PodList
	if err := shared.Admin.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	found := map[types.UID]string{}
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			found[p.UID] = p.Name
		}
	}
	return found
}

// wantPodsKept checks, after the controllers have had time to act, that the pods are those that there were.
func wantPodsKept(t *testing.T, namespace string, before map[types.UID]string) {
	t.Helper()
	time.Sleep(3 * time.Second)
	if after := uids(t, namespace); !maps.Equal(before, after) {
		t.Errorf("the pods of %s are no longer the same: before %v, now %v", namespace, before, after)
	}
}

// wantAnswer runs a command as the tenant, and checks that it is refused with some texts; without texts, that it passes.
func (a *tenant) wantAnswer(t *testing.T, stdin string, texts []string, args ...string) {
	t.Helper()
	out, err := a.kubectl(t, stdin, args...)
	if texts == nil {
		if err != nil {
			t.Errorf("kubectl %s is refused: %s", strings.Join(args, " "), out)
		}
		return
	}
	if err == nil {
		t.Errorf("kubectl %s passes: %s", strings.Join(args, " "), out)
		return
	}
	wantSaid(t, out, texts...)
}

// TestAttackByOwnAccount: the pods' own service account, which a namespace admin may impersonate, marks its leader and changes no
// other label, under Deny and under Hold.
func TestAttackByOwnAccount(t *testing.T) {
	for _, enforcement := range []v1alpha1.Enforcement{v1alpha1.Deny, v1alpha1.Hold} {
		t.Run(strings.ToLower(string(enforcement)), func(t *testing.T) {
			ns := testName(t)
			namespace(t, ns)
			deployment(t, ns, "web", 2)
			db, agent := newStatefulSet(2)(ns), newDaemonSet()(ns)
			name(db, "db")
			name(agent, "agent")
			podTemplate(db).Labels["role"] = "replica"
			bare := newPod()(ns)
			bare.SetName("bare")
			rs := newReplicaSet(1)(ns)
			name(rs, "rs")
			for _, o := range []client.Object{db, agent, bare, rs} {
				create(t, o)
			}
			for _, o := range []client.Object{db, agent, bare, rs} {
				eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), o) })
			}
			window(t, ns, ns, nextYear(), everyDisruption, func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = enforcement })
			eve := newTenant(t, "eve-"+ns, ns)
			before := uids(t, ns)
			self := "--as=system:serviceaccount:" + ns + ":default"

			eve.wantAnswer(t, "", nil, "-n", ns, "create", "rolebinding", "sa-edit", "--clusterrole=edit", "--serviceaccount="+ns+":default")
			eventually(t, 20*time.Second, func() error {
				if out, err := shared.KubectlAs(eve.kubeconfig, "", "-n", ns, self, "auth", "can-i", "patch", "pods"); err != nil {
					return fmt.Errorf("not yet: %s", out)
				}
				return nil
			})
			label := []string{"Delete of Pod " + ns, "by a changed label"}
			for _, refused := range [][]string{
				{"pod", "db-0", "db-1", "controller-revision-hash=x"},
				{"pod", "-l", "app=agent", "controller-revision-hash=x", "pod-template-generation=0"},
				{"pod", "-l", "app=agent", "pod-template-generation=0"},
				{"pod", "-l", "app=web", "pod-template-hash=zero"},
				{"pod", "-l", "app=web", "app=other"},
				{"pod", "-l", "app=web", "app-"},
				{"pod", "db-0", "statefulset.kubernetes.io/pod-name=db-9"},
				{"pod", "db-0", "app=other", "role=primary"},
				{"pod", "bare", "pod-template-hash=zero"},
			} {
				eve.wantAnswer(t, "", label, append([]string{"-n", ns, self, "label", "--overwrite"}, refused...)...)
			}
			// A ReplicaSet without a pod too many would take the bare one, and delete one of them.
			adopted := []string{"Delete of Pod " + ns + "/bare", "by a new label", "one too many"}
			eve.wantAnswer(t, "", adopted, "-n", ns, self, "label", "pod", "bare", "app=rs", "tier=matrix")
			eve.wantAnswer(t, "", adopted, "-n", ns, "label", "pod", "bare", "app=rs", "tier=matrix")

			// A failover, as Patroni does it; and what else is harmless.
			eve.wantAnswer(t, "", nil, "-n", ns, self, "label", "pod", "db-0", "role=primary", "--overwrite")
			eve.wantAnswer(t, "", nil, "-n", ns, self, "label", "pod", "db-1", "spilo-role=replica")
			eve.wantAnswer(t, "", nil, "-n", ns, self, "label", "pod", "db-1", "spilo-role=master", "--overwrite")
			eve.wantAnswer(t, "", nil, "-n", ns, "label", "pod", "db-0", "debug=yes")
			eve.wantAnswer(t, "", label, "-n", ns, "label", "pod", "db-0", "role=replica", "--overwrite")
			eve.wantAnswer(t, "", nil, "-n", ns, "annotate", "pod", "bare", "db-0", "controller.kubernetes.io/pod-deletion-cost=9")
			wantPodsKept(t, ns, before)
		})
	}
}

// TestAttackByReleasedPods: a ReplicaSet would adopt pods of any image that the garbage collector lets go, on behalf of whoever deletes
// their controller, and delete its own.
func TestAttackByReleasedPods(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	web := deployment(t, ns, "web", 2)
	window(t, ns, ns, nextYear())
	eve := newTenant(t, "eve-"+ns, ns)
	own := uids(t, ns)
	eve.wantAnswer(t, "", nil, "-n", ns, "create", "configmap", "boss")
	boss := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "boss"}}
	get(t, boss)
	var pods corev1.PodList
	if err := shared.Admin.List(t.Context(), &pods, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	for i, p := range pods.Items {
		decoy := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: fmt.Sprintf("decoy-%d", i), Labels: p.Labels, Annotations: map[string]string{"controller.kubernetes.io/pod-deletion-cost": "2147483647"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "boss", UID: boss.UID, Controller: new(true)}},
		}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "app:666"}}}}
		if err := eve.Create(t.Context(), decoy); err != nil {
			t.Fatal(err)
		}
		eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), decoy) })
	}
	eve.wantAnswer(t, "", nil, "-n", ns, "delete", "configmap", "boss", "--cascade=orphan", "--wait=false")
	time.Sleep(8 * time.Second) // the collector is told at once, and tries again
	after := uids(t, ns)
	for uid, name := range own {
		if after[uid] == "" {
			t.Errorf("%s of Deployment %s is gone", name, web.Name)
		}
	}
}

// TestPodsThatAreNotYetCounted: a controller says that it has seen the spec before its status counts the pods that it has started. They
// are not taken for none in between.
func TestPodsThatAreNotYetCounted(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	web := deployment(t, ns, "web", 0)
	window(t, ns, ns, nextYear(), everyDisruption)
	controller := as(t, "system:serviceaccount:kube-system:deployment-controller")
	scaled := func(c client.Client, n int32) {
		t.Helper()
		wantPassed(t, c.Patch(t.Context(), web, mergePatch(`{"spec":{"replicas":%d}}`, n)))
	}
	tries := 0
	for range 10 {
		scaled(shared.Admin, 2)
		for ready := false; !ready; tries++ {
			wantRefused(t, setImage(t.Context(), client.NewDryRunClient(shared.Admin), web, "app:2"), "Rollout of Deployment")
			get(t, web)
			ready = web.Status.ReadyReplicas == 2
		}
		scaled(controller, 0)
		eventually(t, 30*time.Second, func() error {
			if get(t, web); web.Status.Replicas != 0 || web.Status.ObservedGeneration < web.Generation {
				return fmt.Errorf("%d replicas", web.Status.Replicas)
			}
			return nil
		})
	}
	t.Logf("refused %d times while the pods were starting", tries)
}

// podTemplate is the template in a workload.
func podTemplate(o client.Object) *corev1.PodTemplateSpec {
	switch w := o.(type) {
	case *appsv1.Deployment:
		return &w.Spec.Template
	case *appsv1.StatefulSet:
		return &w.Spec.Template
	case *appsv1.DaemonSet:
		return &w.Spec.Template
	}
	panic(fmt.Sprintf("%T has no template", o))
}

// TestLeaderLabels: the administrator names more of them to the operator, and they pass under the pod's own account alone.
func TestLeaderLabels(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	db := newStatefulSet(1)(ns)
	name(db, "db")
	podTemplate(db).Labels["example.com/leader"] = "no"
	create(t, db)
	eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), db) })
	window(t, ns, ns, nextYear())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "db-0"}}
	lead := func(c client.Client) error {
		return c.Patch(t.Context(), pod.DeepCopy(), mergePatch(`{"metadata":{"labels":{"example.com/leader":"yes"}}}`))
	}
	self := as(t, "system:serviceaccount:"+ns+":default")
	wantRefused(t, lead(self), "by a changed label")
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	var err error
	if operator, err = shared.StartOperator(t.Context(), "--leader-labels=example.com/leader"); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, lead(shared.Admin), "by a changed label")
	eventually(t, 10*time.Second, func() error { return lead(self) })
}

// TestAttackOnCRDs: nobody deletes the CRDs, or stops their being served, while the policies are there; an upgrade passes.
func TestAttackOnCRDs(t *testing.T) {
	refused := func(texts []string, args ...string) {
		t.Helper()
		out, err := shared.Kubectl(args...)
		fmt.Printf("attack %s $ kubectl %s\nattack %s > %s\n", t.Name(), strings.Join(args, " "), t.Name(), strings.TrimSpace(out))
		if err == nil {
			t.Errorf("kubectl %s passes: %s", strings.Join(args, " "), out)
			return
		}
		wantSaid(t, out, texts...)
	}
	removal := []string{"cannot be deleted while the policies of Fonster are there", "Remove the policies first: make uninstall"}
	for _, crd := range []string{"gates", "maintenancewindows", "changefreezes"} {
		refused(removal, "delete", "crd", crd+".maintenance.fonster.dev", "--dry-run=server")
	}
	refused(removal, "delete", "crd", "gates.maintenance.fonster.dev")
	refused(removal, "delete", "crd", "--all", "--dry-run=server")
	refused(removal, "delete", "--raw", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=!none&dryRun=All")
	gates := "gates.maintenance.fonster.dev"
	refused([]string{"must go on serving v1alpha1", "make uninstall"}, "patch", "crd", gates, "--type=json", "-p", `[{"op":"replace","path":"/spec/versions/0/served","value":false}]`)
	refused([]string{"must go on serving v1alpha1"}, "patch", "crd", gates, "--type=json", "-p",
		`[{"op":"add","path":"/spec/versions/-","value":{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}},`+
			`{"op":"replace","path":"/spec/versions/0/storage","value":false},{"op":"replace","path":"/spec/versions/0/served","value":false}]`)
	refused([]string{"Only the API server says whether it serves the CustomResourceDefinition gates.maintenance.fonster.dev"}, "patch", "crd", gates, "--subresource=status", "--type=merge", "-p", `{"status":{"conditions":[]}}`)
	for _, args := range [][]string{
		{"annotate", "crd", gates, "note=seen", "--overwrite"},
		{"apply", "--server-side", "--force-conflicts", "-k", "../../config/crd", "--dry-run=server"},
	} {
		if out, err := shared.Kubectl(args...); err != nil {
			t.Errorf("kubectl %s: %s", strings.Join(args, " "), out)
		}
	}
}

// TestAttackByPodLabels: what a window selects by the labels of a Deployment covers its ReplicaSets; of its pods, which carry other
// labels, it says that it does not.
func TestAttackByPodLabels(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	critical := func(d *appsv1.Deployment) { d.Labels["critical"] = "yes" }
	deployment(t, ns, "web", 2, critical)
	deployment(t, ns, "other", 1)
	bare := newReplicaSet(1)(ns)
	name(bare, "bare")
	create(t, bare)
	set := newStatefulSet(1)(ns)
	name(set, "db")
	set.SetLabels(map[string]string{"critical": "yes"})
	create(t, set)
	eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), set) })
	window(t, ns, ns, nextYear(), everyDisruption, objects("critical", "yes"))
	eve := newTenant(t, "eve-"+ns, ns)
	before := uids(t, ns)
	replicaSet := func(app string) string {
		out, err := shared.Kubectl("-n", ns, "get", "rs", "-l", "app="+app, "-o", "name")
		wantPassed(t, err)
		return strings.TrimSpace(out)
	}
	rollout := []string{"Rollout of ReplicaSet " + ns + "/web-", "do not carry the labels of their workloads"}
	edit := `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"edited"}]`
	eve.wantAnswer(t, "", []string{"Rollout of Deployment"}, "-n", ns, "set", "image", "deploy/web", "*=app:2")
	eve.wantAnswer(t, "", rollout, "-n", ns, "patch", replicaSet("web"), "--type=json", "-p", edit)
	eve.wantAnswer(t, "", []string{"Delete of ReplicaSet"}, "-n", ns, "delete", replicaSet("web"))
	wantPodsKept(t, ns, before)
	revision := &appsv1.ControllerRevisionList{}
	wantPassed(t, shared.Admin.List(t.Context(), revision, client.InNamespace(ns), client.MatchingLabels{"app": "db"}))
	for i := range revision.Items {
		wantRefused(t, shared.Admin.Delete(t.Context(), &revision.Items[i]), "Delete of ControllerRevision")
	}
	// What the window does not select passes, and a ReplicaSet of nobody goes by its own labels.
	eve.wantAnswer(t, "", nil, "-n", ns, "set", "image", "deploy/other", "*=app:2")
	eve.wantAnswer(t, "", nil, "-n", ns, "delete", "rs", "bare", "--dry-run=server")

	// Deleting its pods passes, as was said when it was written.
	eve.wantAnswer(t, "", nil, "-n", ns, "delete", "pod", "-l", "app=web", "--dry-run=server")
	said := func(args ...string) string {
		t.Helper()
		out, err := eve.kubectl(t, "", append([]string{"-n", ns}, args...)...)
		if err != nil {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
		}
		return out
	}
	wantSaid(t, said("patch", "deploy/web", "--type=merge", "-p", `{"spec":{"minReadySeconds":1}}`),
		"Warning: ", "The pods of Deployment "+ns+"/web do not carry the labels", "by which maintenance window "+ns+" (critical) selects it", "give spec.template.metadata.labels the same labels")
	for _, quiet := range [][]string{
		{"annotate", "deploy/web", "note=seen"},
		{"patch", "deploy/other", "--type=merge", "-p", `{"spec":{"minReadySeconds":1}}`},
	} {
		if out := said(quiet...); strings.Contains(out, "Warning") {
			t.Errorf("kubectl %s: %s", strings.Join(quiet, " "), out)
		}
	}
	manifest := func(label string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: new, namespace: " + ns + ", labels: {critical: 'yes'}}\n" +
			"spec: {replicas: 0, selector: {matchLabels: {app: new}}, template: {metadata: {labels: {app: new, critical: '" + label + "'}}, spec: {containers: [{name: main, image: app}]}}}\n"
	}
	for label, warns := range map[string]bool{"yes": false, "no": true} {
		out, err := eve.kubectl(t, manifest(label), "create", "-f", "-", "--dry-run=server")
		if err != nil || strings.Contains(out, "Warning: ") != warns {
			t.Errorf("critical=%s: a warning is wanted: %t; %v %s", label, warns, err, out)
		}
	}
}

// TestAttackByPlantedTimes: with the operator dead at closing time, a time that was planted beforehand does not hide the API server's
// own, and every rollout after the closing is refused.
func TestAttackByPlantedTimes(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	now := time.Now()
	closes := now.Add(9 * time.Second).Truncate(time.Second)
	if day(now) != day(closes) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(now.Add(-time.Minute), closes))
	eve := newTenant(t, "eve-"+ns, ns)
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	before := uids(t, ns)

	// One planted entry for each second after the closing.
	entry := func(manager string, at time.Time) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: "apps/v1", Time: &metav1.Time{Time: at},
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:app":{}}}}`)}
	}
	get(t, d)
	for i := range 6 {
		d.ManagedFields = append(d.ManagedFields, entry(fmt.Sprintf("planted-%d", i), closes.Add(time.Duration(i+1)*time.Second)))
	}
	d.Labels["note"] = "planted"
	wantPassed(t, eve.Update(t.Context(), d))
	get(t, d)
	if got := len(d.ManagedFields); got < 7 {
		t.Fatalf("%d managedFields: nothing was planted", got)
	}
	time.Sleep(time.Until(closes.Add(500 * time.Millisecond)))
	for i := range 5 {
		time.Sleep(time.Until(closes.Add(time.Duration(i+1)*time.Second + 100*time.Millisecond)))
		forged := d.DeepCopy()
		forged.ManagedFields = append(forged.ManagedFields, entry("past", time.Date(2000, 1, 1, 0, 0, i, 0, time.UTC)))
		forged.Spec.Template.Spec.Containers[0].Image = fmt.Sprintf("app:%d", i+2)
		wantRefused(t, eve.Update(t.Context(), forged), "Rollout of Deployment")
	}
	wantPodsKept(t, ns, before)
}

// TestHarmlessOwners: what keeps its owners may have more of them, and other fields in them; also in two steps nothing gets rid of them.
func TestHarmlessOwners(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	boss := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "boss"}}
	create(t, boss)
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "boss", UID: boss.UID}
	gone := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "00000000-0000-0000-0000-000000000000"}
	get(t, d)
	d.OwnerReferences = []metav1.OwnerReference{owner}
	wantPassed(t, shared.Admin.Update(t.Context(), d))
	unscheduled := newPod()(ns).(*corev1.Pod)
	unscheduled.Name, unscheduled.Spec.NodeSelector = "pending", map[string]string{"no-such-node": "true"}
	create(t, unscheduled)
	window(t, ns, ns, nextYear(), everyDisruption)
	var pods corev1.PodList
	wantPassed(t, shared.Admin.List(t.Context(), &pods, client.InNamespace(ns), client.MatchingLabels{"app": "web"}))
	pod := &pods.Items[0]
	controller := pod.OwnerReferences[0]
	dry := client.NewDryRunClient(shared.Admin)
	change := func(o client.Object, owners ...metav1.OwnerReference) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			copied := o.DeepCopyObject().(client.Object)
			if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(copied), copied); err != nil {
				return err
			}
			copied.SetOwnerReferences(owners)
			return dry.Update(t.Context(), copied)
		})
	}
	with := func(o metav1.OwnerReference, f func(*metav1.OwnerReference)) metav1.OwnerReference { f(&o); return o }
	blocking := func(o *metav1.OwnerReference) { o.BlockOwnerDeletion = new(true) }
	renamed := func(o *metav1.OwnerReference) { o.Name = "other" }
	for title, tc := range map[string]struct {
		object  client.Object
		owners  []metav1.OwnerReference
		refused string
	}{
		"blockOwnerDeletion":                    {d, []metav1.OwnerReference{with(owner, blocking)}, ""},
		"another version":                       {d, []metav1.OwnerReference{with(owner, func(o *metav1.OwnerReference) { o.APIVersion = "v2" })}, ""},
		"another group":                         {d, []metav1.OwnerReference{with(owner, func(o *metav1.OwnerReference) { o.APIVersion = "example.com/v1" })}, "garbage collector"},
		"a second owner":                        {d, []metav1.OwnerReference{owner, gone}, ""},
		"the name of another":                   {d, []metav1.OwnerReference{with(owner, renamed)}, "garbage collector"},
		"another in its place":                  {d, []metav1.OwnerReference{gone}, "garbage collector"},
		"none any more":                         {d, nil, ""},
		"a pod's controller blocks no longer":   {pod, []metav1.OwnerReference{with(controller, func(o *metav1.OwnerReference) { o.BlockOwnerDeletion = nil })}, ""},
		"a second owner of a pod":               {pod, []metav1.OwnerReference{controller, owner}, ""},
		"a pod of nobody's":                     {pod, nil, "or a workload delete it"},
		"a pod's controller is none any longer": {pod, []metav1.OwnerReference{with(controller, func(o *metav1.OwnerReference) { o.Controller = nil }), owner}, "or a workload delete it"},
		"a pod's controller is another":         {pod, []metav1.OwnerReference{with(controller, func(o *metav1.OwnerReference) { o.Controller = nil }), with(owner, func(o *metav1.OwnerReference) { o.Controller = new(true) })}, "or a workload delete it"},
	} {
		t.Run(title, func(t *testing.T) {
			err := change(tc.object, tc.owners...)
			if tc.refused == "" {
				wantPassed(t, err)
			} else {
				wantRefused(t, err, tc.refused)
			}
		})
	}
	// In two steps: one that does not exist is added, and then left alone. The garbage collector takes it away meanwhile, or it is refused.
	get(t, d)
	d.OwnerReferences = []metav1.OwnerReference{owner, gone}
	wantPassed(t, shared.Admin.Update(t.Context(), d))
	wantRefused(t, change(d, gone), "garbage collector")
	wantPassed(t, shared.Admin.Delete(t.Context(), unscheduled))
	wantRefused(t, dry.Delete(t.Context(), pod), "Delete of Pod")
}

// TestControlCharacters: what people write, and others see in a terminal, holds no escapes.
func TestControlCharacters(t *testing.T) {
	dry := client.NewDryRunClient(shared.Admin)
	base := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: testName(t)}, Spec: v1alpha1.MaintenanceWindowSpec{
		TimeZone: "UTC", Schedules: []v1alpha1.Schedule{nextYear()}, NamespaceSelector: &metav1.LabelSelector{},
	}}
	for title, tc := range map[string]struct {
		write  func(*v1alpha1.MaintenanceWindow)
		passes bool
	}{
		"åäö, and lines of a description": {func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Title, mw.Spec.Description = "Servicefönster – våren", "En rad.\n\tEn till.\r\n"
		}, true},
		"an escape in a title":    {func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Title = "\x1b[31mred" }, false},
		"an escape of eight bits": {func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Description = "\u009b31mred" }, false},
		"a bell in a description": {func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Description = "ding\a" }, false},
		"a NUL in a reasonPattern": {func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Overrides = &v1alpha1.OverridePolicy{ReasonPattern: "INC\x00"}
		}, false},
		"an escape in an exclusion": {func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Exclusions = []v1alpha1.Exclusion{{Schedule: nextYear(), Reason: "\x1b[2J"}}
		}, false},
	} {
		t.Run(title, func(t *testing.T) {
			mw := base.DeepCopy()
			tc.write(mw)
			if err := dry.Create(t.Context(), mw); tc.passes != (err == nil) || err != nil && !strings.Contains(err.Error(), "control characters") {
				t.Errorf("passes: %t, want %t: %v", err == nil, tc.passes, err)
			}
		})
	}
	cf := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: testName(t)}, Spec: v1alpha1.ChangeFreezeSpec{
		Reason: "\x1b[31mred", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{},
	}}
	if err := dry.Create(t.Context(), cf); err == nil || !strings.Contains(err.Error(), "control characters") {
		t.Errorf("a freeze's reason: %v", err)
	}
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	escape := mergePatch(`{"metadata":{"annotations":{%q:"INC-1\u001b[31m"}}}`, override.Reason)
	wantRefused(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), escape), "without control characters")
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1 övrigt"))
}
