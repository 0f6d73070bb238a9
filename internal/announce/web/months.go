package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"fonster.dev/fonster/internal/announce"
)

// month is one month of the list. What is gone by, and what is far ahead, is folded.
type month struct {
	L           *locale
	Title       string
	Folded, Far bool
	Rows        []*row
}

// row is a window in a month, and the days on which it has the same times.
type row struct {
	Class, Days, Time, Start string
	Title                    text
	Who, Urgent              string
	Status                   sentence
	Notes                    []sentence
	Struck                   bool

	days []time.Time
}

// months groups the list of the coming months; what is gone by comes first. The first month with something to come is open, all else
// is folded: the next times of each window stand above.
func (w *writer) months() (months []month) {
	list := make([]month, 1+announce.Months)
	rows := map[string]*row{}
	for _, o := range w.v.Listed {
		at := 1
		if !o.Start.IsZero() {
			at += max(monthNumber(o.Start)-monthNumber(w.v.First), 0)
		}
		if !o.End.IsZero() && !o.End.After(w.v.Now) {
			at = 0
		}
		if at >= len(list) {
			continue // it begins in a later month where it is
		}
		r := w.row(o)
		key := fmt.Sprintf("%d %p %s %s %s %q", at, o.Subject, r.Class, r.Time, r.Status, r.Notes)
		if same := rows[key]; same != nil && len(r.days) > 0 {
			same.days = append(same.days, r.days...)
			continue
		}
		rows[key] = r
		list[at].Rows = append(list[at].Rows, r)
	}
	open := false
	for i, m := range list {
		if len(m.Rows) == 0 {
			continue
		}
		m.L = w.l
		at := w.v.First.AddDate(0, max(i-1, 0), 0)
		m.Title = w.l.Months[at.Month()-1]
		if at.Year() != w.year {
			m.Title += " " + strconv.Itoa(at.Year())
		}
		m.Far, open = i > 0 && open, open || i > 0
		switch m.Folded = i == 0 || m.Far; {
		case m.Far:
			m.Title = w.l.Text("monthFar", "month", m.Title, "count", strconv.Itoa(len(m.Rows)))
		case m.Folded:
			m.Title = w.l.Text("monthOver", "month", m.Title)
		}
		for _, r := range m.Rows {
			if len(r.days) > 0 {
				r.Days = w.days(r.days)
			}
		}
		months = append(months, m)
	}
	return months
}

func monthNumber(t time.Time) int { return t.Year()*12 + int(t.Month()) }

func (w *writer) row(o *announce.Occurrence) *row {
	i := w.item(o)
	r := &row{
		Class: i.Class, Start: i.Start, Title: i.Title, Who: i.Who, Status: i.Status, Urgent: i.Urgent, Notes: w.timeNotes(o), Struck: i.Struck, Days: i.When,
	}
	if o.State == announce.Past {
		r.Status = nil // the heading says so
	}
	if o.Start.IsZero() || o.End.IsZero() || o.End.Sub(o.Start) > 24*time.Hour {
		return r
	}
	r.days = []time.Time{o.Start}
	r.Time = unbroken(w.l.Time(o.Start)+"–"+w.l.End(o.Start, o.End)) + zoneNote(o.Start, o.End, w.v.Zone)
	return r
}

// maxNamed is up to how many days are told with their weekdays.
const maxNamed = 3

// days writes days of one month, in order: Sat 5, Sun 6, or 1–4, 7 where there are many.
func (w *writer) days(list []time.Time) string {
	var texts []string
	if len(list) <= maxNamed {
		for _, day := range list {
			texts = append(texts, w.l.ShortWeekdays[day.Weekday()]+"\u00a0"+strconv.Itoa(day.Day()))
		}
		return strings.Join(texts, ", ")
	}
	for i := 0; i < len(list); {
		last := i
		for last+1 < len(list) && list[last+1].Day() == list[last].Day()+1 {
			last++
		}
		from, to := strconv.Itoa(list[i].Day()), strconv.Itoa(list[last].Day())
		switch last - i {
		case 0:
			texts = append(texts, from)
		case 1:
			texts = append(texts, from, to)
		default:
			texts = append(texts, unbroken(from+"–"+to))
		}
		i = last + 1
	}
	return strings.Join(texts, ", ")
}
