package monkey

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fonster.dev/fonster/test/cluster"
)

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// world is a cluster with the operator, in which autoscalers look each second.
func world(t *testing.T) *World {
	t.Helper()
	c, err := cluster.Start(fmt.Sprintf("fonster-monkey-%d", os.Getpid()), cluster.Controllers("horizontal-pod-autoscaler-sync-period=1s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	if _, err := c.StartOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := NewWorld(t.Context(), c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func say(format string, args ...any) { fmt.Printf("monkey "+format+"\n", args...) }

// TestMonkey: whatever a namespace admin does, no pod of a closed namespace is disturbed, and nothing that is held runs; and the same,
// done in an open one, disturbs much. MONKEY_REQUESTS says how many requests, MONKEY_SEED where it begins; MONKEY_REPLAY is
// a file of moves, as a failure prints them, to play instead.
func TestMonkey(t *testing.T) {
	w := world(t)
	governed(t, w)
	if file := os.Getenv("MONKEY_REPLAY"); file != "" {
		replay(t, w, file)
		return
	}
	o := Options{
		Seed: uint64(setting(t, "MONKEY_SEED", 1)), Requests: setting(t, "MONKEY_REQUESTS", 4000), Moves: setting(t, "MONKEY_MOVES", 60),
		Parallel: setting(t, "MONKEY_PARALLEL", 2), Findings: setting(t, "MONKEY_FINDINGS", 3), Print: say,
		Without:  strings.FieldsFunc(os.Getenv("MONKEY_WITHOUT"), func(r rune) bool { return r == ',' }),
		Progress: 5 * time.Minute,
	}
	interrupted, ignore := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer ignore()
	o.Stop = interrupted.Done()
	begin := time.Now()
	result := Run(t.Context(), w, o)
	for _, line := range result.Summary() {
		say("%s", line)
	}
	say("seeds from %d, in %s", o.Seed, time.Since(begin).Round(time.Second))
	for _, regime := range Closed {
		if result.Disturbed[regime] > 0 {
			t.Errorf("namespaces closed under %s were disturbed in %d of %d sequences, of the seeds %v", regime, result.Disturbed[regime],
				result.Sequences, result.Seeds[regime])
		}
	}
	if 2*result.Disturbed[Open] < result.Sequences {
		t.Errorf("the open twins were disturbed in %d of %d sequences only: that proves little", result.Disturbed[Open], result.Sequences)
	}
	if 20*len(result.Errors) > result.Sequences {
		t.Errorf("%d stages could not be played: %v", len(result.Errors), result.Errors[0])
	}
	for _, err := range result.Errors {
		if errors.Is(err, errNotHeld) {
			t.Error(err)
		}
	}
}

// governed waits until the gates are in force: until what disturbs an open namespace disturbs no closed one, and rollouts are held.
func governed(t *testing.T, w *World) {
	t.Helper()
	r := &run{world: w, slots: make(chan struct{}, 4)}
	moves := []Move{{Verb: "delete", Resource: "apps/deployments", Name: "late"}}
	if err := until(t.Context(), 2*time.Minute, func() error {
		for _, regime := range Closed {
			p, err := r.play(t.Context(), regime, moves)
			if err != nil {
				return err
			}
			if !slices.Equal(p.Answers, []Answer{Refused}) || len(p.Breaches) > 0 {
				return fmt.Errorf("%s is not closed: %v %v", regime, p.Answers, p.Breaches)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// replay plays the moves of a file in each regime.
func replay(t *testing.T, w *World, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	moves, err := ParseLines(string(content))
	if err != nil {
		t.Fatal(err)
	}
	r := &run{world: w, slots: make(chan struct{}, 4)}
	for _, regime := range append([]Regime{Open}, Closed...) {
		p, err := r.play(context.WithoutCancel(t.Context()), regime, movesFor(regime, moves))
		if err != nil {
			t.Fatal(err)
		}
		for i, request := range p.Requests {
			say("%s $ %s   # %s", regime, request.Kubectl(), p.Answers[i])
		}
		for _, b := range p.Breaches {
			say("%s %s", regime, b)
		}
		if regime != Open && len(p.Breaches) > 0 {
			t.Errorf("a namespace closed under %s was disturbed", regime)
		}
	}
}
