package policy

import (
	"testing"

	"fonster.dev/fonster/offline/evaluate"
)

// TestCompile: every expression compiles in the environment of each supported version. An API server takes new expressions of the version
// before its own, so that it can be rolled back: what 1.30 takes compiles in 1.29, and a mutating policy that 1.36 takes in 1.35.
func TestCompile(t *testing.T) {
	p, err := policies()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			if err := evaluate.Compile(v, p); err != nil {
				t.Error(err)
			}
		})
	}
}
