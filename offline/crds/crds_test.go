package crds

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
)

const root = "../.."

// kinds reads the CRDs. What the API server would refuse of them, such as rules that may cost too much, fails the test.
func kinds(t *testing.T) map[string]Kind {
	t.Helper()
	all, err := Kinds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
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
				errs := all[object["kind"].(string)].Validate(t.Context(), object)
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
			if errs := all[object["kind"].(string)].Validate(t.Context(), object); len(errs) > 0 {
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
		if errs := k.Validate(t.Context(), object); (len(errs) == 0) != exists {
			t.Errorf("%s: %v", day, errs.ToAggregate())
		}
	}
}
