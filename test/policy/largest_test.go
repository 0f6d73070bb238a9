package policy

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
	"fonster.dev/fonster/offline/evaluate"
)

var (
	apps        = schema.GroupVersion{Group: "apps", Version: "v1"}
	core        = schema.GroupVersion{Version: "v1"}
	definitions = schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}
)

// largestRequests are the largest of each kind: a mebibyte, with everything changed that a door looks at.
func largestRequests() []evaluate.Request {
	deployment, newDeployment := largestWorkload("a"), largestWorkload("b")
	overriding := newDeployment.DeepCopy()
	overriding.Annotations["maintenance.fonster.dev/override"], overriding.Generation = strings.Repeat("x", 256), 2
	// Everything about it is right, so that it is asked for every right that there is to ask for.
	overriding.Annotations[v1alpha1.OverrideUntilAnnotation] = later.Add(-time.Minute).Format(time.RFC3339)
	overriding.Annotations[v1alpha1.OverrideByAnnotation], overriding.Labels[v1alpha1.OverriddenLabel] = "developer", "true"
	standing := overriding.DeepCopy()
	standing.Labels[v1alpha1.OverriddenLabel], standing.Generation = "true", 1
	newDeployment.Generation, newDeployment.Spec.Replicas = 2, new(int32(1))
	newDeployment.Labels["another"] = "label"
	heldDeployment := newDeployment.DeepCopy()
	heldDeployment.Labels[v1alpha1.HeldLabel], heldDeployment.Labels[v1alpha1.HeldSinceLabel],
		heldDeployment.Spec.Paused = v1alpha1.HeldWaiting, "2026-11-23T12.00.00Z", true
	releasedDeployment := heldDeployment.DeepCopy()
	releasedDeployment.Labels[v1alpha1.HeldLabel], releasedDeployment.Spec.Paused, releasedDeployment.Generation = v1alpha1.HeldReleasing,
		false, 3
	heldDeployment.ManagedFields[63].Time = at(later)
	statefulSet := &appsv1.StatefulSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.StatefulSetSpec{Template: deployment.Spec.Template,
		Replicas: new(int32(3))}}
	newStatefulSet := &appsv1.StatefulSet{ObjectMeta: newDeployment.ObjectMeta,
		Spec: appsv1.StatefulSetSpec{Template: newDeployment.Spec.Template, Replicas: new(int32(1))}}
	daemonSet := &appsv1.DaemonSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.DaemonSetSpec{Template: deployment.Spec.Template}}
	newDaemonSet := &appsv1.DaemonSet{ObjectMeta: newDeployment.ObjectMeta,
		Spec: appsv1.DaemonSetSpec{Template: newDeployment.Spec.Template,
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: "RollingUpdate"}}}
	replicaSet := &appsv1.ReplicaSet{ObjectMeta: deployment.ObjectMeta, Spec: appsv1.ReplicaSetSpec{Template: deployment.Spec.Template}}
	newReplicaSet := &appsv1.ReplicaSet{ObjectMeta: newDeployment.ObjectMeta,
		Spec: appsv1.ReplicaSetSpec{Template: newDeployment.Spec.Template}}
	pod := &corev1.Pod{ObjectMeta: deployment.ObjectMeta, Spec: deployment.Spec.Template.Spec}
	newPod := &corev1.Pod{ObjectMeta: newDeployment.ObjectMeta, Spec: newDeployment.Spec.Template.Spec}
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"},
		Spec: autoscalingv1.ScaleSpec{Replicas: 3}, Status: autoscalingv1.ScaleStatus{Replicas: 3, Selector: strings.Repeat("k=v,", 1000)}}
	newScale := scale.DeepCopy()
	newScale.Spec.Replicas = 1
	namespace := largestNamespace()
	newNamespace := namespace.DeepCopy()
	newNamespace.Labels["k0"] = "other"
	overriddenNamespace := namespace.DeepCopy()
	overriddenNamespace.Annotations = overriding.Annotations
	overriddenNamespace.Labels[v1alpha1.OverriddenLabel], overriddenNamespace.ManagedFields = "true", overriding.ManagedFields
	rc := &corev1.ReplicationController{ObjectMeta: deployment.ObjectMeta,
		Spec: corev1.ReplicationControllerSpec{Template: &deployment.Spec.Template, Replicas: new(int32(3))}}
	newRC := &corev1.ReplicationController{ObjectMeta: newDeployment.ObjectMeta,
		Spec: corev1.ReplicationControllerSpec{Template: &newDeployment.Spec.Template, Replicas: new(int32(1))}}
	revision, newRevision := &appsv1.ControllerRevision{ObjectMeta: deployment.ObjectMeta},
		&appsv1.ControllerRevision{ObjectMeta: newDeployment.ObjectMeta}
	autoscaler, newAutoscaler := largestAutoscaler(deployment.ObjectMeta, 80), largestAutoscaler(newDeployment.ObjectMeta, 90)
	autoscaling := schema.GroupVersion{Group: "autoscaling", Version: "v2"}
	large := selector(requirements, values)
	window := &v1alpha1.MaintenanceWindow{ObjectMeta: deployment.ObjectMeta,
		Spec: v1alpha1.MaintenanceWindowSpec{NamespaceSelector: &large, ObjectSelector: &large}}
	ours := v1alpha1.GroupVersion
	create := func(kind schema.GroupVersionKind, resource string, object runtime.Object) evaluate.Request {
		return evaluate.Request{Operation: admission.Create, Resource: resource, Object: of(kind, object)}
	}
	update := func(kind schema.GroupVersionKind, resource, subresource string, object, old runtime.Object) evaluate.Request {
		return evaluate.Request{Operation: admission.Update, Resource: resource, Subresource: subresource, Object: of(kind, object),
			Old: of(kind, old)}
	}
	remove := func(kind schema.GroupVersionKind, resource string, old runtime.Object) evaluate.Request {
		return evaluate.Request{Operation: admission.Delete, Resource: resource, Old: of(kind, old)}
	}
	scales := schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}
	evictions := schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "Eviction"}
	return []evaluate.Request{
		update(apps.WithKind("Deployment"), "deployments", "", newDeployment, deployment),
		update(apps.WithKind("Deployment"), "deployments", "", overriding, deployment),
		update(apps.WithKind("Deployment"), "deployments", "", heldDeployment, deployment),
		update(apps.WithKind("Deployment"), "deployments", "", newDeployment, heldDeployment),
		update(apps.WithKind("Deployment"), "deployments", "", releasedDeployment, heldDeployment),
		update(apps.WithKind("Deployment"), "deployments", "", newDeployment, standing),
		update(apps.WithKind("Deployment"), "deployments", "status", newDeployment, deployment),
		create(apps.WithKind("Deployment"), "deployments", overriding),
		remove(apps.WithKind("Deployment"), "deployments", standing),
		update(apps.WithKind("StatefulSet"), "statefulsets", "", newStatefulSet, statefulSet),
		update(apps.WithKind("DaemonSet"), "daemonsets", "", newDaemonSet, daemonSet),
		remove(apps.WithKind("Deployment"), "deployments", deployment),
		update(apps.WithKind("ReplicaSet"), "replicasets", "", newReplicaSet, replicaSet),
		remove(apps.WithKind("ReplicaSet"), "replicasets", replicaSet),
		create(apps.WithKind("ReplicaSet"), "replicasets", replicaSet),
		create(apps.WithKind("ControllerRevision"), "controllerrevisions", revision),
		update(apps.WithKind("ControllerRevision"), "controllerrevisions", "", newRevision, revision),
		update(core.WithKind("ReplicationController"), "replicationcontrollers", "", newRC, rc),
		create(autoscaling.WithKind("HorizontalPodAutoscaler"), "horizontalpodautoscalers", autoscaler),
		update(autoscaling.WithKind("HorizontalPodAutoscaler"), "horizontalpodautoscalers", "", newAutoscaler, autoscaler),
		update(scales, "deployments", "scale", newScale, scale),
		update(scales, "replicasets", "scale", newScale, scale),
		update(core.WithKind("Pod"), "pods", "", newPod, pod),
		update(core.WithKind("Pod"), "pods", "resize", newPod, pod),
		remove(core.WithKind("Pod"), "pods", pod),
		evicted(create(evictions, "pods", &policyv1.Eviction{ObjectMeta: deployment.ObjectMeta})),
		update(core.WithKind("Namespace"), "namespaces", "", newNamespace, namespace),
		update(core.WithKind("Namespace"), "namespaces", "", overriddenNamespace, namespace),
		create(core.WithKind("Namespace"), "namespaces", overriddenNamespace),
		remove(core.WithKind("Namespace"), "namespaces", namespace),
		create(ours.WithKind("MaintenanceWindow"), "maintenancewindows", window),
		create(ours.WithKind("Gate"), "gates", &v1alpha1.Gate{ObjectMeta: deployment.ObjectMeta}),
		remove(definitions.WithKind("CustomResourceDefinition"), "customresourcedefinitions", definition()),
		update(definitions.WithKind("CustomResourceDefinition"), "customresourcedefinitions", "", definition(), definition()),
		update(definitions.WithKind("CustomResourceDefinition"), "customresourcedefinitions", "status", definition(), definition()),
	}
}

func evicted(r evaluate.Request) evaluate.Request {
	r.Subresource = "eviction"
	return r
}

// of names the kind of an object, as the API server does.
func of(kind schema.GroupVersionKind, o runtime.Object) runtime.Object {
	o.GetObjectKind().SetGroupVersionKind(kind)
	return o
}

// largestAutoscaler has thousands of metrics, of which the last is another.
func largestAutoscaler(metadata metav1.ObjectMeta, utilization int32) *autoscalingv2.HorizontalPodAutoscaler {
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metadata, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 9}}
	for i := range 5000 {
		h.Spec.Metrics = append(h.Spec.Metrics, autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType,
			ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
				Name: corev1.ResourceCPU, Container: fmt.Sprintf("c%d", i),
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
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
	m := metav1.ObjectMeta{Namespace: "team", Name: "web", Generation: 1, Labels: manyLabels(2000),
		Annotations: map[string]string{"note": mark}}
	for i := range 25000 {
		m.Annotations[fmt.Sprintf("a%d", i)] = "v"
	}
	for i := range 64 {
		m.ManagedFields = append(m.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: fmt.Sprintf("manager-%02d", i), Operation: metav1.ManagedFieldsOperationUpdate,
			Time: new(metav1.NewTime(now.Add(time.Duration(i) * time.Second))),
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

// largestWorkload is a Deployment of about a mebibyte: many containers with long environments.
func largestWorkload(mark string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: largest(mark), Spec: appsv1.DeploymentSpec{Replicas: new(int32(3))},
		Status: appsv1.DeploymentStatus{Replicas: 3}}
	for i := range 200 {
		c := corev1.Container{
			Name: fmt.Sprintf("c%d", i), Image: fmt.Sprintf("app:%s", mark),
			ResizePolicy: []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceCPU, RestartPolicy: corev1.NotRequired},
				{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.NotRequired}},
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

// Bounds of a selector, as a policy keeps them.
const (
	requirements = v1alpha1.MaxSelectorRequirements
	values       = v1alpha1.MaxSelectorValues / requirements
	lastValue    = "last"
)

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

// size says how large a Gate is in which way.
type size struct {
	enforcement v1alpha1.Enforcement
	// matching: the selectors match; else the last requirement of each does not.
	matching bool
	// open: all targets are open, until long after the clock.
	open bool
	// freezes are in force, and all may be overridden; else they are to come.
	freezes bool
}

var sizes = map[string]size{
	"all closed":                   {v1alpha1.Deny, true, false, false},
	"all that hold":                {v1alpha1.Hold, true, false, false},
	"all that warn":                {v1alpha1.Warn, true, false, false},
	"all open":                     {v1alpha1.Deny, true, true, false},
	"none that selects":            {v1alpha1.Deny, false, false, false},
	"all frozen":                   {v1alpha1.Deny, true, true, true},
	"closed, and freezes in force": {v1alpha1.Deny, true, false, true},
}

// largestGate has as much of everything as it may.
func largestGate(of size) *v1alpha1.Gate {
	g := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: v1alpha1.GateName}}
	g.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Gate"))
	g.Spec.Exempt = &v1alpha1.GateExempt{}
	for i := range v1alpha1.MaxExempt {
		g.Spec.Exempt.Users = append(g.Spec.Exempt.Users, fmt.Sprintf("system:serviceaccount:namespace:%02d", i))
		g.Spec.Exempt.Groups = append(g.Spec.Exempt.Groups, fmt.Sprintf("some-group:%02d", i))
		g.Spec.Exempt.LeaderLabels = append(g.Spec.Exempt.LeaderLabels, fmt.Sprintf("example.com/leader-%02d", i))
	}
	for i := range v1alpha1.MaxLabelKeys {
		g.Spec.LabelKeys = append(g.Spec.LabelKeys, fmt.Sprintf("k%d", i))
	}
	for i := range v1alpha1.MaxGateTargets {
		g.Spec.Targets = append(g.Spec.Targets, largestTarget(i, of))
	}
	for i := range v1alpha1.MaxGateFreezes {
		f := v1alpha1.GateFreeze{
			Name: fmt.Sprintf("%s-%02d", strings.Repeat("f", 250), i), Reason: strings.Repeat("r", 256), Disruptions: allDisruptions,
			Enforcement: v1alpha1.Deny, StartsAt: at(longAfter), Ends: strings.Repeat("e", 128),
			ObjectSelector: largestSelector(of.matching),
		}
		if of.enforcement == v1alpha1.Warn {
			f.Enforcement = v1alpha1.Warn
		}
		if of.freezes && i < v1alpha1.MaxOverrideFreezes { // more of them, and no override passes: that costs less
			f.Active, f.StartsAt = true, nil
			f.Overrides = &v1alpha1.GateFreezeOverrides{MaxDuration: metav1.Duration{Duration: time.Hour},
				ReasonPattern: ".*" + strings.Repeat("x", 250) + "|.*"}
		}
		g.Spec.Freezes = append(g.Spec.Freezes, f)
	}
	evaluate.Label(g, true)
	return g
}

// longAfter is after every time that the objects tell.
var longAfter = now.Add(24 * time.Hour)

// largestTarget is one of many: so many have selectors, and the others are told apart by their windows.
func largestTarget(i int, of size) v1alpha1.GateTarget {
	t := v1alpha1.GateTarget{
		Disruptions: allDisruptions, Enforcement: of.enforcement, Opens: strings.Repeat("o", 128), OpensWindow: strings.Repeat("w", 253),
		OpensAt: at(longAfter),
		Cutoff:  &v1alpha1.GateCutoff{Window: strings.Repeat("w", 253), Since: strings.Repeat("s", 128), Ends: strings.Repeat("e", 128)},
	}
	if i < v1alpha1.MaxGateSelectors {
		t.ObjectSelector = largestSelector(of.matching)
	}
	if of.open {
		t.Open, t.ClosesAt, t.Cutoff = true, at(longAfter), nil
	}
	for j := range v1alpha1.MaxWindowNames {
		t.Windows = append(t.Windows, fmt.Sprintf("%s-%d-%d", strings.Repeat("w", 245), i, j))
	}
	if of.enforcement != v1alpha1.Warn {
		t.Overrides = &v1alpha1.GateOverrides{MaxDuration: metav1.Duration{Duration: time.Hour}, Windows: t.Windows}
		for range v1alpha1.MaxWindowNames {
			if i >= v1alpha1.MaxGateSelectors { // of the targets of one selector together there are no more
				break
			}
			t.Overrides.ReasonPatterns = append(t.Overrides.ReasonPatterns, ".*"+strings.Repeat("x", 250)+"|.*")
		}
	}
	return t
}

func largestSelector(matching bool) *metav1.LabelSelector {
	s := selector(requirements, values)
	if !matching {
		s.MatchExpressions[requirements-1].Operator = metav1.LabelSelectorOpNotIn
	}
	return &s
}
