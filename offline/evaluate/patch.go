package evaluate

import (
	"encoding/json"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// PatchType says how a patch is read.
type PatchType string

// The types of patches, but for server-side apply.
const (
	Strategic PatchType = "strategic"
	Merge     PatchType = "merge"
	JSON      PatchType = "json"
)

// Patch is an object after a patch. Of a kind that is none of Kubernetes' own a strategic patch is a merge patch.
func Patch(u *unstructured.Unstructured, patch []byte, as PatchType) (*unstructured.Unstructured, error) {
	original, err := json.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	var result []byte
	typed, unknown := scheme.Scheme.New(u.GroupVersionKind())
	switch {
	case as == JSON:
		var operations jsonpatch.Patch
		if operations, err = jsonpatch.DecodePatch(patch); err == nil {
			result, err = operations.Apply(original)
		}
	case as == Strategic && unknown == nil:
		result, err = strategicpatch.StrategicMergePatch(original, patch, typed)
	default:
		result, err = jsonpatch.MergePatch(original, patch)
	}
	if err != nil {
		return nil, fmt.Errorf("it does not fit %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	var after map[string]any
	if err := json.Unmarshal(result, &after); err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: Normal(after)}, nil
}

// Normal makes the numbers of an object integers, as the API server has them.
func Normal(content map[string]any) map[string]any {
	for k, v := range content {
		content[k] = NormalValue(v)
	}
	return content
}

// NormalValue is Normal for a value.
func NormalValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return Normal(v)
	case []any:
		for i := range v {
			v[i] = NormalValue(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}
