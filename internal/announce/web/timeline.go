package web

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"fonster.dev/fonster/internal/announce"
)

// The picture of twelve months, in SVG units: a row for each month, a box for each day.
const (
	boxWidth, rowHeight = 18, 24
	labelWidth, topRow  = 92, 28
	barHeight           = 16
	// shortest is how wide a bar is at least; of an emergency, that it is seen on a phone too.
	shortest, shortestUrgent = 3, 9
	// freezeHeight is that of the line below a day on which a freeze is in force.
	freezeHeight = 4
)

// timeline is the picture, ready to draw.
type timeline struct {
	Width, Height int
	// From and To are the first and the last month, in words.
	From, To string
	// Freezes says that there are some.
	Freezes bool
	Labels  []label
	Boxes   []bar
	Bars    []bar
	Today   *bar
}

type label struct {
	X, Y  float64
	Text  string
	Class string
}

type bar struct {
	Class               string
	X, Y, Width, Height float64
}

// picture is where things are drawn: a row for each month from first on.
type picture struct {
	zone        *time.Location
	first, last time.Time // the instants at which the months begin and end
	now         time.Time
}

func drawTimeline(l *locale, v *announce.View) timeline {
	p := picture{zone: v.Zone, first: v.First, last: v.First.AddDate(0, announce.Months, 0), now: v.Now.In(v.Zone)}
	t := timeline{Width: labelWidth + 31*boxWidth + 2, Height: topRow + announce.Months*rowHeight + 2}
	t.From, t.To = monthOf(l, p.first), monthOf(l, p.last.AddDate(0, 0, -1))
	for day := 1; day <= 31; day += 5 {
		t.Labels = append(t.Labels, label{X: x(day, 0) + boxWidth/2, Y: topRow - 9, Text: strconv.Itoa(day), Class: "day"})
	}
	for n := range announce.Months {
		month := p.first.AddDate(0, n, 0)
		name := l.ShortMonths[month.Month()-1]
		if month.Month() == time.January {
			name += " " + strconv.Itoa(month.Year())
		}
		t.Labels = append(t.Labels, label{X: 0, Y: p.y(month) + barHeight, Text: name, Class: "month"})
		for d := 1; d <= daysIn(month.Year(), month.Month()); d++ {
			class := "weekday"
			if weekday := time.Date(month.Year(), month.Month(), d, 12, 0, 0, 0, time.UTC).Weekday(); weekday == time.Saturday || weekday == time.Sunday {
				class = "weekend"
			}
			t.Boxes = append(t.Boxes, bar{Class: class, X: x(d, 0), Y: p.y(month), Width: boxWidth - 1, Height: rowHeight - 2})
		}
	}
	var bars []bar
	for _, o := range v.Year {
		if o.State != announce.Excluded {
			bars = append(bars, p.barsOf(o)...)
		}
	}
	for _, o := range v.YearFreezes {
		bars = append(bars, p.between(o.Start, o.End, "freeze")...)
		t.Freezes = true
	}
	t.Bars = join(bars)
	t.Today = &bar{X: x(p.now.Day(), 0), Y: p.y(p.now), Width: boxWidth - 1, Height: rowHeight - 2}
	return t
}

func monthOf(l *locale, t time.Time) string {
	return l.Months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}

func x(day int, fraction float64) float64 {
	return labelWidth + (float64(day-1)+fraction)*boxWidth
}

// y is where the row of an instant's month begins.
func (p picture) y(t time.Time) float64 {
	return float64(topRow + (monthNumber(t)-monthNumber(p.first))*rowHeight)
}

func daysIn(year int, m time.Month) int { return time.Date(year, m+1, 0, 12, 0, 0, 0, time.UTC).Day() }

// barsOf are the parts of an occurrence in the picture, one for each day, on the wall clock. What was not used of one that ended early
// is drawn as cancelled.
func (p picture) barsOf(o *announce.Occurrence) []bar {
	class := "planned"
	switch {
	case o.State.Withdrawn() || o.WhollyFrozen():
		class = "cancelled"
	case o.Emergency:
		class = "urgent"
	}
	end := o.End
	if o.Kind == announce.Override && o.End.IsZero() {
		end = p.now
	}
	if o.State == announce.EndedEarly && o.EndedAt.After(o.Start) && o.EndedAt.Before(o.End) {
		return append(p.between(o.Start, o.EndedAt, class), p.between(o.EndedAt, end, "cancelled")...)
	}
	return p.between(o.Start, end, class)
}

// shapes are how the bars of a class lie in their row, so that not only the colour tells.
var shapes = map[string]struct{ inset, height, shortest float64 }{
	"planned": {3, barHeight, shortest}, "cancelled": {3, barHeight, shortest}, "urgent": {10, barHeight - 7, shortestUrgent},
	"freeze": {rowHeight - 2 - freezeHeight, freezeHeight, shortest},
}

// between are the bars of [start, end), of which each may be zero, as far as it lies in the picture.
func (p picture) between(start, end time.Time, class string) (bars []bar) {
	shape := shapes[class]
	if start = start.In(p.zone); start.Before(p.first) {
		start = p.first
	}
	if end.IsZero() || end.After(p.last) {
		end = p.last
	}
	end = end.In(p.zone)
	for start.Before(end) {
		next := time.Date(start.Year(), start.Month(), start.Day()+1, 0, 0, 0, 0, p.zone)
		if !next.After(start) {
			break // a day without end in its zone
		}
		to := 1.0
		if end.Before(next) {
			to = fraction(end)
		}
		from := fraction(start)
		width := math.Max((to-from)*boxWidth, shape.shortest)
		bars = append(bars, bar{
			Class: class, X: round(math.Min(x(start.Day(), from), x(start.Day(), 1)-width)), Y: p.y(start) + shape.inset,
			Width: round(width), Height: shape.height,
		})
		start = next
	}
	return bars
}

// fraction is how much of the day has gone by on the wall clock.
func fraction(t time.Time) float64 {
	return (float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600) / 24
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

// join makes one bar of those of a class that overlap, so that a thousand windows draw no more than the year has room for.
func join(bars []bar) []bar {
	slices.SortFunc(bars, func(a, b bar) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	var out []bar
	for _, b := range bars {
		if n := len(out); n > 0 && out[n-1].Class == b.Class && out[n-1].Y == b.Y && b.X <= out[n-1].X+out[n-1].Width+0.1 {
			out[n-1].Width = round(math.Max(out[n-1].Width, b.X+b.Width-out[n-1].X))
			continue
		}
		out = append(out, b)
	}
	return out
}
