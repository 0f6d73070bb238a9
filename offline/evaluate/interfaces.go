package evaluate

import (
	"context"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// What the API server has around its policies, as far as they ask for it.

// objects says how objects are made and copied. Every object here has the version that the policies ask for, so nothing is converted.
type objects struct{}

var (
	_ admission.ObjectInterfaces = objects{}
	_ runtime.ObjectConvertor    = objects{}
)

func (objects) GetObjectCreater() runtime.ObjectCreater     { return scheme.Scheme }
func (objects) GetObjectTyper() runtime.ObjectTyper         { return scheme.Scheme }
func (objects) GetObjectDefaulter() runtime.ObjectDefaulter { return scheme.Scheme }
func (objects) GetObjectConvertor() runtime.ObjectConvertor { return objects{} }
func (objects) GetEquivalentResourceMapper() runtime.EquivalentResourceMapper {
	return runtime.NewEquivalentResourceRegistry()
}

// Convert copies in to out, which are of one type.
func (objects) Convert(in, out, _ any) error {
	from, to := reflect.ValueOf(in), reflect.ValueOf(out)
	if from.Type() != to.Type() {
		return fmt.Errorf("cannot make a %T of a %T", out, in)
	}
	to.Elem().Set(from.Elem())
	return nil
}

func (objects) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (objects) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

// namespaces is what the API server knows of the one namespace of a request.
type namespaces struct{ *corev1.Namespace }

var _ listers.NamespaceLister = namespaces{}

func (n namespaces) List(labels.Selector) ([]*corev1.Namespace, error) {
	return []*corev1.Namespace{n.Namespace}, nil
}
func (n namespaces) Get(string) (*corev1.Namespace, error) { return n.Namespace, nil }

// params is the cache of params with the Gates that the namespace of a request may have.
type params struct {
	cache.SharedIndexInformer
	gates []*unstructured.Unstructured
}

var (
	_ informers.GenericInformer    = params{}
	_ cache.GenericLister          = params{}
	_ cache.GenericNamespaceLister = params{}
)

func (p params) Informer() cache.SharedIndexInformer { return p }
func (p params) HasSynced() bool                     { return true }
func (p params) Lister() cache.GenericLister         { return p }

// Get is asked by a binding that names its param.
func (p params) Get(name string) (runtime.Object, error) {
	for _, g := range p.gates {
		if g.GetName() == name {
			return AsMap{g}, nil
		}
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "gates"}, name)
}

// AsMap is a param that CEL need not write as JSON and read again, as it would; what it sees is the same.
type AsMap struct{ *unstructured.Unstructured }

// ToUnstructured is what CEL asks for.
func (m AsMap) ToUnstructured() any { return m.Object }

func (p params) ByNamespace(namespace string) cache.GenericNamespaceLister {
	if len(p.gates) > 0 && p.gates[0].GetNamespace() != namespace {
		return params{}
	}
	return p
}

func (p params) List(selector labels.Selector) (list []runtime.Object, _ error) {
	for _, g := range p.gates {
		if selector.Matches(labels.Set(g.GetLabels())) {
			list = append(list, AsMap{g})
		}
	}
	return list, nil
}

// converters gives a type converter for any kind: JSON patches are given one, and do not use it.
type converters struct{}

var _ patch.TypeConverterManager = converters{}

func (converters) GetTypeConverter(schema.GroupVersionKind) managedfields.TypeConverter {
	return managedfields.NewDeducedTypeConverter()
}
func (converters) Run(context.Context) {}
