package announce

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/schedule"
)

// Kind is what an occurrence is one of.
type Kind string

// The kinds of occurrences.
const (
	Window Kind = "window"
	Freeze Kind = "freeze"
	// Override is emergency work outside the windows.
	Override Kind = "work"
)

// State is what an occurrence is at the instant the board was drawn.
type State string

// The states of an occurrence.
const (
	// Upcoming: it begins later.
	Upcoming State = "upcoming"
	// Open: it is in progress; of a window, the gate is open.
	Open State = "open"
	// Past: it is over.
	Past State = "past"
	// Frozen: a change freeze lies over it, now or throughout. The gate is shut.
	Frozen State = "frozen"
	// Cancelled: it was announced, and was withdrawn before it began.
	Cancelled State = "cancelled"
	// Moved: it was announced, and another one took its place.
	Moved State = "moved"
	// EndedEarly: it ended before the time that was announced.
	EndedEarly State = "ended-early"
	// Excluded: the schedule has it, but for an exclusion. It was never announced; people are told why it is missing.
	Excluded State = "excluded"
)

// Withdrawn tells whether the occurrence will not take place as announced.
func (s State) Withdrawn() bool { return s == Cancelled || s == Moved }

// Subject is what is announced: a window, a freeze or emergency work.
type Subject struct {
	Kind Kind
	// Name is the object's name; Title and Description are for people, cleaned of what is no text. A description may have several lines.
	Name, Title, Description string
	// Titles and Descriptions are the same in other languages, by BCP 47 tag.
	Titles, Descriptions map[string]string
	// Systems are what may be disturbed, by the names that people know.
	Systems   []string
	Emergency bool
	// Advisory is a window or freeze that only warns.
	Advisory bool
	// Zone is the subject's own, in which its times are told.
	Zone *time.Location
	// Audiences lists whom it concerns, and so whose page shows it; empty: everybody, or with Nobody no audience.
	Audiences []string
	Nobody    bool
	// Sequence and ChangedAt are of its record: how often it has changed since it was first announced, and when last.
	Sequence  int
	ChangedAt time.Time
}

// In is the title and the description in a language, and whether they are in another, as nobody has written them in that one.
func (s *Subject) In(tag string) (title, description string, titleOther, descriptionOther bool) {
	title, description, titleOther, descriptionOther = s.Title, s.Description, true, true
	if text := s.Titles[tag]; text != "" {
		title, titleOther = text, false
	}
	if text := s.Descriptions[tag]; text != "" {
		description, descriptionOther = text, false
	}
	return title, description, titleOther, descriptionOther
}

// For tells whether an audience is shown the subject; the empty audience is everybody.
func (s *Subject) For(audience string) bool {
	return audience == "" || len(s.Audiences) == 0 && !s.Nobody || slices.Contains(s.Audiences, audience)
}

// Occurrence is one time that is announced: half-open, [Start, End).
type Occurrence struct {
	*Subject
	// Start and End are in the subject's zone. A zero Start lies before everything, a zero End is not known.
	Start, End time.Time
	// LastBegin is the first instant from which nothing new may begin: End, or earlier by the cutoff.
	LastBegin time.Time
	// Frozen are the stretches of it that freezes keep shut, in order; they do not overlap.
	Frozen []Stretch
	State  State
	// ShortNotice says that it became known later than promised.
	ShortNotice bool
	// MovedTo is where a moved one went.
	MovedTo time.Time
	// EndedAt is when one that ended early did; zero when that is not known.
	EndedAt time.Time
	// WithdrawnAt is when a cancelled, moved or early one was withdrawn.
	WithdrawnAt time.Time
	// Reason is why one that is excluded, or cancelled by an exclusion, is not there; may be empty. Reasons are the same in other languages,
	// by BCP 47 tag.
	Reason  string
	Reasons map[string]string
}

// Why is Reason in a language, and whether it is in another, as nobody has written it in that one.
func (o *Occurrence) Why(tag string) (reason string, other bool) {
	return inLanguage(tag, o.Reason, o.Reasons)
}

// Stretch is a time that a freeze takes out of an occurrence. A zero Start or End lies beyond the occurrence.
type Stretch struct {
	Start, End time.Time
	Reason     string
	// Reasons are the reason in other languages, by BCP 47 tag.
	Reasons map[string]string
}

// In is the reason in a language, and whether it is in another, as nobody has written it in that one.
func (s Stretch) In(tag string) (reason string, other bool) {
	return inLanguage(tag, s.Reason, s.Reasons)
}

func inLanguage(tag, reason string, others map[string]string) (in string, other bool) {
	if in = others[tag]; in != "" {
		return in, false
	}
	return reason, true
}

// OpenAt tells whether the occurrence is open at t: of a window, whether the gate is.
func (o *Occurrence) OpenAt(t time.Time) bool {
	return !o.State.Withdrawn() && within(t, o.Start, o.End) && !o.frozenAt(t) && (o.EndedAt.IsZero() || t.Before(o.EndedAt))
}

// AcceptsAt tells whether something new may begin at t: OpenAt, and before the cutoff.
func (o *Occurrence) AcceptsAt(t time.Time) bool {
	return o.OpenAt(t) && (o.LastBegin.IsZero() || t.Before(o.LastBegin))
}

// WhollyFrozen tells whether freezes leave nothing of it.
func (o *Occurrence) WhollyFrozen() bool {
	at := o.Start
	for _, f := range o.Frozen {
		if !f.Start.IsZero() && f.Start.After(at) {
			return false
		}
		if f.End.IsZero() {
			return true
		}
		at = later(at, f.End)
	}
	return len(o.Frozen) > 0 && !o.End.IsZero() && !at.Before(o.End)
}

// FrozenFrom are the stretches that are not over at t.
func (o *Occurrence) FrozenFrom(t time.Time) []Stretch {
	i := slices.IndexFunc(o.Frozen, func(f Stretch) bool { return f.End.IsZero() || f.End.After(t) })
	if i < 0 {
		return nil
	}
	return o.Frozen[i:]
}

// FrozenParts are the stretches of [start, end) that freezes take, and whether they leave nothing of it. made is when a freeze was made,
// by its name; reach is how far one without end is told of: Reach.
func FrozenParts(start, end time.Time, freezes []gate.Freeze, made map[string]time.Time, reach time.Time) (parts []Stretch, wholly bool) {
	o := Occurrence{Subject: &Subject{Zone: start.Location()}, Start: start, End: end}
	budget := schedule.Budget // what it leaves out does not freeze: then the occurrence is shown
	for _, f := range freezes {
		inForce := stopped(made[f.Name], reach, start, end) // one that was never made is as old as it gets
		if !isStop(f) {
			inForce, _ = f.Schedule.Within(start, end, &budget)
		}
		o.freeze(f.Reason, nil, inForce)
	}
	return o.Frozen, o.WhollyFrozen()
}

func (o *Occurrence) frozenAt(t time.Time) bool {
	return slices.ContainsFunc(o.Frozen, func(f Stretch) bool { return within(t, f.Start, f.End) })
}

// settle sets the state at now.
func (o *Occurrence) settle(now time.Time) {
	switch {
	case o.State != "":
	case o.WhollyFrozen():
		o.State = Frozen
	case now.Before(o.Start):
		o.State = Upcoming
	case !o.End.IsZero() && !now.Before(o.End):
		o.State = Past
	case o.frozenAt(now):
		o.State = Frozen
	default:
		o.State = Open
	}
}

// freeze takes the times at which a freeze is in force out of the occurrence.
func (o *Occurrence) freeze(reason string, reasons map[string]string, inForce []schedule.Occurrence) {
	if len(inForce) == 0 {
		return
	}
	reason = clean(reason, maxTitle)
	for _, s := range inForce {
		o.Frozen = append(o.Frozen, Stretch{Start: inZone(s.Start, o.Zone), End: inZone(s.End, o.Zone), Reason: reason, Reasons: reasons})
	}
	slices.SortStableFunc(o.Frozen, func(a, b Stretch) int { return a.Start.Compare(b.Start) })
	o.Frozen = merge(o.Frozen)
}

// freezeWithin takes [start, end) out of the occurrence, as far as it overlaps.
func (o *Occurrence) freezeWithin(reason string, reasons map[string]string, start, end time.Time) {
	if end.After(o.Start) && (o.End.IsZero() || start.Before(o.End)) {
		o.freeze(reason, reasons, []schedule.Occurrence{{Start: start, End: end}})
	}
}

// merge joins stretches that overlap, which are in order of their start; the reason of the first stays.
func merge(list []Stretch) []Stretch {
	var out []Stretch
	for _, s := range list {
		if n := len(out); n > 0 && (out[n-1].End.IsZero() || !s.Start.After(out[n-1].End)) {
			if !out[n-1].End.IsZero() && (s.End.IsZero() || s.End.After(out[n-1].End)) {
				out[n-1].End = s.End
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func within(t, start, end time.Time) bool {
	return !t.Before(start) && (end.IsZero() || t.Before(end))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earliest is the earlier of two instants, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func inZone(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

// order is by start, then by name, windows before freezes.
func order(a, b *Occurrence) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name), cmp.Compare(b.Kind, a.Kind), a.End.Compare(b.End))
}

// Bounds of texts, in characters: the page stays whole whatever an object holds.
const (
	maxTitle       = 200
	maxDescription = 2048
)

// cleanLines cleans each line of a text, and drops the empty ones; line breaks count as characters.
func cleanLines(text string, limit int) string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "\n")) {
		if line = clean(line, limit); line != "" {
			lines = append(lines, line)
			if limit -= utf8.RuneCountInString(line) + 1; limit <= 0 {
				break
			}
		}
	}
	return strings.Join(lines, "\n")
}

// cleanEach cleans a text in each language.
func cleanEach[T ~string](texts map[string]T, clean func(string, int) string, limit int) map[string]string {
	if len(texts) == 0 {
		return nil
	}
	cleaned := make(map[string]string, len(texts))
	for tag, text := range texts {
		if text := clean(string(text), limit); text != "" {
			cleaned[tag] = text
		}
	}
	return cleaned
}

// cleanList cleans names, and leaves out what nothing is left of.
func cleanList(list []string) (cleaned []string) {
	for _, name := range list {
		if name = clean(name, maxTitle); name != "" {
			cleaned = append(cleaned, name)
		}
	}
	return cleaned
}

// clean makes one line of plain text: no control characters, none that turn the direction of what follows, nothing that is
// not UTF-8, at most limit characters.
func clean(text string, limit int) string {
	var b strings.Builder
	space, n := false, 0
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = n > 0
			continue
		case unicode.Is(unicode.Bidi_Control, r), !unicode.IsGraphic(r):
			continue
		}
		if n >= limit {
			return b.String() + "…"
		}
		if space {
			b.WriteByte(' ')
			space = false
			n++
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// upcoming are the first occurrences of a schedule in [from, to), at most limit, as far as the budget goes. It walks in steps, so that a
// schedule with very many costs no more, and past what it has found.
func upcoming(s *schedule.Schedule, from, to time.Time, limit int, budget *int) []schedule.Occurrence {
	var list []schedule.Occurrence
	for at, step := from, firstStep; at.Before(to) && len(list) < limit && *budget > 0; step *= 2 {
		next := earliest(at.Add(step), to)
		found, _ := s.Within(at, next, budget)
		if n := len(list); n > 0 && len(found) > 0 && list[n-1].Start.Equal(found[0].Start) {
			found = found[1:]
		}
		list = append(list, found...)
		if n := len(found); n > 0 && found[n-1].End.IsZero() {
			break
		} else if n > 0 {
			next = later(next, found[n-1].End)
		}
		at = next
	}
	return list[:min(len(list), limit)]
}

// recent are the last occurrences of a schedule in [from, to), at most limit, in order, as far as the budget goes.
func recent(s *schedule.Schedule, from, to time.Time, limit int, budget *int) []schedule.Occurrence {
	var list []schedule.Occurrence
	for at, step := to, firstStep; at.After(from) && len(list) < limit && *budget > 0; step *= 2 {
		next := later(from, at.Add(-step))
		found, all := s.Within(next, at, budget)
		if !all {
			break // what it found are not the last ones
		}
		if n := len(found); n > 0 && found[0].Start.IsZero() {
			next = from
		} else if n > 0 {
			next = earliest(next, found[0].Start)
		}
		if n := len(found); n > 0 && len(list) > 0 && found[n-1].Start.Equal(list[0].Start) {
			found = found[:n-1]
		}
		list, at = append(found, list...), next
	}
	return list[max(len(list)-limit, 0):]
}

// firstStep is how much of a schedule is looked at at once at first; then twice as much each time, as there is little in it.
const firstStep = 31 * 24 * time.Hour
