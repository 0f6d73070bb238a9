package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/offline/evaluate"
	"fonster.dev/fonster/test/policy/model"
)

// A scenario is one request in one state of the world, told twice: to the evaluator in objects, and to the model in what they mean.
type scenario struct {
	title   string
	request evaluate.Request
	world   model.World
}

// dice choose, from what a fuzzer or a seed gives; when that is used up, always the first.
type dice struct{ bytes []byte }

func (d *dice) roll(n int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := int(d.bytes[0])
	d.bytes = d.bytes[1:]
	return b % n
}

// chance is true one time in n.
func (d *dice) chance(n int) bool { return d.roll(n) == n-1 }

func pick[T any](d *dice, list ...T) T { return list[d.roll(len(list))] }

const team = "team"

var before, later = now.Add(-time.Hour), now.Add(time.Hour)

func at(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }

// change is a way to write to an object whose disruptions are known.
type change struct {
	title, resource, subresource string
	does                         []v1alpha1.Disruption
	kind                         model.Kind
	holdable, deletes            bool
	// make gives the object before and after; either may be nil.
	make func(m metav1.ObjectMeta) (object, old runtime.Object)
}

// written makes an update of an object by a function.
func written[T any, P interface {
	*T
	runtime.Object
	DeepCopy() *T
}](build func(metav1.ObjectMeta) P, edit func(P)) func(metav1.ObjectMeta) (runtime.Object, runtime.Object) {
	return func(m metav1.ObjectMeta) (runtime.Object, runtime.Object) {
		old := build(m)
		after := P(old.DeepCopy())
		edit(after)
		return after, old
	}
}

func deleted[P runtime.Object](build func(metav1.ObjectMeta) P) func(metav1.ObjectMeta) (runtime.Object, runtime.Object) {
	return func(m metav1.ObjectMeta) (runtime.Object, runtime.Object) { return nil, build(m) }
}

func created[P runtime.Object](build func(metav1.ObjectMeta) P) func(metav1.ObjectMeta) (runtime.Object, runtime.Object) {
	return func(m metav1.ObjectMeta) (runtime.Object, runtime.Object) { return build(m), nil }
}

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app:1"}}}}
}

func deployment(m metav1.ObjectMeta) *appsv1.Deployment {
	m.Generation = 3
	return &appsv1.Deployment{
		ObjectMeta: m, Spec: appsv1.DeploymentSpec{Replicas: new(int32(3)), Template: template()},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 3},
	}
}

func statefulSet(m metav1.ObjectMeta) *appsv1.StatefulSet {
	m.Generation = 3
	return &appsv1.StatefulSet{
		ObjectMeta: m, Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3)), Template: template(),
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
				Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(0))},
			}},
		Status: appsv1.StatefulSetStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 3},
	}
}

func daemonSet(m metav1.ObjectMeta) *appsv1.DaemonSet {
	m.Generation = 3
	return &appsv1.DaemonSet{
		ObjectMeta: m, Spec: appsv1.DaemonSetSpec{Template: template(),
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType}},
		Status: appsv1.DaemonSetStatus{ObservedGeneration: 3, DesiredNumberScheduled: 2, CurrentNumberScheduled: 2,
			UpdatedNumberScheduled: 2},
	}
}

func ownedBy(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "1", Controller: new(true)}}
}

func loneReplicaSet(m metav1.ObjectMeta) *appsv1.ReplicaSet {
	m.Generation = 3
	return &appsv1.ReplicaSet{ObjectMeta: m, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(3)), Template: template()},
		Status: appsv1.ReplicaSetStatus{Replicas: 3}}
}

func replicaSet(m metav1.ObjectMeta) *appsv1.ReplicaSet {
	m.OwnerReferences = ownedBy("Deployment", "web")
	return loneReplicaSet(m)
}

func replicationController(m metav1.ObjectMeta) *corev1.ReplicationController {
	m.Generation = 3
	return &corev1.ReplicationController{ObjectMeta: m, Spec: corev1.ReplicationControllerSpec{Replicas: new(int32(3))},
		Status: corev1.ReplicationControllerStatus{Replicas: 3}}
}

func revision(m metav1.ObjectMeta) *appsv1.ControllerRevision {
	m.OwnerReferences = ownedBy("StatefulSet", "db")
	return &appsv1.ControllerRevision{ObjectMeta: m, Revision: 1}
}

func pod(m metav1.ObjectMeta) *corev1.Pod {
	m.Generation, m.OwnerReferences = 3, ownedBy("ReplicaSet", "web-1")
	p := &corev1.Pod{ObjectMeta: m, Spec: template().Spec, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	p.Spec.NodeName = "node-1"
	return p
}

func scale(m metav1.ObjectMeta) *autoscalingv1.Scale {
	m.Labels, m.Annotations, m.ManagedFields = nil, nil, nil
	return &autoscalingv1.Scale{ObjectMeta: m, Spec: autoscalingv1.ScaleSpec{Replicas: 3}, Status: autoscalingv1.ScaleStatus{Replicas: 3,
		Selector: "app=web"}}
}

func autoscaler(m metav1.ObjectMeta) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: m,
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(2)), MaxReplicas: 9}}
}

func eviction(m metav1.ObjectMeta) *policyv1.Eviction {
	m.ManagedFields = nil
	return &policyv1.Eviction{ObjectMeta: m}
}

func namespaceOf(m metav1.ObjectMeta) *corev1.Namespace {
	m.Namespace, m.Name = "", team
	return &corev1.Namespace{ObjectMeta: m}
}

const (
	rollout, scaleDown, remove, evict = v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict
)

type does = []v1alpha1.Disruption

var gone = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "2"}}

// changes are representative: one at least of each family of rules, and harmless ones.
var changes = []change{
	{"another image of a Deployment", "deployments", "", does{rollout}, model.Workload, true, false,
		written(deployment, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "app:2" })},
	{"one replica of a Deployment instead of three", "deployments", "", does{scaleDown}, model.Workload, false, false,
		written(deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(1)) })},
	{"no replicas of a Deployment", "deployments", "", does{scaleDown, remove}, model.Workload, false, false,
		written(deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(0)) })},
	{"another image and one replica of a Deployment", "deployments", "", does{rollout, scaleDown}, model.Workload, true, false,
		written(deployment, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Image, d.Spec.Replicas = "app:2", new(int32(1))
		})},
	{"another image of a StatefulSet", "statefulsets", "", does{rollout}, model.Workload, true, false,
		written(statefulSet, func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "app:2" })},
	{"another image of a DaemonSet", "daemonsets", "", does{rollout}, model.Workload, true, false,
		written(daemonSet, func(s *appsv1.DaemonSet) { s.Spec.Template.Spec.Containers[0].Image = "app:2" })},
	{"an owner of a StatefulSet", "statefulsets", "", does{remove}, model.Workload, false, false,
		written(statefulSet, func(s *appsv1.StatefulSet) { s.OwnerReferences = gone })},
	{"a deleted Deployment", "deployments", "", does{remove}, model.Workload, false, true, deleted(deployment)},
	{"a deleted DaemonSet", "daemonsets", "", does{remove}, model.Workload, false, true, deleted(daemonSet)},
	{"an annotation of a Deployment", "deployments", "", nil, model.Workload, false, false,
		written(deployment, func(d *appsv1.Deployment) { d.Annotations = with(d.Annotations, "note", "new") })},
	{"more replicas of a StatefulSet", "statefulsets", "", nil, model.Workload, false, false,
		written(statefulSet, func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(5)) })},
	{"a deleted pod", "pods", "", does{remove}, model.Workload, false, true, deleted(pod)},
	{"another image of a pod", "pods", "", does{rollout}, model.Workload, false, false,
		written(pod, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "app:2" })},
	{"an annotation of a pod", "pods", "", nil, model.Workload, false, false,
		written(pod, func(p *corev1.Pod) { p.Annotations = with(p.Annotations, "note", "new") })},
	{"a label that no window knows of a pod", "pods", "", nil, model.Workload, false, false,
		written(pod, func(p *corev1.Pod) { p.Labels = with(p.Labels, "new", "label") })},
	{"one replica of a ReplicaSet of nobody", "replicasets", "", does{scaleDown}, model.Workload, false, false,
		written(loneReplicaSet, func(s *appsv1.ReplicaSet) { s.Spec.Replicas = new(int32(1)) })},
	{"a deleted ReplicationController", "replicationcontrollers", "", does{remove}, model.Workload, false, true,
		deleted(replicationController)},
	{"one replica of a ReplicaSet of a Deployment", "replicasets", "", does{rollout}, model.Unlabelled, false, false,
		written(replicaSet, func(s *appsv1.ReplicaSet) { s.Spec.Replicas = new(int32(1)) })},
	{"a deleted ReplicaSet of a Deployment", "replicasets", "", does{remove}, model.Unlabelled, false, true, deleted(replicaSet)},
	{"a new ReplicaSet", "replicasets", "", does{rollout}, model.Unlabelled, false, false, created(loneReplicaSet)},
	{"a deleted ControllerRevision", "controllerrevisions", "", does{remove}, model.Unlabelled, false, true, deleted(revision)},
	{"another number of a ControllerRevision", "controllerrevisions", "", does{rollout}, model.Unlabelled, false, false,
		written(revision, func(r *appsv1.ControllerRevision) { r.Revision = 2 })},
	{"a Scale of a Deployment down", "deployments", "scale", does{scaleDown}, model.Unlabelled, false, false,
		written(scale, func(s *autoscalingv1.Scale) { s.Spec.Replicas = 1 })},
	{"a Scale of a StatefulSet to zero", "statefulsets", "scale", does{scaleDown, remove}, model.Unlabelled, false, false,
		written(scale, func(s *autoscalingv1.Scale) { s.Spec.Replicas = 0 })},
	{"a Scale of a Deployment up", "deployments", "scale", nil, model.Unlabelled, false, false,
		written(scale, func(s *autoscalingv1.Scale) { s.Spec.Replicas = 5 })},
	{"an eviction", "pods", "eviction", does{evict}, model.Unlabelled, false, false, created(eviction)},
	{"a new autoscaler", "horizontalpodautoscalers", "", does{scaleDown}, model.Unlabelled, false, false, created(autoscaler)},
	{"a lower maximum of an autoscaler", "horizontalpodautoscalers", "", does{scaleDown}, model.Unlabelled, false, false,
		written(autoscaler, func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas = 3 })},
	{"a deleted Namespace", "namespaces", "", does{remove}, model.Namespace, false, true, deleted(namespaceOf)},
	{"an owner of a Namespace", "namespaces", "", does{remove}, model.Namespace, false, false,
		written(namespaceOf, func(n *corev1.Namespace) { n.OwnerReferences = gone })},
	{"another label of a Namespace", "namespaces", "", nil, model.Namespace, false, false,
		written(namespaceOf, func(n *corev1.Namespace) { n.Labels = with(n.Labels, "kommun", "heby") })},
	{"a label of a Namespace that no window knows", "namespaces", "", nil, model.Namespace, false, false,
		written(namespaceOf, func(n *corev1.Namespace) { n.Labels = with(n.Labels, "cost", "1") })},
}

func with(m map[string]string, k, v string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]string{}
	}
	m[k] = v
	return m
}

// labels are a few, so that selectors often meet them.
func (d *dice) labels() map[string]string {
	l := map[string]string{}
	for _, key := range []string{"app", "tier"} {
		values := labelValues[key]
		if i := d.roll(len(values) + 1); i < len(values) {
			l[key] = values[i]
		}
	}
	return l
}

var labelValues = map[string][]string{"app": {"web", "batch"}, "tier": {"front", "back"}}

func (d *dice) selector() *metav1.LabelSelector {
	if d.roll(2) == 0 {
		return nil
	}
	s := &metav1.LabelSelector{}
	for range 1 + d.roll(2) {
		key := pick(d, "app", "tier")
		r := metav1.LabelSelectorRequirement{Key: key, Operator: pick(d, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn,
			metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpNotIn {
			r.Values = labelValues[key][:1+d.roll(2)]
		}
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	return s
}

func (d *dice) disruptions() []v1alpha1.Disruption {
	return pick(d, allDisruptions, does{rollout, remove}, does{rollout}, does{scaleDown}, does{remove}, does{evict}, does{scaleDown,
		remove}, does{evict, rollout})
}

// windowNames and freezeNames are unique in a Gate.
var (
	windowNames = []string{"night", "day", "dawn", "dusk"}
	freezeNames = []string{"christmas", "election", "audit", "easter"}
)

func (d *dice) gate() *v1alpha1.Gate {
	if d.chance(16) {
		return nil
	}
	g := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: v1alpha1.GateName}}
	g.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Gate"))
	g.Spec.LabelKeys = pick(d, []string{"kommun"}, nil, []string{v1alpha1.AnyLabelKey})
	g.Spec.Exempt = &v1alpha1.GateExempt{Users: []string{"database-operator"}}
	for i := range d.roll(4) {
		t := v1alpha1.GateTarget{
			ObjectSelector: d.selector(), Disruptions: d.disruptions(), Enforcement: pick(d, v1alpha1.Deny, v1alpha1.Hold, v1alpha1.Warn),
			Windows: windowNames[i : i+1], Opens: "Sat 5 Dec 2026 09:00 CET", OpensAt: at(later), OpensWindow: windowNames[i],
		}
		if t.Open = d.roll(2) == 0; t.Open {
			t.ClosesAt = pick(d, nil, at(later), at(now), at(before))
		}
		if t.Enforcement != v1alpha1.Warn {
			t.Overrides = &v1alpha1.GateOverrides{MaxDuration: metav1.Duration{Duration: time.Hour}, Windows: windowNames[i : i+1]}
		}
		g.Spec.Targets = append(g.Spec.Targets, t)
	}
	for i := range pick(d, 0, 0, 0, 1, 1, 2, 3, 4) {
		f := v1alpha1.GateFreeze{
			Name: freezeNames[i], Reason: "rest", ObjectSelector: d.selector(), Disruptions: d.disruptions(), Enforcement: pick(d,
				v1alpha1.Deny, v1alpha1.Deny, v1alpha1.Warn),
		}
		if f.Active = d.roll(2) == 0; !f.Active {
			f.StartsAt = pick(d, at(later), at(now), at(before))
		}
		if d.roll(2) == 0 {
			f.Overrides = &v1alpha1.GateFreezeOverrides{MaxDuration: metav1.Duration{Duration: time.Hour}}
		}
		g.Spec.Freezes = append(g.Spec.Freezes, f)
	}
	return g
}

func (d *dice) person(s *scenario) {
	s.request.User = "developer"
	p := &s.world.Person
	switch d.roll(8) {
	case 0:
		s.request.User, p.ControlPlane = "system:kube-controller-manager", true
	case 1:
		s.request.User, p.Exempt = "database-operator", true
	case 2, 3, 4:
		some := d.roll(16)
		for i, name := range windowNames {
			if some>>i&1 == 1 {
				p.Windows = append(p.Windows, name)
			}
		}
		some = d.roll(16)
		for i, name := range freezeNames {
			if some>>i&1 == 1 {
				p.Freezes = append(p.Freezes, name)
			}
		}
	}
	s.request.Rights = func(r evaluate.Right) bool {
		return r.Verb == "override" && r.Group == v1alpha1.GroupName &&
			(r.Resource == "maintenancewindows" && slices.Contains(p.Windows, r.Name) || r.Resource == "changefreezes" &&
				slices.Contains(p.Freezes, r.Name))
	}
}

// override is what an object may carry, with its metadata.
func (d *dice) override(m *metav1.ObjectMeta) *model.Override {
	if !d.chance(5) {
		return nil
	}
	o := &model.Override{Marked: d.roll(4) != 3, Spent: d.chance(5), Until: pick(d, later, now, before)}
	m.Annotations = map[string]string{
		v1alpha1.OverrideAnnotation: "INC-1", v1alpha1.OverrideByAnnotation: "lead",
		v1alpha1.OverrideUntilAnnotation: o.Until.Format(time.RFC3339),
		v1alpha1.OverrideFromAnnotation:  "2026-12-01T10:00:00Z/3",
	}
	if o.Spent {
		m.Annotations[v1alpha1.OverrideSpentAnnotation] = "INC-0\nINC-1"
	}
	if o.Marked {
		m.Labels = with(m.Labels, v1alpha1.OverriddenLabel, "true")
	}
	return o
}

func newScenario(bytes []byte, version string) *scenario {
	d := &dice{bytes}
	s := &scenario{}
	c := changes[d.roll(len(changes))]
	s.title, s.world.CanStamp = c.title, evaluate.CanHold(version)
	s.request.Gate = d.gate()
	if g := s.request.Gate; g != nil {
		evaluate.Label(g, evaluate.CanHold(version))
		s.world.Gate = &g.Spec
		s.world.CanHold = g.Labels[v1alpha1.HoldsLabel] == "true"
	}
	d.person(s)

	inNamespace := metav1.ObjectMeta{Name: team, Labels: map[string]string{v1alpha1.GatedLabel: "true", "kommun": "osthammar"}}
	s.world.OnNamespace = d.override(&inNamespace)
	m := metav1.ObjectMeta{Namespace: team, Name: "web", Labels: d.labels()}
	if c.kind == model.Namespace {
		m = inNamespace
	} else if c.kind == model.Workload && slices.Contains([]string{"deployments", "statefulsets", "daemonsets"}, c.resource) {
		s.world.OnObject = d.override(&m)
	}
	s.request.NamespaceObject = &corev1.Namespace{ObjectMeta: inNamespace}
	past := pick(d, before, before, before, before.Add(-time.Hour), later.Add(time.Hour))
	m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
		Time: at(past)}}

	s.request.Object, s.request.Old = c.make(m)
	s.request.Resource, s.request.Subresource, s.request.Now = c.resource, c.subresource, now
	s.request.Namespace, s.request.Name, s.request.Order = team, m.Name, 1+d.roll(8)
	s.world.Attempt = model.Attempt{Kind: c.kind, Does: c.does, Holdable: c.holdable, Deletes: c.deletes}
	switch {
	case s.request.Object == nil:
		s.request.Operation = admission.Delete
	case s.request.Old == nil:
		s.request.Operation = admission.Create
	default:
		s.request.Operation = admission.Update
		s.relabel(d, c)
		s.set(d, c)
	}
	s.tell(c, past)
	return s
}

// relabel changes the labels of a workload along with the rest, now and then.
func (s *scenario) relabel(d *dice, c change) {
	if c.kind != model.Workload || c.resource == "pods" || c.resource == "replicasets" || !d.chance(4) {
		return // of pods and ReplicaSets other labels are a disruption by themselves
	}
	o := s.request.Object.(metav1.Object)
	labels := d.labels()
	if mark := o.GetLabels()[v1alpha1.OverriddenLabel]; mark != "" {
		labels[v1alpha1.OverriddenLabel] = mark
	}
	o.SetLabels(labels)
	s.title += ", and other labels"
}

// set has the request set an override along with the rest, now and then.
func (s *scenario) set(d *dice, c change) {
	if s.world.OnObject != nil || c.kind == model.Namespace && s.world.OnNamespace != nil || !slices.Contains([]string{"deployments",
		"statefulsets", "daemonsets", "namespaces"}, c.resource) ||
		c.subresource != "" || !d.chance(6) {
		return
	}
	o := s.request.Object.(metav1.Object)
	o.SetAnnotations(with(o.GetAnnotations(), v1alpha1.OverrideAnnotation, "INC-2"))
	s.world.Sets = true
	s.title += ", and an override"
}

// tell tells the model what the objects say.
func (s *scenario) tell(c change, past time.Time) {
	a := &s.world.Attempt
	if s.request.Old != nil {
		a.Before = s.request.Old.(metav1.Object).GetLabels()
	}
	if s.request.Object != nil {
		a.After = s.request.Object.(metav1.Object).GetLabels()
	}
	if c.subresource == "scale" {
		return // tells no times at all
	}
	if c.subresource != "eviction" {
		a.Times = append(a.Times, past)
	}
	if s.request.Object != nil {
		a.Times = append(a.Times, now)
	}
	if c.kind == model.Namespace {
		for _, k := range []string{"kommun", "cost"} {
			if !a.Deletes && a.Before[k] != a.After[k] {
				a.ChangedKeys = append(a.ChangedKeys, k)
			}
		}
	}
}

// verdict reads the evaluator's result in the words of the model.
func verdict(r evaluate.Result) model.Verdict {
	v := model.Verdict{Word: "allow"}
	warned := slices.ContainsFunc(r.Warnings, func(w evaluate.Denial) bool { return !strings.HasPrefix(w.Message, "The pods of ") })
	switch held := r.Object != nil && r.Object.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting; {
	case !r.Allowed():
		v.Word = "deny"
	case held:
		v.Word = "hold"
	case warned:
		v.Word = "warn"
	}
	return v
}

// disagreement describes a scenario of which the two say different things; empty where they agree.
func (s *scenario) disagreement(result evaluate.Result) string {
	want, got := model.Decide(s.world), verdict(result)
	var wrong string
	switch {
	case len(result.Errors) > 0:
		wrong = "errors: " + strings.Join(result.Errors, "; ")
	case want.Word != got.Word:
		wrong = fmt.Sprintf("the policies say %s, the model says %s %v", result, want.Word, want.Freezes)
	case len(want.Freezes) > 0 && !slices.ContainsFunc(want.Freezes,
		func(name string) bool { return strings.Contains(result.Denials[0].Message, name) }):
		wrong = fmt.Sprintf("the policies do not name change freeze %v: %s", want.Freezes, result)
	default:
		return ""
	}
	content, err := json.MarshalIndent(s.world, "", " ")
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s, by %s: %s\n%s", s.title, s.request.User, wrong, content)
}
