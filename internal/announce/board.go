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
	// Work is the emergency work that the windows tell of: WorkOf.
	Work []Work
	// Namespaces are the labels of each namespace, by its name.
	Namespaces map[string]map[string]string
	// Cluster tells this cluster from every other in the world; empty where there is none, as for files.
	Cluster string
	// AudienceLabel is the key of the label of a namespace that names its audience; empty: none does.
	AudienceLabel string
}

// Board is everything that is announced at one instant, to all audiences.
type Board struct {
	// Now is the instant that it was drawn for; Until when the next occurrence begins or ends, or the day does.
	Now, Until time.Time
	// Zone is that of most windows; UTC where there are none.
	Zone *time.Location
	// Cluster tells the cluster from every other; may be empty.
	Cluster string
	// Audiences are those that any object names, in order.
	Audiences []string

	occurrences []*Occurrence
	// excluded are the times that an exclusion with a reason takes out of a schedule, which were never announced.
	excluded []*Occurrence
	each     int
	// most is what one window or freeze may cost, in days and openings looked through: what is too costly is shown in part, and keeps
	// nobody from reading the rest.
	most int
	// from is how far back the board goes.
	from time.Time
	// frozen holds, by the name of a freeze, when it is in force, as far as the board goes: each is worked out once.
	frozen map[string][]schedule.Occurrence
	// made holds, by the name of a freeze, since when it has been there, zero where that is not known; hidden says which freezes are not
	// announced.
	made   map[string]time.Time
	hidden map[string]bool
	// reasons holds, by the name of a freeze, its reason in other languages.
	reasons map[string]map[string]string
	// reach is the first instant at which what begins is not withdrawn because of a freeze without end: nobody knows that it will last.
	reach   time.Time
	concern *concern
}

// Draw draws the board at now.
func Draw(in Input, now time.Time) *Board {
	b := &Board{
		Now: now, Zone: zoneOfMost(in), Cluster: in.Cluster, frozen: map[string][]schedule.Occurrence{}, made: map[string]time.Time{}, hidden: map[string]bool{},
		reasons: map[string]map[string]string{},
		concern: newConcern(in.AudienceLabel, in.Namespaces),
	}
	b.each = min(max(maxTotal/max(len(in.Windows)+len(in.Freezes), 1), minEach), maxEach)
	b.most = min(max(maxWork/max(len(in.Windows)+len(in.Freezes), 1), minWork), schedule.Budget)
	b.from = earliest(b.month(0), now.Add(-Behind))
	b.reach = Reach(now, b.Zone)
	for i := range in.Freezes {
		cf := &in.Freezes[i]
		b.made[cf.Name], b.hidden[cf.Name] = since(cf.CreationTimestamp.Time, in.FreezeRecords[cf.Name]), !compile.Announced(cf.Spec.Announce)
		if !b.hidden[cf.Name] {
			b.reasons[cf.Name] = cleanEach(cf.Spec.Reasons, clean, maxTitle)
		}
	}
	for i := range in.Windows {
		b.addWindow(&in.Windows[i], in)
	}
	for i := range in.Freezes {
		b.addFreeze(&in.Freezes[i], in)
	}
	b.addWithdrawn(Window, in.Records)
	b.addWithdrawn(Freeze, in.FreezeRecords)
	for _, w := range distinct(b.concern.ofAll(in.Work)) {
		if w.Until.IsZero() || now.Before(w.Until) {
			b.addWork(w)
		}
	}
	slices.SortFunc(b.occurrences, order)
	slices.SortFunc(b.excluded, order)
	b.settle()
	return b
}

// month is the first instant of this month, in the board's zone, or of the one so many after it.
func (b *Board) month(after int) time.Time {
	y, m, _ := b.Now.In(b.Zone).Date()
	return time.Date(y, m+time.Month(after), 1, 0, 0, 0, 0, b.Zone)
}

// Reach is until when a freeze without end withdraws what begins: to the end of tomorrow, in a zone.
func Reach(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d+2, 0, 0, 0, 0, zone)
}

// since is when something was first announced; zero where that is not known, as of one that is not in a cluster.
func since(created time.Time, r *history.Record) time.Time {
	if r != nil && !r.Since.IsZero() && r.Since.Before(created) {
		return r.Since
	}
	return created
}

func (b *Board) addWindow(mw *v1alpha1.MaintenanceWindow, in Input) {
	compiled, found := in.Compiled.Windows[mw.Name]
	if !found || compiled.Schedule == nil || !compiled.Problems.HasTarget() {
		return // it never opens, and its Ready condition says why
	}
	spec := mw.Spec
	if !compile.Announced(spec.Announce) {
		return
	}
	s := &Subject{
		Kind: Window, Name: mw.Name, Title: clean(cmp.Or(spec.Title, mw.Name), maxTitle), Titles: cleanEach(spec.Titles, clean, maxTitle),
		Description: cleanLines(spec.Description, maxDescription), Descriptions: cleanEach(spec.Descriptions, cleanLines, maxDescription),
		Systems: cleanList(spec.Systems), Emergency: spec.Class == v1alpha1.Emergency, Advisory: spec.Enforcement == v1alpha1.Warn,
		Zone: compiled.Schedule.Location(), ChangedAt: mw.CreationTimestamp.UTC(),
	}
	s.Audiences, s.Nobody = b.concern.of(spec.Audiences, compiled.Target.Namespaces)
	first := since(mw.CreationTimestamp.Time, in.Records[mw.Name])
	var stops []history.Stop
	if r := in.Records[mw.Name]; r != nil {
		s.Sequence, s.ChangedAt, stops = r.Sequence, r.ChangedAt, r.Stops
	}
	b.addExcluded(mw, s, compiled.Schedule)
	freezes := in.Compiled.Set.Blocking(mw.Name)
	cutoff := time.Duration(0)
	if spec.Cutoff != nil {
		cutoff = spec.Cutoff.Duration
	}
	for _, occurrence := range b.between(compiled.Schedule, first) {
		o := &Occurrence{Subject: s, Start: occurrence.Start, End: occurrence.End, LastBegin: occurrence.End}
		if !o.End.IsZero() {
			o.LastBegin = later(o.Start, o.End.Add(-cutoff))
		}
		for _, f := range freezes {
			o.freeze(b.reason(f), b.reasons[f.Name], b.inForce(f, o.Start, o.End))
		}
		for _, stop := range stops {
			if !stop.Until.IsZero() {
				o.freezeWithin(stop.Reason, cleanEach(stop.Reasons, clean, maxTitle), stop.Since, stop.Until)
			}
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
	if b.hidden[cf.Name] {
		return
	}
	s := &Subject{
		Kind: Freeze, Name: cf.Name, Title: clean(cf.Spec.Reason, maxTitle), Titles: cleanEach(cf.Spec.Reasons, clean, maxTitle), Zone: b.Zone,
		ChangedAt: cf.CreationTimestamp.UTC(), Advisory: cf.Spec.Enforcement == v1alpha1.Warn || cf.Spec.Enforcement == v1alpha1.Audit,
	}
	s.Audiences, s.Nobody = b.concern.of(cf.Spec.Audiences, compiled.Target.Namespaces)
	if r := in.FreezeRecords[cf.Name]; r != nil {
		s.Sequence, s.ChangedAt = r.Sequence, r.ChangedAt
	}
	if isStop(compiled.Freeze) {
		b.occurrences = append(b.occurrences, &Occurrence{Subject: s, Start: madeBy(b.made[cf.Name], b.Now).In(b.Zone)})
		return
	}
	s.Zone = compiled.Schedule.Location()
	for _, o := range b.between(compiled.Schedule, b.made[cf.Name]) {
		b.occurrences = append(b.occurrences, &Occurrence{Subject: s, Start: o.Start, End: o.End, LastBegin: o.End})
	}
}

// isStop tells whether a freeze is in force from when it was made until it is deleted: it has no schedule, or none that can be read.
func isStop(f gate.Freeze) bool { return f.Schedule == nil || f.Schedule.IsAlways() }

// reason is what people are told of why a freeze is there.
func (b *Board) reason(f gate.Freeze) string {
	if b.hidden[f.Name] {
		return ""
	}
	return f.Reason
}

// addExcluded adds what exclusions with a reason take out of the schedule, so that people are told why a day is missing.
func (b *Board) addExcluded(mw *v1alpha1.MaintenanceWindow, s *Subject, real *schedule.Schedule) {
	whole, reasons := compile.Excluded(mw)
	if whole == nil {
		return
	}
	budget := b.most / 2
	for _, o := range upcoming(whole, b.Now, b.month(Months), b.each, &budget) {
		if o.Start.IsZero() || o.End.IsZero() {
			continue
		}
		if left, all := real.Within(o.Start, o.End, &budget); len(left) > 0 || !all {
			continue
		}
		for _, r := range reasons {
			if found, _ := r.Schedule.Within(o.Start, o.End, &budget); len(found) > 0 {
				b.excluded = append(b.excluded, &Occurrence{
					Subject: s, Start: o.Start, End: o.End, LastBegin: o.End, State: Excluded,
					Reason: clean(r.Reason, maxTitle), Reasons: cleanEach(r.Reasons, clean, maxTitle),
				})
				break
			}
		}
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
	without := map[key]*Occurrence{}
	for _, o := range b.excluded {
		without[key{o.Name, o.Start.Unix()}] = o
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
				if why := without[key{name, w.Start.Unix()}]; why != nil && kind == Window && o.State == Cancelled {
					o.Reason, o.Reasons = why.Reason, why.Reasons
					b.excluded = slices.DeleteFunc(b.excluded, func(o *Occurrence) bool { return o == why })
				}
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
		Kind: kind, Name: name, Title: clean(cmp.Or(w.Title, name), maxTitle), Titles: cleanEach(w.Titles, clean, maxTitle), Emergency: w.Class == v1alpha1.Emergency,
		Zone: zone, Sequence: sequence, ChangedAt: w.At, Advisory: w.Advisory,
	}
	o.Audiences, o.Nobody = b.concern.named(w.Audiences)
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

// between are the occurrences of a schedule that the board shows: from when it was first announced, as far back as the board goes, to
// the horizon, but of each side no more than the nearest.
func (b *Board) between(s *schedule.Schedule, first time.Time) []schedule.Occurrence {
	ahead, behind := b.most/2, b.most/2
	before := recent(s, later(b.from, first), b.Now, b.each, &behind)
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
	if isStop(f) {
		return stopped(madeBy(b.made[f.Name], b.Now), b.reach, from, to)
	}
	first, last := b.from.Add(-margin), b.Now.Add(Ahead+margin)
	list, known := b.frozen[f.Name]
	if !known {
		budget := b.most
		list = upcoming(f.Schedule, later(first, b.made[f.Name]), last, maxStretches+1, &budget)
		if len(list) > 0 && list[0].Start.Before(b.made[f.Name]) {
			list[0].Start = b.made[f.Name] // it was not in force before it was made
		}
		b.frozen[f.Name] = list
	}
	if len(list) > maxStretches {
		if to.IsZero() || to.After(last) {
			to = last
		}
		budget := b.most
		list, _ = f.Schedule.Within(later(later(from, first), b.made[f.Name]), to, &budget)
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

// madeBy is when a freeze was made; one that is not in a cluster yet, now.
func madeBy(made, now time.Time) time.Time {
	if made.IsZero() {
		return now
	}
	return made
}

// stopped is what a freeze without end takes of [from, to): nothing of what ended before it was made, and nothing of what begins so late
// that it may well have ended by then.
func stopped(made, reach, from, to time.Time) []schedule.Occurrence {
	if !to.IsZero() && !to.After(made) || !from.Before(reach) {
		return nil
	}
	return []schedule.Occurrence{{Start: made}}
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
	for _, audience := range b.concern.places {
		audiences[audience] = true
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
