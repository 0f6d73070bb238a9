package announce

import (
	"slices"
	"time"
)

// Bounds of a page: a thousand windows make no endless one.
const (
	maxOpen    = 50
	maxNext    = 10
	maxChanges = 20
	maxFreezes = 10
	maxYear    = 366
)

// View is what one audience is shown.
type View struct {
	// Audience is empty on the page for all.
	Audience string
	// Cluster is that of the board.
	Cluster string
	// Now and Until are those of the board.
	Now, Until time.Time
	// Zone is that of most windows; OneZone says that everything on the page is in it.
	Zone    *time.Location
	OneZone bool
	// Emergency is emergency work and emergency windows, in progress first, then to come.
	Emergency []*Occurrence
	// Open are the planned windows that are open now; Next those that open next, each list in order of start.
	Open, Next []*Occurrence
	// Changes are what was cancelled, moved, ended early or frozen, the newest change first.
	Changes []*Occurrence
	// Freezes are in force or to come.
	Freezes []*Occurrence
	// Year is every occurrence of a window or of emergency work this year. Listed is the part of it that a page has room for,
	// the nearest maxYear; Left says how many more there are.
	Year, Listed []*Occurrence
	Left         int
	// All is everything from Behind to Ahead, for the calendar and the feeds.
	All []*Occurrence
}

// Known tells whether an audience has a page because an object names it.
func (b *Board) Known(audience string) bool {
	_, found := slices.BinarySearch(b.Audiences, audience)
	return found
}

// For is what an audience is shown; the empty audience is everybody.
func (b *Board) For(audience string) *View {
	v := &View{Audience: audience, Cluster: b.Cluster, Now: b.Now, Until: b.Until, Zone: b.Zone, OneZone: true}
	horizon, year := b.Now.Add(-Behind), b.Now.In(b.Zone).Year()
	var coming []*Occurrence
	for _, o := range b.occurrences {
		if !o.For(audience) {
			continue
		}
		if o.Zone.String() != b.Zone.String() {
			v.OneZone = false
		}
		if o.End.IsZero() || o.End.After(horizon) {
			v.All = append(v.All, o)
		}
		if o.Kind == Freeze {
			switch {
			case o.changed(b.Now):
				v.Changes = append(v.Changes, o)
			case o.State == Upcoming || o.State == Open:
				v.Freezes = append(v.Freezes, o)
			}
			continue
		}
		if o.Start.In(b.Zone).Year() == year || o.State == Open || o.Start.IsZero() && (o.End.IsZero() || o.End.In(b.Zone).Year() >= year) {
			v.Year = append(v.Year, o)
		}
		switch {
		case o.changed(b.Now):
			v.Changes = append(v.Changes, o)
		case o.Emergency && o.State == Upcoming:
			coming = append(coming, o)
		case o.State == Upcoming:
			v.Next = append(v.Next, o)
		}
		switch {
		case o.State != Open:
		case o.Emergency:
			v.Emergency = append(v.Emergency, o)
		default:
			v.Open = append(v.Open, o)
		}
	}
	slices.SortStableFunc(v.Changes, func(a, c *Occurrence) int { return c.WithdrawnAt.Compare(a.WithdrawnAt) })
	v.Emergency = head(append(head(v.Emergency, maxOpen), head(coming, maxNext)...), maxOpen)
	v.Open, v.Next, v.Changes, v.Freezes = head(v.Open, maxOpen), head(v.Next, maxNext), head(v.Changes, maxChanges), head(v.Freezes, maxFreezes)
	v.Listed, v.Left = nearest(v.Year, b.Now)
	return v
}

// changed tells whether the occurrence is news: withdrawn or frozen, and not long over.
func (o *Occurrence) changed(now time.Time) bool {
	if !o.State.Withdrawn() && o.State != EndedEarly && o.State != Frozen {
		return false
	}
	return o.End.IsZero() || o.End.After(now.Add(-Behind))
}

func head(list []*Occurrence, n int) []*Occurrence { return list[:min(len(list), n)] }

// Nearest keeps of a list, which is in order of start, what take has room for: it is asked for each, what is open or to come
// first, the soonest before the later, and then what is over, the latest first, until it declines. The order stays.
func Nearest(list []*Occurrence, now time.Time, take func(*Occurrence) bool) (kept []*Occurrence, left int) {
	over := func(o *Occurrence) bool { return !o.End.IsZero() && !o.End.After(now) }
	var ahead, behind []*Occurrence
	for _, o := range list {
		if over(o) {
			behind = append(behind, o)
		} else {
			ahead = append(ahead, o)
		}
	}
	slices.Reverse(behind)
	for _, o := range slices.Concat(ahead, behind) {
		if !take(o) {
			break
		}
		kept = append(kept, o)
	}
	slices.SortFunc(kept, order)
	return kept, len(list) - len(kept)
}

// nearest keeps maxYear of a list.
func nearest(list []*Occurrence, now time.Time) (kept []*Occurrence, left int) {
	room := maxYear
	return Nearest(list, now, func(*Occurrence) bool { room--; return room >= 0 })
}
