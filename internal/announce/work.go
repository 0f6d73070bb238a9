package announce

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/override"
)

// Work is emergency work outside the windows: an override that stands. It carries what the public may know, and nothing of
// who does it or why.
type Work struct {
	// Since is when it began; Until when it ends at the latest, zero when no end is known.
	Since, Until time.Time
	// Notice is the public sentence, from the annotation maintenance.fonster.dev/override-notice; may be empty.
	Notice string
	// Namespace is where it is done.
	Namespace string
	// Audiences are those of the windows that are overridden; empty: everybody's.
	Audiences []string
}

// WorkOf is the emergency work that the records of windows tell of: what is not known to have ended, each override once, however many
// windows it passes. What passes only windows that are not announced is none for the public.
func WorkOf(windows []v1alpha1.MaintenanceWindow) []Work {
	type key struct {
		object string
		from   int64
	}
	var list []Work
	place, everybody := map[key]int{}, map[key]bool{}
	for i := range windows {
		mw := &windows[i]
		if !compile.Announced(mw.Spec.Announce) {
			continue
		}
		for _, r := range mw.Status.Overrides {
			if r.EndedAt != nil {
				continue
			}
			k := key{r.Object, r.From.Unix()}
			at, known := place[k]
			if !known {
				kind, namespace, name := override.ParseObjectName(r.Object)
				if kind == "Namespace" {
					namespace = name
				}
				at, place[k] = len(list), len(list)
				list = append(list, Work{Since: r.From.Time, Until: r.Until.Time, Notice: r.Notice, Namespace: namespace})
			}
			everybody[k] = everybody[k] || len(mw.Spec.Audiences) == 0 || slices.Contains(mw.Spec.Audiences, Everybody)
			if w := &list[at]; everybody[k] {
				w.Audiences = nil
			} else {
				w.Audiences = append(w.Audiences, mw.Spec.Audiences...)
			}
		}
	}
	return list
}

// distinct are works that people can tell apart: of those that began together, for the same audiences, one, which has the sentences of
// all and ends with the last.
func distinct(works []Work) []Work {
	var list []Work
	sentences := map[int][]string{} // by place in the list
	for _, w := range works {
		w.Since, w.Until = w.Since.Truncate(time.Second), w.Until.Truncate(time.Second)
		w.Audiences = slices.Compact(slices.Sorted(slices.Values(w.Audiences)))
		i := slices.IndexFunc(list, func(other Work) bool { return other.Since.Equal(w.Since) && slices.Equal(other.Audiences, w.Audiences) })
		switch {
		case i < 0:
			i, list = len(list), append(list, w)
		case w.Until.IsZero() || !list[i].Until.IsZero() && w.Until.After(list[i].Until):
			list[i].Until = w.Until
		}
		if sentence := clean(w.Notice, maxTitle); sentence != "" {
			sentences[i] = append(sentences[i], sentence)
		}
	}
	for i := range list {
		list[i].Notice = clean(strings.Join(slices.Compact(slices.Sorted(slices.Values(sentences[i]))), " "), maxTitle)
	}
	return list
}

// name tells works of one instant apart, by what does not change while they last: neither their end, nor the sentence.
func (w *Work) name() string {
	sum := sha256.Sum256([]byte(strings.Join(w.Audiences, ",")))
	return cmp.Or(strings.Join(w.Audiences, "-"), "all") + "-" + hex.EncodeToString(sum[:5])
}
