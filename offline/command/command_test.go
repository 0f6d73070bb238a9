package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fonster.dev/fonster/offline/lint"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func execute(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs}, func() time.Time { return now })
	return code, out.String(), errs.String()
}

const samples = "../../config/samples/"

// TestSamples: the cases that the samples come with are decided as they want; and one that wants something else fails.
func TestSamples(t *testing.T) {
	args := []string{"test", "-f", samples + "hold", "-f", samples + "freezes.yaml", "-f", samples + "weekday-nights.yaml"}
	cases := "../../docs/examples/window-tests.yaml"
	code, out, errs := execute(t, "", append(args, cases)...)
	if code != 0 || !strings.HasSuffix(out, "10 cases, 0 failed\n") {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	content, err := os.ReadFile(cases)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ old, with, want string }{
		"another verdict": {"want: Held", "want: Refused", "want Refused, got Held"},
		"another reason":  {"because: always passes", "because: he is kind", `want it because of "he is kind"`},
		"another window":  {"windows: [julfrys]", "windows: [other]", "want it by other, got julfrys"},
	} {
		wrong := filepath.Join(t.TempDir(), "wrong.yaml")
		if err := os.WriteFile(wrong, []byte(strings.Replace(string(content), tc.old, tc.with, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, _ := execute(t, "", append(args, wrong, "-o", "json")...)
		if code != 1 || !strings.Contains(out, strings.ReplaceAll(tc.want, `"`, `\"`)) {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
	}
	for name, tc := range map[string]struct{ old, with, want string }{
		"an unknown field": {"do: Rollout", "does: Rollout", `unknown field`},
		"no instant":       {"at: 2026-12-07T10:00:00+01:00", "by: x", "at is missing"},
		"a namespace":      {"namespace: osthammar", "namespace: heby", "namespace heby is not among namespaces"},
		"a verdict":        {"want: Held", "want: Maybe", "want one of Allowed"},
	} {
		wrong := filepath.Join(t.TempDir(), "wrong.yaml")
		if err := os.WriteFile(wrong, []byte(strings.Replace(string(content), tc.old, tc.with, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := execute(t, "", append(args, wrong)...); code != 1 || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: %d\n%s", name, code, errs)
		}
	}
}

// TestInvalid: every manifest that the API server refuses is an error, with what its first line says.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("../../test/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no manifests", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(content), "\n")
		code, out, errs := execute(t, "", "lint", "-f", file)
		if want := strings.TrimPrefix(first, "# want: "); code != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: %d, want %q\n%s%s", file, code, want, out, errs)
		}
	}
}

// TestValid: the samples have no errors.
func TestValid(t *testing.T) {
	if code, out, errs := execute(t, "", "lint", "-f", samples); code != 0 {
		t.Errorf("%s%s", out, errs)
	}
}

// TestNotes: what is accepted and probably not meant is noted, and what is as strict as the API server is an error.
func TestNotes(t *testing.T) {
	window := func(name, spec string) string {
		return "apiVersion: maintenance.fonster.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {name: " + name + "}\nspec:\n  timeZone: Europe/Stockholm\n" + spec
	}
	const heby = "  namespaceSelector: {matchLabels: {kommun: heby}}\n  audiences: [heby]\n"
	saturdays := `  schedules: [{rrule: FREQ=WEEKLY;BYDAY=SA, startTime: "09:00", endTime: "20:00"}]` + "\n"
	for name, tc := range map[string]struct {
		manifest string
		level    lint.Level
		want     string
	}{
		"nothing":          {window("w", heby+saturdays), "", ""},
		"swapped":          {window("w", heby+`  schedules: [{rrule: FREQ=WEEKLY;BYDAY=SA, startTime: "20:00", endTime: "09:00"}]`), lint.Note, "ends on the next day, after 13h: are they swapped?"},
		"both days":        {window("w", heby+`  schedules: [{cron: "0 9 1-7 * 6", duration: 11h}]`), lint.Note, "means day of month 1-7 OR day of week 6"},
		"the past":         {window("w", heby+`  schedules: [{dates: ["2016-05-13"], startTime: "09:00", endTime: "20:00"}]`), lint.Note, "every occurrence lies in the past, the last of them 2016-05-13: it refuses for ever"},
		"far away":         {window("w", heby+`  schedules: [{rrule: "FREQ=MONTHLY;BYDAY=5SA;BYMONTH=2", startTime: "09:00", endTime: "20:00"}]`), lint.Note, "the next occurrence is far away: Sat 29 Feb 2048"},
		"hold of nothing":  {window("w", heby+saturdays+"  enforcement: Hold\n  disruptions: [Delete, Evict]\n"), lint.Note, "Hold holds rollouts, and spec.disruptions has none"},
		"never governed":   {window("w", saturdays+"  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n  audiences: [heby]\n"), lint.Note, "selects kube-system alone, where nothing is ever governed"},
		"everything":       {window("w", saturdays+"  namespaceSelector: {}\n"), lint.Note, "governs every namespace but kube-system"},
		"no audiences":     {window("w", saturdays+"  namespaceSelector: {matchLabels: {kommun: heby}}\n"), lint.Note, "everybody is told of it"},
		"the gap":          {window("w", heby+`  schedules: [{dates: ["2027-03-28"], startTime: "02:15", endTime: "09:00"}]`), lint.Note, "does not exist on 2027-03-28"},
		"overruled":        {window("w", heby+saturdays+"  enforcement: Hold\n") + "---\n" + window("denies", "  namespaceSelector: {}\n"+saturdays), lint.Note, "are refused by denies (Deny)"},
		"audit":            {window("w", heby+saturdays+"  enforcement: Audit\n"), lint.Note, "Audit refuses nothing"},
		"another case":     {window("w", strings.Replace(heby, "audiences", "Audiences", 1)+saturdays), lint.Error, "spec.Audiences: there is no such field"},
		"twice":            {window("w", heby+saturdays+saturdays), lint.Error, `key "schedules" already set`},
		"no such day":      {window("w", heby+`  schedules: [{rrule: "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31", startTime: "09:00", endTime: "20:00"}]`), lint.Error, "never occurs"},
		"one name":         {window("w", heby+saturdays) + "---\n" + window("w", heby+saturdays), lint.Error, "is in standard input, document 1 too"},
		"cutoff too long":  {window("w", heby+saturdays+"  cutoff: 12h\n"), lint.Error, "leaves nothing of any occurrence"},
		"an unknown kind":  {"apiVersion: maintenance.fonster.dev/v1alpha1\nkind: Window\nmetadata: {name: w}\n", lint.Error, "Window is not there"},
		"an older version": {"apiVersion: maintenance.fonster.dev/v1\nkind: MaintenanceWindow\nmetadata: {name: w}\n", lint.Error, "want maintenance.fonster.dev/v1alpha1"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := execute(t, tc.manifest, "lint", "-f", "-", "-o", "json")
			var r struct {
				OK       bool
				Findings []lint.Finding
			}
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err, errs)
			}
			if wrong := tc.level == lint.Error; (code == 1) != wrong || r.OK == wrong {
				t.Errorf("exit code %d: %s", code, out)
			}
			if tc.want == "" && len(r.Findings) > 0 || tc.want != "" && !slices.ContainsFunc(r.Findings, func(f lint.Finding) bool { return f.Level == tc.level && strings.Contains(f.Message, tc.want) }) {
				t.Errorf("no %s %q: %s", tc.level, tc.want, out)
			}
			if strict, _, _ := execute(t, tc.manifest, "lint", "-f", "-", "--strict"); (strict == 0) != (len(r.Findings) == 0) {
				t.Errorf("strict: exit code %d", strict)
			}
		})
	}
	if code, _, errs := execute(t, "kind: Pod\napiVersion: v1\n", "lint", "-f", "-"); code != 1 || !strings.Contains(errs, "no MaintenanceWindow") {
		t.Errorf("%d: %s", code, errs)
	}
	if code, _, _ := execute(t, "", "lint"); code != 2 {
		t.Errorf("exit code %d", code)
	}
}
