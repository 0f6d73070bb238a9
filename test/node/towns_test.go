package node

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

	"fonster.dev/fonster/api/v1alpha1"
)

// town is a namespace with a workload that serves, and where it is governed the window over it.
type town struct {
	*world
	name   string
	window *v1alpha1.MaintenanceWindow
	web    *appsv1.Deployment
}

// restricted is what Pod Security wants of every pod where it enforces restricted.
func restricted(image string, args ...string) corev1.PodSpec {
	return corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "main", Image: image, Args: args,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}

// web is a Deployment that serves its version, and is ready 2 s after its start.
func web(namespace, name string, replicas int32) *appsv1.Deployment {
	pod := restricted(registry+"/web:1", "-version=1", "-ready-after=2s")
	pod.Containers[0].ReadinessProbe = &corev1.Probe{
		PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080)}},
	}
	pod.TerminationGracePeriodSeconds = new(int64(10))
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1))}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}}, Spec: pod},
		},
	}
}

// found makes a town; where enforcement is empty, no window lies over it. A window is closed for a year.
func (w *world) found(t *testing.T, name string, replicas int32, enforcement v1alpha1.Enforcement, disruptions ...v1alpha1.Disruption) *town {
	t.Helper()
	town := &town{world: w, name: name, web: web(name, "web", replicas)}
	w.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kommun": name, "pod-security.kubernetes.io/enforce": "restricted"}}})
	w.create(t, town.web.DeepCopy())
	if enforcement == "" {
		return town
	}
	town.window = &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MaintenanceWindowSpec{
			Title: "Servicefönster " + name, TimeZone: "UTC", Schedules: wholeDays(time.Now().AddDate(1, 0, 0)),
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kommun": name}}, Enforcement: enforcement, Disruptions: disruptions,
		},
	}
	w.create(t, town.window)
	return town
}

// wholeDays is a day and the next, as a test may run past midnight.
func wholeDays(day time.Time) []v1alpha1.Schedule {
	day = day.UTC()
	return []v1alpha1.Schedule{{Dates: []string{day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)}, StartTime: new("00:00"), EndTime: new("24:00")}}
}

// plan gives the window another schedule.
func (o *town) plan(t *testing.T, day time.Time) {
	t.Helper()
	before := o.window.DeepCopy()
	o.window.Spec.Schedules = wholeDays(day)
	if err := o.admin.Patch(t.Context(), o.window, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func (o *town) open(t *testing.T)  { t.Helper(); o.plan(t, time.Now()) }
func (o *town) close(t *testing.T) { t.Helper(); o.plan(t, time.Now().AddDate(1, 0, 0)) }

// roll gives a workload the arguments of another version.
func roll(ctx context.Context, c client.Client, d *appsv1.Deployment, args ...string) error {
	before := d.DeepCopy()
	after := before.DeepCopy()
	after.Spec.Template.Spec.Containers[0].Args = args
	return c.Patch(ctx, after, client.MergeFrom(before))
}

// refuses says whether a rollout is refused now, of which nothing is kept.
func (o *town) refuses(ctx context.Context) error {
	return roll(ctx, client.NewDryRunClient(o.admin), o.web.DeepCopy(), "-version=tried")
}

// state reads a Deployment.
func (w *world) state(t *testing.T, namespace, name string) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := w.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// rolledOut says whether all replicas of a Deployment are those of its template, and ready.
func (w *world) rolledOut(t *testing.T, namespace, name string) error {
	t.Helper()
	d := w.state(t, namespace, name)
	want := *d.Spec.Replicas
	if s := d.Status; s.ObservedGeneration < d.Generation || s.Replicas != want || s.UpdatedReplicas != want || s.ReadyReplicas != want || s.AvailableReplicas != want {
		return fmt.Errorf("%s/%s: %+v, want %d ready", namespace, name, s, want)
	}
	return nil
}

// pods of a namespace with a label app.kubernetes.io/name or app, those that end already left out, by name.
func (w *world) pods(t *testing.T, namespace, key, value string) []corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	if err := w.admin.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{key: value}); err != nil {
		t.Fatal(err)
	}
	var running []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			running = append(running, p)
		}
	}
	return running
}
