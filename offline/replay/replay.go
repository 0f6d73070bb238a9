// Package replay decides the requests of an audit log against windows and freezes that were not there.
package replay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/admission"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/offline/decide"
	"fonster.dev/fonster/offline/evaluate"
)

// Request is a request that disrupts, or may.
type Request struct {
	At        time.Time `json:"at"`
	AuditID   string    `json:"auditID"`
	Verb      string    `json:"verb"`
	Kind      string    `json:"kind"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name,omitempty"`
	User      string    `json:"user"`
	DryRun    bool      `json:"dryRun,omitempty"`
	// Disruptions is empty where that is unknown too.
	Disruptions []v1alpha1.Disruption `json:"disruptions,omitempty"`
	Verdict     decide.Verdict        `json:"verdict"`
	// Why is what would have been said, what lets it pass, or why it is unknown.
	Why     string   `json:"why,omitempty"`
	Windows []string `json:"windows,omitempty"`
	Freezes []string `json:"freezes,omitempty"`
	// Was is what became of it when it was made: Allowed, Audited, Held or Refused by Fonster; or Failed by something else.
	Was string `json:"was"`
}

// Group counts requests that have all of this in common.
type Group struct {
	Verdict     decide.Verdict `json:"verdict"`
	By          string         `json:"by,omitempty"`
	Namespace   string         `json:"namespace,omitempty"`
	User        string         `json:"user"`
	Kind        string         `json:"kind"`
	Disruptions string         `json:"disruptions,omitempty"`
	Count       int            `json:"count"`
}

// Report is what comes of a log.
type Report struct {
	// Events counts requests that were answered, of any kind.
	Events   int                    `json:"events"`
	Verdicts map[decide.Verdict]int `json:"verdicts"`
	Groups   []Group                `json:"groups"`
	Requests []Request              `json:"requests"`
}

// Player goes through a log in order, and remembers what objects it shows.
type Player struct {
	world    *decide.World
	known    map[key]*unstructured.Unstructured
	events   int
	requests []Request
}

type key struct{ resource, namespace, name string }

// governed are the resources that windows govern, and the versions in which the rules know them.
var governed = map[string]string{
	"deployments": "apps/v1", "statefulsets": "apps/v1", "daemonsets": "apps/v1", "replicasets": "apps/v1", "controllerrevisions": "apps/v1",
	"replicationcontrollers": "v1", "pods": "v1", "namespaces": "v1", "horizontalpodautoscalers": "autoscaling/v2",
}

// New plays against a world.
func New(world *decide.World) *Player {
	return &Player{world: world, known: map[key]*unstructured.Unstructured{}}
}

// Know reads objects as they were when the log begins, from a file of manifests or lists.
func (p *Player) Know(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := map[string]any{}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		items, isList := object["items"].([]any)
		if !isList {
			items = []any{object}
		}
		for _, item := range items {
			if content, is := item.(map[string]any); is {
				u := &unstructured.Unstructured{Object: evaluate.Normal(content)}
				if resource, is := resourceOf[u.GetKind()]; is {
					p.known[keyOf(resource, u.GetNamespace(), u.GetName())] = u
				}
			}
		}
	}
}

var resourceOf = map[string]string{
	"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "ReplicaSet": "replicasets",
	"ControllerRevision": "controllerrevisions", "ReplicationController": "replicationcontrollers", "Pod": "pods", "Namespace": "namespaces",
	"HorizontalPodAutoscaler": "horizontalpodautoscalers",
}

// keyOf is the key of an object; the namespace of a Namespace, which the API server takes for its own name, is none.
func keyOf(resource, namespace, name string) key {
	if resource == "namespaces" {
		namespace = ""
	}
	return key{resource, namespace, name}
}

// Event takes the next event of the log.
func (p *Player) Event(e *audit.Event) error {
	if !e.Complete() {
		return nil
	}
	p.events++
	ref := e.ObjectRef
	if ref == nil || !slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, e.Verb) {
		return nil
	}
	if _, is := governed[ref.Resource]; !is {
		return nil
	}
	if came(e) {
		p.play(e)
	}
	p.remember(e)
	return nil
}

// came says whether a request came to admission, and its object was there: one that was forbidden by RBAC, or failed for another reason than
// a refusal, would have failed in any case.
func came(e *audit.Event) bool {
	return e.Succeeded() || e.ResponseStatus.Code == 403 && e.Annotations["authorization.k8s.io/decision"] != "forbid"
}

// dry says whether a request was to change nothing; of a deletion the body says so.
func dry(e *audit.Event) bool {
	var options struct {
		DryRun        []string `json:"dryRun"`
		DeleteOptions struct {
			DryRun []string `json:"dryRun"`
		} `json:"deleteOptions"`
	}
	_ = json.Unmarshal(e.RequestObject, &options) // a patch may be a list
	return strings.Contains(e.RequestURI, "dryRun=") || len(options.DryRun)+len(options.DeleteOptions.DryRun) > 0
}

func (p *Player) play(e *audit.Event) {
	for _, a := range p.asked(e) {
		if a.unknown != "" || a.request != nil {
			p.decide(e, a)
		}
	}
}

// asked is one object that an event asks something of; unknown says why it cannot be told what. Where a patch may be of another type and
// comes to something else then, or is what that comes to.
type asked struct {
	name    string
	request *decide.Request
	or      *unstructured.Unstructured
	unknown string
}

// decide adds a request where it disrupts, or may.
func (p *Player) decide(e *audit.Event, a asked) {
	q := Request{
		At: e.RequestReceivedTimestamp, AuditID: e.AuditID, Verb: e.Verb, Kind: e.ObjectRef.Kind(), Namespace: e.ObjectRef.Namespace, Name: a.name,
		User: e.As().Username, DryRun: dry(e), Was: was(e),
	}
	unknown := func(why string) {
		q.Verdict, q.Why = decide.Unknown, why
		p.requests = append(p.requests, q)
	}
	if a.unknown != "" {
		if !alwaysPasses(e) {
			unknown(a.unknown)
		}
		return
	}
	r := a.request
	r.At, r.User, r.Groups, r.Name = q.At, q.User, e.As().Groups, a.name
	if r.Namespace == "" {
		r.Namespace = e.ObjectRef.Namespace
	}
	labels, told := p.namespace(e.ObjectRef.Namespace)
	r.Labels = labels
	if ns := p.known[keyOf("namespaces", "", e.ObjectRef.Namespace)]; ns != nil {
		r.Annotations = ns.GetAnnotations()
	}
	disruptions, err := p.world.Disruptions(r)
	if err != nil {
		unknown(err.Error())
		return
	}
	if a.or != nil {
		other := *r
		other.Object = a.or
		if different, err := p.world.Disruptions(&other); err != nil || !slices.Equal(disruptions, different) {
			unknown("the log does not tell a strategic patch from a merge patch, which come to something else here")
			return
		}
	}
	if len(disruptions) == 0 {
		return
	}
	q.Disruptions = disruptions
	if !told {
		unknown("the labels of the namespace are not in the log: give --objects")
		return
	}
	d, err := p.world.Decide(r)
	if err != nil {
		unknown(err.Error())
		return
	}
	if d.Verdict == decide.Allowed && d.Why == "" {
		d = p.world.Passing(r, disruptions)
	}
	q.Verdict, q.Why, q.Windows, q.Freezes = d.Verdict, d.Why, d.Windows, d.Freezes
	p.requests = append(p.requests, q)
}

// alwaysPasses says that a request is by the control plane, and about what that may change in any case: whatever the object was before.
func alwaysPasses(e *audit.Event) bool {
	by := e.As()
	if !slices.Contains((policy.Identity{}).ExemptUsers(), by.Username) && !slices.Contains(by.Groups, "system:nodes") {
		return false
	}
	return e.Verb == "delete" || e.ObjectRef.Resource != "replicasets" && e.ObjectRef.Resource != "pods" // which it may not let go
}

// namespace is the labels of a namespace, and whether all that anything selects by are known.
func (p *Player) namespace(name string) (map[string]string, bool) {
	labels := map[string]string{"kubernetes.io/metadata.name": name}
	ns := p.known[keyOf("namespaces", "", name)]
	if ns == nil {
		return labels, !slices.ContainsFunc(p.world.Keys(), func(k string) bool { return k != "kubernetes.io/metadata.name" })
	}
	maps.Copy(labels, ns.GetLabels())
	return labels, true
}

// asked works out what an event asks.
func (p *Player) asked(e *audit.Event) []asked {
	ref := e.ObjectRef
	name := ref.Name
	response := object(e.ResponseObject)
	if name == "" && e.Verb == "create" {
		if o := cmp.Or(response, object(e.RequestObject)); o != nil {
			name = o.GetName()
		}
	}
	old := p.known[keyOf(ref.Resource, ref.Namespace, name)]
	one := func(r *evaluate.Request, unknown string) []asked {
		a := asked{name: name, unknown: unknown}
		if r != nil {
			r.Resource, r.Subresource = ref.Resource, ref.Subresource
			a.request = &decide.Request{Request: *r}
		}
		return []asked{a}
	}
	switch {
	case ref.Subresource == "eviction":
		eviction := object(e.RequestObject)
		if eviction == nil {
			return one(nil, "the log has no Eviction: it needs the level Request")
		}
		eviction.SetAPIVersion("policy/v1")
		return one(&evaluate.Request{Operation: admission.Create, Object: eviction, Now: e.RequestReceivedTimestamp}, "")
	case e.Verb == "deletecollection":
		return p.collection(e)
	case e.Verb == "delete" && ref.Subresource == "":
		if o := p.deleted(e, old); o != nil {
			return one(&evaluate.Request{Operation: admission.Delete, Old: o}, "")
		}
		return one(nil, notSeen)
	case ref.Subresource == "scale":
		return one(p.scale(e, old))
	case ref.Subresource != "" && ref.Subresource != "resize":
		return nil // status and the like disrupt nothing
	case e.Verb == "create" || e.Succeeded() && e.ResponseStatus.Code == 201: // server-side apply creates too
		if ref.Resource != "replicasets" && ref.Resource != "controllerrevisions" && ref.Resource != "horizontalpodautoscalers" {
			return nil // which disrupts nothing
		}
		created := cmp.Or(whole(response, e), object(e.RequestObject))
		if created == nil {
			return one(nil, noObject)
		}
		if why := wrongVersion(created, ref); why != "" {
			return one(nil, why)
		}
		created.SetName(name)
		created.SetNamespace(ref.Namespace)
		return one(&evaluate.Request{Operation: admission.Create, Object: created, Now: e.RequestReceivedTimestamp}, "")
	}
	request, or, unknown := p.update(e, old, response)
	list := one(request, unknown)
	list[0].or = or
	return list
}

const (
	notSeen  = "the object before the request is not in the log: give --objects"
	noObject = "the log does not say what was written: it needs the level Request"
)

// deleted is the object that a request deletes: as it was seen last, or as the answer has it.
func (p *Player) deleted(e *audit.Event, old *unstructured.Unstructured) *unstructured.Unstructured {
	if old != nil {
		return old
	}
	if o := whole(object(e.ResponseObject), e); o != nil && o.GetDeletionTimestamp() == nil {
		return o
	}
	return nil
}

// collection is each object that a deletecollection has deleted, as the answer lists them.
func (p *Player) collection(e *audit.Event) (list []asked) {
	var answer struct {
		Items []map[string]any `json:"items"`
	}
	if !e.Succeeded() || json.Unmarshal(e.ResponseObject, &answer) != nil {
		return []asked{{unknown: "the log does not say what it would delete"}}
	}
	for _, item := range answer.Items {
		u := &unstructured.Unstructured{Object: evaluate.Normal(item)}
		if old := p.known[keyOf(e.ObjectRef.Resource, e.ObjectRef.Namespace, u.GetName())]; old != nil {
			u = old
		}
		list = append(list, asked{name: u.GetName(), request: &decide.Request{Request: evaluate.Request{
			Operation: admission.Delete, Resource: e.ObjectRef.Resource, Old: typeOf(u, e.ObjectRef.Resource),
		}}})
	}
	return list
}

// typeOf gives the items of a list the kind that they do not say.
func typeOf(u *unstructured.Unstructured, resource string) *unstructured.Unstructured {
	if u.GetKind() == "" {
		for kind, of := range resourceOf {
			if of == resource {
				u.SetKind(kind)
				u.SetAPIVersion(governed[resource])
			}
		}
	}
	return u
}

// scale makes the Scales before and after of the object that was seen last.
func (p *Player) scale(e *audit.Event, old *unstructured.Unstructured) (*evaluate.Request, string) {
	if old == nil {
		return nil, notSeen
	}
	before, set, _ := unstructured.NestedInt64(old.Object, "spec", "replicas")
	if !set {
		before = 1
	}
	running, _, _ := unstructured.NestedInt64(old.Object, "status", "replicas")
	after := object(e.RequestObject)
	if answer := object(e.ResponseObject); e.Succeeded() && answer != nil && answer.GetKind() == "Scale" {
		after = answer
	}
	if after == nil {
		return nil, noObject
	}
	wanted, told, _ := unstructured.NestedInt64(after.Object, "spec", "replicas")
	if !told {
		if e.Verb == "patch" {
			wanted = before
		} else {
			wanted = 0
		}
	}
	scale := func(replicas int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": map[string]any{"namespace": old.GetNamespace(), "name": old.GetName(), "uid": string(old.GetUID())},
			"spec": map[string]any{"replicas": replicas}, "status": map[string]any{"replicas": running},
		}}
	}
	return &evaluate.Request{Operation: admission.Update, Object: scale(wanted), Old: scale(before), Now: e.RequestReceivedTimestamp}, ""
}

// update works out an object before and after a request. After one that was answered well, without a mark of Fonster's, it is in the answer,
// with all that the API server and others have set in it; else it is what the request makes of the object before it.
func (p *Player) update(e *audit.Event, old, response *unstructured.Unstructured) (request *evaluate.Request, or *unstructured.Unstructured, unknown string) {
	response = whole(response, e)
	if old == nil {
		return nil, nil, notSeen
	}
	for _, o := range []*unstructured.Unstructured{old, response} {
		if o != nil {
			if why := wrongVersion(o, e.ObjectRef); why != "" {
				return nil, nil, why
			}
		}
	}
	if response != nil && !marked(response) && !marked(old) {
		return &evaluate.Request{Operation: admission.Update, Object: response, Old: old}, nil, ""
	}
	request = &evaluate.Request{Operation: admission.Update, Old: old, Now: e.RequestReceivedTimestamp}
	written := e.RequestObject
	if len(written) == 0 || string(written) == "null" {
		return nil, nil, noObject
	}
	if e.Verb == "update" {
		after := object(written)
		if after == nil {
			return nil, nil, noObject
		}
		if v := after.GetResourceVersion(); v != "" && old.GetResourceVersion() != "" && v != old.GetResourceVersion() {
			return nil, nil, "the object before the request is another one than was seen last: something has changed it that is not in the log"
		}
		keep(after, old)
		request.Object = after
		return request, nil, ""
	}
	after, or, why := patched(old, written, e)
	if why != "" {
		return nil, nil, why
	}
	keep(after, old)
	if or != nil {
		keep(or, old)
	}
	request.Object = after
	return request, or, ""
}

// patched is an object after a patch, whose type no event tells: where the types that it may have come to something else, both.
func patched(old *unstructured.Unstructured, patch []byte, e *audit.Event) (after, or *unstructured.Unstructured, unknown string) {
	if bytes.HasPrefix(bytes.TrimSpace(patch), []byte("[")) {
		after, err := evaluate.Patch(old, patch, evaluate.JSON)
		if err != nil {
			return nil, nil, err.Error()
		}
		return after, nil, ""
	}
	if applied := object(patch); applied != nil && applied.GetKind() != "" && applied.GetAPIVersion() != "" && applies(old, e) {
		return nil, nil, "what a server-side apply takes away is not in the log"
	}
	strategic, err := evaluate.Patch(old, patch, evaluate.Strategic)
	if err != nil {
		return nil, nil, err.Error()
	}
	merged, err := evaluate.Patch(old, patch, evaluate.Merge)
	if err != nil || equality.Semantic.DeepEqual(strategic.Object, merged.Object) || bytes.Contains(patch, []byte(`"$`)) { // $patch and the like are of strategic ones
		return strategic, nil, ""
	}
	return strategic, merged, ""
}

// applies says whether whoever sends a request has applied the object before: what it leaves out is then taken away.
func applies(old *unstructured.Unstructured, e *audit.Event) bool {
	_, query, _ := strings.Cut(e.RequestURI, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return true
	}
	for _, m := range old.GetManagedFields() {
		if m.Operation == "Apply" && m.Manager == values.Get("fieldManager") {
			return true
		}
	}
	return false
}

// keep is what the API server keeps of an object before, whatever a request says.
func keep(after, old *unstructured.Unstructured) {
	if status, has := old.Object["status"]; has {
		after.Object["status"] = runtime.DeepCopyJSONValue(status)
	} else {
		delete(after.Object, "status")
	}
	after.SetGeneration(old.GetGeneration())
	after.SetUID(old.GetUID())
	after.SetCreationTimestamp(old.GetCreationTimestamp())
	after.SetDeletionTimestamp(old.GetDeletionTimestamp())
	after.SetResourceVersion(old.GetResourceVersion())
	after.SetNamespace(old.GetNamespace())
	if after.GetManagedFields() == nil {
		after.SetManagedFields(old.GetManagedFields())
	}
}

// marked says whether a policy of Fonster may have changed what was written.
func marked(o *unstructured.Unstructured) bool {
	for key := range o.GetLabels() {
		if strings.HasPrefix(key, v1alpha1.GroupName+"/") && key != v1alpha1.GatedLabel {
			return true
		}
	}
	for key := range o.GetAnnotations() {
		if strings.HasPrefix(key, v1alpha1.GroupName+"/override") {
			return true
		}
	}
	return false
}

// wrongVersion says that the rules do not know an object in the version in which it was written.
func wrongVersion(o *unstructured.Unstructured, ref *audit.Ref) string {
	if want := governed[ref.Resource]; o.GetAPIVersion() != want {
		return fmt.Sprintf("it was written as %s, which the API server makes %s before it decides", o.GetAPIVersion(), want)
	}
	return ""
}

// object reads an object of an event; nil where there is none.
func object(content json.RawMessage) *unstructured.Unstructured {
	var o map[string]any
	if len(content) == 0 || json.Unmarshal(content, &o) != nil || o == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: evaluate.Normal(o)}
}

// whole is the object of an answer, where it is that of the request and not a Status.
func whole(o *unstructured.Unstructured, e *audit.Event) *unstructured.Unstructured {
	if o == nil || !e.Succeeded() || resourceOf[o.GetKind()] != e.ObjectRef.Resource {
		return nil
	}
	return o
}

// was is what became of a request when it was made.
func was(e *audit.Event) string {
	o := object(e.ResponseObject)
	switch {
	case e.Succeeded() && o != nil && o.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting:
		return string(decide.Held)
	case e.Succeeded() && e.Annotations[audit.FailureAnnotation] != "":
		return string(decide.Audited)
	case e.Succeeded():
		return string(decide.Allowed)
	case strings.Contains(e.ResponseStatus.Message, "ValidatingAdmissionPolicy 'fonster-"):
		return string(decide.Refused)
	}
	return "Failed"
}

// remember keeps what an event shows of an object.
func (p *Player) remember(e *audit.Event) {
	ref := e.ObjectRef
	if !e.Succeeded() || dry(e) {
		return
	}
	o := object(e.ResponseObject)
	switch {
	case e.Verb == "deletecollection":
		var answer struct {
			Items []map[string]any `json:"items"`
		}
		_ = json.Unmarshal(e.ResponseObject, &answer)
		for _, item := range answer.Items {
			delete(p.known, keyOf(ref.Resource, ref.Namespace, (&unstructured.Unstructured{Object: item}).GetName()))
		}
	case ref.Subresource == "scale" && o != nil && o.GetKind() == "Scale":
		p.rescale(keyOf(ref.Resource, ref.Namespace, ref.Name), o)
	case o != nil && o.GetKind() == "PartialObjectMetadata": // what a client that asks for no more is answered
		if old := p.known[keyOf(ref.Resource, ref.Namespace, ref.Name)]; old != nil {
			after := old.DeepCopy()
			after.Object["metadata"] = o.Object["metadata"]
			p.known[keyOf(ref.Resource, ref.Namespace, ref.Name)] = after
		}
	case whole(o, e) != nil:
		name := cmp.Or(ref.Name, o.GetName())
		p.known[keyOf(ref.Resource, ref.Namespace, name)] = o
		if e.Verb == "delete" && o.GetDeletionTimestamp() == nil {
			delete(p.known, keyOf(ref.Resource, ref.Namespace, name))
		}
	case e.Verb == "delete" && ref.Subresource == "":
		delete(p.known, keyOf(ref.Resource, ref.Namespace, ref.Name))
	case ref.Subresource == "eviction" || ref.Subresource == "binding" || ref.Subresource == "token":
	case o == nil: // it has been changed, and nothing says how
		delete(p.known, keyOf(ref.Resource, ref.Namespace, ref.Name))
	}
}

// rescale is what a Scale changes of its object.
func (p *Player) rescale(k key, scale *unstructured.Unstructured) {
	old := p.known[k]
	if old == nil {
		return
	}
	after := old.DeepCopy()
	replicas, _, _ := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	before, set, _ := unstructured.NestedInt64(old.Object, "spec", "replicas")
	if !set || before != replicas {
		after.SetGeneration(old.GetGeneration() + 1)
	}
	_ = unstructured.SetNestedField(after.Object, replicas, "spec", "replicas")
	after.SetResourceVersion(scale.GetResourceVersion())
	p.known[k] = after
}

// Report counts what has been decided.
func (p *Player) Report() Report {
	r := Report{Events: p.events, Verdicts: map[decide.Verdict]int{}, Requests: p.requests, Groups: []Group{}}
	if r.Requests == nil {
		r.Requests = []Request{}
	}
	counts := map[Group]int{}
	for _, q := range r.Requests {
		r.Verdicts[q.Verdict]++
		var disruptions []string
		for _, d := range q.Disruptions {
			disruptions = append(disruptions, string(d))
		}
		by := strings.Join(slices.Concat(q.Windows, q.Freezes), ", ")
		if q.Verdict == decide.Unknown || by == "" {
			by = q.Why
		}
		counts[Group{q.Verdict, by, q.Namespace, q.User, q.Kind, strings.Join(disruptions, ", "), 0}]++
	}
	for g, n := range counts {
		g.Count = n
		r.Groups = append(r.Groups, g)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(slices.Index(decide.Verdicts, b.Verdict)-slices.Index(decide.Verdicts, a.Verdict), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.User, b.User), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.By, b.By), cmp.Compare(a.Disruptions, b.Disruptions))
	})
	return r
}
