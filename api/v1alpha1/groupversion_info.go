// Package v1alpha1 holds the kinds users write (MaintenanceWindow, ChangeFreeze), the compiled Gate, and the reasons
// of their conditions. It holds no logic: package compile reads these kinds, and package gate decides.
// +kubebuilder:object:generate=true
// +groupName=maintenance.fonster.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group, and the prefix of every annotation and label.
const GroupName = "maintenance.fonster.dev"

var (
	// GroupVersion is the group and version of the kinds in this package.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
	// SchemeGroupVersion is GroupVersion under the name that generated code asks for.
	SchemeGroupVersion = GroupVersion

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MaintenanceWindow{}, &MaintenanceWindowList{},
		&ChangeFreeze{}, &ChangeFreezeList{},
		&Gate{}, &GateList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
