package announce

import (
	"cmp"
	"slices"
	"time"
)

// Months is how many months a page shows, from this one on.
const Months = 12

// Bounds of a page: a thousand windows make no endless one.
const (
	maxOpen      = 50
	maxNext      = 10
	maxCommon    = 3
	maxTimes     = 3
	maxNextTimes = 2
	maxChanges   = 20
	maxFreezes   = 10
	maxYear      = 366
	// newsAhead and newsBehind are how far from now a change is still news on the page.
	newsAhead  = 90 * 24 * time.Hour
	newsBehind = 7 * 24 * time.Hour
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
	// Open are the planned windows that are open now, in order of start.
	Open []*Occurrence
	// Next are the planned windows that open next, each with its next times; the soonest first. Those for everybody are among them
	// however many others open before.
	Next []Group
	// NextMore is how many more windows there are.
	NextMore int
	// Changes are what was moved, cancelled, frozen or ended early, one for each window and kind of change: moves first, and of each
	// what lies ahead before what is over, the soonest first.
	Changes []Group
	// Freezes are in force or to come.
	Freezes []*Occurrence
	// First is the first instant of this month; Year is every occurrence of a window or of emergency work in the Months from then on, with
	// what is excluded. Listed is the part of it that a page has room for, the nearest maxYear; Left says how many more there are.
	First        time.Time
	Year, Listed []*Occurrence
	Left         int
	// YearFreezes are the freezes of those months.
	YearFreezes []*Occurrence
	// All is everything from Behind to Ahead, for the calendar and the feeds.
	All []*Occurrence
	// Excluded are the times of the coming Months that windows would have, but for an exclusion with a reason.
	Excluded []*Occurrence
}

// Group is occurrences of one window, freeze or emergency of which one thing is told: of State, in order of start.
type Group struct {
	*Subject
	State       State
	Occurrences []*Occurrence
	// More says how many more there are, and Last when the last of all of them begins.
	More int
	Last time.Time
	// None says that nothing else of it is to come.
	None bool
}

// Known tells whether an audience has a page because an object names it.
func (b *Board) Known(audience string) bool {
	_, found := slices.BinarySearch(b.Audiences, audience)
	return found
}

// common tells whether a subject concerns everybody.
func (b *Board) common(s *Subject) bool {
	return !s.Nobody && (len(s.Audiences) == 0 || len(b.Audiences) > 1 && len(s.Audiences) >= len(b.Audiences))
}

// For is what an audience is shown; the empty audience is everybody.
func (b *Board) For(audience string) *View {
	v := &View{Audience: audience, Cluster: b.Cluster, Now: b.Now, Until: b.Until, Zone: b.Zone, OneZone: true, First: b.month(0)}
	horizon, end := b.Now.Add(-Behind), b.month(Months)
	inYear := func(o *Occurrence) bool {
		return (o.End.IsZero() || o.End.After(v.First)) && o.Start.Before(end)
	}
	var coming, changes []*Occurrence
	next := groups{}
	more := map[*Subject]bool{}
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
		if o.news(b.Now) {
			changes = append(changes, o)
		}
		if o.State == Upcoming || o.State == Open {
			more[o.Subject] = true
		}
		if o.Kind == Freeze {
			if o.State == Upcoming || o.State == Open {
				v.Freezes = append(v.Freezes, o)
			}
			if inYear(o) && !o.State.Withdrawn() {
				v.YearFreezes = append(v.YearFreezes, o)
			}
			continue
		}
		if inYear(o) {
			v.Year = append(v.Year, o)
		}
		switch {
		case o.Emergency && o.State == Upcoming:
			coming = append(coming, o)
		case o.State == Upcoming:
			next.add(o, key{subject: o.Subject})
		case o.State != Open:
		case o.Emergency:
			v.Emergency = append(v.Emergency, o)
		default:
			v.Open = append(v.Open, o)
		}
	}
	for _, o := range b.excluded {
		if o.For(audience) {
			v.Excluded = append(v.Excluded, o)
		}
	}
	v.Year = append(v.Year, v.Excluded...)
	slices.SortFunc(v.Year, order)
	v.Emergency = head(append(head(v.Emergency, maxOpen), head(coming, maxNext)...), maxOpen)
	v.Open, v.Freezes = head(v.Open, maxOpen), head(v.Freezes, maxFreezes)
	v.Next, v.NextMore = b.next(next.list)
	v.Changes = b.changes(changes, more)
	v.Listed, v.Left = nearest(v.Year, b.Now)
	return v
}

// next keeps maxNext of the windows to come: the soonest, and maxCommon of those for everybody.
func (b *Board) next(list []Group) (kept []Group, more int) {
	common, others := maxCommon, maxNext
	for _, g := range list {
		if others > 0 && b.common(g.Subject) && common > 0 {
			common--
			others--
		}
	}
	commons := maxCommon - common
	for _, g := range list {
		switch {
		case commons > 0 && b.common(g.Subject):
			commons--
		case others > 0:
			others--
		default:
			more++
			continue
		}
		kept = append(kept, g.head(maxNextTimes))
	}
	return kept, more
}

// changes groups what is news. more says of which windows something is to come.
func (b *Board) changes(list []*Occurrence, more map[*Subject]bool) []Group {
	all, of := groups{}, map[string]bool{}
	over := func(o *Occurrence) int {
		if !o.End.IsZero() && !o.End.After(b.Now) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, c *Occurrence) int { return cmp.Compare(over(a), over(c)) }) // what lies ahead comes first
	for s := range more {
		of[string(s.Kind)+"/"+s.Name] = true
	}
	for _, o := range list {
		k := key{kind: o.Kind, name: o.Name, state: o.State}
		if o.State == Frozen && len(o.Frozen) > 0 {
			k.reason = o.Frozen[0].Reason
		}
		all.add(o, k)
	}
	for i := range all.list {
		g := &all.list[i]
		g.None = !of[string(g.Kind)+"/"+g.Name]
		*g = g.head(maxTimes)
	}
	slices.SortStableFunc(all.list, func(a, c Group) int {
		return cmp.Or(cmp.Compare(rank[a.State], rank[c.State]), cmp.Compare(over(a.Occurrences[0]), over(c.Occurrences[0])), order(a.Occurrences[0], c.Occurrences[0]))
	})
	return all.list[:min(len(all.list), maxChanges)]
}

// rank is in which order changes are told.
var rank = map[State]int{Moved: 0, Cancelled: 1, Frozen: 2, EndedEarly: 3}

// key tells groups apart.
type key struct {
	subject *Subject
	kind    Kind
	name    string
	state   State
	reason  string
}

// groups gathers occurrences, which come in order of start.
type groups struct {
	list []Group
	at   map[key]int
}

func (g *groups) add(o *Occurrence, k key) {
	if g.at == nil {
		g.at = map[key]int{}
	}
	i, found := g.at[k]
	if !found {
		i = len(g.list)
		g.at[k] = i
		g.list = append(g.list, Group{Subject: o.Subject, State: o.State})
	}
	g.list[i].Occurrences = append(g.list[i].Occurrences, o)
	g.list[i].Last = later(g.list[i].Last, o.Start)
}

// head keeps the first n occurrences.
func (g Group) head(n int) Group {
	g.More = max(len(g.Occurrences)-n, 0)
	g.Occurrences = head(g.Occurrences, n)
	return g
}

// news tells whether the occurrence is a change that people should see: withdrawn or frozen, not long over, and not far ahead.
func (o *Occurrence) news(now time.Time) bool {
	if !o.State.Withdrawn() && o.State != EndedEarly && o.State != Frozen {
		return false
	}
	return (o.End.IsZero() || o.End.After(now.Add(-newsBehind))) && o.Start.Before(now.Add(newsAhead))
}

func head[T any](list []T, n int) []T { return list[:min(len(list), n)] }

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
