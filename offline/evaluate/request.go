package evaluate

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes/scheme"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
)

// Request is one request as it comes to admission.
type Request struct {
	Operation admission.Operation
	// Resource is plural, such as deployments; Subresource may be empty.
	Resource, Subresource string
	// Namespace is taken from the objects where it is empty, and so is Name.
	Namespace, Name string
	// Object and Old are nil where the API server has none. They are not changed.
	Object, Old runtime.Object

	User   string
	Groups []string
	// Rights says whether the user may do something; nil: nothing.
	Rights func(Right) bool

	// NamespaceObject is the namespace that the request is in, as it is stored; nil: one without labels.
	NamespaceObject *corev1.Namespace
	// Gate is the Gate of that namespace, or nil.
	Gate *v1alpha1.Gate
	// Trial is the second Gate of that namespace, of what audits, or nil.
	Trial *v1alpha1.Gate

	// Now, when it is set, has the API server stamp the request into the object's managedFields, and count its generation up.
	Now time.Time
	// Order, when it is set, has the mutating policies asked in one order alone, another for each number; else in every one.
	Order int
}

// Right is what a policy asks for.
type Right struct{ Verb, Group, Resource, Subresource, Namespace, Name string }

// Denial is a refusal by one policy, or a warning.
type Denial struct{ Policy, Message, Reason string }

// Result is what becomes of a request.
type Result struct {
	// Denials are of all policies that refuse; the API server tells of the first.
	Denials  []Denial
	Warnings []Denial
	// Audited are the refusals that are only recorded.
	Audited []Denial
	// Notes are what policies say for programs of what closes the request, of Gates that audit too.
	Notes []audit.Note
	// Errors are what went wrong in the evaluation of policies; some of them refuse, some nobody would notice.
	Errors []string
	// Object is the object after the mutations; nil for a deletion.
	Object *unstructured.Unstructured
}

// Allowed says whether no policy refuses.
func (r Result) Allowed() bool { return len(r.Denials) == 0 }

func (r Result) String() string {
	switch {
	case len(r.Denials) > 0:
		return fmt.Sprintf("denied by %s: %s", r.Denials[0].Policy, r.Denials[0].Message)
	case len(r.Warnings) > 0:
		return fmt.Sprintf("warned by %s: %s", r.Warnings[0].Policy, r.Warnings[0].Message)
	}
	return "allowed"
}

type resource struct {
	group, version, kind string
	cluster              bool
}

// resources are those that some policy may look at.
var resources = map[string]resource{
	"deployments":               {"apps", "v1", "Deployment", false},
	"statefulsets":              {"apps", "v1", "StatefulSet", false},
	"daemonsets":                {"apps", "v1", "DaemonSet", false},
	"replicasets":               {"apps", "v1", "ReplicaSet", false},
	"controllerrevisions":       {"apps", "v1", "ControllerRevision", false},
	"replicationcontrollers":    {"", "v1", "ReplicationController", false},
	"pods":                      {"", "v1", "Pod", false},
	"configmaps":                {"", "v1", "ConfigMap", false},
	"namespaces":                {"", "v1", "Namespace", true},
	"horizontalpodautoscalers":  {"autoscaling", "v2", "HorizontalPodAutoscaler", false},
	"jobs":                      {"batch", "v1", "Job", false},
	"gates":                     {v1alpha1.GroupName, v1alpha1.GroupVersion.Version, "Gate", false},
	"maintenancewindows":        {v1alpha1.GroupName, v1alpha1.GroupVersion.Version, "MaintenanceWindow", true},
	"changefreezes":             {v1alpha1.GroupName, v1alpha1.GroupVersion.Version, "ChangeFreeze", true},
	"customresourcedefinitions": {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", true},
}

func (r *Request) gvr() schema.GroupVersionResource {
	of, known := resources[r.Resource]
	if !known {
		panic("resource " + r.Resource + " is not in the table of the evaluator")
	}
	return schema.GroupVersionResource{Group: of.group, Version: of.version, Resource: r.Resource}
}

// kind is of the object of the request, which for some subresources is not that of the resource.
func (r *Request) kind() schema.GroupVersionKind {
	switch r.Subresource {
	case "scale":
		return schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}
	case "eviction":
		return schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "Eviction"}
	}
	of := resources[r.Resource]
	return schema.GroupVersionKind{Group: of.group, Version: of.version, Kind: of.kind}
}

// Where is the namespace and name of the request: a Namespace lies in itself.
func (r *Request) Where() (namespace, name string) {
	namespace, name = r.Namespace, r.Name
	for _, o := range []runtime.Object{r.Object, r.Old} {
		if o == nil {
			continue
		}
		m, err := meta.Accessor(o)
		if err != nil {
			continue
		}
		if name == "" {
			name = m.GetName()
		}
		if namespace == "" {
			namespace = m.GetNamespace()
		}
	}
	switch {
	case r.Resource == "namespaces":
		namespace = name
	case resources[r.Resource].cluster:
		namespace = ""
	}
	return namespace, name
}

// Attributes are the request as the API server hands it to admission.
func (r *Request) Attributes(by user.Info) admission.Attributes {
	namespace, name := r.Where()
	return admission.NewAttributesRecord(r.Object, r.Old, r.kind(), namespace, name, r.gvr(), r.Subresource, r.Operation, nil, false, by)
}

func (r *Request) namespaceObject(name string) *corev1.Namespace {
	if r.NamespaceObject != nil {
		return r.NamespaceObject
	}
	if r.Resource == "namespaces" && r.Old != nil {
		if old, ok := r.Old.(*corev1.Namespace); ok {
			return old
		}
		old, err := Typed(Unstructured(r.Old))
		if err != nil {
			panic(err)
		}
		return old.(*corev1.Namespace)
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// Unstructured is an object as it is written down.
func Unstructured(o runtime.Object) *unstructured.Unstructured {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		panic(err)
	}
	return &unstructured.Unstructured{Object: content}
}

// Typed is an object of Kubernetes' own as its Go type, strictly; others stay as they are.
func Typed(u *unstructured.Unstructured) (runtime.Object, error) { return typed(u, true) }

// typed is quicker where nobody asks for misspelt fields.
func typed(u *unstructured.Unstructured, strictly bool) (runtime.Object, error) {
	typed, err := scheme.Scheme.New(u.GroupVersionKind())
	if err != nil {
		return u, nil //nolint:nilerr // not one of Kubernetes' own
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, typed, strictly); err != nil {
		return nil, fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
	}
	typed.GetObjectKind().SetGroupVersionKind(u.GroupVersionKind())
	return typed, nil
}
