// Package announce says to people what the gates do: when windows are open, what was cancelled, and what emergency work goes
// on. It is a pure view of the objects that are enforced, compiled by the code that gates; it reads no clock and no cluster.
// The packages below it only write it down.
package announce

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/history"
	"fonster.dev/fonster/internal/schedule"
)

const (
	// Ahead is how far ahead occurrences are announced.
	Ahead = history.Horizon
	// Behind is how far back calendars go.
	Behind = 30 * 24 * time.Hour
	// maxEach bounds the occurrences of one window or freeze, to come and gone by each. maxTotal bounds those of all together,
	// and so what a board holds in memory; where it divides among very many, minEach are left for each.
	maxEach  = 500
	minEach  = 20
	maxTotal = 100_000
	// maxWork bounds what a whole board costs, where it divides among few no window or freeze more than schedule.Budget, and where it
	// divides among very many none less than minWork, which is enough for one that is open several times a day.
	maxWork = 10 * schedule.Budget
	minWork = 5_000
)

// Input is what the announcements are drawn from.
type Input struct {
	// Compiled is what is enforced; Windows and Freezes are the same objects, for their texts.
	Compiled *compile.Compiled
	Windows  []v1alpha1.MaintenanceWindow
	Freezes  []v1alpha1.ChangeFreeze
	// Records and FreezeRecords are by the name of the window and of the freeze; one may be missing.
	Records, FreezeRecords map[string]*history.Record
	Work                   []Work
}

// Board is everything that is announced at one instant, to all audiences.
type Board struct {
	// Now is the instant that it was drawn for; Until when the next occurrence begins or ends, or the day does.
	Now, Until time.Time
	// Zone is that of most windows; UTC where there are none.
	Zone *time.Location
	// Audiences are those that any object names, in order.
	Audiences []string

	occurrences []*Occurrence
	each        int
	// most is what one window or freeze may cost, in days and openings looked through: what is too costly is shown in part, and keeps
	// nobody from reading the rest.
	most int
	// from is how far back the board goes.
	from time.Time
	// frozen holds, by the name of a freeze, when it is in force, as far as the board goes: each is worked out once.
	frozen map[string][]schedule.Occurrence
}

// Draw draws the board at now.
func Draw(in Input, now time.Time) *Board {
	b := &Board{Now: now, Zone: zoneOfMost(in), frozen: map[string][]schedule.Occurrence{}}
	b.each = min(max(maxTotal/max(len(in.Windows)+len(in.Freezes), 1), minEach), maxEach)
	b.most = min(max(maxWork/max(len(in.Windows)+len(in.Freezes), 1), minWork), schedule.Budget)
	year := time.Date(now.In(b.Zone).Year(), 1, 1, 0, 0, 0, 0, b.Zone)
	b.from = earliest(year, now.Add(-Behind))
	for i := range in.Windows {
		b.addWindow(&in.Windows[i], in)
	}
	for i := range in.Freezes {
		b.addFreeze(&in.Freezes[i], in)
	}
	b.addWithdrawn(Window, in.Records)
	b.addWithdrawn(Freeze, in.FreezeRecords)
	for _, w := range distinct(in.Work) {
		b.addWork(w)
	}
	slices.SortFunc(b.occurrences, order)
	b.settle()
	return b
}

func (b *Board) addWindow(mw *v1alpha1.MaintenanceWindow, in Input) {
	compiled, found := in.Compiled.Windows[mw.Name]
	if !found || compiled.Schedule == nil || !compiled.Problems.HasTarget() {
		return // it never opens, and its Ready condition says why
	}
	spec := mw.Spec
	s := &Subject{
		Kind: Window, Name: mw.Name, Title: clean(cmp.Or(spec.Title, mw.Name), maxTitle), Description: clean(spec.Description, maxDescription),
		Emergency: spec.Class == v1alpha1.Emergency, Zone: compiled.Schedule.Location(), Audiences: spec.Audiences,
		ChangedAt: mw.CreationTimestamp.UTC(),
	}
	if r := in.Records[mw.Name]; r != nil {
		s.Sequence, s.ChangedAt = r.Sequence, r.ChangedAt
	}
	freezes := in.Compiled.Set.Blocking(mw.Name)
	cutoff := time.Duration(0)
	if spec.Cutoff != nil {
		cutoff = spec.Cutoff.Duration
	}
	for _, occurrence := range b.between(compiled.Schedule) {
		o := &Occurrence{Subject: s, Start: occurrence.Start, End: occurrence.End, LastBegin: occurrence.End}
		if !o.End.IsZero() {
			o.LastBegin = later(o.Start, o.End.Add(-cutoff))
		}
		for _, f := range freezes {
			o.freeze(f.Reason, b.inForce(f, o.Start, o.End))
		}
		o.ShortNotice = slices.ContainsFunc(mw.Status.Upcoming, func(u v1alpha1.UpcomingOccurrence) bool {
			return u.ShortNotice && u.Start.Time.Equal(occurrence.Start)
		})
		b.occurrences = append(b.occurrences, o)
	}
}

func (b *Board) addFreeze(cf *v1alpha1.ChangeFreeze, in Input) {
	compiled, found := in.Compiled.Freezes[cf.Name]
	if !found || !compiled.Problems.HasTarget() {
		return
	}
	s := &Subject{
		Kind: Freeze, Name: cf.Name, Title: clean(cf.Spec.Reason, maxTitle), Zone: b.Zone, Audiences: cf.Spec.Audiences,
		ChangedAt: cf.CreationTimestamp.UTC(), Advisory: cf.Spec.Enforcement == v1alpha1.Warn || cf.Spec.Enforcement == v1alpha1.Audit,
	}
	if r := in.FreezeRecords[cf.Name]; r != nil {
		s.Sequence, s.ChangedAt = r.Sequence, r.ChangedAt
	}
	if compiled.Schedule == nil { // it cannot be read, and so is in force
		b.occurrences = append(b.occurrences, &Occurrence{Subject: s})
		return
	}
	if len(cf.Spec.Schedules) > 0 {
		s.Zone = compiled.Schedule.Location()
	}
	for _, o := range b.between(compiled.Schedule) {
		b.occurrences = append(b.occurrences, &Occurrence{Subject: s, Start: o.Start, End: o.End, LastBegin: o.End})
	}
}

// addWithdrawn adds what records of a kind say was withdrawn; one that the object still lists only ended early.
func (b *Board) addWithdrawn(kind Kind, records map[string]*history.Record) {
	type key struct {
		name  string
		start int64
	}
	listed := map[key]*Occurrence{}
	for _, o := range b.occurrences {
		if o.Kind == kind && records[o.Name] != nil && len(records[o.Name].Withdrawn) > 0 {
			listed[key{o.Name, o.Start.Unix()}] = o
		}
	}
	for name, r := range records {
		for _, w := range r.Withdrawn {
			w.MovedTo = w.Final(r.Withdrawn, func(start time.Time) bool { return listed[key{name, start.Unix()}] != nil })
			o := b.withdrawn(kind, name, r.Sequence, w)
			switch still := listed[key{name, w.Start.Unix()}]; {
			case still != nil && w.Early:
				o.Subject = still.Subject
				*still = *o
			case still == nil && o.End.After(b.from):
				b.occurrences = append(b.occurrences, o)
			}
		}
	}
}

func (b *Board) withdrawn(kind Kind, name string, sequence int, w history.Withdrawn) *Occurrence {
	zone := b.Zone
	if loaded, err := time.LoadLocation(w.TimeZone); err == nil {
		zone = loaded
	}
	o := &Occurrence{Start: w.Start.In(zone), End: w.End.In(zone), LastBegin: w.End.In(zone), State: Cancelled, WithdrawnAt: w.At}
	switch {
	case w.MovedTo != nil:
		o.State, o.MovedTo = Moved, w.MovedTo.In(zone)
	case w.Early && w.At.After(w.Start): // else it was ended before it began
		o.State, o.EndedAt = EndedEarly, w.At.In(zone)
	}
	o.Subject = &Subject{
		Kind: kind, Name: name, Title: clean(cmp.Or(w.Title, name), maxTitle), Emergency: w.Class == v1alpha1.Emergency,
		Zone: zone, Audiences: w.Audiences, Sequence: sequence, ChangedAt: w.At, Advisory: w.Advisory,
	}
	return o
}

func (b *Board) addWork(w Work) {
	b.occurrences = append(b.occurrences, &Occurrence{
		Subject: &Subject{
			Kind: Override, Name: w.name(), Title: w.Notice, Emergency: true, Zone: b.Zone, Audiences: w.Audiences, ChangedAt: w.Since.UTC(),
		},
		Start: inZone(w.Since, b.Zone), End: inZone(w.Until, b.Zone), LastBegin: inZone(w.Until, b.Zone),
	})
}

// between are the occurrences of a schedule that the board shows: all of this year and the horizon, but of each side no more
// than the nearest.
func (b *Board) between(s *schedule.Schedule) []schedule.Occurrence {
	ahead, behind := b.most/2, b.most/2
	before := recent(s, b.from, b.Now, b.each, &behind)
	after := upcoming(s, b.Now, b.Now.Add(Ahead), b.each, &ahead)
	if n := len(before); n > 0 && len(after) > 0 && before[n-1].Start.Equal(after[0].Start) {
		after = after[1:]
	}
	return append(before, after...)
}

const (
	// margin is how far beyond the board freezes are looked at, so that an occurrence at its edge is seen whole; beyond, nothing
	// is taken out of one.
	margin = schedule.MaxDuration
	// maxStretches bounds what is kept of a freeze. One that comes more often is asked for each occurrence.
	maxStretches = 10_000
)

// inForce is when a freeze is in force in [from, to), whole; a zero from or to lies beyond the board.
func (b *Board) inForce(f gate.Freeze, from, to time.Time) []schedule.Occurrence {
	if f.Schedule == nil {
		return []schedule.Occurrence{{}}
	}
	first, last := b.from.Add(-margin), b.Now.Add(Ahead+margin)
	list, known := b.frozen[f.Name]
	if !known {
		budget := b.most
		list = upcoming(f.Schedule, first, last, maxStretches+1, &budget)
		b.frozen[f.Name] = list
	}
	if len(list) > maxStretches {
		if to.IsZero() || to.After(last) {
			to = last
		}
		budget := b.most
		list, _ = f.Schedule.Within(later(from, first), to, &budget)
		return list
	}
	begin, _ := slices.BinarySearchFunc(list, from, func(o schedule.Occurrence, from time.Time) int {
		if o.End.IsZero() || o.End.After(from) {
			return 1
		}
		return -1
	})
	list = list[begin:]
	if !to.IsZero() {
		n, _ := slices.BinarySearchFunc(list, to, func(o schedule.Occurrence, to time.Time) int { return o.Start.Compare(to) })
		list = list[:n]
	}
	return list
}

// settle sets every state, and finds the next edge and the audiences.
func (b *Board) settle() {
	y, m, d := b.Now.In(b.Zone).Date()
	b.Until = time.Date(y, m, d+1, 0, 0, 0, 0, b.Zone)
	edge := func(t time.Time) {
		if t.After(b.Now) && t.Before(b.Until) {
			b.Until = t
		}
	}
	audiences := map[string]bool{}
	for _, o := range b.occurrences {
		o.settle(b.Now)
		edge(o.Start)
		edge(o.End)
		edge(o.EndedAt)
		for _, f := range o.Frozen {
			edge(f.Start)
			edge(f.End)
		}
		for _, a := range o.Audiences {
			audiences[a] = true
		}
	}
	b.Audiences = slices.Sorted(maps.Keys(audiences))
}

// zoneOfMost is the zone that most windows have; of several the first by name.
func zoneOfMost(in Input) *time.Location {
	count, zones := map[string]int{}, map[string]*time.Location{}
	for i := range in.Windows {
		if w := in.Compiled.Windows[in.Windows[i].Name]; w.Schedule != nil {
			count[w.Schedule.Location().String()]++
			zones[w.Schedule.Location().String()] = w.Schedule.Location()
		}
	}
	best := time.UTC
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if best == time.UTC || count[name] > count[best.String()] {
			best = zones[name]
		}
	}
	return best
}
