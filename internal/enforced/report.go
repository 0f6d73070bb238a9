package enforced

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"fonster.dev/fonster/api/v1alpha1"
)

// Report is what keeps windows and freezes from being enforced; the zero Report: nothing does.
type Report struct {
	// Missing and Changed name policies and bindings that are not installed, or not as this version has them; only an administrator may
	// write those.
	Missing, Changed []string
	// Gates says, by namespace, why the operator could not write its Gate, or the label by which policies look at it.
	Gates map[string]string
	// Omitted counts, by namespace, the windows and freezes for which its Gate has no room, and which stay closed there.
	Omitted map[string]int
}

// Deviations is how many policies and bindings are missing or changed.
func (r Report) Deviations() int { return len(r.Missing) + len(r.Changed) }

// Failed says that the operator could not write something that it should have.
func (r Report) Failed() bool { return len(r.Gates) > 0 }

// WellEnforced says that all is as it should be, and nothing left out.
func (r Report) WellEnforced() bool { return r.Deviations()+len(r.Gates)+len(r.Omitted) == 0 }

// Condition is the condition Enforced of a window or freeze that governs some namespaces.
func (r Report) Condition(governs func(namespace string) bool) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionEnforced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonEnforced}
	var said []string
	say := func(reason, format string, args ...any) {
		if c.Status == metav1.ConditionTrue {
			c.Status, c.Reason = metav1.ConditionFalse, reason
		}
		said = append(said, fmt.Sprintf(format, args...))
	}
	if len(r.Missing) > 0 {
		say(v1alpha1.ReasonPoliciesMissing, "Not installed: %s. What they refuse or hold passes, whatever windows and freezes say. Run make install.", names(r.Missing))
	}
	if len(r.Changed) > 0 {
		say(v1alpha1.ReasonPoliciesChanged, "Not as this version of the operator has them: %s. Either an upgrade is under way, and ends with the operator of the version that"+
			" is installed; or somebody has changed them: run make install.", names(r.Changed))
	}
	if list := governed(r.Gates, governs); len(list) > 0 {
		say(v1alpha1.ReasonGateNotWritten, "The Gate could not be written in %s, and says there what it said before. The operator tries again: %s",
			namespaces(list), r.Gates[list[0]])
	}
	if list := governed(r.Omitted, governs); len(list) > 0 {
		most := 0
		for _, namespace := range list {
			most = max(most, r.Omitted[namespace])
		}
		said = append(said, fmt.Sprintf("The Gate has no room for all windows and freezes in %s: up to %d of them stay closed there."+
			" Give more of them the same objectSelector.", namespaces(list), most))
	}
	if len(said) == 0 {
		said = []string{"The API server holds requests against what this says."}
	}
	c.Message = strings.Join(said, " ")
	return c
}

// governed lists the namespaces of a report that something governs, in order.
func governed[V any](reported map[string]V, governs func(namespace string) bool) []string {
	var list []string
	for namespace := range reported {
		if governs(namespace) {
			list = append(list, namespace)
		}
	}
	slices.Sort(list)
	return list
}

func namespaces(list []string) string {
	if len(list) == 1 {
		return "namespace " + list[0]
	}
	return fmt.Sprintf("%d namespaces (%s)", len(list), names(list))
}

// names lists the first of many names.
func names(all []string) string {
	const most = 4
	list := strings.Join(all[:min(len(all), most)], ", ")
	if more := len(all) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// first is the value of the first key.
func first(m map[string]string) string { return m[slices.Min(slices.Collect(maps.Keys(m)))] }

// Problem is an error as a report tells it: of bounded length.
func Problem(err error) string {
	const most = 512
	text := []rune(err.Error())
	if len(text) > most {
		text = append(text[:most], '…')
	}
	return string(text)
}

// State holds the last report. The zero State is ready; it is safe for concurrent use.
type State struct {
	mu        sync.Mutex
	report    Report
	known     bool
	listeners []chan event.GenericEvent
}

// Report is the last report; false before there is one.
func (s *State) Report() (Report, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report, s.known
}

// Tell replaces the report, and says whether it differs from the one before; then whoever listens is woken.
func (s *State) Tell(r Report) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known && equality.Semantic.DeepEqual(s.report, r) {
		return false
	}
	s.report, s.known = r, true
	for _, l := range s.listeners {
		select {
		case l <- event.GenericEvent{Object: &v1alpha1.Gate{}}:
		default: // it is still to wake, and will read this report
		}
	}
	return true
}

// Changes is a channel that gets something whenever the report has changed.
func (s *State) Changes() <-chan event.GenericEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := make(chan event.GenericEvent, 1)
	s.listeners = append(s.listeners, l)
	return l
}

// Ready is nil as long as everything that should be written is.
func (s *State) Ready() error {
	r, _ := s.Report()
	if !r.Failed() {
		return nil
	}
	return fmt.Errorf("the gates of %d namespaces could not be written: %s: %s", len(r.Gates), names(slices.Sorted(maps.Keys(r.Gates))), first(r.Gates))
}
