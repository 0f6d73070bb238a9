// Package lint says of windows and freezes why the API server or the operator would not take them, and what of them is taken and probably
// not meant.
package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/internal/schedule"
	"fonster.dev/fonster/offline/decide"
	"fonster.dev/fonster/offline/evaluate"
	"fonster.dev/fonster/offline/manifest"
)

// Level says how bad a finding is.
type Level string

// The levels: an Error keeps an object from being taken, or from being in force as written; a Note does not.
const (
	Error Level = "error"
	Note  Level = "note"
)

// Finding is one thing to say of an object.
type Finding struct {
	File     string `json:"file"`
	Document int    `json:"document"`
	Kind     string `json:"kind,omitempty"`
	Name     string `json:"name,omitempty"`
	Level    Level  `json:"level"`
	Message  string `json:"message"`
}

func (f Finding) String() string {
	who := strings.TrimSpace(f.Kind + " " + f.Name)
	if who != "" {
		who += ": "
	}
	return fmt.Sprintf("%s, document %d: %s: %s%s", f.File, f.Document, f.Level, who, f.Message)
}

// linter goes through documents in order.
type linter struct {
	now  time.Time
	list []Finding
}

// Documents looks at objects, alone and together, at now.
func Documents(ctx context.Context, documents []*manifest.Document, now time.Time) ([]Finding, error) {
	l := &linter{now: now}
	first := map[string]*manifest.Document{}
	for _, d := range documents {
		if before := first[d.Kind+"/"+d.Name]; before != nil && d.Name != "" {
			l.add(d, Error, "is in %s too: the later one replaces it", before.Where())
		} else {
			first[d.Kind+"/"+d.Name] = d
		}
		for _, err := range d.Errors {
			l.add(d, Error, "%v", err)
		}
		if len(d.Errors) > 0 {
			continue
		}
		if err := l.selectors(ctx, d); err != nil {
			return nil, err
		}
		if d.Window != nil {
			l.window(d)
		} else {
			l.freeze(d)
		}
	}
	l.together(documents)
	return l.list, nil
}

func (l *linter) add(d *manifest.Document, level Level, format string, args ...any) {
	l.list = append(l.list, Finding{File: d.File, Document: d.Number, Kind: d.Kind, Name: d.Name, Level: level, Message: fmt.Sprintf(format, args...)})
}

// selectors asks the policy that refuses selectors which cannot be read.
func (l *linter) selectors(_ context.Context, d *manifest.Document) error {
	var object runtime.Object = d.Freeze
	resource := "changefreezes"
	if d.Window != nil {
		object, resource = d.Window, "maintenancewindows"
	}
	server, err := decide.Server()
	if err != nil {
		return err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	result := server.Evaluate(&evaluate.Request{Operation: admission.Create, Resource: resource, Object: &unstructured.Unstructured{Object: content}, User: "somebody", Order: 1})
	for _, refusal := range result.Denials {
		l.add(d, Error, "%s", refusal.Message)
	}
	return nil
}

func (l *linter) window(d *manifest.Document) {
	mw := d.Window
	window, problems := compile.Window(mw)
	for _, p := range problems {
		l.add(d, Error, "%s", p)
	}
	for i, s := range mw.Spec.Schedules {
		l.entry(d, fmt.Sprintf("spec.schedules[%d]", i), s)
	}
	for i, e := range mw.Spec.Exclusions {
		l.entry(d, fmt.Sprintf("spec.exclusions[%d]", i), e.Schedule)
	}
	if mw.Spec.Enforcement == v1alpha1.Hold && !slices.Contains(window.Disruptions, gate.Rollout) {
		l.add(d, Note, "spec.enforcement: Hold holds rollouts, and spec.disruptions has none: it refuses all the same")
	}
	if len(mw.Spec.Audiences) == 0 && narrow(window.Target) {
		l.add(d, Note, "spec.audiences: there are none, so everybody is told of it, though it governs %s only", window.Target.Namespaces)
	}
	l.target(d, window.Target)
	if window.Schedule == nil {
		return
	}
	l.times(d, window.Schedule, "it refuses for ever, and opens never")
	if mw.Spec.Enforcement == v1alpha1.Audit {
		l.add(d, Note, "spec.enforcement: Audit refuses nothing and says nothing: kubectl window report tells what it would have refused")
	}
}

func (l *linter) freeze(d *manifest.Document) {
	cf := d.Freeze
	freeze, problems := compile.Freeze(cf)
	for _, p := range problems {
		l.add(d, Error, "%s", p)
	}
	for i, s := range cf.Spec.Schedules {
		l.entry(d, fmt.Sprintf("spec.schedules[%d]", i), s)
	}
	l.target(d, freeze.Target)
	if len(cf.Spec.Schedules) == 0 {
		l.add(d, Note, "spec.schedules: there are none: it is in force from when it is created until it is deleted")
	} else if freeze.Schedule != nil {
		l.times(d, freeze.Schedule, "it stops nothing")
	}
	if cf.Spec.Overrides == nil && freeze.Enforcement == gate.Deny {
		l.add(d, Note, "spec.overrides: there are none, so no emergency passes it")
	}
}

// times tells of a schedule without a future, or with a far one, and what compiling noted.
func (l *linter) times(d *manifest.Document, s *schedule.Schedule, over string) {
	for _, note := range s.Notes() {
		l.add(d, Note, "spec.%s", note)
	}
	state := s.State(l.now)
	switch next := state.Next.Start; {
	case !state.Open && next.IsZero():
		last := ""
		if dates := lastDate(d); dates != "" {
			last = ", the last of them " + dates
		}
		l.add(d, Note, "spec.schedules: every occurrence lies in the past%s: %s", last, over)
	case !state.Open && next.After(l.now.AddDate(farYears, 0, 0)):
		l.add(d, Note, "spec.schedules: the next occurrence is far away: %s", compile.Human(next))
	}
}

// farYears is from how many years on an occurrence is far away.
const farYears = 2

func lastDate(d *manifest.Document) (last string) {
	schedules := []v1alpha1.Schedule{}
	if d.Window != nil {
		schedules = d.Window.Spec.Schedules
	} else if d.Freeze != nil {
		schedules = d.Freeze.Spec.Schedules
	}
	for _, s := range schedules {
		for _, date := range s.Dates {
			last = max(last, date)
		}
	}
	return last
}

// entry tells of one schedule what may not be meant.
func (l *linter) entry(d *manifest.Document, path string, s v1alpha1.Schedule) {
	if s.StartTime != nil && s.EndTime != nil {
		start, end := clock(*s.StartTime), clock(*s.EndTime)
		if lasts := end + 24*time.Hour - start; end < start && lasts > longNight {
			l.add(d, Note, "%s: endTime %s is before startTime %s, so it ends on the next day, after %s: are they swapped?", path, *s.EndTime, *s.StartTime, hours(lasts))
		}
	}
	if s.Cron == nil {
		return
	}
	fields := strings.Fields(*s.Cron)
	if len(fields) == 5 && restricted(fields[2]) && restricted(fields[4]) {
		l.add(d, Note, "%s.cron: %s means day of month %s OR day of week %s; for the first Saturday of each month write rrule: FREQ=MONTHLY;BYDAY=1SA", path, *s.Cron, fields[2], fields[4])
	}
}

// longNight is how long a night window is at most that nobody asks about.
const longNight = 12 * time.Hour

func restricted(field string) bool { return !strings.HasPrefix(field, "*") && field != "?" }

// clock reads HH:MM or HH:MM:SS, which the CRD has seen to.
func clock(text string) time.Duration {
	var h, m, s int
	_, _ = fmt.Sscanf(text, "%d:%d:%d", &h, &m, &s)
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}

func hours(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

func narrow(t gate.Target) bool {
	return slices.ContainsFunc(t.Namespaces, func(r gate.Requirement) bool { return r.Operator == gate.In })
}

// target tells of a selector that selects everything, or nothing that may ever be governed.
func (l *linter) target(d *manifest.Document, t gate.Target) {
	if len(t.Namespaces) == 0 {
		l.add(d, Note, "spec.namespaceSelector: is empty, so it governs every namespace but %s", strings.Join(policy.Identity{}.ProtectedNamespaces(), ", "))
	}
	for _, r := range t.Namespaces {
		if r.Key != "kubernetes.io/metadata.name" || r.Operator != gate.In {
			continue
		}
		never := slices.DeleteFunc(slices.Clone(r.Values), func(name string) bool { return !policy.Identity{}.Protected(name) })
		switch {
		case len(never) == len(r.Values):
			l.add(d, Note, "spec.namespaceSelector: selects %s alone, where nothing is ever governed", strings.Join(never, ", "))
		case len(never) > 0:
			l.add(d, Note, "spec.namespaceSelector: selects %s, where nothing is ever governed", strings.Join(never, ", "))
		}
	}
}

// together tells of windows that would hold what others refuse.
func (l *linter) together(documents []*manifest.Document) {
	for _, d := range documents {
		if len(d.Errors) > 0 || d.Window == nil || d.Window.Spec.Enforcement != v1alpha1.Hold {
			continue
		}
		holds, problems := compile.Shut(d.Window)
		if !problems.HasTarget() {
			continue
		}
		for _, other := range documents {
			if len(other.Errors) > 0 || other.Window == nil || other.Window.Spec.Enforcement != v1alpha1.Deny {
				continue
			}
			denies, problems := compile.Shut(other.Window)
			if problems.HasTarget() && slices.Contains(denies.Disruptions, gate.Rollout) && denies.Target.Covers(holds.Target) {
				l.add(d, Note, "spec.enforcement: the rollouts that it would hold are refused by %s (Deny), which governs all that it governs: the strictest counts", other.Name)
			}
		}
	}
}
