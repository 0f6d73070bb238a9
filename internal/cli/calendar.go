package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/ical"
	"fonster.dev/fonster/internal/announce/read"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/schedule"
)

// defaultSpan is how far a calendar looks without --to.
const defaultSpan = 90 * 24 * time.Hour

// entry is one occurrence in a calendar, as JSON has it: one of window and freeze is its name.
type entry struct {
	Window    string    `json:"window,omitempty"`
	Freeze    string    `json:"freeze,omitempty"`
	Title     string    `json:"title"`
	Class     string    `json:"class,omitempty"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	TimeZone  string    `json:"timeZone"`
	Audiences []string  `json:"audiences,omitempty"`
	// Frozen is a window's that freezes leave nothing of, PartlyFrozen one of which they take a part, FrozenParts what they take; Advisory
	// a freeze that only warns.
	Frozen       bool         `json:"frozen,omitempty"`
	PartlyFrozen bool         `json:"partlyFrozen,omitempty"`
	FrozenParts  []frozenPart `json:"frozenParts,omitempty"`
	Advisory     bool         `json:"advisory,omitempty"`
	// Endless is what has no known start or end: then that of the interval stands there.
	Endless     bool `json:"endless,omitempty"`
	description string
	listed      listed
}

// frozenPart is what a freeze takes of an occurrence.
type frozenPart struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Reason string    `json:"reason"`
}

func (e entry) name() string { return e.Window + e.Freeze }

// calendar lists the occurrences of windows and freezes.
type calendar struct {
	*root
	scope
	format
	files    []string
	from, to string
	audience string
	// cluster tells the cluster from others, as far as the events' UIDs need it; empty of files.
	cluster string
}

func newCalendar(r *root) *cobra.Command {
	o := &calendar{root: r}
	command := &cobra.Command{
		Use:   "calendar [-f FILE...]",
		Short: "List when windows are open and freezes in force",
		Long: `List when windows are open and freezes in force: of files (no cluster needed), of those that govern a namespace, or with -A of the cluster.

An occurrence is listed when any part of it lies in [--from, --to). Dates are read in each window's own zone. One that freezes
leave nothing of is listed as frozen, as cancelled in iCalendar. What has no known start or end has that of the interval in JSON;
in iCalendar it is left out.

It says what is wrong with any of them, and ends with exit code 1 then: a check of manifests, before they are applied.`,
		Example: `  kubectl window calendar -f config/samples/itcentrum-2021.yaml --from 2021-05-01 --to 2022-01-01
  kubectl window calendar                       # what governs the namespace of the context
  kubectl window calendar -A -o ics > windows.ics`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.execute(c.Context())
		},
	}
	f := command.Flags()
	f.StringSliceVarP(&o.files, "filename", "f", nil, "file or folder of manifests; - for standard input; may be repeated")
	o.bindScope(f)
	f.BoolVar(&o.all, "all", false, "as -A")
	_ = f.MarkHidden("all") // as it was called before
	f.StringVar(&o.from, "from", "", "first instant, as YYYY-MM-DD or RFC 3339 (default: now)")
	f.StringVar(&o.to, "to", "", "first instant that is too late, as YYYY-MM-DD or RFC 3339 (default: 90 days after --from)")
	f.StringVar(&o.audience, "audience", "", "only what this audience is shown")
	o.bindFormat(command, "ics")
	return command
}

func (o *calendar) validate() error {
	if len(o.files) > 0 && (o.all || o.namespace != "") {
		return usagef("-f is for files, -n and -A for the cluster: give one of them")
	}
	if err := o.checkScope(); err != nil {
		return err
	}
	if err := o.checkFormat(); err != nil {
		return err
	}
	_, _, err := o.span(time.UTC)
	return err
}

// span is the interval in the zone of a window.
func (o *calendar) span(zone *time.Location) (from, to time.Time, err error) {
	from = o.now()
	if o.from != "" {
		if from, err = parseInstant(o.from, zone); err != nil {
			return from, to, usagef("--from: %w", err)
		}
	}
	to = from.Add(defaultSpan)
	if o.to != "" {
		if to, err = parseInstant(o.to, zone); err != nil {
			return from, to, usagef("--to: %w", err)
		}
	}
	if !from.Before(to) {
		return from, to, usagef("--from must be before --to: the interval %s to %s is empty", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return from, to, nil
}

func parseInstant(text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return t, fmt.Errorf("%q is neither a date (2021-05-01) nor an instant (2021-05-01T00:00:00+02:00)", text)
	}
	return t, nil
}

func (o *calendar) execute(ctx context.Context) error {
	found, failed, err := o.read(ctx)
	if err != nil {
		return err
	}
	var entries []entry
	var empty []*schedule.Schedule
	var named []string
	together := found.compile().Set
	made := map[string]time.Time{}
	for _, s := range found.freezes {
		if made[s.object.Name] = s.object.CreationTimestamp.Time; made[s.object.Name].IsZero() {
			made[s.object.Name] = o.now()
		}
	}
	for _, s := range found.windows {
		named = append(named, s.object.Spec.Audiences...)
		window, problems := compile.Window(s.object)
		failed = o.report(s.where, "MaintenanceWindow", s.object.Name, problems) || failed
		if window.Schedule != nil && problems.HasTarget() && o.shown(s.object.Spec.Audiences) {
			listed, all := o.between(window.Schedule)
			if len(listed) == 0 {
				empty = append(empty, window.Schedule)
			}
			entries = append(entries, ofWindow(s.object, listed, together.Blocking(s.object.Name), made, announce.Reach(o.now(), window.Schedule.Location()))...)
			failed = o.reportRest(s.where, "MaintenanceWindow", s.object.Name, listed, all) || failed
		}
	}
	for _, s := range found.freezes {
		named = append(named, s.object.Spec.Audiences...)
		freeze, problems := compile.Freeze(s.object)
		failed = o.report(s.where, "ChangeFreeze", s.object.Name, problems) || failed
		if freeze.Schedule != nil && problems.HasTarget() && o.shown(s.object.Spec.Audiences) {
			listed, all := o.between(freeze.Schedule)
			if len(listed) == 0 {
				empty = append(empty, freeze.Schedule)
			}
			entries = append(entries, ofFreeze(s.object, listed)...)
			failed = o.reportRest(s.where, "ChangeFreeze", s.object.Name, listed, all) || failed
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.name(), b.name()))
	})
	if o.audience != "" && !slices.Contains(named, o.audience) {
		slices.Sort(named)
		others := strings.Join(slices.Compact(named), ", ")
		fmt.Fprintf(o.Err, "warning: no window and no freeze names the audience %s%s: these are everybody's\n", o.audience,
			choose(others != "", ", only "+others, ""))
	}
	if len(entries) == 0 && o.output == "text" {
		if failed {
			return errReported
		}
		_, err := fmt.Fprintln(o.Out, o.nothing(empty))
		return err
	}
	if err := o.write(entries); err != nil {
		return err
	}
	if failed {
		return errReported
	}
	return nil
}

// read reads the files or the cluster. What a file has wrong is reported, and the rest is still shown.
func (o *calendar) read(ctx context.Context) (found objects, failed bool, err error) {
	if len(o.files) == 0 {
		var c client.Client
		if found, c, err = o.root.read(ctx); err != nil {
			return found, false, err
		}
		if o.output == "ics" {
			var unknown error
			if o.cluster, unknown = read.Cluster(ctx, c); unknown != nil {
				fmt.Fprintf(o.Err, "warning: the events' UIDs are not those of the page: %v\n", forbidden(unknown, "Namespace kube-system", "a ClusterRoleBinding to fonster-viewer"))
			}
		}
		namespace := o.inScope(o.scope)
		if namespace == "" {
			return found, false, nil
		}
		found, err = o.governingOnly(ctx, c, found, namespace)
		return found, false, err
	}
	found, err = readFiles(o.files, o.In)
	if err != nil {
		fmt.Fprintf(o.Err, "error: %v\n", err)
		failed = true
	}
	if len(found.windows)+len(found.freezes) == 0 {
		if failed {
			return found, failed, errReported
		}
		return found, failed, fmt.Errorf("no MaintenanceWindow and no ChangeFreeze in %s", strings.Join(o.files, ", "))
	}
	return found, failed, nil
}

// report tells what is wrong with an object, and whether anything is.
func (o *calendar) report(where, kind, name string, problems compile.Problems) bool {
	for _, p := range problems {
		fmt.Fprintf(o.Err, "error: %s: %s %s: %s\n", where, kind, name, p)
	}
	return len(problems) > 0
}

func (o *calendar) shown(audiences []string) bool {
	return o.audience == "" || len(audiences) == 0 || slices.Contains(audiences, o.audience)
}

// reportRest tells where a list that is not all ends, and whether it is not.
func (o *calendar) reportRest(where, kind, name string, list []listed, all bool) bool {
	if all {
		return false
	}
	until := "nothing of it is listed"
	if len(list) > 0 {
		until = "it is listed until " + compile.Human(list[len(list)-1].End)
	}
	fmt.Fprintf(o.Err, "error: %s: %s %s comes too often to be listed as a whole: %s; give --from and --to that are nearer to each other\n", where, kind, name, until)
	return true
}

func ofWindow(mw *v1alpha1.MaintenanceWindow, list []listed, freezes []gate.Freeze, made map[string]time.Time, reach time.Time) []entry {
	var entries []entry
	for _, occurrence := range list {
		entries = append(entries, entry{
			Window: mw.Name, Title: cmp.Or(mw.Spec.Title, mw.Name), Class: string(cmp.Or(mw.Spec.Class, v1alpha1.Planned)),
			Start: occurrence.Start, End: occurrence.End, TimeZone: mw.Spec.TimeZone, Audiences: mw.Spec.Audiences,
			description: mw.Spec.Description, Endless: occurrence.endless(), listed: occurrence,
		})
		last := &entries[len(entries)-1]
		parts, wholly := announce.FrozenParts(occurrence.Start, occurrence.End, freezes, made, reach)
		last.Frozen, last.PartlyFrozen = wholly, !wholly && len(parts) > 0
		for _, p := range parts {
			last.FrozenParts = append(last.FrozenParts, within(p, occurrence))
		}
	}
	return entries
}

func ofFreeze(cf *v1alpha1.ChangeFreeze, list []listed) []entry {
	var entries []entry
	for _, occurrence := range list {
		entries = append(entries, entry{
			Freeze: cf.Name, Title: cf.Spec.Reason, Start: occurrence.Start, End: occurrence.End,
			TimeZone: cf.Spec.TimeZone, Audiences: cf.Spec.Audiences, Advisory: cf.Spec.Enforcement == v1alpha1.Warn || cf.Spec.Enforcement == v1alpha1.Audit,
			Endless: occurrence.endless(), listed: occurrence,
		})
	}
	return entries
}

// within is the part of an occurrence that a freeze takes.
func within(p announce.Stretch, o listed) frozenPart {
	part := frozenPart{o.Start, o.End, p.Reason}
	if p.Start.After(o.Start) {
		part.Start = p.Start
	}
	if !p.End.IsZero() && p.End.Before(o.End) {
		part.End = p.End
	}
	return part
}

// nothing says that nothing is in the interval, and what is nearest to it.
func (o *calendar) nothing(schedules []*schedule.Schedule) string {
	var last, next time.Time
	for _, s := range schedules {
		from, to, err := o.span(s.Location())
		if err != nil {
			continue // validate has seen it
		}
		budget := schedule.Budget
		before, _ := s.Within(from.AddDate(-yearsBack, 0, 0), from, &budget)
		if n := len(before); n > 0 && before[n-1].Start.After(last) {
			last = before[n-1].Start
		}
		if after, found := s.Next(to.Add(-time.Second)); found && (next.IsZero() || after.Start.Before(next)) {
			next = after.Start
		}
	}
	text := "nothing in this interval"
	if !last.IsZero() {
		text += "; the last before it: " + compile.Human(last)
	}
	if !next.IsZero() {
		text += "; the next after it: " + compile.Human(next)
	}
	return text
}

// yearsBack is how far before an empty interval the last occurrence is looked for.
const yearsBack = 10

// listed is an occurrence with its start and end in the interval, where one is not known.
type listed struct {
	schedule.Occurrence
	noStart, noEnd bool
}

func (l listed) endless() bool { return l.noStart || l.noEnd }

// between lists a schedule's occurrences in the interval. What has no known end, such as a freeze until it is deleted, is
// shown to the end of the interval. It tells whether they are all: one schedule may cost only so much.
func (o *calendar) between(s *schedule.Schedule) (list []listed, all bool) {
	from, to, err := o.span(s.Location())
	if err != nil {
		return nil, true // validate has seen it
	}
	budget := schedule.Budget
	found, all := s.Within(from, to, &budget)
	for _, occurrence := range found {
		l := listed{Occurrence: occurrence, noStart: occurrence.Start.IsZero(), noEnd: occurrence.End.IsZero()}
		if l.Start.IsZero() {
			l.Start = from.In(s.Location())
		}
		if l.End.IsZero() {
			l.End = to.In(s.Location())
		}
		list = append(list, l)
	}
	return list, all
}

func (o *calendar) write(entries []entry) error {
	if o.output == "ics" {
		return ical.Write(o.Out, ical.Calendar{Name: "Maintenance windows", Events: events(entries, o.cluster, o.now())})
	}
	if entries == nil {
		entries = []entry{}
	}
	return o.root.write(o.format, entries, func() error { return writeText(o.Out, entries) })
}

func events(entries []entry, cluster string, now time.Time) []ical.Event {
	var events []ical.Event
	for _, e := range entries {
		if e.Endless {
			continue // it would be another event each time
		}
		kind, categories := ical.Window, []string{ical.Window, strings.ToLower(e.Class)}
		if e.Freeze != "" {
			kind, categories = ical.Freeze, []string{ical.Freeze}
		}
		events = append(events, ical.Event{
			UID: ical.UID(kind, cluster, e.name(), e.Start), Title: e.Title, Description: e.description, Start: e.Start, End: e.End,
			Categories: categories, Changed: now, Cancelled: e.Frozen,
		})
	}
	return events
}

func writeText(w io.Writer, entries []entry) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "START\tEND\tLENGTH\tNAME\tTITLE")
	for _, e := range entries {
		title := e.Title
		switch {
		case e.Advisory:
			title = "FREEZE (warns only): " + title
		case e.Freeze != "":
			title = "FREEZE: " + title
		case e.Class == string(v1alpha1.Emergency):
			title = "EMERGENCY: " + title
		}
		switch {
		case e.Frozen:
			title = "FROZEN: " + title
		case e.PartlyFrozen:
			title = "PARTLY FROZEN: " + title
		}
		start, end, lasts := compile.Human(e.Start), compile.Human(e.End), length(e.End.Sub(e.Start))
		if e.listed.noStart {
			start, lasts = "no start is known", "-"
		}
		if e.listed.noEnd {
			end, lasts = "no end is known", "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", start, end, lasts, e.name(), title)
	}
	return table.Flush()
}

// length writes a duration for people: 11h, 1h30m, 45m.
func length(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
