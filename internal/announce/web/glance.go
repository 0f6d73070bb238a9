package web

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fonster.dev/fonster/internal/announce"
)

// panels say what holds now: emergencies, open windows or that none is, and the freezes in force.
func (w *writer) panels() (panels []panel) {
	l, v := w.l, w.v
	var urgent, open []*announce.Occurrence
	for _, o := range v.Emergency {
		if o.State == announce.Open {
			urgent = append(urgent, o)
		}
	}
	if open = v.Open; len(urgent) > 0 {
		panels = append(panels, w.panel("emergency", l.Text("emergencyOngoing"), l.Text("nowEmergencyText"), urgent))
	}
	if len(open) > 0 {
		panels = append(panels, w.panel("open", l.Text("nowOpen"), l.Text("nowOpenText"), open))
	}
	if len(panels) == 0 {
		panels = append(panels, w.closed())
	}
	for _, o := range v.Freezes {
		if o.State != announce.Open || o.Advisory {
			continue
		}
		reason, _, other, _ := o.In(l.Tag)
		p := panel{Class: "frozen", Title: w.say("nowFrozen", w.text(reason, other)), Who: w.who(o.Subject), Text: l.Text("nowFrozenText", "when", w.when(o))}
		if o.End.IsZero() {
			p.Text = l.Text("nowStopText")
		}
		panels = append(panels, p)
	}
	return panels
}

// panel tells of what is in progress. The general sentence is for those that say nothing of their own.
func (w *writer) panel(class, title, general string, list []*announce.Occurrence) panel {
	p := panel{Class: class, Title: plain(title)}
	for _, o := range list {
		i := w.item(o)
		i.Urgent = ""
		p.Items = append(p.Items, i)
	}
	if !slices.ContainsFunc(p.Items, func(i item) bool { return i.Description.Text != "" }) {
		p.Text = general
	}
	who := p.Items[0].Who
	if who != "" && !slices.ContainsFunc(p.Items, func(i item) bool { return i.Who != who }) {
		p.Who = who
		for i := range p.Items {
			p.Items[i].Who = ""
		}
	}
	return p
}

// closed says that nothing is in progress, and what comes next.
func (w *writer) closed() panel {
	l, v := w.l, w.v
	p := panel{Class: "closed", Title: plain(l.Text("nowClosed")), Text: l.Text("nowClosedText"), More: l.Text("nowNone")}
	if len(v.Next) > 0 {
		p.More = l.Text("nowNext", "when", w.when(v.Next[0].Occurrences[0]))
	}
	if len(v.Emergency) > 0 { // to come
		p.More = l.Text("nowEmergency", "when", w.when(v.Emergency[0])) + " " + p.More
	}
	return p
}

// updated says when the page was drawn.
func (w *writer) updated() string {
	return w.l.Text("updatedAt", "time", w.l.Time(w.v.Now.In(w.v.Zone)))
}

// zone says in which zone times are.
func (w *writer) zone() string {
	name := w.v.Zone.String()
	switch all, known := w.l.Zones[name]; {
	case !w.v.OneZone:
		return w.l.Text("zones", "zone", name)
	case known:
		return all
	}
	return w.l.Text("zone", "zone", name)
}

// next are the windows to come.
func (w *writer) next() (cards []card) {
	for _, g := range w.v.Next {
		c := card{item: w.item(g.Occurrences[0])}
		c.Notes, c.Status = nil, nil
		if g.Advisory {
			c.Notes = []sentence{plain(w.l.Text("windowAdvises"))}
		}
		for _, o := range g.Occurrences {
			i := w.item(o)
			i.Notes = w.timeNotes(o)
			c.Times = append(c.Times, i)
		}
		if g.More > 0 {
			c.More = w.l.Text("nextMore", "count", strconv.Itoa(g.More), "when", w.l.Date(g.Last, w.year))
		}
		cards = append(cards, c)
	}
	return cards
}

// changes are what was moved, cancelled, frozen or ended early: one card for each window and kind of change.
func (w *writer) changes() (cards []card) {
	for _, g := range w.v.Changes {
		first := g.Occurrences[0]
		c := card{item: w.item(first)}
		c.Lines, c.Notes, c.Systems = nil, nil, nil
		if g.Kind == announce.Freeze {
			c.Title.Text = freezeTitle(w.l, first)
		}
		count := len(g.Occurrences) + g.More
		if count > 1 {
			c.Status = w.many(g, strconv.Itoa(count))
		}
		for _, o := range g.Occurrences {
			i := w.item(o)
			if i.Notes, i.Status = nil, nil; count > 1 && o.State == announce.Moved {
				i.Status = plain(w.l.Text("movedLine", "when", w.l.Instant(o.MovedTo, w.year)))
			}
			c.Times = append(c.Times, i)
		}
		if g.More > 0 {
			c.More = w.l.Text("changesMore", "count", strconv.Itoa(g.More), "when", w.l.Date(g.Last, w.year))
		}
		cards = append(cards, c)
	}
	return cards
}

// many says what becomes of several occurrences.
func (w *writer) many(g announce.Group, count string) sentence {
	switch g.State {
	case announce.Moved:
		return plain(w.l.Text("movedMany", "count", count))
	case announce.EndedEarly:
		return plain(w.l.Text("endedEarlyMany", "count", count))
	case announce.Frozen:
		if f := g.Occurrences[0].Frozen[0]; f.Reason != "" {
			return w.say("frozenMany", w.reason(f), "count", count)
		}
		return plain(w.l.Text("frozenManyPlain", "count", count))
	}
	if g.None {
		return plain(w.l.Text("cancelledAll", "count", count))
	}
	return plain(w.l.Text("cancelledMany", "count", count))
}

// address finds what in a text is an address, of the web or of mail.
var addresses = regexp.MustCompile(`https?://[^\s<>"]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)

// parts divides a line of text into what is a link and what is none. A full stop, comma or bracket after an address is not of it.
func parts(line string) (list []part) {
	at := 0
	for _, found := range addresses.FindAllStringIndex(line, -1) {
		address := strings.TrimRight(line[found[0]:found[1]], ".,;:!?)]}'")
		if found[0] > at {
			list = append(list, part{Text: line[at:found[0]]})
		}
		href := address
		if !strings.HasPrefix(address, "http") || !strings.Contains(address, "://") {
			href = "mailto:" + address
		}
		list = append(list, part{Text: address, Href: href})
		at = found[0] + len(address)
	}
	if at < len(line) {
		list = append(list, part{Text: line[at:]})
	}
	return list
}

// lines divides a description.
func lines(description string) (list [][]part) {
	for line := range strings.SplitSeq(description, "\n") {
		if line != "" {
			list = append(list, parts(line))
		}
	}
	return list
}
