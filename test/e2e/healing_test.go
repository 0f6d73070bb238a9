package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

// everything makes a window govern every disruption of everything it selects.
func everything(mw *v1alpha1.MaintenanceWindow) {
	all(mw)
	mw.Spec.ObjectSelector = nil
}

// TestHealing: in a closed window the control plane does all its work, and nothing it asks for is refused.
func TestHealing(t *testing.T) {
	ns, dying := testName(t), testName(t)+"-dying"
	namespace(t, ns)
	namespace(t, dying, "team", ns)
	const lost = "node-lost"
	newNode(t, lost)
	crashing, slow, scaled := deployment(t, ns, "crashing", 2), slowDeployment(t, ns, "slow"), deployment(t, ns, "scaled", 3)
	owned := deployment(t, ns, "owned", 1)
	stranded := deployment(t, ns, "stranded", 1, on(lost))
	deployment(t, dying, "web", 2)

	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "scaled"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "scaled"},
			MinReplicas:    new(int32(1)), MaxReplicas: 5,
		},
	}
	create(t, hpa)

	mw := window(t, ns, ns, always(), everything)
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "owner"}}
	create(t, owner)
	wantPassed(t, shared.Admin.Patch(t.Context(), owned, mergePatch(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":%q}]}}`, owner.UID)))
	before := denied(t)
	wantPassed(t, setImage(t.Context(), shared.Admin, slow, "app:2"))
	wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"schedules":[{"dates":["2021-05-13"],"startTime":"09:00","endTime":"20:00"}]}}`)))
	eventually(t, 10*time.Second, func() error {
		err := setImage(t.Context(), client.NewDryRunClient(shared.Admin), crashing, "app:2")
		if err == nil {
			return errors.New("the window is still open")
		}
		wantRefused(t, err, "Rollout of Deployment")
		return nil
	})
	if denied(t) <= before {
		t.Fatal("the API server has not counted a refusal: its metric is another one now")
	}
	get(t, slow)
	if slow.Status.UpdatedReplicas == *slow.Spec.Replicas {
		t.Fatalf("the rollout ended before the window: %+v", slow.Status)
	}
	refusals, logged := denied(t), controllerRefusals(t)

	// A node goes away for good; its pods come back elsewhere. The pod garbage collector takes its time, so this ends last.
	strandedPod := podsOf(t, stranded)[0]
	wantPassed(t, shared.Admin.Delete(t.Context(), node(lost)))

	// A pod fails.
	failed := podsOf(t, crashing)[0]
	failed.Status.Phase = corev1.PodFailed
	wantPassed(t, as(t, "system:node:node-1", "system:nodes").Status().Update(t.Context(), &failed))
	eventually(t, 40*time.Second, func() error {
		get(t, crashing)
		if crashing.Status.ReadyReplicas != 2 {
			return fmt.Errorf("not replaced: %+v", crashing.Status)
		}
		return nil
	})

	// A node is tainted: its pods leave it at once.
	newNode(t, "node-tainted")
	tainted := deployment(t, ns, "tainted", 1, on("node-tainted"))
	wantPassed(t, shared.Admin.Patch(t.Context(), node("node-tainted"), mergePatch(`{"spec":{"taints":[{"key":"broken","effect":"NoExecute"}]}}`)))
	wantReplaced(t, tainted.Name, podsOf(t, tainted)[0], 30*time.Second)

	// A Job ends, and is removed after its time.
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "job"},
		Spec:       batchv1.JobSpec{TTLSecondsAfterFinished: new(int32(1)), Template: template("job", "job:1")},
	}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	create(t, job)
	gone(t, job)

	// The horizontal autoscaler scales up and down by its bounds.
	wantPassed(t, shared.Admin.Patch(t.Context(), scaled.DeepCopy(), mergePatch(`{"spec":{"replicas":7}}`)))
	wantReplicas(t, scaled, 5)
	wantPassed(t, shared.Admin.Patch(t.Context(), hpa, mergePatch(`{"spec":{"minReplicas":6,"maxReplicas":6}}`)))
	wantReplicas(t, scaled, 6)

	// Garbage collection, and a namespace that is being deleted.
	wantPassed(t, shared.Admin.Delete(t.Context(), owner))
	gone(t, owned)
	ended := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: dying}}
	wantPassed(t, as(t, "system:serviceaccount:kube-system:namespace-controller").Delete(t.Context(), ended))
	gone(t, ended)

	// The rollout that began inside the window ends outside it.
	eventually(t, 60*time.Second, func() error {
		get(t, slow)
		if slow.Status.UpdatedReplicas != *slow.Spec.Replicas || slow.Status.AvailableReplicas != *slow.Spec.Replicas {
			return fmt.Errorf("not rolled out: %+v", slow.Status)
		}
		return nil
	})
	eventually(t, 2*time.Minute, func() error {
		err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(&strandedPod), &corev1.Pod{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("the pod of the lost node is still there: %v", err)
		}
		get(t, stranded)
		if stranded.Status.ReadyReplicas != 1 {
			return fmt.Errorf("not rescheduled: %+v", stranded.Status)
		}
		return nil
	})

	if after := denied(t); after != refusals {
		t.Errorf("%d requests were refused meanwhile", after-refusals)
	}
	if after := controllerRefusals(t); len(after) != len(logged) {
		t.Errorf("the controllers were refused:\n%s", strings.Join(after[len(logged):], "\n"))
	}
}

// denied is how many requests Fonster's policies have refused, by the API server's own count.
func denied(t *testing.T) int {
	t.Helper()
	metrics, err := shared.Kubectl("get", "--raw", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "apiserver_validating_admission_policy_check_total{") && strings.Contains(line, `enforcement_action="deny"`) && strings.Contains(line, `policy="fonster-`) {
			fields := strings.Fields(line)
			n, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += int(n)
		}
	}
	return sum
}

// policyRefusal finds a refusal in the log of a controller; TestPolicyRefusal holds it against what the API server says.
var policyRefusal = regexp.MustCompile(`.*ValidatingAdmissionPolicy.*denied.*`)

// controllerRefusals are the lines in the logs of the controllers, the scheduler and kwok that speak of a refusal.
func controllerRefusals(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, component := range []string{"kube-controller-manager", "kube-scheduler", "kwok-controller"} {
		log, err := shared.ComponentLog(component)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, policyRefusal.FindAllString(log, -1)...)
	}
	return lines
}

// TestPolicyRefusal: what a controller would log of a refusal is found.
func TestPolicyRefusal(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	err := setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:2")
	wantRefused(t, err)
	if line := fmt.Sprintf("E1125 10:00:00.000000 1 controller.go:1] \"Unhandled Error\" err=%q", err); !policyRefusal.MatchString(line) {
		t.Errorf("not seen as a refusal: %s", line)
	}
}

// node is a node that kwok simulates.
func node(name string) *corev1.Node {
	capacity := corev1.ResourceList{"cpu": resource.MustParse("64"), "memory": resource.MustParse("256Gi"), "pods": resource.MustParse("2000")}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}},
		Status:     corev1.NodeStatus{Allocatable: capacity, Capacity: capacity},
	}
}

// newNode creates a node, and waits until it takes pods.
func newNode(t *testing.T, name string) {
	t.Helper()
	n := node(name)
	n.Spec.Taints = []corev1.Taint{{Key: "for", Value: name, Effect: corev1.TaintEffectNoSchedule}}
	create(t, n)
	eventually(t, 60*time.Second, func() error {
		get(t, n)
		ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		if !ready || len(n.Spec.Taints) != 1 {
			return fmt.Errorf("node %s is not ready: %+v", name, n.Spec.Taints)
		}
		return nil
	})
}

// on makes the pods of a Deployment begin on a node of their own, and lets them run elsewhere later.
func on(node string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Key: "for", Value: node, Effect: corev1.TaintEffectNoSchedule}}
		d.Spec.Template.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
				Weight: 100, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}},
				}},
			}},
		}}
	}
}

// slowDeployment rolls out one pod every two seconds.
func slowDeployment(t *testing.T, namespace, name string) *appsv1.Deployment {
	t.Helper()
	return deployment(t, namespace, name, 5, func(d *appsv1.Deployment) {
		d.Spec.MinReadySeconds = 2
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxSurge: new(intstr.FromInt32(1)), MaxUnavailable: new(intstr.FromInt32(0)),
		}}
	})
}

func get(t *testing.T, o client.Object) {
	t.Helper()
	if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
}

// podsOf lists the pods of a Deployment.
func podsOf(t *testing.T, d *appsv1.Deployment) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := shared.Admin.List(t.Context(), &list, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// wantReplaced waits until a pod is gone and its Deployment ready without it.
func wantReplaced(t *testing.T, deployment string, pod corev1.Pod, limit time.Duration) {
	t.Helper()
	eventually(t, limit, func() error {
		var current corev1.Pod
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(&pod), &current); err == nil && current.UID == pod.UID {
			return fmt.Errorf("pod %s is still there", pod.Name)
		}
		var d appsv1.Deployment
		if err := shared.Admin.Get(t.Context(), types.NamespacedName{Namespace: pod.Namespace, Name: deployment}, &d); err != nil {
			return err
		}
		if d.Status.ReadyReplicas != *d.Spec.Replicas {
			return fmt.Errorf("%s: %+v", deployment, d.Status)
		}
		return nil
	})
}

func wantReplicas(t *testing.T, d *appsv1.Deployment, n int32) {
	t.Helper()
	eventually(t, 40*time.Second, func() error {
		get(t, d)
		if *d.Spec.Replicas != n || d.Status.Replicas != n {
			return fmt.Errorf("%d replicas, want %d", *d.Spec.Replicas, n)
		}
		return nil
	})
}

// TestDrain: of a node with governed and ungoverned pods, the ungoverned leave, the governed stay, and kubectl says when.
func TestDrain(t *testing.T) {
	governed, free := testName(t), testName(t)+"-free"
	namespace(t, governed)
	namespace(t, free)
	newNode(t, "node-drained")
	stays, leaves := deployment(t, governed, "stays", 2, on("node-drained")), deployment(t, free, "leaves", 2, on("node-drained"))
	staying, leaving := podsOf(t, stays), podsOf(t, leaves)
	for _, p := range append(staying, leaving...) {
		if p.Spec.NodeName != "node-drained" {
			t.Fatalf("pod %s runs on %s", p.Name, p.Spec.NodeName)
		}
	}
	window(t, governed, governed, nextYear(), everything)
	out, err := shared.Kubectl("drain", "node-drained", "--ignore-daemonsets", "--timeout=60s")
	if err == nil {
		t.Fatalf("the drain passed:\n%s", out)
	}
	for _, text := range []string{
		"Evict of Pod " + governed + "/stays-", "maintenance windows (" + governed + ")", "Next opening: ", "13 May", "09:00 UTC, by " + governed,
	} {
		if !strings.Contains(out, text) {
			t.Errorf("kubectl does not say %q:\n%s", text, out)
		}
	}
	for _, p := range leaving {
		wantReplaced(t, "leaves", p, 30*time.Second)
	}
	for _, p := range staying {
		var now corev1.Pod
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(&p), &now); err != nil || now.UID != p.UID || now.DeletionTimestamp != nil {
			t.Errorf("pod %s has not stayed: %v", p.Name, err)
		}
	}
}

// TestOperatorLast: everything restarts, and the operator does not come back: nodes register, leases renew, ungoverned
// namespaces work, and governed ones are still gated.
func TestOperatorLast(t *testing.T) {
	c := lend(t, "spare", cluster.Elected)
	o := operate(t, c)
	namespace(t, "cold")
	namespace(t, "cold-free")
	d := deployment(t, "cold", "web", 2)
	window(t, "cold", "cold", nextYear(), everything)
	o.Kill()
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}

	restarted := time.Now()
	pod := podsOf(t, d)[0]
	// Until the API server has read what a Gate is, it refuses to everybody; and each policy finds the Gates by itself.
	for what, ask := range map[string]func() error{
		"Rollout of Deployment cold/web": func() error { return setImage(t.Context(), c.Admin, d, "app:2") },
		"Delete of Pod":                  func() error { return c.Admin.Delete(t.Context(), &pod) },
	} {
		eventually(t, 30*time.Second, func() error {
			err := ask()
			if err == nil {
				t.Fatalf("%s passed the closed gate after the restart", what)
			}
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), what) {
				return err // 503, or the policy is not ready
			}
			return nil
		})
		t.Logf("%s: refused by its gate %d ms after the API server said that it was ready", what, time.Since(restarted).Milliseconds())
	}
	newNode(t, "node-new")
	eventually(t, 2*time.Minute, func() error { // the nodes' run out before the new kwok may renew them
		for _, lease := range []types.NamespacedName{
			{Namespace: "kube-system", Name: "kube-controller-manager"}, {Namespace: "kube-system", Name: "kube-scheduler"},
			{Namespace: "kube-node-lease", Name: "node-1"}, {Namespace: "kube-node-lease", Name: "node-2"}, {Namespace: "kube-node-lease", Name: "node-new"},
		} {
			var l coordinationv1.Lease
			if err := c.Admin.Get(t.Context(), lease, &l); err != nil {
				return err
			}
			if l.Spec.RenewTime == nil || !l.Spec.RenewTime.After(restarted) {
				return fmt.Errorf("%s has not renewed its lease", lease)
			}
		}
		return nil
	})
	free := deployment(t, "cold-free", "web", 2)
	wantPassed(t, setImage(t.Context(), c.Admin, free, "app:2"))
	eventually(t, 60*time.Second, func() error {
		get(t, free)
		if free.Status.UpdatedReplicas != 2 || free.Status.ReadyReplicas != 2 {
			return fmt.Errorf("not rolled out: %+v", free.Status)
		}
		return nil
	})
	replaced := podsOf(t, d)[0]
	replaced.Status.Phase = corev1.PodFailed
	wantPassed(t, c.Admin.Status().Update(t.Context(), &replaced))
	eventually(t, 30*time.Second, func() error {
		get(t, d)
		if d.Status.ReadyReplicas != 2 {
			return fmt.Errorf("the failed pod is not replaced: %+v", d.Status)
		}
		return nil
	})
	wantRefused(t, setImage(t.Context(), c.Admin, d, "app:2"), "Rollout of Deployment cold/web")
	if lines := slices.DeleteFunc(controllerRefusals(t), func(line string) bool { return strings.Contains(line, "failed to configure policy") }); len(lines) > 0 {
		t.Errorf("the controllers were refused:\n%s", strings.Join(lines, "\n"))
	}
	operate(t, c)
}
