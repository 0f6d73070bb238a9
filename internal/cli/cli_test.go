package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// execute runs the plugin as a user does; the cluster holds objects.
func execute(t *testing.T, stdin string, objects []client.Object, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	r := &root{Streams: Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs}, now: func() time.Time { return now }}
	r.connect = func() (client.Client, error) {
		scheme := runtime.NewScheme()
		if err := v1alpha1.AddToScheme(scheme); err != nil {
			return nil, err
		}
		return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), nil
	}
	code = r.run(t.Context(), args)
	return code, out.String(), errs.String()
}

const notice = "../../config/samples/itcentrum-2021.yaml"

func TestCalendarGolden(t *testing.T) {
	for name, args := range map[string][]string{
		"notice.txt":  {"calendar", "-f", notice, "--from", "2021-05-01", "--to", "2022-01-01"},
		"notice.json": {"calendar", "-f", notice, "--from", "2021-05-01", "--to", "2022-01-01", "-o", "json"},
		"notice.ics":  {"calendar", "-f", notice, "--from", "2021-05-01", "--to", "2022-01-01", "-o", "ics"},
		"samples.txt": {"calendar", "-f", "../../config/samples", "--from", "2026-12-18", "--to", "2026-12-24T12:00:00+01:00"},
		"heby.txt":    {"calendar", "-f", notice, "--from", "2021-05-01", "--to", "2022-01-01", "--audience", "heby"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(t, "", nil, args...)
			if code != 0 || stderr != "" {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), stdout); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestNotice is the notice of 2021: two days for Östhammar, six for everybody.
func TestNotice(t *testing.T) {
	_, stdout, _ := execute(t, "", nil, "calendar", "-f", notice, "--from", "2021-05-01", "--to", "2022-01-01", "-o", "json")
	var entries []struct{ Window, Start, End string }
	if err := json.Unmarshal([]byte(stdout), &entries); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for i, e := range entries {
		count[e.Window]++
		if i > 0 && e.Start < entries[i-1].Start {
			t.Errorf("%s comes after %s", e.Start, entries[i-1].Start)
		}
	}
	if diff := cmp.Diff(map[string]int{"osthammar-2021": 2, "gemensamma-2021": 6}, count); diff != "" {
		t.Error(diff)
	}
	if first := entries[0]; first.Start != "2021-05-13T09:00:00+02:00" || first.End != "2021-05-13T20:00:00+02:00" {
		t.Errorf("the first: %+v", first)
	}
}

func TestBadInput(t *testing.T) {
	const good = "apiVersion: maintenance.fonster.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {name: good}\nspec:\n" +
		"  timeZone: UTC\n  schedules: [{dates: [\"2026-12-01\"], startTime: \"09:00\", endTime: \"20:00\"}]\n  namespaceSelector: {}\n"
	for title, tc := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
		shown bool // the good window is still listed
	}{
		"neither file nor cluster":   {"", []string{"calendar"}, 2, "-f FILE, or --all", false},
		"both":                       {"", []string{"calendar", "--all", "-f", "-"}, 2, "-f FILE, or --all", false},
		"no such file":               {"", []string{"calendar", "-f", "no-such.yaml"}, 1, "no-such.yaml", false},
		"an unknown format":          {"", []string{"calendar", "-f", "-", "-o", "xml"}, 2, "want text, json or ics", false},
		"an unknown flag":            {"", []string{"calendar", "--form", "2021-05-01"}, 2, "unknown flag: --form", false},
		"a date that does not exist": {"", []string{"calendar", "-f", "-", "--from", "2021-02-30"}, 2, "--from", false},
		"an empty interval":          {"", []string{"calendar", "-f", "-", "--from", "2021-05-01", "--to", "2021-05-01"}, 2, "--from must be before --to", false},
		"nothing of ours in it":      {"kind: ConfigMap\napiVersion: v1\n", []string{"calendar", "-f", "-"}, 1, "no MaintenanceWindow and no ChangeFreeze", false},
		"not YAML":                   {good + "---\n{[", []string{"calendar", "-f", "-"}, 1, "standard input, document 2", true},
		"a misspelt field":           {good + "---\n" + strings.Replace(good, "schedules:", "schedule:", 1), []string{"calendar", "-f", "-"}, 1, `document 2: error unmarshaling JSON: while decoding JSON: json: unknown field "schedule"`, true},
		"an unknown zone": {good + "---\n" + strings.NewReplacer("UTC", "Mars/Olympus", "name: good", "name: bad").Replace(good),
			[]string{"calendar", "-f", "-"}, 1, "standard input: MaintenanceWindow bad: spec.timeZone", true},
	} {
		t.Run(title, func(t *testing.T) {
			code, stdout, stderr := execute(t, tc.stdin, nil, tc.args...)
			if code != tc.code || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, tc.code, tc.want, stderr)
			}
			if strings.Contains(stdout, "good") != tc.shown {
				t.Errorf("the good window is shown: want %t\n%s", tc.shown, stdout)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	window := func(name, date string) *v1alpha1.MaintenanceWindow {
		return &v1alpha1.MaintenanceWindow{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.MaintenanceWindowSpec{
				Title: "Fönster", TimeZone: "Europe/Stockholm",
				Schedules:         []v1alpha1.Schedule{{Dates: []string{date}, StartTime: new("09:00"), EndTime: new("20:00")}},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
			},
		}
	}
	objects := []client.Object{
		window("open", "2026-11-23"), window("later", "2026-11-28"),
		&v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: "g"}, Spec: v1alpha1.GateSpec{Disruptions: []v1alpha1.GateDisruption{{Disruption: "Rollout", State: "Open"}}}},
	}
	code, stdout, stderr := execute(t, "", objects, "status")
	for _, want := range []string{"open     Open     closes Mon 23 Nov 2026 20:00 CET", "later    Closed   opens Sat 28 Nov 2026 09:00 CET", "g      Rollout Open"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in:\n%s%s", code, want, stdout, stderr)
		}
	}
	code, stdout, _ = execute(t, "", objects, "status", "later", "-o", "json")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || len(r.Windows) != 1 || r.Windows[0].OpensAt != "2026-11-28T09:00:00+01:00" {
		t.Errorf("exit %d, %v: %s", code, err, stdout)
	}
	if code, _, stderr = execute(t, "", objects, "status", "none"); code != 1 || !strings.Contains(stderr, "kubectl get mw") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, stdout, _ = execute(t, "", nil, "status"); !strings.Contains(stdout, "nothing is governed") {
		t.Errorf("an empty cluster: %s", stdout)
	}
}

// TestCalendarWithFreezes: what freezes leave nothing of is told as frozen, and a freeze that only warns as that.
func TestCalendarWithFreezes(t *testing.T) {
	manifests := `
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: w}
spec:
  title: Fönster
  timeZone: Europe/Stockholm
  namespaceSelector: {}
  schedules: [{dates: ["2026-12-05", "2026-12-12"], startTime: "09:00", endTime: "20:00"}]
---
apiVersion: maintenance.fonster.dev/v1alpha1
kind: ChangeFreeze
metadata: {name: refuses}
spec:
  reason: Val
  timeZone: Europe/Stockholm
  namespaceSelector: {}
  schedules: [{dates: ["2026-12-05"], startTime: "00:00", endTime: "24:00"}]
---
apiVersion: maintenance.fonster.dev/v1alpha1
kind: ChangeFreeze
metadata: {name: warns}
spec:
  reason: Bokslut
  enforcement: Warn
  timeZone: Europe/Stockholm
  namespaceSelector: {}
  schedules: [{dates: ["2026-12-12"], startTime: "00:00", endTime: "24:00"}]
`
	_, stdout, _ := execute(t, manifests, nil, "calendar", "-f", "-", "--from", "2026-12-01", "--to", "2027-01-01")
	for _, want := range []string{"FROZEN: Fönster", "w         Fönster", "FREEZE: Val", "FREEZE (warns only): Bokslut"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}
