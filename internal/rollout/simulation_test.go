package rollout

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// simulation is a train of whole rollouts, second by second.
type simulation struct {
	window Window
	// size is the number of objects; each takes 2 to 6 seconds, and those of fails fail at their end.
	size  int
	fails []int
	// namespaces is how many the objects are spread over, in turn; 0: one. Those of greedy have priority over the others', and never end.
	namespaces int
	greedy     string
	// opens and closes bound the occurrence, cutoff is how long before its end nothing begins.
	opens, closes, cutoff int
	// reopens begins a second occurrence, without end; 0: none.
	reopens int
	// crashes are the seconds at which the planner's executor dies after its first write.
	crashes []int
}

type simulated struct {
	Object
	begun, takes int
	fails        bool
}

func TestSimulations(t *testing.T) {
	for name, s := range map[string]simulation{
		"plain":                      {window: Window{MaxConcurrent: 5}, size: 100, opens: 3, closes: 1000},
		"no-limit":                   {window: Window{MaxConcurrent: 1000}, size: 100, opens: 3, closes: 1000},
		"failures-continue":          {window: Window{MaxConcurrent: 5}, size: 100, fails: []int{10, 11, 50}, opens: 3, closes: 1000},
		"failure-stops":              {window: Window{MaxConcurrent: 5, StopOnFailure: true}, size: 100, fails: []int{30}, opens: 3, closes: 60, reopens: 80},
		"closes-in-the-middle":       {window: Window{MaxConcurrent: 5}, size: 100, opens: 3, closes: 30, cutoff: 5, reopens: 50},
		"closes-and-pauses":          {window: Window{MaxConcurrent: 5, PauseOnClose: true}, size: 100, opens: 3, closes: 30, reopens: 50},
		"closes-when-done":           {window: Window{MaxConcurrent: 10, CloseWhenDone: true}, size: 100, opens: 3, closes: 1000},
		"namespaces-in-turn":         {window: Window{MaxConcurrent: 3}, size: 40, namespaces: 4, opens: 3, closes: 1000},
		"one-at-a-time-in-turn":      {window: Window{MaxConcurrent: 1}, size: 20, namespaces: 4, opens: 3, closes: 1000},
		"greedy-namespace":           {window: Window{MaxConcurrent: 2}, size: 30, namespaces: 3, greedy: "ns-1", opens: 3, closes: 1000},
		"failure-stops-its-own":      {window: Window{MaxConcurrent: 2, StopOnFailure: true}, size: 30, namespaces: 3, fails: []int{13}, opens: 3, closes: 80, reopens: 100},
		"executor-dies-now-and-then": {window: Window{MaxConcurrent: 5}, size: 100, opens: 3, closes: 1000, crashes: []int{3, 4, 5, 9, 10, 20, 33}},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.run(t)
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the train is another one (-want +got), go test -update if it should be:\n%s", diff)
			}
		})
	}
}

// run returns the timetable: what began, ended and was held again in each second.
func (s simulation) run(t *testing.T) string {
	var b strings.Builder
	objects := map[string]*simulated{}
	for i := range s.size {
		o := &simulated{Object: Object{Key: fmt.Sprintf("web-%03d", i), Windows: []string{"w"}, Since: time.Unix(int64(1000+(i*37)%50), 0)}, takes: 2 + i%5}
		o.Namespace = fmt.Sprintf("ns-%d", i%max(1, s.namespaces))
		o.Priority = map[bool]int{true: 10}[i%20 == 13]
		if o.Namespace == s.greedy {
			o.Priority, o.takes = 999999999, 1000
		}
		o.fails = slices.Contains(s.fails, i)
		objects[o.Key] = o
	}
	w := s.window
	releases := map[string]int{}
	for second := range 400 {
		if second == s.opens || s.reopens > 0 && second == s.reopens {
			w.Open, w.Stopped, w.Released = true, map[string]bool{}, 0
		}
		accepting := w.Open && second < s.closes-s.cutoff || s.reopens > 0 && second >= s.reopens
		if second == s.closes {
			w.Open, accepting = false, false
		}
		for range 10 { // until there is nothing more to do in this second
			plan := Next(s.seen(objects, w, accepting, second), map[string]Window{"w": w})
			if slices.Contains(s.crashes, second) {
				plan = Plan{Release: plan.Release[:min(1, len(plan.Release))], Finish: plan.Finish[:min(1, len(plan.Finish))], Turn: plan.Turn}
			}
			for _, key := range plan.Release {
				objects[key].Released, objects[key].begun = true, second
				releases[key]++
				w.Released++
			}
			for _, key := range plan.Hold {
				objects[key].Released = false
				releases[key]--
			}
			if running, most := running(objects), w.MaxConcurrent; running > most && s.greedy == "" { // marks, whatever is done
				t.Errorf("second %d: %d at once", second, running)
			}
			for _, key := range slices.Concat(plan.Finish, plan.Fail) {
				delete(objects, key)
			}
			for _, stop := range plan.Stop {
				w.Stopped[stop.Namespace] = true
			}
			if turn := plan.Turn["w"]; turn != "" {
				w.Turn = turn
			}
			if len(plan.Close) > 0 {
				w.Open = false
			}
			line := told(plan, objects)
			if line == "" {
				break
			}
			fmt.Fprintf(&b, "%3d s, %2d running, %3d wait:%s\n", second, running(objects), len(objects)-running(objects), line)
			if slices.Contains(s.crashes, second) {
				break
			}
		}
	}
	for key, n := range releases {
		if n > 1 {
			t.Errorf("%s was released %d times", key, n)
		}
	}
	for key, o := range objects {
		if o.Namespace != s.greedy {
			t.Errorf("%s was never released, or never done", key)
		}
	}
	return b.String()
}

// seen is what the planner is told in a second.
func (s simulation) seen(objects map[string]*simulated, w Window, accepting bool, second int) (list []Object) {
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		o := objects[key]
		o.Open, o.Accepting = nil, nil
		if w.Open {
			o.Open = []string{"w"}
		}
		if accepting && w.Open {
			o.Accepting = []string{"w"}
		}
		o.Progress = Running
		if o.Released && second >= o.begun+o.takes {
			o.Progress = map[bool]Progress{true: Failed, false: Done}[o.fails]
		}
		o.Overdue = o.Released && second >= o.begun+overdue
		list = append(list, o.Object)
	}
	return list
}

// overdue is how many seconds others wait for one in a simulation.
const overdue = 20

func running(objects map[string]*simulated) (n int) {
	for _, o := range objects {
		if o.Released {
			n++
		}
	}
	return n
}

func told(plan Plan, objects map[string]*simulated) (line string) {
	var stopped []string
	for _, s := range plan.Stop {
		stopped = append(stopped, s.Key)
	}
	name := func(key string) string {
		if o := objects[key]; o != nil && o.Namespace != "ns-0" {
			return o.Namespace + "/" + key
		}
		return key
	}
	for _, part := range []struct {
		what string
		keys []string
	}{
		{"release", plan.Release}, {"done", plan.Finish}, {"failed", plan.Fail}, {"held again", plan.Hold}, {"early close of", plan.Close}, {"stopped by", stopped},
	} {
		if len(part.keys) == 0 {
			continue
		}
		line += "  " + part.what
		for _, key := range part.keys {
			line += " " + name(key)
		}
	}
	return line
}

// TestNext: what the simulations do not reach.
func TestNext(t *testing.T) {
	waiting := func(change func(*Object)) Object {
		o := Object{Key: "a", Windows: []string{"w"}, Since: time.Unix(1000, 0)}
		change(&o)
		return o
	}
	for title, tc := range map[string]struct {
		object Object
		window Window
		want   Plan
	}{
		"closed":                         {waiting(func(*Object) {}), Window{}, Plan{}},
		"no window governs it any more":  {waiting(func(o *Object) { o.Windows = nil }), Window{}, Plan{Release: []string{"a"}}},
		"none governs it but a freeze":   {waiting(func(o *Object) { o.Windows, o.Frozen = nil, true }), Window{}, Plan{}},
		"frozen in an open window":       {waiting(func(o *Object) { o.Accepting, o.Frozen = o.Windows, true }), Window{}, Plan{}},
		"overridden":                     {waiting(func(o *Object) { o.Overridden = true }), Window{}, Plan{Pass: []string{"a"}}},
		"overridden while frozen":        {waiting(func(o *Object) { o.Frozen, o.Overridden = true, true }), Window{}, Plan{}},
		"its release is refused":         {waiting(func(o *Object) { o.Open, o.Accepting, o.Refused = o.Windows, o.Windows, true }), Window{Open: true, Released: 1, CloseWhenDone: true}, Plan{}},
		"in the cutoff":                  {waiting(func(o *Object) { o.Open = o.Windows }), Window{Open: true}, Plan{}},
		"stopped":                        {waiting(func(o *Object) { o.Open, o.Accepting = o.Windows, o.Windows }), Window{Open: true, Stopped: map[string]bool{"": true}}, Plan{}},
		"taken back":                     {waiting(func(o *Object) { o.Progress = TakenBack }), Window{}, Plan{Drop: []string{"a"}}},
		"its user has stopped it":        {waiting(func(o *Object) { o.Released, o.Progress = true, Stopped }), Window{PauseOnClose: true}, Plan{Yield: []string{"a"}}},
		"unfinished, and it closes":      {waiting(func(o *Object) { o.Released = true }), Window{PauseOnClose: true}, Plan{Hold: []string{"a"}}},
		"unfinished, and it is frozen":   {waiting(func(o *Object) { o.Released, o.Open, o.Frozen = true, o.Windows, true }), Window{PauseOnClose: true, Open: true}, Plan{Hold: []string{"a"}}},
		"unfinished, and it may finish":  {waiting(func(o *Object) { o.Released = true }), Window{}, Plan{}},
		"overridden, and it closes":      {waiting(func(o *Object) { o.Released, o.Overridden = true, true }), Window{PauseOnClose: true}, Plan{}},
		"overridden, then frozen":        {waiting(func(o *Object) { o.Released, o.Overridden, o.Frozen = true, true, true }), Window{PauseOnClose: true}, Plan{Hold: []string{"a"}}},
		"let go, and it is closed":       {waiting(func(o *Object) { o.Released, o.LetGo = true, true }), Window{PauseOnClose: true}, Plan{}},
		"let go, and it fails":           {waiting(func(o *Object) { o.Released, o.LetGo, o.Progress = true, true, Failed }), Window{Open: true, StopOnFailure: true}, Plan{Fail: []string{"a"}}},
		"done after it has closed":       {waiting(func(o *Object) { o.Released, o.Progress = true, Done }), Window{PauseOnClose: true}, Plan{Finish: []string{"a"}}},
		"its namespace is not known":     {waiting(func(o *Object) { o.Windows, o.Unknown = nil, true }), Window{}, Plan{}},
		"forgotten by its controller":    {waiting(func(o *Object) { o.Released, o.Progress = true, Stalled }), Window{Open: true}, Plan{Nudge: []string{"a"}}},
		"forgotten, and it closes":       {waiting(func(o *Object) { o.Released, o.Progress = true, Stalled }), Window{PauseOnClose: true}, Plan{Hold: []string{"a"}}},
		"one that waits, not yet closed": {waiting(func(o *Object) { o.Open = o.Windows }), Window{Open: true, CloseWhenDone: true, Released: 3}, Plan{}},
	} {
		t.Run(title, func(t *testing.T) {
			got := Next([]Object{tc.object}, map[string]Window{"w": tc.window})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestNobodyWaitsForWhatIsNoneOfTheirs: a slot is taken only by what the queue has let go, and is still to be reckoned with.
func TestNobodyWaitsForWhatIsNoneOfTheirs(t *testing.T) {
	for title, tc := range map[string]struct {
		before func(*Object)
		want   []string
	}{
		"running":                             {func(*Object) {}, nil},
		"let go by an override":               {func(o *Object) { o.LetGo = true }, []string{"next"}},
		"overdue, in a window":                {func(o *Object) { o.Overdue = true }, nil},
		"running, and no window governs":      {func(o *Object) { o.Windows = nil }, nil},
		"overdue, and no window governs":      {func(o *Object) { o.Windows, o.Overdue = nil, true }, []string{"next"}},
		"refused, and so not let go":          {func(o *Object) { o.Released, o.Refused = false, true }, []string{"next"}},
		"waiting, and before it in the queue": {func(o *Object) { o.Released = false }, []string{"before0"}},
	} {
		t.Run(title, func(t *testing.T) {
			windows := map[string]Window{"w": {MaxConcurrent: 1, Open: true}}
			objects := []Object{{Key: "next", Windows: []string{"w"}, Since: time.Unix(2000, 0)}}
			for i := range DefaultMaxConcurrent {
				o := Object{Key: fmt.Sprintf("before%d", i), Windows: []string{"w"}, Released: true, Since: time.Unix(1000, 0)}
				tc.before(&o)
				objects = append(objects, o)
				if len(o.Windows) == 0 {
					objects[0].Windows = nil
				}
			}
			for i := range objects {
				objects[i].Open, objects[i].Accepting = objects[i].Windows, objects[i].Windows
			}
			if got := Next(objects, windows).Release; !slices.Equal(got, tc.want) {
				t.Errorf("released %v, want %v", got, tc.want)
			}
		})
	}
}

// TestNamespaces: what one namespace does is its own: slots, priorities and failures.
func TestNamespaces(t *testing.T) {
	of := func(namespace, key string, change func(*Object)) Object {
		o := Object{Key: key, Namespace: namespace, Windows: []string{"w"}, Open: []string{"w"}, Accepting: []string{"w"}, Since: time.Unix(1000, 0)}
		change(&o)
		return o
	}
	waits := func(*Object) {}
	running := func(o *Object) { o.Released = true }
	overdue := func(o *Object) { o.Released, o.Overdue = true, true }
	failed := func(o *Object) { o.Released, o.Progress = true, Failed }
	for title, tc := range map[string]struct {
		window  Window
		objects []Object
		want    []string
	}{
		"the slot is taken":                        {Window{MaxConcurrent: 1}, []Object{of("a", "x", running), of("b", "y", waits)}, nil},
		"it is taken for too long":                 {Window{MaxConcurrent: 1}, []Object{of("a", "x", overdue), of("a", "z", waits), of("b", "y", waits)}, []string{"y"}},
		"who has fewest":                           {Window{MaxConcurrent: 2, Turn: "a"}, []Object{of("b", "x", running), of("b", "z", waits), of("a", "y", waits)}, []string{"y"}},
		"whose turn it is":                         {Window{MaxConcurrent: 1, Turn: "a"}, []Object{of("a", "x", waits), of("c", "z", waits), of("b", "y", waits)}, []string{"y"}},
		"after the last comes the first":           {Window{MaxConcurrent: 1, Turn: "c"}, []Object{of("b", "y", waits), of("a", "x", waits)}, []string{"x"}},
		"a priority counts in a namespace":         {Window{MaxConcurrent: 1, Turn: "a"}, []Object{of("a", "x", func(o *Object) { o.Priority = 9 }), of("b", "y", waits), of("b", "z", func(o *Object) { o.Priority = 1 })}, []string{"z"}},
		"it has failed, and its slot is free next": {Window{MaxConcurrent: 2, StopOnFailure: true, Open: true}, []Object{of("a", "x", failed), of("a", "z", waits), of("b", "y", waits)}, []string{"y"}},
		"it had failed":                            {Window{MaxConcurrent: 2, StopOnFailure: true, Stopped: map[string]bool{"a": true}}, []Object{of("a", "z", waits), of("b", "y", waits)}, []string{"y"}},
		"too many had failed":                      {Window{MaxConcurrent: 2, StopOnFailure: true, StoppedForAll: true}, []Object{of("b", "y", waits)}, nil},
	} {
		t.Run(title, func(t *testing.T) {
			plan := Next(tc.objects, map[string]Window{"w": tc.window})
			if !slices.Equal(plan.Release, tc.want) {
				t.Errorf("released %v, want %v", plan.Release, tc.want)
			}
			if len(tc.want) > 0 {
				i := slices.IndexFunc(tc.objects, func(o Object) bool { return o.Key == tc.want[len(tc.want)-1] })
				if got := plan.Turn["w"]; got != tc.objects[i].Namespace {
					t.Errorf("it was the turn of %q, want %q", got, tc.objects[i].Namespace)
				}
			}
		})
	}
}
