package schedule

import (
	"errors"
	"testing"
)

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
