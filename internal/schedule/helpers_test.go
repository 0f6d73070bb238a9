package schedule

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the tests use the zone data that Go embeds, which leaves more to rules and less to tables than that of
// most systems: it shows more of the errors of ZoneBounds.
func TestMain(m *testing.M) {
	if archive := zoneArchive(); archive != "" {
		os.Setenv("ZONEINFO", archive)
	}
	os.Exit(m.Run())
}

// zoneArchive is the file that time/tzdata is made from; empty where Go is not installed.
func zoneArchive() string {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	archive := filepath.Join(strings.TrimSpace(string(goroot)), "lib", "time", "zoneinfo.zip")
	if _, err := os.Stat(archive); err != nil {
		return ""
	}
	return archive
}

func parse(tb testing.TB, spec Spec) *Schedule {
	tb.Helper()
	s, err := Parse(spec)
	if err != nil {
		tb.Fatalf("Parse(%+v): %v", spec, err)
	}
	return s
}

// errorsOf takes a joined error apart.
func errorsOf(err error) []*Error {
	var out []*Error
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		var one *Error
		if errors.As(e, &one) {
			out = append(out, one)
		}
	}
	return out
}

func hasReason(err error, reason Reason) bool {
	for _, e := range errorsOf(err) {
		if e.Reason == reason {
			return true
		}
	}
	return false
}
