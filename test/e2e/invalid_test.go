package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/test/cluster"
)

// TestInvalid applies every manifest of test/invalid; each must be rejected with the text of its first line.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(cluster.Root(), "test/invalid/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(content), "\n")
			want, found := strings.CutPrefix(first, "# want: ")
			if !found {
				t.Fatal("the first line must be: # want: TEXT")
			}
			wantRejected(t, string(content), want)
		})
	}
}

// TestTenThousandDates is a manifest too long for the folder.
func TestTenThousandDates(t *testing.T) {
	var dates []string
	for i := range 10000 {
		dates = append(dates, fmt.Sprintf("%q", time.Date(2027, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)))
	}
	wantRejected(t, `apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: ten-thousand-dates}
spec:
  timeZone: Europe/Stockholm
  schedules:
  - startTime: "09:00"
    endTime: "20:00"
    dates: [`+strings.Join(dates, ", ")+`]
  namespaceSelector: {}
`, "spec.schedules[0].dates: Too many: 10000: must have at most 366 items")
}

// wantRejected asks for a manifest what kubectl apply --server-side --dry-run=server does.
func wantRejected(t *testing.T, manifest, want string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), object); err != nil {
		t.Fatal(err)
	}
	err := client.WithFieldValidation(shared.Admin, metav1.FieldValidationStrict).Patch(t.Context(), object, client.RawPatch(types.ApplyYAMLPatchType, []byte(manifest)),
		client.DryRunAll, client.FieldOwner("test"), client.ForceOwnership)
	if err == nil {
		t.Fatal("accepted")
	}
	out := err.Error()
	if served(t).Minor() < 37 { // older API servers write the type where the value is a map
		out = strings.ReplaceAll(out, `Invalid value: "object": `, "Invalid value: ")
	}
	if !strings.Contains(out, want) {
		t.Errorf("the message does not say %q:\n%s", want, out)
	}
}

// TestSamples: every sample is accepted.
func TestSamples(t *testing.T) {
	out, err := shared.Kubectl("apply", "--server-side", "--dry-run=server", "-R", "-f", filepath.Join(cluster.Root(), "config/samples"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
