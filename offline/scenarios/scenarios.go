// Package scenarios decides cases that are data: at this instant, this workload, this change: allowed, held or refused, and why.
package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	sigsjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/offline/decide"
	"fonster.dev/fonster/offline/evaluate"
)

// File is what a file of cases has.
type File struct {
	// Namespaces are those that cases name, with their labels.
	Namespaces map[string]map[string]string `json:"namespaces"`
	Cases      []Case                       `json:"cases"`
}

// Case is one request, and what should become of it.
type Case struct {
	Name string `json:"name"`
	// At is the instant, RFC 3339.
	At        time.Time `json:"at"`
	Namespace string    `json:"namespace"`
	// Do is Rollout, ScaleDown, Delete or Evict, of an object such as Deployment/web with Labels, which its pod template has too.
	Do     v1alpha1.Disruption `json:"do,omitempty"`
	Of     string              `json:"of,omitempty"`
	Labels map[string]string   `json:"labels,omitempty"`
	// Object, in the place of Of, is the object as it is; Patch changes it, as kubectl patch does, or Delete deletes it.
	Object map[string]any  `json:"object,omitempty"`
	Patch  json.RawMessage `json:"patch,omitempty"`
	Delete bool            `json:"delete,omitempty"`
	// By is who asks, with Groups; a developer without rights where it is left out. MayOverride gives them every right to override.
	By          string   `json:"by,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	MayOverride bool     `json:"mayOverride,omitempty"`
	// Want is the verdict; Because is a part of what is said of it, and Windows are what it names, windows and freezes.
	Want    decide.Verdict `json:"want"`
	Because string         `json:"because,omitempty"`
	Windows []string       `json:"windows,omitempty"`
}

// Result is a case with what became of it.
type Result struct {
	File    string         `json:"file"`
	Name    string         `json:"name"`
	Passed  bool           `json:"passed"`
	Verdict decide.Verdict `json:"verdict"`
	Why     string         `json:"why,omitempty"`
	Windows []string       `json:"windows,omitempty"`
	Freezes []string       `json:"freezes,omitempty"`
	// Failure says what is not as wanted.
	Failure string `json:"failure,omitempty"`
}

// Read reads a file of cases. Fields that are unknown or there twice are errors.
func Read(path string) (*File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &File{}
	wrong, err := sigsjson.UnmarshalStrict(text, f)
	if err := errors.Join(append(wrong, err)...); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(f.Cases) == 0 {
		return nil, fmt.Errorf("%s: there are no cases", path)
	}
	for i := range f.Cases {
		if err := f.Cases[i].check(f); err != nil {
			return nil, fmt.Errorf("%s: cases[%d] %q: %w", path, i, f.Cases[i].Name, err)
		}
	}
	return f, nil
}

// wanted are the verdicts that a case may want.
var wanted = []decide.Verdict{decide.Allowed, decide.Audited, decide.Warned, decide.Held, decide.Refused}

func (c *Case) check(f *File) error {
	switch {
	case c.At.IsZero():
		return errors.New("at is missing: an instant with its offset, such as 2026-12-05T10:00:00+01:00")
	case c.Namespace == "":
		return errors.New("namespace is missing")
	case !slices.Contains(wanted, c.Want):
		return fmt.Errorf("want %q: want one of Allowed, Audited, Warned, Held, Refused", c.Want)
	case (c.Of == "") == (c.Object == nil):
		return errors.New("give either of, such as Deployment/web, or object")
	case c.Of != "" && c.Do == "":
		return errors.New("do is missing: Rollout, ScaleDown, Delete or Evict")
	case c.Object != nil && c.Do != "":
		return errors.New("do goes with of: what happens to object is patch or delete")
	case c.Object != nil && c.Delete == (len(c.Patch) > 0):
		return errors.New("give either patch, or delete: true")
	}
	if _, known := f.Namespaces[c.Namespace]; !known && len(f.Namespaces) > 0 {
		return fmt.Errorf("namespace %s is not among namespaces, which say the labels of each", c.Namespace)
	}
	return nil
}

// Run decides every case of a file.
func Run(world *decide.World, path string, f *File) []Result {
	var results []Result
	for i := range f.Cases {
		c := &f.Cases[i]
		r := Result{File: path, Name: c.Name}
		if r.Name == "" {
			r.Name = fmt.Sprintf("cases[%d]", i)
		}
		d, err := c.decide(world, f.Namespaces[c.Namespace])
		if err != nil {
			r.Failure = err.Error()
			results = append(results, r)
			continue
		}
		r.Verdict, r.Why, r.Windows, r.Freezes = d.Verdict, d.Why, d.Windows, d.Freezes
		r.Failure = c.compare(d)
		r.Passed = r.Failure == ""
		results = append(results, r)
	}
	return results
}

func (c *Case) compare(d decide.Decision) string {
	if d.Verdict != c.Want {
		return fmt.Sprintf("want %s, got %s", c.Want, d.Verdict)
	}
	if !strings.Contains(d.Why, c.Because) {
		return fmt.Sprintf("want it because of %q", c.Because)
	}
	if named := slices.Concat(d.Windows, d.Freezes); c.Windows != nil && !equal(c.Windows, named) {
		return fmt.Sprintf("want it by %s, got %s", strings.Join(c.Windows, ", "), strings.Join(named, ", "))
	}
	return ""
}

func equal(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func (c *Case) decide(world *decide.World, labels map[string]string) (decide.Decision, error) {
	r, err := c.request()
	if err != nil {
		return decide.Decision{}, err
	}
	r.At, r.Labels = c.At, map[string]string{"kubernetes.io/metadata.name": c.Namespace}
	for k, v := range labels {
		r.Labels[k] = v
	}
	if r.User = c.By; r.User == "" {
		r.User = "developer"
	}
	r.Groups = append(slices.Clone(c.Groups), "system:authenticated")
	if r.Operation != admission.Delete && r.Subresource != "scale" {
		r.Now = c.At
	}
	disrupts, err := world.Disruptions(r)
	if err != nil {
		return decide.Decision{}, err
	}
	if c.Do != "" && !slices.Contains(disrupts, c.Do) {
		return decide.Decision{}, fmt.Errorf("nothing does that to a %s", strings.Split(c.Of, "/")[0])
	}
	d, err := world.DecideWith(r, &c.MayOverride)
	if err == nil && d.Verdict == decide.Allowed {
		if len(disrupts) == 0 {
			d.Why = "it disturbs nothing"
			return d, nil
		}
		return world.Passing(r, disrupts), nil
	}
	return d, err
}

// request is what the API server would be asked.
func (c *Case) request() (*decide.Request, error) {
	if c.Object != nil {
		return c.ofObject()
	}
	kind, name, found := strings.Cut(c.Of, "/")
	if !found || name == "" {
		return nil, fmt.Errorf("of %q: want KIND/NAME, such as Deployment/web", c.Of)
	}
	old, err := sample(kind, c.Namespace, name, c.Labels)
	if err != nil {
		return nil, err
	}
	r := &decide.Request{Request: evaluate.Request{Operation: admission.Update, Resource: resources[kind], Old: old}}
	after := old.DeepCopy()
	switch c.Do {
	case v1alpha1.Delete:
		r.Operation = admission.Delete
		return r, nil
	case v1alpha1.Evict:
		if kind != "Pod" {
			return nil, fmt.Errorf("do Evict: is of a Pod, not of a %s", kind)
		}
		r.Operation, r.Subresource, r.Old = admission.Create, "eviction", nil
		r.Object = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"namespace": c.Namespace, "name": name},
		}}
		return r, nil
	case v1alpha1.ScaleDown:
		err = unstructured.SetNestedField(after.Object, int64(1), "spec", "replicas")
	case v1alpha1.Rollout:
		path := []string{"spec", "template", "spec", "containers"}
		if kind == "Pod" {
			path = []string{"spec", "containers"}
		}
		err = unstructured.SetNestedSlice(after.Object, []any{map[string]any{"name": "app", "image": "app:2"}}, path...)
	default:
		return nil, fmt.Errorf("do %q: want Rollout, ScaleDown, Delete or Evict", c.Do)
	}
	r.Object = after
	return r, err
}

func (c *Case) ofObject() (*decide.Request, error) {
	old := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(evaluate.Normal(c.Object))}
	resource, known := resources[old.GetKind()]
	if !known {
		return nil, fmt.Errorf("object: windows do not govern a %q", old.GetKind())
	}
	if resource != "namespaces" {
		old.SetNamespace(c.Namespace)
	}
	running(old)
	r := &decide.Request{Request: evaluate.Request{Operation: admission.Delete, Resource: resource, Old: old}}
	if c.Delete {
		return r, nil
	}
	after, err := evaluate.Patch(old, c.Patch, evaluate.Strategic)
	if err != nil {
		return nil, fmt.Errorf("patch: %w", err)
	}
	r.Operation, r.Object = admission.Update, after
	return r, nil
}

// resources of what a case may be about.
var resources = map[string]string{
	"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "Pod": "pods", "Namespace": "namespaces",
	"ReplicaSet": "replicasets", "ReplicationController": "replicationcontrollers", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
}

// sample is an object that runs, with two pods where it has any.
func sample(kind, namespace, name string, labels map[string]string) (*unstructured.Unstructured, error) {
	all := map[string]any{"app": name}
	for k, v := range labels {
		all[k] = v
	}
	metadata := map[string]any{"namespace": namespace, "name": name, "labels": all, "generation": int64(1)}
	pod := map[string]any{"containers": []any{map[string]any{"name": "app", "image": "app:1"}}}
	template := map[string]any{"metadata": map[string]any{"labels": all}, "spec": pod}
	spec := map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": name}}, "template": template}
	object := map[string]any{"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
	switch kind {
	case "Deployment":
		spec["replicas"] = int64(2)
	case "StatefulSet":
		spec["replicas"], spec["serviceName"], spec["updateStrategy"] = int64(2), name, map[string]any{"type": "RollingUpdate"}
	case "DaemonSet":
		spec["updateStrategy"] = map[string]any{"type": "RollingUpdate"}
	case "Pod":
		pod["nodeName"] = "node"
		object["apiVersion"], object["spec"] = "v1", pod
	case "Namespace":
		delete(metadata, "namespace")
		metadata["name"] = namespace
		object["apiVersion"], object["spec"] = "v1", map[string]any{}
	default:
		return nil, fmt.Errorf("of %s/%s: want a Deployment, StatefulSet, DaemonSet, Pod or Namespace; of another kind give object", kind, name)
	}
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(object)}
	running(u)
	return u, nil
}

// running gives an object that says nothing of its pods the status of one that runs as its spec says.
func running(u *unstructured.Unstructured) {
	if _, told := u.Object["status"]; told {
		return
	}
	if u.GetGeneration() == 0 {
		u.SetGeneration(1)
	}
	replicas, set, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	if !set {
		replicas = 1
	}
	switch u.GetKind() {
	case "Pod":
		u.Object["status"] = map[string]any{"phase": "Running"}
	case "DaemonSet":
		u.Object["status"] = map[string]any{
			"observedGeneration": u.GetGeneration(), "desiredNumberScheduled": int64(2), "currentNumberScheduled": int64(2), "numberMisscheduled": int64(0),
			"numberReady": int64(2), "updatedNumberScheduled": int64(2),
		}
	case "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController":
		u.Object["status"] = map[string]any{"observedGeneration": u.GetGeneration(), "replicas": replicas}
		if u.GetKind() == "Deployment" || u.GetKind() == "StatefulSet" {
			status := u.Object["status"].(map[string]any)
			status["updatedReplicas"], status["readyReplicas"] = replicas, replicas
		}
	}
}
