// Package compile turns API objects into schedules, selectors and gates, and gates back into API objects. It is the only
// bridge between the kinds that users write and the packages that decide: the controllers, the metrics and the command
// line all read a spec through it.
package compile

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/schedule"
)

// Problem is one reason why a window or freeze is not in force as written.
type Problem struct {
	// Reason is one of the Reason constants of v1alpha1 for a Ready condition that is False.
	Reason string
	// Path is the field, such as spec.schedules[0].rrule.
	Path string
	// Message says what is wrong and what to write instead.
	Message string
}

func (p Problem) String() string { return p.Path + ": " + p.Message }

// Problems are all problems of an object.
type Problems []Problem

// Error joins the problems in one line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "; ")
}

// HasTarget says whether the selectors could be read: without them there is nothing to govern.
func (p Problems) HasTarget() bool {
	for _, problem := range p {
		if problem.Reason == v1alpha1.ReasonInvalidSelector {
			return false
		}
	}
	return true
}

// Window compiles a maintenance window. Where the schedule cannot be read, the result has none and so never opens; where a
// selector cannot be read (Problems.HasTarget is false), the result must not be used.
func Window(mw *v1alpha1.MaintenanceWindow) (gate.Window, Problems) {
	spec := mw.Spec
	window, problems := Shut(mw)
	var exclusions []schedule.Rule
	for _, e := range spec.Exclusions {
		exclusions = append(exclusions, rule(e.Schedule))
	}
	parsed, err := schedule.Parse(schedule.Spec{
		TimeZone:   spec.TimeZone,
		Schedules:  rules(spec.Schedules),
		Exclusions: exclusions,
		Cutoff:     duration(spec.Cutoff),
	})
	if err != nil {
		return window, append(problems, scheduleProblems(err)...)
	}
	for _, closed := range Closed(mw) {
		parsed = parsed.Without(closed.Start, closed.End)
	}
	window.Schedule = parsed
	return window, problems
}

// Shut compiles a maintenance window without its schedule, which takes no time: it says what is governed, and never opens.
func Shut(mw *v1alpha1.MaintenanceWindow) (gate.Window, Problems) {
	spec := mw.Spec
	window := gate.Window{
		Name:        mw.Name,
		Disruptions: disruptions(spec.Disruptions),
		Enforcement: gate.Enforcement(orDefault(spec.Enforcement, v1alpha1.Deny)),
	}
	window.MaxOverride, window.ReasonPattern = overrides(spec.Overrides)
	var problems Problems
	window.Target, problems = target(spec.NamespaceSelector, spec.ObjectSelector)
	return window, problems
}

// Freeze compiles a change freeze. Where the schedule cannot be read, the result has none and so is in force; where a
// selector cannot be read (Problems.HasTarget is false), the result must not be used.
func Freeze(cf *v1alpha1.ChangeFreeze) (gate.Freeze, Problems) {
	spec := cf.Spec
	freeze, problems := Always(cf)
	parsed, err := schedule.Parse(schedule.Spec{
		TimeZone:  spec.TimeZone,
		Schedules: rules(spec.Schedules),
		Always:    len(spec.Schedules) == 0,
	})
	if err != nil {
		return freeze, append(problems, scheduleProblems(err)...)
	}
	freeze.Schedule = parsed
	return freeze, problems
}

// Always compiles a change freeze without its schedule, which takes no time: it is in force.
func Always(cf *v1alpha1.ChangeFreeze) (gate.Freeze, Problems) {
	spec := cf.Spec
	freeze := gate.Freeze{
		Name:        cf.Name,
		Reason:      oneLine(spec.Reason),
		Disruptions: disruptions(spec.Disruptions),
		Enforcement: gate.Enforcement(orDefault(spec.Enforcement, v1alpha1.Deny)),
	}
	freeze.Overridable = spec.Overrides != nil
	freeze.MaxOverride, freeze.ReasonPattern = overrides(spec.Overrides)
	var problems Problems
	freeze.Target, problems = target(spec.NamespaceSelector, spec.ObjectSelector)
	return freeze, problems
}

// ExclusionReason is when an exclusion takes time out of a window's schedules, and why.
type ExclusionReason struct {
	Schedule *schedule.Schedule
	Reason   string
	// Reasons are the reason in other languages, by BCP 47 tag.
	Reasons map[string]v1alpha1.Reason
}

// Excluded is the schedule of a window without its exclusions, and the exclusions that have a reason; nil where none has one that can be
// read.
func Excluded(mw *v1alpha1.MaintenanceWindow) (whole *schedule.Schedule, reasons []ExclusionReason) {
	parse := func(list []schedule.Rule) *schedule.Schedule {
		parsed, err := schedule.Parse(schedule.Spec{TimeZone: mw.Spec.TimeZone, Schedules: list})
		if err != nil {
			return nil // the window's Ready condition says so
		}
		return parsed
	}
	for _, e := range mw.Spec.Exclusions {
		if e.Reason == "" {
			continue
		}
		if parsed := parse([]schedule.Rule{rule(e.Schedule)}); parsed != nil {
			reasons = append(reasons, ExclusionReason{parsed, e.Reason, e.Reasons})
		}
	}
	if len(reasons) == 0 {
		return nil, nil
	}
	return parse(rules(mw.Spec.Schedules)), reasons
}

// Announced reads spec.announce of a window or freeze with its default.
func Announced(announce *bool) bool { return announce == nil || *announce }

// defaultMaxOverride is the default of the field; files read without an API server have none filled in.
const defaultMaxOverride = time.Hour

func overrides(o *v1alpha1.OverridePolicy) (maxDuration time.Duration, reasonPattern string) {
	if o == nil {
		return defaultMaxOverride, ""
	}
	if o.MaxDuration == nil {
		return defaultMaxOverride, o.ReasonPattern
	}
	return o.MaxDuration.Duration, o.ReasonPattern
}

// oneLine keeps a text fit for the message of a policy, which must not contain line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func orDefault[S ~string](value, fallback S) S {
	if value == "" {
		return fallback
	}
	return value
}

// disruptions reads the field with its default: files read without an API server have none filled in.
func disruptions(list []v1alpha1.Disruption) []gate.Disruption {
	if len(list) == 0 {
		list = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete}
	}
	result := make([]gate.Disruption, len(list))
	for i, d := range list {
		result[i] = gate.Disruption(d)
	}
	return result
}

func rules(schedules []v1alpha1.Schedule) []schedule.Rule {
	result := make([]schedule.Rule, len(schedules))
	for i, s := range schedules {
		result[i] = rule(s)
	}
	return result
}

func rule(s v1alpha1.Schedule) schedule.Rule {
	return schedule.Rule{
		Dates:     s.Dates,
		RRule:     deref(s.RRule),
		StartDate: deref(s.StartDate),
		Cron:      deref(s.Cron),
		StartTime: deref(s.StartTime),
		EndTime:   deref(s.EndTime),
		Duration:  duration(s.Duration),
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func duration(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}

func scheduleProblems(err error) Problems {
	var problems Problems
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			problems = append(problems, scheduleProblems(e)...)
		}
		return problems
	}
	var e *schedule.Error
	if errors.As(err, &e) {
		return Problems{{Reason: string(e.Reason), Path: "spec." + e.Path, Message: e.Message}}
	}
	return Problems{{Reason: v1alpha1.ReasonInvalidSchedule, Path: "spec.schedules", Message: err.Error()}}
}

func target(namespaces, objects *metav1.LabelSelector) (gate.Target, Problems) {
	var t gate.Target
	var problems Problems
	read := func(path string, s *metav1.LabelSelector) gate.Selector {
		selector, err := selector(s)
		if err != nil {
			problems = append(problems, Problem{Reason: v1alpha1.ReasonInvalidSelector, Path: path, Message: err.Error()})
		}
		return selector
	}
	if namespaces == nil {
		problems = append(problems, Problem{
			Reason: v1alpha1.ReasonInvalidSelector, Path: "spec.namespaceSelector", Message: "is required: {} means every namespace",
		})
	}
	t.Namespaces = read("spec.namespaceSelector", namespaces)
	t.Objects = read("spec.objectSelector", objects)
	return t, problems
}

func selector(s *metav1.LabelSelector) (gate.Selector, error) {
	if s == nil {
		return nil, nil
	}
	var requirements []gate.Requirement
	for key, value := range s.MatchLabels {
		requirements = append(requirements, gate.Requirement{Key: key, Operator: gate.In, Values: []string{value}})
	}
	for _, e := range s.MatchExpressions {
		requirements = append(requirements, gate.Requirement{Key: e.Key, Operator: gate.Operator(e.Operator), Values: e.Values})
	}
	result, err := gate.NewSelector(requirements...)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return result, nil
}
