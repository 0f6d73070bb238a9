package announce

import (
	"context"
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

// WorkSource lists the emergency work under way or announced.
type WorkSource interface {
	// Work is asked whenever the page is drawn anew, and must answer from memory.
	Work(ctx context.Context) ([]Work, error)
	// OnChange names what to call when the answer changes other than by time; it is called once, before the first Work.
	OnChange(ctx context.Context, changed func()) error
}
