package inputs

import (
	"go/ast"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const unreviewed = "look which controller reads it before a pod is deleted or replaced, and who may write it; write a row of hack/inputs where " +
	"that ends pods, with the rule that holds it; then add it to test/inputs/reviewed_test.go"

// TestFields: every field of the types that those controllers read was reviewed, and every one that was reviewed is still there.
func TestFields(t *testing.T) {
	fields := map[string][]string{}
	for _, o := range []any{
		appsv1.Deployment{}, appsv1.ReplicaSet{}, appsv1.StatefulSet{}, appsv1.DaemonSet{}, appsv1.ControllerRevision{},
		corev1.ReplicationController{}, autoscalingv1.Scale{}, autoscalingv2.HorizontalPodAutoscaler{},
		policyv1.Eviction{}, policyv1.PodDisruptionBudget{}, batchv1.Job{}, batchv1.CronJob{},
		corev1.Pod{}, corev1.Namespace{}, corev1.Node{}, corev1.Binding{}, metav1.DeleteOptions{},
	} {
		walk(reflect.TypeOf(o), fields)
	}
	compare(t, "field", fields, reviewedFields)
}

// TestValues: every value of the enumerations among them was reviewed too: a new strategy is as good as a new field.
func TestValues(t *testing.T) {
	values := map[string][]string{}
	root := source(t, "k8s.io/api")
	for _, folder := range []string{"apps/v1", "autoscaling/v2", "batch/v1", "core/v1", "policy/v1"} {
		for _, file := range parse(t, filepath.Join(root, folder)) {
			ast.Inspect(file, func(n ast.Node) bool {
				v, ok := n.(*ast.ValueSpec)
				if !ok || len(v.Values) == 0 {
					return true
				}
				kind, ok := v.Type.(*ast.Ident)
				literal, isText := v.Values[0].(*ast.BasicLit)
				if name := folder + "." + nameOf(kind, ok); ok && isText && reviewedValues[name] != "" {
					values[name] = append(values[name], strings.Trim(literal.Value, `"`))
				}
				return true
			})
		}
	}
	compare(t, "value", values, reviewedValues)
}

func nameOf(i *ast.Ident, ok bool) string {
	if !ok {
		return ""
	}
	return i.Name
}

// walk collects the fields of a type, as JSON names them, and of the types in it; of what a pod is made of, no deeper than containers.
func walk(kind reflect.Type, fields map[string][]string) {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
		kind = kind.Elem()
	}
	name := strings.TrimPrefix(kind.PkgPath(), "k8s.io/") + "." + kind.Name()
	if _, seen := fields[name]; seen || kind.Kind() != reflect.Struct || slices.Contains(notRead, kind.Name()) {
		return
	}
	fields[name] = nil
	for i := range kind.NumField() {
		f := kind.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		if tag == "" { // embedded
			tag = f.Name
		}
		fields[name] = append(fields[name], tag)
		walk(f.Type, fields)
	}
}

// notRead are types whose insides decide nothing about the end of a pod that runs: they are part of a template, whose every change is a
// rollout, or immutable in a pod, or what a kubelet tells of it.
var notRead = []string{
	"Affinity", "Probe", "Lifecycle", "SecurityContext", "PodSecurityContext", "Volume", "EnvVar", "EnvFromSource",
	"VolumeMount", "VolumeDevice", "ContainerPort", "PodDNSConfig", "HostAlias", "TopologySpreadConstraint",
	"LocalObjectReference", "PersistentVolumeClaim", "ContainerStatus", "PodIP", "HostIP", "NodeStatus", "NodeConfigSource",
	"Time", "MicroTime", "Duration", "Quantity", "IntOrString", "ManagedFieldsEntry", "RawExtension", "FieldsV1",
	"PodResourceClaimStatus", "PodExtendedResourceClaimStatus", "PodCondition", "NamespaceCondition", "ObjectReference",
	"DeploymentCondition", "ReplicaSetCondition", "StatefulSetCondition", "DaemonSetCondition", "ReplicationControllerCondition",
	"JobCondition", "HorizontalPodAutoscalerCondition", "Condition", "MetricStatus",
}

// compare holds what is there against what was reviewed.
func compare(t *testing.T, what string, there map[string][]string, reviewed map[string]string) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(there)) {
		for _, name := range there[kind] {
			if !slices.Contains(strings.Fields(reviewed[kind]), name) {
				t.Errorf("%s %s of %s was not reviewed: %s", what, name, kind, unreviewed)
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(reviewed)) {
		for _, name := range strings.Fields(reviewed[kind]) {
			if !slices.Contains(there[kind], name) {
				t.Errorf("%s %s of %s is there no more: take it from test/inputs/reviewed_test.go, and from the rows of hack/inputs that name it",
					what, name, kind)
			}
		}
	}
}
