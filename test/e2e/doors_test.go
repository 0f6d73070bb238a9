package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/doors"
)

// attempt is one request to a workload that exists and runs, prepared by a first change that must pass.
type attempt struct {
	// object makes the workload in a namespace.
	object func(namespace string) client.Object
	// prepare changes it before any window exists, step by step.
	prepare []func(client.Object)
	// change makes the attempt's update; nil: the attempt is a delete.
	change func(client.Object)
	// disruptive says that it must be refused while closed.
	disruptive bool
}

func newDeployment(replicas int32, change ...func(*appsv1.Deployment)) func(string) client.Object {
	return func(namespace string) client.Object {
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
			Spec:       appsv1.DeploymentSpec{Replicas: new(replicas), Selector: selector("web"), Template: template("web", "app:1")},
		}
		for _, c := range change {
			c(d)
		}
		return d
	}
}

func newStatefulSet(replicas int32, change ...func(*appsv1.StatefulSet)) func(string) client.Object {
	return func(namespace string) client.Object {
		s := &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "db"},
			Spec: appsv1.StatefulSetSpec{
				Replicas: new(replicas), Selector: selector("db"), Template: template("db", "app:1"), ServiceName: "db",
				PodManagementPolicy: appsv1.ParallelPodManagement,
			},
		}
		for _, c := range change {
			c(s)
		}
		return s
	}
}

func newDaemonSet(change ...func(*appsv1.DaemonSet)) func(string) client.Object {
	return func(namespace string) client.Object {
		d := &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "agent"},
			Spec:       appsv1.DaemonSetSpec{Selector: selector("agent"), Template: template("agent", "app:1")},
		}
		for _, c := range change {
			c(d)
		}
		return d
	}
}

func onDeployment(change func(*appsv1.Deployment)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.Deployment)) }
}

func onStatefulSet(change func(*appsv1.StatefulSet)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.StatefulSet)) }
}

func onDaemonSet(change func(*appsv1.DaemonSet)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.DaemonSet)) }
}

// newImage changes the pod template of any workload.
func newImage(o client.Object) {
	switch w := o.(type) {
	case *appsv1.Deployment:
		w.Spec.Template.Spec.Containers[0].Image = "app:2"
	case *appsv1.StatefulSet:
		w.Spec.Template.Spec.Containers[0].Image = "app:2"
	case *appsv1.DaemonSet:
		w.Spec.Template.Spec.Containers[0].Image = "app:2"
	}
}

func label(o client.Object) { o.SetLabels(map[string]string{"note": "seen"}) }

func partition(n int32) appsv1.StatefulSetUpdateStrategy {
	return appsv1.StatefulSetUpdateStrategy{
		Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(n)},
	}
}

var (
	paused   = func(d *appsv1.Deployment) { d.Spec.Paused = true }
	onDelete = func(d *appsv1.DaemonSet) { d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType }
	manual   = func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }
)

// attempts are rows 1, 3 and 8 of docs/doors.md: what is gated, and beside it what passes on purpose.
var attempts = map[string]attempt{
	"deployment: a new image":                               {newDeployment(2), nil, newImage, true},
	"deployment: a new image without pods passes":           {newDeployment(0), nil, newImage, false},
	"deployment: a label passes":                            {newDeployment(2), nil, label, false},
	"deployment: scaling up passes":                         {newDeployment(2), nil, onDeployment(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) }), false},
	"deployment: a new image while paused passes":           {newDeployment(2), steps(onDeployment(paused)), newImage, false},
	"deployment: pausing passes":                            {newDeployment(2), nil, onDeployment(paused), false},
	"deployment: resuming with a change to roll out":        {newDeployment(2), steps(onDeployment(paused), newImage), onDeployment(func(d *appsv1.Deployment) { d.Spec.Paused = false }), true},
	"deployment: resuming with nothing to roll out passes":  {newDeployment(2), steps(onDeployment(paused)), onDeployment(func(d *appsv1.Deployment) { d.Spec.Paused = false }), false},
	"deployment: another strategy with nothing to roll out": {newDeployment(2), nil, onDeployment(surge), false},
	"deployment: delete":                                    {newDeployment(2), nil, nil, true},
	"deployment: a finalizer passes":                        {newDeployment(2), nil, func(o client.Object) { o.SetFinalizers([]string{"example.com/guard"}) }, false},

	"statefulset: a new image":                                   {newStatefulSet(2), nil, newImage, true},
	"statefulset: a new image without pods passes":               {newStatefulSet(0), nil, newImage, false},
	"statefulset: a label passes":                                {newStatefulSet(2), nil, label, false},
	"statefulset: scaling up passes":                             {newStatefulSet(2), nil, onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(3)) }), false},
	"statefulset: a new image under OnDelete passes":             {newStatefulSet(2, manual), nil, newImage, false},
	"statefulset: a new image behind the partition passes":       {newStatefulSet(2, parked), nil, newImage, false},
	"statefulset: a lower partition with a change to roll out":   {newStatefulSet(2, parked), steps(newImage), onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(1) }), true},
	"statefulset: a lower partition with nothing to roll out":    {newStatefulSet(2, parked), nil, onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(0) }), false},
	"statefulset: a higher partition passes":                     {newStatefulSet(2), nil, onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(2) }), false},
	"statefulset: RollingUpdate again with a change to roll out": {newStatefulSet(2, manual), steps(newImage), onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(0) }), true},
	"statefulset: other ordinals":                                {newStatefulSet(2), nil, onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5} }), true},
	"statefulset: delete":                                        {newStatefulSet(2), nil, nil, true},

	"daemonset: a new image":                                   {newDaemonSet(), nil, newImage, true},
	"daemonset: a new image without pods passes":               {newDaemonSet(nowhere), nil, newImage, false},
	"daemonset: a label passes":                                {newDaemonSet(), nil, label, false},
	"daemonset: a new image under OnDelete passes":             {newDaemonSet(onDelete), nil, newImage, false},
	"daemonset: other nodes under OnDelete":                    {newDaemonSet(onDelete), nil, onDaemonSet(nowhere), true},
	"daemonset: RollingUpdate again with a change to roll out": {newDaemonSet(onDelete), steps(newImage), onDaemonSet(rolling), true},
	"daemonset: RollingUpdate again with nothing to roll out":  {newDaemonSet(onDelete), nil, onDaemonSet(rolling), false},
	"daemonset: delete":                                        {newDaemonSet(), nil, nil, true},
}

func steps(s ...func(client.Object)) []func(client.Object) { return s }

func surge(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: new(intstr.FromInt32(2))},
	}
}

func parked(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(2) }

func nowhere(d *appsv1.DaemonSet) {
	d.Spec.Template.Spec.NodeSelector = map[string]string{"no-such-node": "true"}
}

func rolling(d *appsv1.DaemonSet) {
	d.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType}
}

// TestDoors holds every attempt against a closed gate, an open gate, a warning gate, and no gate; and against a closed gate as
// the control plane.
func TestDoors(t *testing.T) {
	for _, ns := range []string{"doors-closed", "doors-open", "doors-warn", "doors-free", "doors-exempt"} {
		namespace(t, ns)
	}
	prepareAll(t)
	window(t, "doors-closed", "doors-closed", nextYear())
	window(t, "doors-exempt", "doors-exempt", nextYear())
	window(t, "doors-open", "doors-open", always())
	window(t, "doors-warn", "doors-warn", nextYear(), warn)

	for name, a := range attempts {
		t.Run(name, func(t *testing.T) {
			for _, ns := range []string{"doors-open", "doors-warn", "doors-free"} {
				if err := try(t.Context(), shared.Admin, ns, name, a); err != nil {
					t.Errorf("in %s: want it to pass, got: %v", ns, err)
				}
			}
			err := try(t.Context(), shared.Admin, "doors-closed", name, a)
			if !a.disruptive {
				wantPassed(t, err)
				return
			}
			wantRefused(t, err, "doors-closed/"+objectName(name), "maintenance windows (doors-closed)", "13 May", "09:00 UTC", "In an emergency:")
			controller, err := shared.As("system:serviceaccount:kube-system:generic-garbage-collector", "system:masters")
			if err != nil {
				t.Fatal(err)
			}
			wantPassed(t, try(t.Context(), controller, "doors-exempt", name, a))
		})
	}
}

// objectName gives each attempt a workload of its own.
func objectName(attempt string) string {
	var hash uint32 = 2166136261
	for _, b := range []byte(attempt) {
		hash = (hash ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("w%08x", hash)
}

// prepareAll creates the workload of every attempt in every namespace, waits for the pods, and makes the first changes.
func prepareAll(t *testing.T) {
	t.Helper()
	namespaces := []string{"doors-closed", "doors-open", "doors-warn", "doors-free", "doors-exempt"}
	each := func(do func(o client.Object, a attempt) error) {
		for name, a := range attempts {
			for _, ns := range namespaces {
				o := a.object(ns)
				o.SetName(objectName(name))
				rename(o, objectName(name))
				eventually(t, 60*time.Second, func() error { return do(o, a) })
			}
		}
	}
	each(func(o client.Object, _ attempt) error { return shared.Admin.Create(t.Context(), o) })
	each(func(o client.Object, _ attempt) error { return isSettled(t.Context(), o) })
	for step := range 2 {
		each(func(o client.Object, a attempt) error {
			if step >= len(a.prepare) {
				return nil
			}
			if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			a.prepare[step](o)
			return shared.Admin.Update(t.Context(), o)
		})
		each(func(o client.Object, _ attempt) error { return isSettled(t.Context(), o) })
	}
	// No windows are in force yet, and the namespaces go as a whole after the test.
}

// rename gives a workload's pods a label of their own.
func rename(o client.Object, app string) {
	labels := map[string]string{"app": app}
	switch w := o.(type) {
	case *appsv1.Deployment:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = labels, labels
	case *appsv1.StatefulSet:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = labels, labels
	case *appsv1.DaemonSet:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = labels, labels
	}
}

// isSettled says whether the controller has seen the object and its pods run.
func isSettled(ctx context.Context, o client.Object) error {
	if err := shared.Admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return err
	}
	settled := false
	switch w := o.(type) {
	case *appsv1.Deployment:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.ReadyReplicas == *w.Spec.Replicas
	case *appsv1.StatefulSet:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.ReadyReplicas == *w.Spec.Replicas
	case *appsv1.DaemonSet:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.NumberReady == w.Status.DesiredNumberScheduled
	}
	if !settled {
		return fmt.Errorf("%T %s/%s has not settled", o, o.GetNamespace(), o.GetName())
	}
	return nil
}

// try makes an attempt as a client.
func try(ctx context.Context, c client.Client, namespace, name string, a attempt) error {
	o := a.object(namespace)
	o.SetName(objectName(name))
	if a.change == nil {
		return c.Delete(ctx, o)
	}
	if err := shared.Admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return err
	}
	a.change(o)
	return c.Update(ctx, o)
}

// TestEveryDoorIsTried keeps the table of doors and the attempts above together.
func TestEveryDoorIsTried(t *testing.T) {
	tried := map[string]bool{}
	for _, a := range attempts {
		if !a.disruptive {
			continue
		}
		var resource string
		switch a.object("x").(type) {
		case *appsv1.Deployment:
			resource = "deployments"
		case *appsv1.StatefulSet:
			resource = "statefulsets"
		case *appsv1.DaemonSet:
			resource = "daemonsets"
		}
		operation := "UPDATE"
		if a.change == nil {
			operation = "DELETE"
		}
		tried[resource+" "+operation] = true
	}
	for _, f := range doors.Families {
		for _, d := range f.Doors {
			if !tried[d.Resource+" "+d.Operation] {
				t.Errorf("door %s has no attempt", d.Name)
			}
		}
	}
}

// TestDeleteCollection is row 7 for workloads: request.name is empty there.
func TestDeleteCollection(t *testing.T) {
	ns := name(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	err := shared.Admin.DeleteAllOf(t.Context(), &appsv1.Deployment{}, client.InNamespace(ns))
	wantRefused(t, err, "Delete of Deployment "+ns+"/"+d.Name)
}

// TestMidRollout is the rest of row 3: more at once in the middle of a rollout.
func TestMidRollout(t *testing.T) {
	ns := name(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 2)
	// A rollout that cannot finish: its pods find no node.
	d.Spec.Template.Spec.NodeSelector = map[string]string{"no-such-node": "true"}
	wantPassed(t, shared.Admin.Update(t.Context(), d))
	eventually(t, 10*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas == 0 {
			return fmt.Errorf("the rollout has not begun: %+v", d.Status)
		}
		return nil
	})
	window(t, ns, ns, nextYear())
	surge(d)
	wantRefused(t, shared.Admin.Update(t.Context(), d), "Rollout of Deployment")
	eventually(t, 5*time.Second, func() error { return shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(d), d) })
	d.Spec.Paused = true
	wantPassed(t, shared.Admin.Update(t.Context(), d))
}

// TestIdentities tells who passes a closed gate: the control plane by exact names, and nobody who only looks like it.
func TestIdentities(t *testing.T) {
	ns := name(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	image := 1
	as := func(user string, groups ...string) error {
		c, err := shared.As(user, append(groups, "system:masters")...)
		if err != nil {
			t.Fatal(err)
		}
		image++
		return setImage(t.Context(), c, d, fmt.Sprintf("app:%d", image))
	}
	for _, user := range doors.ExemptUsers() {
		if err := as(user); err != nil {
			t.Errorf("%s should pass: %v", user, err)
		}
	}
	wantPassed(t, as("system:node:n1", "system:nodes"))
	for _, user := range []string{
		"kubernetes-admin", "system:kube-controller-manager2", "system:serviceaccount:kube-system:default",
		"system:serviceaccount:kube-system:deployment-controller-x", "system:serviceaccount:default:deployment-controller",
		"system:serviceaccount:fonster-system:default",
	} {
		t.Run(user, func(t *testing.T) { wantRefused(t, as(user), "Rollout of Deployment") })
	}
}

// TestDryRun: a dry run gets the same verdict.
func TestDryRun(t *testing.T) {
	ns := name(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	wantRefused(t, setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:2"), "Rollout of Deployment")
}

// TestProtectedNamespaces: they are never governed, whatever a selector says.
func TestProtectedNamespaces(t *testing.T) {
	window(t, name(t), "", nextYear(), everywhere)
	d := deployment(t, "kube-system", "web", 1)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	d = deployment(t, corev1.NamespaceDefault, "web", 1)
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment default/web")
}
