package announce

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Work is emergency work outside the windows: an override that stands. It carries what the public may know, and nothing of
// who does it or on what.
type Work struct {
	// Since is when it began; Until when it ends at the latest, zero when no end is known.
	Since, Until time.Time
	// Notice is the public sentence, from the annotation maintenance.fonster.dev/override-notice; may be empty.
	Notice string
	// Audiences are those of the windows that are overridden; empty: everybody's.
	Audiences []string
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

// WorkSource lists the emergency work under way or announced.
type WorkSource interface {
	// Work is asked whenever the page is drawn anew, and must answer from memory.
	Work(ctx context.Context) ([]Work, error)
	// OnChange names what to call when the answer changes other than by time; it is called once, before the first Work.
	OnChange(ctx context.Context, changed func()) error
}
