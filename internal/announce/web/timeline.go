package web

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"fonster.dev/fonster/internal/announce"
)

// The picture of a year, in SVG units: a row for each month, a box for each day.
const (
	boxWidth, rowHeight = 18, 24
	labelWidth, topRow  = 78, 28
	barHeight           = 16
)

// timeline is the picture, ready to draw.
type timeline struct {
	Width, Height int
	Labels        []label
	Boxes         []bar
	Bars          []bar
	Today         *bar
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

func drawTimeline(l *locale, v *announce.View) timeline {
	now := v.Now.In(v.Zone)
	year := now.Year()
	t := timeline{Width: labelWidth + 31*boxWidth + 2, Height: topRow + 12*rowHeight + 2}
	for day := 1; day <= 31; day += 5 {
		t.Labels = append(t.Labels, label{X: x(day, 0) + boxWidth/2, Y: topRow - 9, Text: strconv.Itoa(day), Class: "day"})
	}
	for m := time.January; m <= time.December; m++ {
		t.Labels = append(t.Labels, label{X: 0, Y: y(m) + barHeight, Text: l.ShortMonths[m-1], Class: "month"})
		for d := 1; d <= daysIn(year, m); d++ {
			class := "weekday"
			if weekday := time.Date(year, m, d, 12, 0, 0, 0, time.UTC).Weekday(); weekday == time.Saturday || weekday == time.Sunday {
				class = "weekend"
			}
			t.Boxes = append(t.Boxes, bar{Class: class, X: x(d, 0), Y: y(m), Width: boxWidth - 1, Height: rowHeight - 2})
		}
	}
	var bars []bar
	for _, o := range v.Year {
		bars = append(bars, barsOf(o, v.Zone, year, now)...)
	}
	t.Bars = join(bars)
	t.Today = &bar{X: x(now.Day(), 0), Y: y(now.Month()), Width: boxWidth - 1, Height: rowHeight - 2}
	return t
}

func x(day int, fraction float64) float64 {
	return labelWidth + (float64(day-1)+fraction)*boxWidth
}

func y(m time.Month) float64 { return topRow + float64(m-1)*rowHeight }

func daysIn(year int, m time.Month) int { return time.Date(year, m+1, 0, 12, 0, 0, 0, time.UTC).Day() }

// barsOf are the parts of an occurrence in the year, one for each day, on the wall clock. What was not used of one that ended early
// is drawn as cancelled.
func barsOf(o *announce.Occurrence, zone *time.Location, year int, now time.Time) []bar {
	class, inset := "planned", 3.0
	switch {
	case o.State.Withdrawn() || o.WhollyFrozen():
		class = "cancelled"
	case o.Emergency: // lower, so that not only the colour tells
		class, inset = "urgent", 10
	}
	end := o.End
	if o.Kind == announce.Override && o.End.IsZero() {
		end = now
	}
	if o.State == announce.EndedEarly && o.EndedAt.After(o.Start) && o.EndedAt.Before(o.End) {
		return append(barsBetween(o.Start, o.EndedAt, zone, year, class, inset), barsBetween(o.EndedAt, end, zone, year, "cancelled", inset)...)
	}
	return barsBetween(o.Start, end, zone, year, class, inset)
}

// barsBetween are the bars of [start, end), of which each may be zero, as far as it lies in the year.
func barsBetween(start, end time.Time, zone *time.Location, year int, class string, inset float64) (bars []bar) {
	start = start.In(zone)
	if first := time.Date(year, 1, 1, 0, 0, 0, 0, zone); start.Before(first) {
		start = first
	}
	if last := time.Date(year+1, 1, 1, 0, 0, 0, 0, zone); end.IsZero() || end.After(last) {
		end = last
	}
	end = end.In(zone)
	for start.Before(end) {
		next := time.Date(start.Year(), start.Month(), start.Day()+1, 0, 0, 0, 0, zone)
		if !next.After(start) {
			break // a day without end in its zone
		}
		to := 1.0
		if end.Before(next) {
			to = fraction(end)
		}
		from := fraction(start)
		width := math.Max((to-from)*boxWidth, 3) // a short one is still to be seen
		bars = append(bars, bar{
			Class: class, X: round(math.Min(x(start.Day(), from), x(start.Day(), 1)-width)), Y: y(start.Month()) + inset,
			Width: round(width), Height: rowHeight - 2 - 2*3 - (inset - 3),
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
