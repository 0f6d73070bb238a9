package monkey

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are how much is played, and how.
type Options struct {
	Seed uint64
	// Requests is how many moves are played in all namespaces together, Moves how many in each at most, before all begins anew.
	Requests, Moves int
	// Parallel is how many sequences are played at a time.
	Parallel int
	// Findings is how many failures are cut down to their shortest sequence.
	Findings int
	// Without names what is not done, as Move.Does has it.
	Without []string
	// Print is told what happens, line by line; and every Progress how far it has come.
	Print    func(format string, args ...any)
	Progress time.Duration
	// Stop ends the run before it has sent Requests, once the sequences that are being played are done; nil: never.
	Stop <-chan struct{}
}

// Played is what became of a sequence in one namespace.
type Played struct {
	Regime   Regime
	Moves    []Move
	Requests []Request
	Answers  []Answer
	Breaches []Breach
}

// passed are the moves that were accepted: others change nothing.
func (p Played) passed() []Move {
	var accepted []Move
	for i, a := range p.Answers {
		if a == Passed {
			accepted = append(accepted, p.Moves[i])
		}
	}
	return accepted
}

// Finding is a sequence that disturbs a closed namespace.
type Finding struct {
	Seed   uint64
	Regime Regime
	// After is how many requests had been sent to all namespaces.
	After  int
	Moves  []Move
	Played Played
}

// Result is what a run has come to.
type Result struct {
	Requests, Sequences int
	Answers             map[Answer]int
	ByMove              map[string]map[Answer]int
	// Disturbed is in how many sequences, and in how many moves, namespaces of a regime were disturbed; Pods how many pods were.
	Disturbed, DisturbingMoves, Pods map[Regime]int
	Seeds                            map[Regime][]uint64
	Findings                         []Finding
	Errors                           []error
	// Stages is how many namespaces were made; SettingUp and Playing how long that, and what was played in them, took together.
	Stages             int
	SettingUp, Playing time.Duration
}

// run is a run of the monkey.
type run struct {
	world   *World
	options Options

	mu     sync.Mutex
	result Result
	slots  chan struct{} // how many stages are there at a time
	finds  sync.Mutex    // one failure is cut down at a time
}

// Run plays sequences until enough requests are sent, or it is told to stop.
func Run(ctx context.Context, w *World, o Options) Result {
	r := &run{world: w, options: o, slots: make(chan struct{}, 4*o.Parallel+4), result: Result{
		Answers: map[Answer]int{}, ByMove: map[string]map[Answer]int{}, Disturbed: map[Regime]int{}, DisturbingMoves: map[Regime]int{},
		Pods: map[Regime]int{}, Seeds: map[Regime][]uint64{},
	}}
	seeds := make(chan uint64)
	var players sync.WaitGroup
	for range o.Parallel {
		players.Go(func() {
			for seed := range seeds {
				r.sequence(ctx, seed)
			}
		})
	}
	done := make(chan struct{})
	go r.tellProgress(done)
	stopped := false
	for seed := o.Seed; r.sent() < o.Requests && ctx.Err() == nil && !stopped; seed++ {
		select {
		case seeds <- seed:
		case <-o.Stop:
			stopped = true
		}
	}
	close(seeds)
	players.Wait()
	close(done)
	return r.result
}

// tellProgress tells now and then how far the run has come, as it may take an hour.
func (r *run) tellProgress(done <-chan struct{}) {
	if r.options.Progress <= 0 {
		return
	}
	ticker := time.NewTicker(r.options.Progress)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			r.mu.Lock()
			requests, sequences, disturbed := r.result.Requests, r.result.Sequences, maps.Clone(r.result.Disturbed)
			r.mu.Unlock()
			r.options.Print("%d of %d requests, %d sequences from seed %d on: %d disturbed open namespaces, %d closed ones", requests, r.options.Requests,
				sequences, r.options.Seed, disturbed[Open], disturbed[Deny]+disturbed[Default]+disturbed[Hold])
		}
	}
}

func (r *run) sent() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result.Requests
}

// sequence plays the moves of a seed in a namespace of each regime, all at the same time.
func (r *run) sequence(ctx context.Context, seed uint64) {
	moves := Sequence(seed, r.options.Moves, r.options.Without...)
	regimes := append([]Regime{Open}, Closed...)
	played := make([]Played, len(regimes))
	failed := make([]error, len(regimes))
	var stages sync.WaitGroup
	for i, regime := range regimes {
		stages.Go(func() { played[i], failed[i] = r.play(ctx, regime, movesFor(regime, moves)) })
	}
	stages.Wait()
	for i := range regimes {
		if failed[i] == nil {
			r.count(seed, played[i])
		} else if ctx.Err() == nil {
			r.error(seed, failed[i])
		}
	}
	r.mu.Lock()
	r.result.Sequences++
	after := r.result.Requests
	r.mu.Unlock()
	for i, regime := range regimes {
		if regime != Open && len(played[i].Breaches) > 0 {
			r.find(ctx, Finding{Seed: seed, Regime: regime, After: after, Moves: played[i].passed(), Played: played[i]})
		}
	}
}

// movesFor are the moves that count in a regime.
func movesFor(regime Regime, moves []Move) []Move {
	if regime != Default {
		return moves
	}
	return slices.DeleteFunc(slices.Clone(moves), func(m Move) bool { return m.Drains })
}

// play plays moves in a namespace of its own. In a closed one it ends as soon as something is disturbed.
func (r *run) play(ctx context.Context, regime Regime, moves []Move) (Played, error) {
	r.slots <- struct{}{}
	if ctx.Err() != nil {
		<-r.slots
		return Played{}, ctx.Err()
	}
	defer func() { <-r.slots }()
	begin := time.Now()
	s, err := r.world.NewStage(ctx, regime, moves)
	if err != nil {
		return Played{}, err
	}
	defer s.End()
	r.took(&r.result.SettingUp, begin)
	r.mu.Lock()
	r.result.Stages++
	r.mu.Unlock()
	defer r.took(&r.result.Playing, time.Now())
	s.play(ctx, early(moves, false))
	s.played.Breaches = s.Settle(ctx)
	return s.played, ctx.Err()
}

func (r *run) took(sum *time.Duration, begin time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*sum += time.Since(begin)
}

func (r *run) error(seed uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Errors = append(r.result.Errors, fmt.Errorf("seed %d: %w", seed, err))
	r.options.Print("error seed %d: %v", seed, err)
}

func (r *run) count(seed uint64, p Played) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := &r.result
	result.Requests += len(p.Answers)
	for i, a := range p.Answers {
		result.Answers[a]++
		for _, does := range p.Moves[i].Does {
			if result.ByMove[does] == nil {
				result.ByMove[does] = map[Answer]int{}
			}
			result.ByMove[does][a]++
		}
	}
	if len(p.Breaches) == 0 {
		return
	}
	pods, disturbing := map[string]bool{}, map[int]bool{}
	for _, b := range p.Breaches {
		pods[b.Pod], disturbing[b.After] = true, true
	}
	result.Disturbed[p.Regime]++
	result.Pods[p.Regime] += len(pods)
	result.DisturbingMoves[p.Regime] += len(disturbing)
	result.Seeds[p.Regime] = append(result.Seeds[p.Regime], seed)
}

// find cuts a failure down to its shortest sequence, and then what is left without that, as several may be in one.
func (r *run) find(ctx context.Context, f Finding) {
	r.finds.Lock()
	defer r.finds.Unlock()
	rest := f.Moves
	for range 4 {
		for _, known := range r.result.Findings { // what is known already is not cut down again
			rest = strip(rest, known.Moves)
		}
		if len(r.result.Findings) >= r.options.Findings || len(rest) == 0 || ctx.Err() != nil {
			return
		}
		ends := suffixes(rest) // what fails is often in the last moves, as the play ended with the failure
		failing := r.firstFailing(ctx, f.Regime, ends)
		if failing < 0 {
			return
		}
		f.Moves = ends[failing]
		for range 2 { // a second time, as what fails may depend on who comes first
			f.Moves = reduce(f.Moves, func(shorter [][]Move) int { return r.firstFailing(ctx, f.Regime, shorter) })
		}
		f.Moves = r.simplify(ctx, f.Regime, f.Moves)
		if f.Played = r.again(ctx, f.Regime, f.Moves); len(f.Played.Breaches) == 0 {
			r.options.Print("seed %d %s: a failure does not come again: %s", f.Seed, f.Regime, Signature(f.Moves))
			return
		}
		r.result.Findings = append(r.result.Findings, f)
		r.tell(f)
	}
}

// suffixes are the last moves of a sequence, with those that were played early: a few, more, all, and all once more.
func suffixes(moves []Move) [][]Move {
	before, later := early(moves, true), early(moves, false)
	var ends [][]Move
	for n := 1; n < len(later); n *= 2 {
		ends = append(ends, slices.Concat(before, later[len(later)-n:]))
	}
	return append(ends, moves, moves)
}

// strip takes away what made a known sequence fail: the moves that do what its last one does, where all of it is there.
func strip(moves, known []Move) []Move {
	for _, k := range known {
		if !slices.ContainsFunc(moves, func(m Move) bool { return m.does(k) }) {
			return moves
		}
	}
	return slices.DeleteFunc(slices.Clone(moves), func(m Move) bool { return m.does(known[len(known)-1]) })
}

// simplify lets each move of a short sequence do as few things as still fails.
func (r *run) simplify(ctx context.Context, regime Regime, moves []Move) []Move {
	for i := 0; i < len(moves); i++ {
		var simpler [][]Move
		for _, m := range moves[i].simpler() {
			sequence := slices.Clone(moves)
			sequence[i] = m
			simpler = append(simpler, sequence)
		}
		if failing := r.firstFailing(ctx, regime, simpler); failing >= 0 {
			moves = simpler[failing]
			i--
		}
	}
	return moves
}

// again plays a failing sequence until it fails once more, some times.
func (r *run) again(ctx context.Context, regime Regime, moves []Move) Played {
	for range 5 {
		if p, err := r.play(ctx, regime, moves); err == nil && len(p.Breaches) > 0 {
			return p
		}
	}
	return Played{}
}

// firstFailing plays each of some sequences in a namespace of its own, a few at a time, and returns one that fails, or -1.
func (r *run) firstFailing(ctx context.Context, regime Regime, sequences [][]Move) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failing := make(chan int, len(sequences))
	var plays sync.WaitGroup
	for i, moves := range sequences {
		plays.Go(func() {
			if p, err := r.play(ctx, regime, moves); err == nil && len(p.Breaches) > 0 {
				failing <- i
				cancel() // the others are of no interest any more
			}
		})
	}
	plays.Wait()
	select {
	case i := <-failing:
		return i
	default:
		return -1
	}
}

// Signature tells in one line what moves do.
func Signature(moves []Move) string {
	var all []string
	for _, m := range moves {
		all = append(all, strings.TrimSpace(strings.Join(m.Does, "+")+" "+m.Name))
	}
	return strings.Join(all, ", then ")
}

func (r *run) tell(f Finding) {
	print := r.options.Print
	print("found %d: seed %d, closed under %s, after %d requests: %s", len(r.result.Findings), f.Seed, f.Regime, f.After, Signature(f.Moves))
	for _, b := range f.Played.Breaches {
		print("  %s", b)
	}
	for i, request := range f.Played.Requests {
		print("  $ %s   # %s", request.Kubectl(), f.Played.Answers[i])
	}
	for _, line := range Lines(f.Moves) {
		print("  %s", line)
	}
}

// Summary is what a run has come to, line by line.
func (r Result) Summary() []string {
	lines := []string{fmt.Sprintf("%d requests in %d sequences: %d passed, %d refused, %d forbidden, %d in error", r.Requests, r.Sequences,
		r.Answers[Passed], r.Answers[Refused], r.Answers[Forbidden], r.Answers[Mistaken])}
	for _, regime := range append([]Regime{Open}, Closed...) {
		lines = append(lines, fmt.Sprintf("%-8s disturbed in %d sequences, by %d moves, %d pods", regime, r.Disturbed[regime],
			r.DisturbingMoves[regime], r.Pods[regime]))
		if seeds := r.Seeds[regime]; regime != Open && len(seeds) > 0 {
			slices.Sort(seeds)
			lines = append(lines, fmt.Sprintf("%-8s seeds %v", regime, seeds))
		}
	}
	if r.Stages > 0 {
		stages := time.Duration(r.Stages)
		lines = append(lines, fmt.Sprintf("%d namespaces: %s to set one up, %s to play in it", r.Stages,
			(r.SettingUp/stages).Round(time.Millisecond), (r.Playing/stages).Round(time.Millisecond)))
	}
	for _, does := range slices.Sorted(maps.Keys(r.ByMove)) {
		a := r.ByMove[does]
		lines = append(lines, fmt.Sprintf("move %-45s %5d passed %5d refused %5d forbidden %5d error",
			does, a[Passed], a[Refused], a[Forbidden], a[Mistaken]))
	}
	return lines
}
