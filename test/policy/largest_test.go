package cost

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/gate"
)

var (
	apps        = schema.GroupVersion{Group: "apps", Version: "v1"}
	core        = schema.GroupVersion{Version: "v1"}
	definitions = schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}
	now         = metav1.NewTime(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
)

// requests are the largest of each kind: a mebibyte, with everything changed that a door looks at.
func requests() []request {
	deployment, newDeployment := workload("a"), workload("b")
	overriding := newDeployment.DeepCopy()
	overriding.Annotations["maintenance.fonster.dev/override"], overriding.Generation = strings.Repeat("x", 256), 2
	overriding.Annotations["maintenance.fonster.dev/override-until"] = "2099-01-01T00:00:00Z"
	newDeployment.Generation, newDeployment.Spec.Replicas = 2, new(int32(1))
	newDeployment.Labels["another"] = "label"
	heldDeployment := newDeployment.DeepCopy()
	heldDeployment.Labels[doors.HeldLabel], heldDeployment.Labels[doors.HeldSinceLabel], heldDeployment.Spec.Paused = doors.HeldWaiting, "2026-11-23T12.00.00Z", true
	releasedDeployment := heldDeployment.DeepCopy()
	releasedDeployment.Labels[doors.HeldLabel], releasedDeployment.Spec.Paused, releasedDeployment.Generation = doors.HeldReleasing, false, 3
	heldDeployment.ManagedFields[63].Time = new(metav1.NewTime(now.Add(time.Hour)))
	statefulSet := &appsv1.StatefulSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.StatefulSetSpec{Template: deployment.Spec.Template, Replicas: new(int32(3))}}
	newStatefulSet := &appsv1.StatefulSet{ObjectMeta: newDeployment.ObjectMeta, Spec: appsv1.StatefulSetSpec{Template: newDeployment.Spec.Template, Replicas: new(int32(1))}}
	daemonSet := &appsv1.DaemonSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.DaemonSetSpec{Template: deployment.Spec.Template}}
	newDaemonSet := &appsv1.DaemonSet{ObjectMeta: newDeployment.ObjectMeta, Spec: appsv1.DaemonSetSpec{Template: newDeployment.Spec.Template, UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: "RollingUpdate"}}}
	replicaSet := &appsv1.ReplicaSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.ReplicaSetSpec{Template: deployment.Spec.Template}}
	newReplicaSet := &appsv1.ReplicaSet{ObjectMeta: newDeployment.ObjectMeta, Spec: appsv1.ReplicaSetSpec{Template: newDeployment.Spec.Template}}
	pod := &corev1.Pod{ObjectMeta: deployment.ObjectMeta, Spec: deployment.Spec.Template.Spec}
	newPod := &corev1.Pod{ObjectMeta: newDeployment.ObjectMeta, Spec: newDeployment.Spec.Template.Spec}
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}, Spec: autoscalingv1.ScaleSpec{Replicas: 3}, Status: autoscalingv1.ScaleStatus{Replicas: 3, Selector: strings.Repeat("k=v,", 1000)}}
	newScale := scale.DeepCopy()
	newScale.Spec.Replicas = 1
	namespace := largestNamespace()
	newNamespace := namespace.DeepCopy()
	newNamespace.Labels["k0"] = "other"
	overriddenNamespace := namespace.DeepCopy()
	overriddenNamespace.Annotations = overriding.Annotations
	rc := &corev1.ReplicationController{ObjectMeta: deployment.ObjectMeta, Spec: corev1.ReplicationControllerSpec{Template: &deployment.Spec.Template, Replicas: new(int32(3))}}
	newRC := &corev1.ReplicationController{ObjectMeta: newDeployment.ObjectMeta, Spec: corev1.ReplicationControllerSpec{Template: &newDeployment.Spec.Template, Replicas: new(int32(1))}}
	revision, newRevision := &appsv1.ControllerRevision{ObjectMeta: deployment.ObjectMeta}, &appsv1.ControllerRevision{ObjectMeta: newDeployment.ObjectMeta}
	autoscaler, newAutoscaler := largestAutoscaler(deployment.ObjectMeta, 80), largestAutoscaler(newDeployment.ObjectMeta, 90)
	autoscaling := schema.GroupVersion{Group: "autoscaling", Version: "v2"}
	large := selector(requirements, values)
	window := &v1alpha1.MaintenanceWindow{ObjectMeta: deployment.ObjectMeta, Spec: v1alpha1.MaintenanceWindowSpec{NamespaceSelector: &large, ObjectSelector: &large}}
	ours := schema.GroupVersion{Group: "maintenance.fonster.dev", Version: "v1alpha1"}
	create := func(policy string, gvk schema.GroupVersionKind, resource string, object runtime.Object) request {
		return request{"CREATE " + resource, policy, gvk, resource, "", admission.Create, object, nil}
	}
	update := func(policy string, gvk schema.GroupVersionKind, resource, subresource string, object, old runtime.Object) request {
		return request{"UPDATE " + resource + "/" + subresource, policy, gvk, resource, subresource, admission.Update, object, old}
	}
	remove := func(policy string, gvk schema.GroupVersionKind, resource string, old runtime.Object) request {
		return request{"DELETE " + resource, policy, gvk, resource, "", admission.Delete, nil, old}
	}
	return []request{
		update("workloads", apps.WithKind("Deployment"), "deployments", "", newDeployment, deployment),
		{"UPDATE deployments/ with an override", "workloads", apps.WithKind("Deployment"), "deployments", "", admission.Update, overriding, deployment},
		update("workloads", apps.WithKind("StatefulSet"), "statefulsets", "", newStatefulSet, statefulSet),
		update("workloads", apps.WithKind("DaemonSet"), "daemonsets", "", newDaemonSet, daemonSet),
		remove("workloads", apps.WithKind("Deployment"), "deployments", deployment),
		update("replicas", apps.WithKind("ReplicaSet"), "replicasets", "", newReplicaSet, replicaSet),
		remove("replicas", apps.WithKind("ReplicaSet"), "replicasets", replicaSet),
		create("creations", apps.WithKind("ReplicaSet"), "replicasets", replicaSet),
		create("creations", apps.WithKind("ControllerRevision"), "controllerrevisions", revision),
		create("autoscalers", autoscaling.WithKind("HorizontalPodAutoscaler"), "horizontalpodautoscalers", autoscaler),
		update("autoscalers", autoscaling.WithKind("HorizontalPodAutoscaler"), "horizontalpodautoscalers", "", newAutoscaler, autoscaler),
		update("scales", schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Scale"}, "replicasets", "scale", newScale, scale),
		update("pods", core.WithKind("Pod"), "pods", "", newPod, pod),
		update("pods", core.WithKind("Pod"), "pods", "resize", newPod, pod),
		remove("pods", core.WithKind("Pod"), "pods", pod),
		update("scales", schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Scale"}, "deployments", "scale", newScale, scale),
		{"CREATE pods/eviction", "evictions", schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "Eviction"}, "pods", "eviction", admission.Create, &policyv1.Eviction{ObjectMeta: deployment.ObjectMeta}, nil},
		update("fonster-namespaces", core.WithKind("Namespace"), "namespaces", "", newNamespace, namespace),
		remove("fonster-namespaces", core.WithKind("Namespace"), "namespaces", namespace),
		update("fonster-held", apps.WithKind("Deployment"), "deployments", "", heldDeployment, deployment),
		update("fonster-held-keep", apps.WithKind("Deployment"), "deployments", "", newDeployment, heldDeployment),
		update("fonster-overrides", apps.WithKind("Deployment"), "deployments", "", overriding, deployment),
		update("holds", apps.WithKind("Deployment"), "deployments", "", heldDeployment, deployment),
		update("fonster-hold", apps.WithKind("Deployment"), "deployments", "", newDeployment, deployment),
		update("fonster-hold", apps.WithKind("StatefulSet"), "statefulsets", "", newStatefulSet, statefulSet),
		update("replicas", core.WithKind("ReplicationController"), "replicationcontrollers", "", newRC, rc),
		update("replicas", apps.WithKind("ControllerRevision"), "controllerrevisions", "", newRevision, revision),
		update("fonster-status", apps.WithKind("Deployment"), "deployments", "status", newDeployment, deployment),
		{"UPDATE namespaces/ with an override", "fonster-namespaces", core.WithKind("Namespace"), "namespaces", "", admission.Update, overriddenNamespace, namespace},
		{"CREATE namespaces with an override", "fonster-namespaces", core.WithKind("Namespace"), "namespaces", "", admission.Create, overriddenNamespace, nil},
		{"CREATE deployments with an override", "fonster-overrides-create", apps.WithKind("Deployment"), "deployments", "", admission.Create, overriding, nil},
		update("fonster-overrides-note", apps.WithKind("Deployment"), "deployments", "", overriding, deployment),
		update("fonster-overrides-stamp", apps.WithKind("Deployment"), "deployments", "", overriding, deployment),
		create("fonster-overrides-stamp", apps.WithKind("Deployment"), "deployments", overriding),
		update("fonster-overrides-stamp-namespaces", core.WithKind("Namespace"), "namespaces", "", overriddenNamespace, namespace),
		create("fonster-selectors", ours.WithKind("MaintenanceWindow"), "maintenancewindows", window),
		create("fonster-gates", ours.WithKind("Gate"), "gates", &v1alpha1.Gate{ObjectMeta: deployment.ObjectMeta}),
		update("fonster-hold", apps.WithKind("DaemonSet"), "daemonsets", "", newDaemonSet, daemonSet),
		update("fonster-operator", apps.WithKind("Deployment"), "deployments", "", releasedDeployment, heldDeployment),
		update("fonster-operator", apps.WithKind("StatefulSet"), "statefulsets", "", newStatefulSet, statefulSet),
		update("fonster-operator", apps.WithKind("DaemonSet"), "daemonsets", "", newDaemonSet, daemonSet),
		update("fonster-operator", core.WithKind("Namespace"), "namespaces", "", overriddenNamespace, namespace),
		update("fonster-pod-labels", apps.WithKind("Deployment"), "deployments", "", newDeployment, deployment),
		create("fonster-pod-labels", apps.WithKind("Deployment"), "deployments", newDeployment),
		remove("fonster-crds", definitions.WithKind("CustomResourceDefinition"), "customresourcedefinitions", definition()),
		update("fonster-crds", definitions.WithKind("CustomResourceDefinition"), "customresourcedefinitions", "", definition(), definition()),
		update("fonster-crds", definitions.WithKind("CustomResourceDefinition"), "customresourcedefinitions", "status", definition(), definition()),
	}
}

// largestAutoscaler has thousands of metrics, of which the last is another.
func largestAutoscaler(metadata metav1.ObjectMeta, utilization int32) *autoscalingv2.HorizontalPodAutoscaler {
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metadata, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 9}}
	for i := range 5000 {
		h.Spec.Metrics = append(h.Spec.Metrics, autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
			Name: corev1.ResourceCPU, Container: fmt.Sprintf("c%d", i), Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
		}})
	}
	h.Spec.Metrics[4999].ContainerResource.Target.AverageUtilization = &utilization
	return h
}

// definition is a CRD with as many versions as anybody has.
func definition() runtime.Object {
	var versions []any
	for i := range 100 {
		versions = append(versions, map[string]any{"name": fmt.Sprintf("v%d", i), "served": true})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "gates.maintenance.fonster.dev"},
		"spec":     map[string]any{"group": "maintenance.fonster.dev", "versions": versions},
		"status":   map[string]any{"acceptedNames": map[string]any{"kind": "Gate"}},
	}}
}

// largest is metadata at the limits: 256 KiB of annotations in many short keys, thousands of labels, many owners and writers.
func largest(mark string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "team", Name: "web", Generation: 1, Labels: manyLabels(2000), Annotations: map[string]string{"note": mark}}
	for i := range 25000 {
		m.Annotations[fmt.Sprintf("a%d", i)] = "v"
	}
	for i := range 64 {
		m.ManagedFields = append(m.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: fmt.Sprintf("manager-%02d", i), Operation: metav1.ManagedFieldsOperationUpdate, Time: new(metav1.NewTime(now.Add(time.Duration(i) * time.Second))),
		})
	}
	for i := range 16 {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{Kind: "ConfigMap", Name: fmt.Sprintf("%s-%d", mark, i)})
	}
	return m
}

// manyLabels holds every key that the gate's selectors ask for, and more.
func manyLabels(n int) map[string]string {
	labels := map[string]string{}
	for i := range requirements {
		labels[fmt.Sprintf("k%d", i)] = lastValue
	}
	for i := range n {
		labels[fmt.Sprintf("l0-%d", i)] = "v"
	}
	return labels
}

// workload is a Deployment of about a mebibyte: many containers with long environments.
func workload(mark string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: largest(mark), Spec: appsv1.DeploymentSpec{Replicas: new(int32(3))}, Status: appsv1.DeploymentStatus{Replicas: 3}}
	for i := range 200 {
		c := corev1.Container{
			Name: fmt.Sprintf("c%d", i), Image: fmt.Sprintf("app:%s", mark),
			ResizePolicy: []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceCPU, RestartPolicy: corev1.NotRequired}, {ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.NotRequired}},
		}
		for j := range 20 {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("E%d", j), Value: strings.Repeat("x", 200)})
		}
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, c)
	}
	return d
}

func largestNamespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team", Labels: manyLabels(1000)}}
}

// Bounds of a selector, as fonster-selectors keeps them.
const (
	requirements = 32
	values       = 64 / requirements
	lastValue    = "last"
)

// overlap says how many openings of other targets a gate has room for, with what requirements. See gate.MaxAlsoOpenBytes.
type overlap struct{ number, requirements, values int }

var (
	small = gate.Overlap{Target: gate.Target{Namespaces: shortest(1, 1)}}
	large = gate.Overlap{Target: gate.Target{Namespaces: shortest(requirements, values), Objects: shortest(requirements, values)}}
)

// shortest is a selector that needs as few bytes as one with so many requirements and values can.
func shortest(requirements, values int) gate.Selector {
	s := make(gate.Selector, requirements)
	for i := range s {
		s[i] = gate.Requirement{Key: "k", Operator: gate.In, Values: make([]string, values)}
	}
	return s
}

var overlaps = map[string]overlap{
	"many small openings": {gate.MaxAlsoOpenBytes / small.Bytes(), 1, 1},
	"few large openings":  {gate.MaxAlsoOpenBytes / large.Bytes(), requirements, values},
}

// selector matches manyLabels by its last values, so that nothing ends its evaluation early.
func selector(requirements, values int) metav1.LabelSelector {
	var s metav1.LabelSelector
	for i := range requirements {
		r := metav1.LabelSelectorRequirement{Key: fmt.Sprintf("k%d", i), Operator: metav1.LabelSelectorOpIn}
		for j := range values - 1 {
			r.Values = append(r.Values, fmt.Sprintf("value-%d", j))
		}
		r.Values = append(r.Values, lastValue)
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	return s
}

// enforcing is a gate whose windows hold, or warn, where they would refuse; and whose freezes warn, where its windows do.
func enforcing(g *v1alpha1.Gate, e v1alpha1.Enforcement) *v1alpha1.Gate {
	g = g.DeepCopy()
	for i := range g.Spec.Disruptions {
		g.Spec.Disruptions[i].Enforcement = e
		for j := range g.Spec.Disruptions[i].Freezes {
			if e == v1alpha1.Warn {
				g.Spec.Disruptions[i].Freezes[j].Enforcement = v1alpha1.Warn
			}
		}
	}
	return g
}

// largestGate is closed in every way, and lists as many openings elsewhere as it may, of which the last requirement alone does
// not match.
func largestGate(size overlap) *v1alpha1.Gate {
	largest := selector(requirements, values)
	g := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: "largest"}, Spec: v1alpha1.GateSpec{NamespaceSelector: largest, ObjectSelector: &largest}}
	g.Spec.Exempt = &v1alpha1.GateExempt{}
	g.Spec.Overrides = &v1alpha1.GateOverrides{MaxDuration: metav1.Duration{Duration: time.Hour}}
	for i := range 8 {
		g.Spec.Overrides.Windows = append(g.Spec.Overrides.Windows, fmt.Sprintf("%s-%d", strings.Repeat("w", 250), i))
		g.Spec.Overrides.ReasonPatterns = append(g.Spec.Overrides.ReasonPatterns, ".*"+strings.Repeat("x", 250)+"|.*")
	}
	for i := range 32 {
		g.Spec.Exempt.Users = append(g.Spec.Exempt.Users, fmt.Sprintf("system:serviceaccount:namespace:%02d", i))
		g.Spec.Exempt.Groups = append(g.Spec.Exempt.Groups, fmt.Sprintf("some-group:%02d", i))
		g.Spec.Exempt.LeaderLabels = append(g.Spec.Exempt.LeaderLabels, fmt.Sprintf("example.com/leader-%02d", i))
	}
	all := []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
	for _, d := range all {
		state := v1alpha1.GateDisruption{
			Disruption: d, State: v1alpha1.GateClosed, Enforcement: v1alpha1.Deny, ClosesAt: &now, OpensAt: &now, Opens: strings.Repeat("o", 128), OpensWindow: strings.Repeat("w", 253),
			Freezes: []v1alpha1.GateFreeze{{Enforcement: v1alpha1.Deny, Name: strings.Repeat("f", 253), Reason: strings.Repeat("r", 256), StartsAt: new(metav1.NewTime(now.Add(24 * time.Hour)))}},
		}
		for i := range 8 {
			state.Windows = append(state.Windows, fmt.Sprintf("%s-%d", strings.Repeat("w", 250), i))
		}
		g.Spec.Disruptions = append(g.Spec.Disruptions, state)
	}
	last := selector(size.requirements, size.values)
	last.MatchExpressions[size.requirements-1].Operator = metav1.LabelSelectorOpNotIn
	for i := range size.number {
		o := v1alpha1.GateOverlap{Disruptions: all, Window: fmt.Sprintf("window-%d", i), NamespaceSelector: last, OpensAt: &now, Opens: strings.Repeat("o", 128)}
		if size.requirements > 1 {
			o.NamespaceSelector, o.ObjectSelector = selector(size.requirements, size.values), &last
		}
		o.ClosesAt = new(metav1.NewTime(now.Add(24 * time.Hour)))
		g.Spec.AlsoOpen = append(g.Spec.AlsoOpen, o)
		if i < 8 {
			g.Spec.NextOpenings = append(g.Spec.NextOpenings, o)
		}
	}
	return g
}
