// Package crds tries the CRDs as the API server does, without one.
package crds

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"
)

const root = "../../.."

// kind validates the objects of one kind as the API server does.
type kind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// kinds reads the CRDs. What the API server would refuse of them, such as rules that may cost too much, fails the test.
func kinds(t *testing.T) map[string]kind {
	t.Helper()
	scheme := runtime.NewScheme()
	install.Install(scheme)
	files, err := filepath.Glob(filepath.Join(root, "config/crd/bases/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	all := map[string]kind{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v1 apiextensionsv1.CustomResourceDefinition
		if err := sigsyaml.UnmarshalStrict(content, &v1); err != nil {
			t.Fatal(err)
		}
		scheme.Default(&v1)
		var crd apiextensions.CustomResourceDefinition
		if err := scheme.Convert(&v1, &crd, nil); err != nil {
			t.Fatal(err)
		}
		crd.Status.StoredVersions = []string{"v1alpha1"}
		if errs := crdvalidation.ValidateCustomResourceDefinition(t.Context(), &crd); len(errs) > 0 {
			t.Fatalf("%s: %v", file, errs.ToAggregate())
		}
		props := crd.Spec.Versions[0].Schema
		if props == nil {
			props = crd.Spec.Validation
		}
		structural, err := schema.NewStructural(props.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		all[crd.Spec.Names.Kind] = kind{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return all
}

// validate is what the API server says of an object. Rules are not asked of what has the wrong form.
func (k kind) validate(ctx context.Context, object map[string]any) field.ErrorList {
	defaulting.Default(object, k.structural)
	errs := validation.ValidateCustomResource(nil, object, k.validator)
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid, field.ErrorTypeNotSupported:
			return errs
		}
	}
	more, _ := k.rules.Validate(ctx, nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, more...)
}

// documents are the objects of ours in a manifest.
func documents(t *testing.T, content []byte) (list []map[string]any) {
	t.Helper()
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
		object := map[string]any{}
		if decoder.Decode(&object) != nil {
			return list
		}
		if version, _ := object["apiVersion"].(string); strings.HasPrefix(version, "maintenance.fonster.dev/") {
			list = append(list, object)
		}
	}
}

// TestInvalid: the CRDs alone refuse each manifest of test/invalid, with the text of its first line, and with no error of CEL's own.
func TestInvalid(t *testing.T) {
	all := kinds(t)
	files, err := filepath.Glob(filepath.Join(root, "test/invalid/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "selector-") { // a policy refuses those
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(content), "\n")
			want := strings.TrimPrefix(first, "# want: ")
			for _, object := range documents(t, content) {
				errs := all[object["kind"].(string)].validate(t.Context(), object)
				if len(errs) == 0 {
					t.Fatal("accepted")
				}
				text := errs.ToAggregate().Error()
				if !strings.Contains(text, want) || strings.Contains(text, "type conversion error") {
					t.Errorf("want %q:\n%s", want, text)
				}
			}
		})
	}
}

// TestValid: the CRDs accept the samples, and what is written in other ways than those.
func TestValid(t *testing.T) {
	all := kinds(t)
	window := func(schedule string) string {
		return "apiVersion: maintenance.fonster.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {name: w}\nspec:\n" +
			"  timeZone: Europe/Stockholm\n  namespaceSelector: {}\n  schedules: [{" + schedule + "}]\n"
	}
	manifests := map[string]string{}
	for _, cron := range []string{
		"0 9 * * 6", "*/15 8-16 1,15 * MON-FRI", "05 09 ? * sun", "  0\t22  * JAN,mar-May/2 *", "0 0,6,12/2 31 12 0", "59 23 01 1-12 1-5,0",
	} {
		manifests["cron "+cron] = window(`cron: "` + strings.ReplaceAll(cron, "\t", `\t`) + `", duration: 11h`)
	}
	for _, duration := range []string{"1h30m", "90m", "1.5h", "3600s", "11h0m0s"} {
		manifests["duration "+duration] = window(`cron: "0 9 * * 6", duration: ` + duration)
	}
	for _, rrule := range []string{
		"FREQ=WEEKLY;BYDAY=SA,SU", "freq=monthly;byday=3sa", "FREQ=MONTHLY;BYDAY=-1FR,+1MO", "FREQ=YEARLY;BYDAY=20MO", "FREQ=DAILY;UNTIL=20271231",
		"FREQ=WEEKLY;BYDAY=SA;UNTIL=20271231;WKST=SU", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=22,-1",
	} {
		manifests["rrule "+rrule] = window(`rrule: "` + rrule + `", startTime: "09:00", endTime: "20:00"`)
	}
	for _, day := range []string{"2027-06-19", "2028-02-29", "2000-02-29", "2027-12-31", "2027-04-30", "0001-01-01", "9999-12-31"} {
		manifests["day "+day] = window(`dates: ["` + day + `"], startTime: "09:00", endTime: "20:00"`)
	}
	manifests["short of everything"] = window(`dates: ["2027-06-19"], startTime: "09:00", endTime: "20:00"`) +
		"  cutoff: 0s\n  notice: 168h\n  audiences: [a, osthammar-2]\n  enforcement: Hold\n  release: {maxConcurrent: 2}\n  overrides: {maxDuration: 24h}\n"
	files, err := filepath.Glob(filepath.Join(root, "config/samples/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	apart, err := filepath.Glob(filepath.Join(root, "config/samples/*/*.yaml"))
	if err != nil || len(apart) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range append(files, apart...) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		manifests[file] = string(content)
	}
	for name, manifest := range manifests {
		for _, object := range documents(t, []byte(manifest)) {
			if errs := all[object["kind"].(string)].validate(t.Context(), object); len(errs) > 0 {
				t.Errorf("%s: %v", name, errs.ToAggregate())
			}
		}
	}
}

// TestDays: a date is taken exactly where the calendar has the day.
func TestDays(t *testing.T) {
	k := kinds(t)["MaintenanceWindow"]
	for day, exists := range map[string]bool{
		"2027-02-29": false, "2100-02-29": false, "2000-02-29": true, "2400-02-29": true, "2024-02-29": true, "2026-02-29": false, "2027-04-31": false,
		"2027-13-01": false, "2027-00-01": false, "2027-01-00": false, "2027-1-1": false, "0000-01-01": false, "0400-02-29": true, "1900-02-29": false, "0004-02-29": true,
	} {
		object := documents(t, []byte("apiVersion: maintenance.fonster.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {name: w}\nspec:\n"+
			"  timeZone: UTC\n  namespaceSelector: {}\n  schedules: [{dates: [\""+day+"\"], startTime: \"09:00\", endTime: \"20:00\"}]\n"))[0]
		if errs := k.validate(t.Context(), object); (len(errs) == 0) != exists {
			t.Errorf("%s: %v", day, errs.ToAggregate())
		}
	}
}
