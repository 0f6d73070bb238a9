package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOffline: the program that decides without a cluster is run with all that the user says, and its exit code is the plugin's.
func TestOffline(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PATH", folder)
	if code, _, said := execute(t, "", nil, "lint", "-f", "x"); code != 1 || !strings.Contains(said, "needs the program kubectl-window-offline") {
		t.Errorf("%d: %s", code, said)
	}
	program := "#!/bin/sh\necho \"ran $*\"\nread line\necho \"$line\" >&2\nexit 3\n"
	if err := os.WriteFile(filepath.Join(folder, offlineProgram), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, said := execute(t, "in\n", nil, "replay", "--audit-log", "-", "--help")
	if code != 3 || out != "ran replay --audit-log - --help\n" || said != "in\n" {
		t.Errorf("%d: %q %q", code, out, said)
	}
}

// TestImport: what is written can be read again, and says whom it governs.
func TestImport(t *testing.T) {
	code, out, said := execute(t, "", nil, "import", "-f", "../calendar/testdata/google.ics", "-l", "kommun=osthammar", "--enforcement", "Audit")
	if code != 0 || !strings.Contains(said, "google.ics:34: LOCATION") {
		t.Fatalf("%d: %s", code, said)
	}
	for _, want := range []string{"kind: MaintenanceWindow", "kommun: osthammar", "enforcement: Audit", "rrule: FREQ=WEEKLY"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "status:") {
		t.Errorf("a status:\n%s", out)
	}
	code, listed, said := execute(t, out, nil, "calendar", "-f", "-", "--from", "2026-12-01", "--to", "2026-12-20")
	if code != 0 || !strings.Contains(listed, "Sat 5 Dec 2026 09:00 CET") || !strings.Contains(listed, "Thu 17 Dec 2026 19:00 CET") || strings.Contains(listed, "Wed 16 Dec") {
		t.Errorf("%d: %s\n%s", code, listed, said)
	}
	for name, args := range map[string][]string{
		"no file": {"import", "-l", "a=b"}, "no selector": {"import", "-f", "x.ics"}, "both": {"import", "-f", "x.ics", "-l", "a=b", "-A"}, "enforcement": {"import", "-f", "x.ics", "-A", "--enforcement", "Maybe"},
	} {
		if code, _, _ := execute(t, "", nil, args...); code != 2 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}
