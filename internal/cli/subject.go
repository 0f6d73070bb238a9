package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/decision"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/policy"
)

// kind is a kind that windows and freezes govern.
type kind struct {
	schema.GroupVersionKind
	// Short are other names of it, besides that of the kind and its plural.
	short []string
	// tells says that requests to it tell the labels of the workload.
	tells bool
	// carries says that it carries an override of its own; others go by that of their namespace.
	carries bool
}

func apps(name string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: name}
}

func core(name string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Version: "v1", Kind: name}
}

// kinds in the order in which they are offered.
var kinds = []kind{
	{apps("Deployment"), []string{"deploy"}, true, true},
	{apps("StatefulSet"), []string{"sts"}, true, true},
	{apps("DaemonSet"), []string{"ds"}, true, true},
	{core("Namespace"), []string{"ns"}, false, true},
	{core("Pod"), []string{"po"}, true, false},
	{apps("ReplicaSet"), []string{"rs"}, true, false},
	{core("ReplicationController"), []string{"rc"}, true, false},
	{apps("ControllerRevision"), nil, true, false},
	{schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, []string{"hpa"}, false, false},
}

func (k kind) is(name string) bool {
	return strings.EqualFold(name, k.Kind) || strings.EqualFold(name, k.Kind+"s") || slices.Contains(k.short, name)
}

// resource is the name in the API, such as deployments.apps.
func (k kind) resource() string {
	return strings.ToLower(k.Kind) + "s" + choose(k.Group != "", "."+k.Group, "")
}

// parseObject reads KIND/NAME or KIND NAME, as kubectl knows them.
func parseObject(args []string) (kind, string, error) {
	argument := strings.Join(args, "/")
	given, name, found := strings.Cut(argument, "/")
	given, _, _ = strings.Cut(strings.ToLower(given), ".") // deployments.apps
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.is(given) })
	switch {
	case !found || name == "" || strings.Contains(name, "/"):
		return kind{}, "", usagef("%q: want KIND/NAME, such as deployment/web", argument)
	case i < 0:
		return kind{}, "", usagef("%q: windows govern %s", argument, kindNames())
	}
	return kinds[i], name, nil
}

func kindNames() string {
	var names []string
	for _, k := range kinds {
		names = append(names, strings.ToLower(k.Kind))
	}
	return strings.Join(names, ", ")
}

// subject is an object of which somebody asks what may be done to it, with all that an answer depends on.
type subject struct {
	kind
	namespace, name string
	// meta is the object's; nil where it may not be read.
	meta *metav1.PartialObjectMetadata
	// within is its Namespace; nil where that may not be read.
	within *metav1.PartialObjectMetadata
	// gate is nil where nothing governs.
	gate *v1alpha1.Gate
	// operator is that of the cluster.
	operator policy.Identity
	// exempt says that the caller always passes, passes which freezes the caller may override.
	exempt bool
	passes []string
	// notes tell what could not be read, and what that costs.
	notes []string
	at    time.Time
}

func (s *subject) String() string {
	if s.Kind == "Namespace" {
		return override.ObjectName(s.Kind, "", s.name)
	}
	return override.ObjectName(s.Kind, s.namespace, s.name)
}

// readSubject reads an object, its Gate, and whatever else of it the caller may read.
func (r *root) readSubject(ctx context.Context, c client.Client, k kind, namespace, name string) (*subject, error) {
	s := &subject{kind: k, namespace: namespace, name: name, operator: r.operator(ctx, c)}
	isNamespace := k.Kind == "Namespace"
	if isNamespace {
		s.namespace = name
	}
	var err error
	if s.within, err = s.read(ctx, c, core("Namespace"), client.ObjectKey{Name: s.namespace}, "whether an override of the namespace stands is not known"); err != nil {
		return nil, err
	}
	if isNamespace {
		s.meta = s.within
	} else if s.meta, err = s.read(ctx, c, k.GroupVersionKind, client.ObjectKey{Namespace: namespace, Name: name},
		"so its labels are not known, and every window and freeze of the namespace counts, and whether an override of it stands is not known"); err != nil {
		return nil, err
	}
	if err := s.readGate(ctx, c); err != nil {
		return nil, err
	}
	if err := s.readCaller(ctx, c); err != nil {
		return nil, err
	}
	s.at = r.serverNow()
	return s, nil
}

// read reads the metadata of an object; none, and a note of what that costs, where the caller may not.
func (s *subject) read(ctx context.Context, c client.Client, gvk schema.GroupVersionKind, key client.ObjectKey, costs string) (*metav1.PartialObjectMetadata, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(gvk)
	err := c.Get(ctx, key, object)
	if apierrors.IsForbidden(err) {
		s.notes = append(s.notes, fmt.Sprintf("You may not read %s: %s. Ask for the ClusterRole view in the namespace.", override.ObjectName(gvk.Kind, key.Namespace, key.Name), costs))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}

// readGate reads the Gate of the namespace; none where nothing governs.
func (s *subject) readGate(ctx context.Context, c client.Client) error {
	if s.operator.Protected(s.namespace) {
		s.notes = append(s.notes, fmt.Sprintf("Namespace %s is never governed, whatever a window selects.", s.namespace))
		return nil
	}
	g := &v1alpha1.Gate{}
	switch err := c.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: v1alpha1.GateName}, g); {
	case apierrors.IsNotFound(err):
		if s.within != nil && s.within.Labels[v1alpha1.GatedLabel] == "true" {
			s.notes = append(s.notes, fmt.Sprintf("Namespace %s has no Gate that refuses anything: what governs it only audits, or the operator has yet to write its Gate.", s.namespace))
		}
		return nil
	case meta.IsNoMatchError(err):
		return errNotInstalled
	case err != nil:
		return forbiddenIn(err, "the Gate", "get gates.maintenance.fonster.dev", s.namespace)
	}
	s.gate = g
	return nil
}

// errNotInstalled says that the cluster does not know Fonster's kinds.
var errNotInstalled = errors.New("the cluster does not know MaintenanceWindows: install Fonster there first, with 'make install'")

// forbiddenIn says which right is missing in a namespace, and whom to ask.
func forbiddenIn(err error, what, right, namespace string) error {
	if !apierrors.IsForbidden(err) {
		return fmt.Errorf("reading %s of namespace %s: %w", what, namespace, err)
	}
	return fmt.Errorf("you may not read %s of namespace %s: the right to %s is missing; ask whoever administers the namespace for the ClusterRole view there, by a RoleBinding (%w)",
		what, namespace, right, err)
}

// readCaller asks the API server who asks, and which of the freezes in force the caller may override.
func (s *subject) readCaller(ctx context.Context, c client.Client) error {
	if s.gate == nil {
		return nil
	}
	review := &authenticationv1.SelfSubjectReview{}
	switch err := c.Create(ctx, review); {
	case apierrors.IsForbidden(err):
		s.notes = append(s.notes, "You may not ask the API server who you are: whether you are one of those whom every gate lets pass is not known.")
	case err != nil:
		return fmt.Errorf("asking the API server who you are: %w", err)
	default:
		s.exempt = exempt(s.gate, s.operator, review.Status.UserInfo)
	}
	for _, f := range s.gate.Spec.Freezes {
		if f.Overrides == nil || s.overriddenUntil(time.Time{}).IsZero() {
			continue // there is nothing to pass it with
		}
		may, err := mayOverride(ctx, c, freezesResource, f.Name)
		if err != nil {
			return err
		}
		if may {
			s.passes = append(s.passes, f.Name)
		}
	}
	return nil
}

// exempt says whether a user passes every gate, by exact names.
func exempt(g *v1alpha1.Gate, operator policy.Identity, user authenticationv1.UserInfo) bool {
	users, groups := operator.ExemptUsers(), []string{policy.ExemptGroup}
	if e := g.Spec.Exempt; e != nil {
		users, groups = slices.Concat(users, e.Users), slices.Concat(groups, e.Groups)
	}
	return slices.Contains(users, user.Username) || slices.ContainsFunc(groups, func(group string) bool { return slices.Contains(user.Groups, group) })
}

// standing lists the overrides that stand for the object at an instant: its own, and that of its Namespace.
func (s *subject) standing(at time.Time) []standingOverride {
	var list []standingOverride
	add := func(object *metav1.PartialObjectMetadata, name string) {
		if object == nil {
			return
		}
		if o := override.Parse(object); o.Stands(at) {
			list = append(list, standingOverride{Object: name, Reason: o.Reason, By: o.By, Until: o.Until})
		}
	}
	if s.carries && s.Kind != "Namespace" {
		add(s.meta, s.String())
	}
	add(s.within, override.ObjectName("Namespace", "", s.namespace))
	return list
}

func (s *subject) overriddenUntil(at time.Time) (until time.Time) {
	for _, o := range s.standing(at) {
		if o.Until.After(until) {
			until = o.Until
		}
	}
	return until
}

// standingOverride is an override that stands.
type standingOverride struct {
	Object string    `json:"object"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Until  time.Time `json:"until"`
}

// labels are the object's; nil where requests to it do not tell those of the workload.
func (s *subject) labels() *labels.Set {
	if s.meta == nil || !s.tells || s.Kind != "Pod" && ownedByWorkload(s.meta) {
		return nil
	}
	set := labels.Set(s.meta.Labels)
	return &set
}

// ownedByWorkload says that an object carries the labels of pods, not those of its workload.
func ownedByWorkload(o metav1.Object) bool {
	owner := metav1.GetControllerOf(o)
	return owner != nil && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, owner.Kind)
}

// decide answers for a disruption; unlabelled, for a request that does not tell the labels of the workload.
func (s *subject) decide(d v1alpha1.Disruption, unlabelled bool) decision.Answer {
	r := decision.Request{
		Disruption: d, Holdable: s.carries && s.Kind != "Namespace", Unwarned: s.Kind == "Namespace",
		Exempt: s.exempt, OverriddenUntil: s.overriddenUntil(s.at), Passes: s.passes,
	}
	if set := s.labels(); set != nil && !unlabelled {
		r.Selects = func(selector *metav1.LabelSelector) bool {
			is, err := selects(selector, set)
			return err != nil || is
		}
	}
	return decision.Decide(s.gate, r, s.at)
}

// decideFor answers for what exactly one selector of the Gate selects, or none where it is nil.
func (s *subject) decideFor(d v1alpha1.Disruption, selector string) decision.Answer {
	return decision.Decide(s.gate, decision.Request{
		Disruption: d, Holdable: true, Exempt: s.exempt, OverriddenUntil: s.overriddenUntil(s.at), Passes: s.passes,
		Selects: func(of *metav1.LabelSelector) bool { return metav1.FormatLabelSelector(of) == selector },
	}, s.at)
}

// verb is what people call a disruption.
type verb struct {
	names []string
	does  []v1alpha1.Disruption
	// unlabelled: such a request does not tell the labels of the workload.
	unlabelled bool
	// unheld: it is no rollout that can be held.
	unheld bool
	about  string
}

var verbs = []verb{
	{names: []string{"rollout", "restart", "rollout-restart", "undo", "set-image", "image", "apply", "update", "upgrade", "deploy", "patch"},
		does: []v1alpha1.Disruption{v1alpha1.Rollout}, about: "change the pod template: kubectl set image, apply, rollout restart, rollout undo"},
	{names: []string{"scale-down", "scaledown"}, does: []v1alpha1.Disruption{v1alpha1.ScaleDown}, about: "lower spec.replicas"},
	{names: []string{"scale"}, does: []v1alpha1.Disruption{v1alpha1.ScaleDown}, unlabelled: true,
		about: "kubectl scale to fewer replicas, which does not tell the labels of the workload: everything in the namespace counts"},
	{names: []string{"scale-to-zero", "stop"}, does: []v1alpha1.Disruption{v1alpha1.ScaleDown, v1alpha1.Delete}, unlabelled: true, about: "kubectl scale --replicas 0"},
	{names: []string{"delete", "remove", "replace"}, does: []v1alpha1.Disruption{v1alpha1.Delete}, about: "kubectl delete, also of the namespace"},
	{names: []string{"evict", "drain", "eviction"}, does: []v1alpha1.Disruption{v1alpha1.Evict}, unlabelled: true, about: "evict pods, as kubectl drain does"},
	{names: []string{"relabel", "label"}, does: decision.Disruptions, unheld: true, about: "change labels by which windows or freezes select"},
}

func parseVerb(text string) (verb, error) {
	lower := strings.ToLower(text)
	i := slices.IndexFunc(verbs, func(v verb) bool { return slices.Contains(v.names, lower) })
	if i < 0 {
		var names []string
		for _, v := range verbs {
			names = append(names, v.names[0])
		}
		return verb{}, usagef("%q is no verb that windows govern: want %s", text, choices(names))
	}
	return verbs[i], nil
}

// answers are those to all that a verb does, the strictest first.
func (s *subject) answers(v verb) []decision.Answer {
	if s.Kind == "HorizontalPodAutoscaler" && v.names[0] == "delete" { // its workload keeps the replicas that it has
		return []decision.Answer{{Disruption: v1alpha1.Delete, Word: decision.Allowed}}
	}
	var list []decision.Answer
	for _, d := range v.does {
		a := s.decide(d, v.unlabelled)
		if v.unheld && a.Word == decision.Held {
			a.Word = decision.Refused
		}
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b decision.Answer) int {
		switch {
		case a.Word.Stricter(b.Word):
			return -1
		case b.Word.Stricter(a.Word):
			return 1
		}
		// Of what waits for several, that which waits longest; of what may, that which may for the shortest time.
		if !a.Word.Begins() {
			return cmp.Compare(waits(b), waits(a))
		}
		return cmp.Compare(lasts(a), lasts(b))
	})
	return list
}

// waits orders answers by when what is asked may begin: never last.
func waits(a decision.Answer) int64 {
	if a.From.IsZero() {
		return 1<<63 - 1
	}
	return a.From.Unix()
}

// lasts orders answers by until when they hold: always last.
func lasts(a decision.Answer) int64 {
	if a.Until.IsZero() {
		return 1<<63 - 1
	}
	return a.Until.Unix()
}
