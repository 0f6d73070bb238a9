package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// execute runs the plugin as a user does; the cluster holds objects.
func execute(t *testing.T, stdin string, objects []client.Object, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	r := &root{Streams: Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs}, now: func() time.Time { return now }, zone: time.UTC}
	r.connect = func() (client.Client, error) { return clusterWith(objects...) }
	code = r.run(t.Context(), args)
	return code, out.String(), errs.String()
}

// clusterWith is a client of a cluster that holds objects.
func clusterWith(objects ...client.Object) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), appsv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), nil
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
			if code != 0 || stderr != "" && !strings.HasPrefix(stderr, "warning: no window and no freeze names the audience heby") {
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
		"a file and a namespace":     {"", []string{"calendar", "-n", "heby", "-f", "-"}, 2, "-f is for files", false},
		"both":                       {"", []string{"calendar", "--all", "-f", "-"}, 2, "-f is for files", false},
		"no such file":               {"", []string{"calendar", "-f", "no-such.yaml"}, 1, "no-such.yaml", false},
		"an unknown format":          {"", []string{"calendar", "-f", "-", "-o", "xml"}, 2, "want text, json, yaml or ics", false},
		"an unknown flag":            {"", []string{"calendar", "--form", "2021-05-01"}, 2, "unknown flag: --form", false},
		"a date that does not exist": {"", []string{"calendar", "-f", "-", "--from", "2021-02-30"}, 2, "--from", false},
		"an empty interval":          {"", []string{"calendar", "-f", "-", "--from", "2021-05-01", "--to", "2021-05-01"}, 2, "--from must be before --to", false},
		"nothing of ours in it":      {"kind: ConfigMap\napiVersion: v1\n", []string{"calendar", "-f", "-"}, 1, "no MaintenanceWindow and no ChangeFreeze", false},
		"a field in another case":    {good + "---\n" + strings.Replace(good, "timeZone:", "timezone:", 1), []string{"calendar", "-f", "-"}, 1, `unknown field "spec.timezone"`, true},
		"not YAML":                   {good + "---\n{[", []string{"calendar", "-f", "-"}, 1, "standard input, document 2", true},
		"a misspelt field":           {good + "---\n" + strings.Replace(good, "schedules:", "schedule:", 1), []string{"calendar", "-f", "-"}, 1, `document 2: unknown field "spec.schedule"`, true},
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
		gateIn("heby", v1alpha1.GateOpen, "closes Mon 23 Nov 2026 20:00 CET", "open"),
		gateIn("osthammar", v1alpha1.GateClosed, "opens Sat 28 Nov 2026 09:00 CET", "later"),
	}
	code, stdout, stderr := execute(t, "", objects, "status", "-A")
	for _, want := range []string{"open     Open     closes Mon 23 Nov 2026 20:00 CET", "later    Closed   opens Sat 28 Nov 2026 09:00 CET",
		"heby        Open     closes Mon 23 Nov 2026 20:00 CET   open", "osthammar   Closed   opens Sat 28 Nov 2026 09:00 CET    later"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in:\n%s%s", code, want, stdout, stderr)
		}
	}
	if _, stdout, _ = execute(t, "", objects, "status", "-n", "heby"); !strings.Contains(stdout, "heby ") || strings.Contains(stdout, "osthammar ") {
		t.Errorf("of one namespace:\n%s", stdout)
	}
	code, stdout, _ = execute(t, "", objects, "status", "later", "-o", "json")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || len(r.Windows) != 1 || r.Windows[0].OpensAt != "2026-11-28T09:00:00+01:00" {
		t.Errorf("exit %d, %v: %s", code, err, stdout)
	}
	if code, _, stderr = execute(t, "", objects, "status", "none"); code != 1 || !strings.Contains(stderr, "kubectl get mw") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, stdout, _ = execute(t, "", nil, "status", "-A"); !strings.Contains(stdout, "nothing is governed") {
		t.Errorf("an empty cluster: %s", stdout)
	}
}

func gateIn(namespace string, state v1alpha1.GateState, when, by string) *v1alpha1.Gate {
	return &v1alpha1.Gate{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.GateName},
		Spec:       v1alpha1.GateSpec{Summary: v1alpha1.GateSummary{State: state, When: when, By: by}},
	}
}

// TestStatusInTheCutoff: a window in its cutoff is open and accepts nothing; a freeze says when it begins.
func TestStatusInTheCutoff(t *testing.T) {
	objects := []client.Object{
		&v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: "w"}, Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "Europe/Stockholm", Cutoff: &metav1.Duration{Duration: 8 * time.Hour}, NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-11-23"}, StartTime: new("09:00"), EndTime: new("20:00")}},
		}},
		&v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "jul"}, Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "Jul", TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-12-24"}, StartTime: new("00:00"), EndTime: new("24:00")}},
		}},
	}
	_, stdout, _ := execute(t, "", objects, "status", "-A")
	for _, want := range []string{
		"Open    open until Mon 23 Nov 2026 20:00 CET, nothing new since 12:00", "jul      Inactive   begins Thu 24 Dec 2026 00:00 CET   Jul",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	_, stdout, _ = execute(t, "", objects, "status", "-A", "-o", "json")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || !r.Windows[0].Open || r.Windows[0].Accepting || r.Windows[0].NothingNewFrom != "2026-11-23T12:00:00+01:00" {
		t.Errorf("%v: %s", err, stdout)
	}
}

// TestHeldInANamespace: only what waits in it is read, with one Namespace; the column says when, not that it opens.
func TestHeldInANamespace(t *testing.T) {
	workload := func(namespace string) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: map[string]string{v1alpha1.ReleasePriorityAnnotation: "7"},
			Labels: map[string]string{v1alpha1.HeldLabel: v1alpha1.HeldWaiting, v1alpha1.HeldSinceLabel: "2026-11-23T08.00.00Z"}}}
	}
	objects := []client.Object{
		workload("heby"), workload("tierp"),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "heby"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tierp"}},
		&v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: "w"}, Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{}, Enforcement: v1alpha1.Hold,
			Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-11-28"}, StartTime: new("09:00"), EndTime: new("20:00")}},
		}},
	}
	_, stdout, stderr := execute(t, "", objects, "held", "-n", "heby")
	want := "Deployment heby/web   w        Mon 23 Nov 2026 08:00 UTC   7          1          Sat 28 Nov 2026 09:00 CET\n"
	if !strings.HasSuffix(stdout, want) || strings.Contains(stdout, "tierp") {
		t.Errorf("want %q:\n%s%s", want, stdout, stderr)
	}
	if _, stdout, _ = execute(t, "", objects, "held", "-A"); !strings.Contains(stdout, "tierp/web") {
		t.Errorf("all of them:\n%s", stdout)
	}
}

// TestUsage: what is wrong with a command line is said with exit code 2, and where its help is.
func TestUsage(t *testing.T) {
	for line, want := range map[string]string{
		"statsu":                                  "unknown command \"statsu\": did you mean status?\nSee 'kubectl window --help'.",
		"held --nosuch":                           "See 'kubectl window held --help'.",
		"overrides heby":                          "no argument is expected here",
		"override deploy web extra --reason x":    "want deployment/NAME",
		"override deploy/web/extra --reason x":    "want deployment/NAME",
		"override --reason x":                     "want deployment/NAME",
		"freeze one two --reason x":               "one name at most",
		"freeze -n heby --reason x":               "unknown shorthand flag: 'n'",
		"unfreeze":                                "see 'kubectl get cf'",
		"status -A -n heby":                       "give one of them",
		"override deploy/web --end --reason x":    "--end takes neither",
		"override deployments.apps/web --for 30m": "--reason is missing",
	} {
		if code, _, stderr := execute(t, "", nil, strings.Fields(line)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, want 2 with %q:\n%s", line, code, want, stderr)
		}
	}
}

// TestOverrideNames: an object is named as kubectl takes it.
func TestOverrideNames(t *testing.T) {
	for _, name := range []string{"deploy/web", "deployment/web", "deployments/web", "deployments.apps/web", "deployment.v1.apps/web", "Deployment/web"} {
		o := &overrideCommand{root: &root{}, reason: "x", format: format{output: "text"}, namespace: "heby"}
		if err := o.complete(name); err != nil || o.target.Kind != "Deployment" || o.target.Name != "web" || o.target.Namespace != "heby" {
			t.Errorf("%s: %v, %+v", name, err, o.target)
		}
	}
}

// TestLasts: what was asked for is what is told, whatever the fractions of a second and whichever clock.
func TestLasts(t *testing.T) {
	began := now.Truncate(time.Second)
	for title, tc := range map[string]struct {
		asked   time.Duration
		current override.Override
		want    time.Duration
	}{
		"as asked":                {2 * time.Minute, override.Override{From: began.Add(time.Second), Until: began.Add(2 * time.Minute)}, 2 * time.Minute},
		"as long as may be":       {0, override.Override{From: began.Add(time.Second), Until: began.Add(time.Second + time.Hour)}, time.Hour},
		"less than was asked for": {24 * time.Hour, override.Override{From: began.Add(time.Second), Until: began.Add(time.Second + time.Hour)}, time.Hour},
		"not stamped":             {0, override.Override{Until: began.Add(54 * time.Minute)}, 54 * time.Minute},
	} {
		o := &overrideCommand{length: tc.asked, began: began}
		if got := o.lasts(tc.current); got != tc.want {
			t.Errorf("%s: %s, want %s", title, got, tc.want)
		}
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

// TestCalendarSays: what is endless has no invented end, what is partly frozen says so, and an empty interval what is near it.
func TestCalendarSays(t *testing.T) {
	window := `
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: w}
spec:
  timeZone: Europe/Stockholm
  namespaceSelector: {}
  audiences: [heby]
  schedules: [{dates: ["2026-12-05", "2027-12-12"], startTime: "09:00", endTime: "20:00"}]
`
	freeze := `
---
apiVersion: maintenance.fonster.dev/v1alpha1
kind: ChangeFreeze
metadata: {name: f}
spec: {reason: Val, timeZone: Europe/Stockholm, namespaceSelector: {}`
	for title, tc := range map[string]struct {
		manifests    string
		args         []string
		code         int
		want, stderr string
	}{
		"endless": {window + freeze + "}", nil, 0, "no start is known          no end is known            -        f      FREEZE: Val", ""},
		"partly frozen": {window + freeze + `, schedules: [{dates: ["2026-12-05"], startTime: "00:00", endTime: "12:00"}]}`, nil, 0,
			"w      PARTLY FROZEN: w", ""},
		"before and after": {window, []string{"--from", "2027-01-01"}, 0,
			"nothing in this interval; the last before it: Sat 5 Dec 2026 09:00 CET; the next after it: Sun 12 Dec 2027 09:00 CET\n", ""},
		"wrong, and nothing else": {strings.Replace(window, "2026-12-05", "2026-02-30", 1), nil, 1, "", "write an existing day as YYYY-MM-DD"},
		"another audience":        {window, []string{"--audience", "nosuch"}, 0, "nothing in this interval\n", "warning: no window and no freeze names the audience nosuch, only heby: these are everybody's\n"},
	} {
		code, stdout, stderr := execute(t, tc.manifests, nil, append([]string{"calendar", "-f", "-"}, tc.args...)...)
		if code != tc.code || !strings.Contains(stdout, tc.want) || tc.want == "" && stdout != "" || !strings.Contains(stderr, tc.stderr) {
			t.Errorf("%s: exit %d, want %d with %q:\n%s%s", title, code, tc.code, tc.want, stdout, stderr)
		}
	}
	if _, _, stderr := execute(t, "", nil, "calendar", "-f", "/nonexistent"); strings.Count(stderr, "error:") != 1 {
		t.Errorf("said more than once:\n%s", stderr)
	}
	if got := length(32*time.Hour + 26*time.Minute + 47245*time.Millisecond); got != "32h26m47s" {
		t.Errorf("a length: %s", got)
	}
}

// TestFormats: what tells something tells it as JSON and as YAML, and other formats are refused with those that there are.
func TestFormats(t *testing.T) {
	window := `
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: w}
spec: {timeZone: Europe/Stockholm, namespaceSelector: {}, schedules: [{dates: ["2026-12-05"], startTime: "09:00", endTime: "20:00"}]}
`
	for name, tc := range map[string]struct {
		line, stdin string
		want        string
	}{
		"calendar": {"calendar -f - --from 2026-12-01 -o yaml", window, "- class: Planned\n"},
		"report":   {"report --audit-log - -o yaml", trialEvent(1, "anna", "heby", "deployments", "web", 200, "|nights"), "  window: nights\n"},
	} {
		if code, stdout, stderr := execute(t, tc.stdin, nil, strings.Fields(tc.line)...); code != 0 || !strings.Contains(stdout, tc.want) {
			t.Errorf("%s: exit %d, want %q in:\n%s%s", name, code, tc.want, stdout, stderr)
		}
	}
	for line, want := range map[string]string{
		"calendar -o wide":                           "-o wide: want text, json, yaml or ics",
		"override deploy/web --reason x -o wide":     "-o wide: want text, json or yaml",
		"retract w -o wide":                          "-o wide: want text, json or yaml",
		"report --audit-log - -o name":               "-o name: want text, json or yaml",
		"import -f - -l a=b -o text":                 "-o text: want yaml or json",
		"status -o wide":                             "-o wide: want text, json, yaml or name",
		"calendar --from 2026-12-02 --to 2026-12-01": "See 'kubectl window calendar --help'.",
	} {
		if code, _, stderr := execute(t, "", nil, strings.Fields(line)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, want 2 with %q:\n%s", line, code, want, stderr)
		}
	}
}

// TestEveryCommand has an example, which is one of its own.
func TestEveryCommand(t *testing.T) {
	for _, c := range (&root{}).command().Commands() {
		if c.IsAvailableCommand() && !strings.Contains(c.Example, "kubectl window "+c.Name()) {
			t.Errorf("kubectl window %s has no example: %q", c.Name(), c.Example)
		}
	}
}

// TestCompletion: the shell is offered what there is, and files only where a file is meant.
func TestCompletion(t *testing.T) {
	objects := []client.Object{
		&v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: "nights"}}, &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: "saturdays"}},
		&v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "jul"}},
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "heby", Name: "web"}},
	}
	const noFiles = ":4\n"
	for line, want := range map[string]string{
		"close|":                        "nights\nsaturdays\n" + noFiles,
		"status|sat":                    "saturdays\n" + noFiles,
		"held|nights|":                  "saturdays\n" + noFiles,
		"retract|":                      "nights\nsaturdays\n" + noFiles,
		"retract|--freeze|":             "jul\n" + noFiles,
		"unfreeze|":                     "jul\n" + noFiles,
		"explain|dep":                   "deployment/\n:6\n",
		"explain|-n|heby|deploy/":       "deploy/web\n" + noFiles,
		"override|-n|heby|deploy/w":     "deploy/web\n" + noFiles,
		"wait|-n|heby|deploy/":          "deploy/web\n" + noFiles,
		"can-i|sc":                      "scale-down\nscale\nscale-to-zero\n" + noFiles,
		"can-i|-n|heby|rollout|deploy/": "deploy/web\n" + noFiles,
		"calendar|-o|":                  "text\njson\nyaml\nics\n" + noFiles,
		"held|-o|":                      "text\njson\nyaml\nname\n" + noFiles,
		"override|-o|":                  "text\njson\nyaml\n" + noFiles,
		"import|--enforcement|":         "Deny\nHold\nWarn\nAudit\n" + noFiles,
		"overrides|":                    noFiles,
		"calendar|-f|":                  ":0\n",
	} {
		_, stdout, stderr := execute(t, "", objects, append([]string{"__complete"}, strings.Split(line, "|")...)...)
		if stdout != want {
			t.Errorf("%s: %q, want %q\n%s", line, stdout, want, stderr)
		}
	}
}
