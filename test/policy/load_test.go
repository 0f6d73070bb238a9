package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/offline/evaluate"
)

// now is when every request of a case is made: the closed windows of the fixtures open later, the open ones close later.
var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// policies are those of the repository.
var policies = sync.OnceValues(func() (*evaluate.Policies, error) {
	return evaluate.Load("../../config/policies", "../../config/mutating")
})

// servers are compiled once for all tests.
var servers sync.Map

// server is an API server of a version with the policies of the repository. That everything compiles is TestCompile's.
func server(t testing.TB, version string) *evaluate.Server {
	t.Helper()
	if s, found := servers.Load(version); found {
		return s.(*evaluate.Server)
	}
	p, err := policies()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := evaluate.New(version, p)
	servers.Store(version, s)
	return s
}

// attempt is one request, as a file tells it.
type attempt struct {
	Name string `json:"name"`
	// Old is the object before the request: the name of a fixture, or the object itself. Of patches that are given with OldPatch it is changed.
	Old      json.RawMessage `json:"old"`
	OldPatch json.RawMessage `json:"oldPatch"`
	// Patch changes Old, as kubectl patch does, or Object where there is no Old; Object may also take the place of Old; Delete takes it away.
	Patch  json.RawMessage `json:"patch"`
	Object json.RawMessage `json:"object"`
	Delete bool            `json:"delete"`
	// Resource is told where the kind does not tell it, as of a Scale.
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	// User is one of fixtures/users.yaml; developer where it is left out.
	User string `json:"user"`
	// Gate is the name of a fixture, or the spec of a Gate; a closed one where it is left out, and none where it is none.
	Gate json.RawMessage `json:"gate"`
	// Namespace patches the namespace of the request.
	Namespace json.RawMessage `json:"namespace"`
	// Unstamped: the request leaves no time in managedFields.
	Unstamped bool `json:"unstamped"`

	// Does lists what the request does to the workload: it is then refused where that is closed or frozen, and only there. Where it is
	// empty, but there, the request is harmless.
	Does *[]v1alpha1.Disruption `json:"does"`
	// ControlPlane: the control plane does not pass either.
	ControlPlane bool `json:"controlPlane"`
	// Want is what becomes of the request, where Does does not say so.
	Want *want `json:"want"`
	// NeverWarns: there is no warning of such requests.
	NeverWarns bool `json:"neverWarns"`
	// After is a part of the object as it is stored then.
	After map[string]any `json:"after"`
	// Versions are the only ones that the attempt is made in; all, where there are none.
	Versions []string `json:"versions"`

	// made is the request, without its Gate.
	made evaluate.Request
}

// want is one of: allow, hold, {deny: TEXT}, {warn: TEXT}.
type want struct{ verdict, text string }

func (w *want) UnmarshalJSON(content []byte) error {
	if err := json.Unmarshal(content, &w.verdict); err == nil {
		return nil
	}
	var said map[string]string
	if err := json.Unmarshal(content, &said); err != nil || len(said) != 1 {
		return fmt.Errorf("want %s: neither a word nor one word with its text", content)
	}
	for w.verdict, w.text = range said { //nolint:revive // one
	}
	return nil
}

// file is what a file in testdata says of one rule.
type file struct {
	// Rule says what is tried.
	Rule     string    `json:"rule"`
	Attempts []attempt `json:"attempts"`
}

// contents are the files that were read before.
var contents sync.Map

func readYAML(t testing.TB, path string, into any) {
	t.Helper()
	known, found := contents.Load(path)
	if !found {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		known, _ = contents.LoadOrStore(path, content)
	}
	content := known.([]byte)
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// object reads that of a fixture, or one that is told in its place.
func object(t testing.TB, told json.RawMessage) *unstructured.Unstructured {
	t.Helper()
	if len(told) == 0 {
		return nil
	}
	u := &unstructured.Unstructured{}
	var name string
	if err := json.Unmarshal(told, &name); err == nil {
		readYAML(t, filepath.Join("testdata/fixtures", name+".yaml"), &u.Object)
	} else if err := json.Unmarshal(told, &u.Object); err != nil {
		t.Fatal(err)
	}
	evaluate.Normal(u.Object)
	if _, err := evaluate.Typed(u); err != nil { // strictly, so that no field is misspelt
		t.Fatal(err)
	}
	return u
}

// patched is an object after a patch as kubectl makes them.
func patched(t testing.TB, u *unstructured.Unstructured, patch json.RawMessage) *unstructured.Unstructured {
	t.Helper()
	if len(patch) == 0 {
		return u
	}
	after, err := evaluate.Patch(u, patch, evaluate.Strategic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evaluate.Typed(after); err != nil {
		t.Fatal(err)
	}
	return after
}

// gateOf reads the Gate of an attempt, without its labels.
func gateOf(t testing.TB, told json.RawMessage) *v1alpha1.Gate {
	t.Helper()
	name := "closed"
	g := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: v1alpha1.GateName}}
	g.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Gate"))
	if len(told) > 0 && json.Unmarshal(told, &name) != nil {
		if err := yaml.UnmarshalStrict(told, &g.Spec); err != nil {
			t.Fatal(err)
		}
		return g
	}
	if name == "none" {
		return nil
	}
	readYAML(t, filepath.Join("testdata/fixtures/gates", name+".yaml"), &g.Spec)
	return g
}

// person is who asks.
type person struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
	// Rights are written VERB RESOURCE[/SUBRESOURCE] NAME.
	Rights []string `json:"rights"`
}

func (p person) may(r evaluate.Right) bool {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	for _, right := range p.Rights {
		if right == strings.TrimSpace(r.Verb+" "+resource+" "+r.Name) {
			return true
		}
	}
	return false
}

var people = sync.OnceValues(func() (map[string]person, error) {
	content, err := os.ReadFile("testdata/fixtures/users.yaml")
	if err != nil {
		return nil, err
	}
	list := map[string]person{}
	return list, yaml.UnmarshalStrict(content, &list)
})

func personCalled(t testing.TB, name string) person {
	t.Helper()
	list, err := people()
	if err != nil {
		t.Fatal(err)
	}
	p, found := list[name]
	if !found {
		t.Fatalf("there is no user %s in fixtures/users.yaml", name)
	}
	return p
}

// request makes the request of an attempt.
func (a attempt) request(t testing.TB) evaluate.Request {
	t.Helper()
	old := object(t, a.Old)
	if old != nil {
		old = patched(t, old, a.OldPatch)
	}
	after := object(t, a.Object)
	if old == nil && after != nil {
		after = patched(t, after, a.Patch)
	}
	r := evaluate.Request{Operation: admission.Create, Resource: a.Resource, Subresource: a.Subresource, Now: now}
	switch {
	case a.Delete:
		r.Operation = admission.Delete
	case old != nil && after == nil:
		after = patched(t, old, a.Patch)
		fallthrough
	case old != nil:
		r.Operation = admission.Update
	}
	r.Object, r.Old = whole(after), whole(old)
	if r.Resource == "" {
		r.Resource = resourceOf(t, old, after)
	}
	if a.Unstamped {
		r.Now = time.Time{}
	}
	if a.User == "" {
		a.User = "developer"
	}
	p := personCalled(t, a.User)
	r.User, r.Groups, r.Rights = p.Name, p.Groups, p.may
	if r.Resource != "namespaces" {
		r.NamespaceObject = namespace(t, a.Namespace)
	}
	return r
}

func whole(u *unstructured.Unstructured) runtime.Object {
	if u == nil {
		return nil
	}
	return u
}

func namespace(t testing.TB, patch json.RawMessage) *corev1.Namespace {
	t.Helper()
	typed, err := evaluate.Typed(patched(t, object(t, json.RawMessage(`"namespace"`)), patch))
	if err != nil {
		t.Fatal(err)
	}
	return typed.(*corev1.Namespace)
}

// resourceOf is the resource of a kind.
func resourceOf(t testing.TB, list ...*unstructured.Unstructured) string {
	t.Helper()
	for _, u := range list {
		if u != nil {
			return strings.ToLower(u.GetKind()) + "s"
		}
	}
	t.Fatal(errors.New("an attempt has neither an old nor a new object"))
	return ""
}
