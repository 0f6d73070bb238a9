package policy

import (
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// modelCases is how many random cases every run compares; MODEL_CASES says another number.
const modelCases = 100_000

// TestModel holds the policies against the model, in random cases that are the same in every run.
func TestModel(t *testing.T) {
	n := modelCases
	if said, err := strconv.Atoi(os.Getenv("MODEL_CASES")); err == nil {
		n = said
	}
	for _, v := range []string{"1.37", "1.30"} {
		of := n
		if v != "1.37" {
			of = n / 20 // the decision is the same, the environment is not
		}
		t.Run(v, func(t *testing.T) { compare(t, v, of) })
	}
}

func compare(t *testing.T, version string, n int) {
	s := server(t, version)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // much is made and dropped at once
	var next, wrong atomic.Int64
	var seen sync.Map // one example of each kind is enough
	var all sync.WaitGroup
	words := map[string]*atomic.Int64{"allow": {}, "warn": {}, "hold": {}, "deny": {}}
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				scenario := newScenario(randomBytes(uint64(i)), version)
				result := s.Evaluate(&scenario.request)
				words[verdict(result).Word].Add(1)
				if text := scenario.disagreement(result); text != "" {
					wrong.Add(1)
					head, _, _ := strings.Cut(text, "\n")
					if _, known := seen.LoadOrStore(scenario.title, true); !known {
						t.Errorf("case %d: %s", i, text)
					} else if wrong.Load() < 200 {
						t.Errorf("case %d: %s", i, head)
					}
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d cases, %d disagreements; %d allowed, %d warned of, %d held, %d denied", n, wrong.Load(),
		words["allow"].Load(), words["warn"].Load(), words["hold"].Load(), words["deny"].Load())
}

func randomBytes(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2026)) //nolint:gosec // the same in every run
	bytes := make([]byte, 96)
	for i := range bytes {
		bytes[i] = byte(r.Uint32())
	}
	return bytes
}

// FuzzModel looks for cases that random ones do not find.
func FuzzModel(f *testing.F) {
	for i := range uint64(64) {
		f.Add(randomBytes(i))
	}
	s := server(f, "1.37")
	f.Fuzz(func(t *testing.T, bytes []byte) {
		scenario := newScenario(bytes, "1.37")
		if text := scenario.disagreement(s.Evaluate(&scenario.request)); text != "" {
			t.Error(text)
		}
	})
}
