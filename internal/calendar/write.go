package calendar

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// Bounds of the API, in characters.
const (
	maxTitle       = 128
	maxDescription = 2048
	maxReason      = 256
	maxSchedules   = 32
	maxDates       = 366
)

// write makes windows and freezes of the series, in the order in which the calendar has them.
func (r *reader) write() {
	names := map[string]int{}
	for _, id := range r.order {
		s := r.series[id]
		if len(s.schedules) == 0 {
			continue
		}
		name := s.name
		if name == "" {
			name = cmp.Or(slug(s.title), "window")
		}
		if names[name]++; names[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, names[name])
		}
		s.schedules = split(s.schedules)
		if len(s.schedules) > maxSchedules || len(s.exclusions) > maxSchedules {
			s.exclusions = together(s.exclusions)
		}
		if len(s.schedules) > maxSchedules || len(s.exclusions) > maxSchedules {
			r.note(s.line, "%q has %d schedules and %d exclusions, and a window takes %d of each: divide it", s.title, len(s.schedules), len(s.exclusions), maxSchedules)
		}
		if s.freeze {
			r.result.Freezes = append(r.result.Freezes, &v1alpha1.ChangeFreeze{
				TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ChangeFreeze"},
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec: v1alpha1.ChangeFreezeSpec{
					Reason: r.clip(s.line, "SUMMARY", cmp.Or(s.title, name), maxReason), TimeZone: s.zone, Schedules: s.schedules, NamespaceSelector: r.Selector,
				},
			})
			continue
		}
		mw := &v1alpha1.MaintenanceWindow{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MaintenanceWindow"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.MaintenanceWindowSpec{
				Title: r.clip(s.line, "SUMMARY", s.title, maxTitle), Description: r.clip(s.line, "DESCRIPTION", s.description, maxDescription),
				TimeZone: s.zone, Schedules: s.schedules, Exclusions: together(s.exclusions), NamespaceSelector: r.Selector, Enforcement: r.Enforcement,
			},
		}
		if s.emergency {
			mw.Spec.Class = v1alpha1.Emergency
		}
		r.result.Windows = append(r.result.Windows, mw)
	}
}

// clip shortens a text to what a field takes, without control characters, and says so.
func (r *reader) clip(line int, what, text string, n int) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && !strings.ContainsRune("\n\r\t", c) {
			return -1
		}
		return c
	}, strings.TrimSpace(text))
	if runes := []rune(text); len(runes) > n {
		r.note(line, "%s has %d characters, and %d are taken", what, len(runes), n)
		return string(runes[:n-1]) + "…"
	}
	return text
}

// split divides lists of more days than one schedule takes.
func split(list []v1alpha1.Schedule) (result []v1alpha1.Schedule) {
	for _, s := range list {
		for len(s.Dates) > maxDates {
			part := s
			part.Dates, s.Dates = s.Dates[:maxDates], s.Dates[maxDates:]
			result = append(result, part)
		}
		result = append(result, s)
	}
	return result
}

// together joins exclusions of the same times.
func together(list []v1alpha1.Exclusion) []v1alpha1.Exclusion {
	var s series
	for _, e := range list {
		s.add(e.Schedule)
	}
	var result []v1alpha1.Exclusion
	for _, schedule := range s.schedules {
		result = append(result, v1alpha1.Exclusion{Schedule: schedule})
	}
	return result
}

// letters are how the name of an object writes what it cannot have.
var letters = strings.NewReplacer("å", "a", "ä", "a", "ö", "o", "é", "e", "è", "e", "ü", "u", "ø", "o", "æ", "ae", "ß", "ss", "á", "a", "ñ", "n")

// slug is a name made of a title.
func slug(title string) string {
	var b strings.Builder
	for _, c := range letters.Replace(strings.ToLower(title)) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	return strings.Trim(name[:min(len(name), 50)], "-")
}

// place is where a component begins, with the lines of its own properties.
type place struct {
	line       int
	properties map[string][]int
}

// places are components of a calendar, by name, in order.
type places map[string][]place

func (p places) next(name string) place {
	list := p[name]
	if len(list) == 0 {
		return place{line: 1}
	}
	p[name] = list[1:]
	return list[0]
}

// linesOf finds the components of a calendar; the parser tells no lines.
func linesOf(content []byte) places {
	found := places{}
	depth := 0
	name := ""
	for i, line := range bytes.Split(content, []byte("\n")) {
		text := strings.ToUpper(strings.TrimRight(string(line), "\r"))
		if strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t") {
			continue // the rest of the line before
		}
		switch {
		case strings.HasPrefix(text, "BEGIN:"):
			if depth++; depth == 2 {
				name = strings.TrimPrefix(text, "BEGIN:")
				found[name] = append(found[name], place{line: i + 1, properties: map[string][]int{}})
			}
		case strings.HasPrefix(text, "END:"):
			depth--
		case depth == 2:
			property := text
			if end := strings.IndexAny(text, ":;"); end >= 0 {
				property = text[:end]
			}
			of := found[name]
			of[len(of)-1].properties[property] = append(of[len(of)-1].properties[property], i+1)
		}
	}
	return found
}
