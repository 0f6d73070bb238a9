package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// WindowPrefix and FreezePrefix begin the names of the ConfigMaps that keep records. None begins another's, so that a window and a freeze
// never share one.
const (
	WindowPrefix = "announced-"
	FreezePrefix = "freeze-announced-"
)

// ObjectName is the name of the ConfigMap that keeps a record; names that would be too long end in a hash.
func ObjectName(prefix, name string) string {
	const longest = 253
	if len(prefix+name) <= longest {
		return prefix + name
	}
	sum := sha256.Sum256([]byte(name))
	return prefix + strings.TrimRight(name[:longest-len(prefix)-17], ".-") + "-" + hex.EncodeToString(sum[:8])
}

// Retract is the record without what was withdrawn, on all days or on those that begin on one of days, as YYYY-MM-DD in their own zone;
// and what that was. It is nil where nothing is left to remember. gone says that the object is no more, whether the record knows it or not.
func (r *Record) Retract(days []string, gone bool) (left *Record, retracted []Withdrawn) {
	next := *r
	next.Withdrawn = nil
	if gone {
		next.Announced = nil
	}
	for _, w := range r.Withdrawn {
		zone, err := time.LoadLocation(w.TimeZone)
		if err != nil {
			zone = time.UTC
		}
		if len(days) > 0 && !slices.Contains(days, w.Start.In(zone).Format(time.DateOnly)) {
			next.Withdrawn = append(next.Withdrawn, w)
			continue
		}
		retracted = append(retracted, w)
	}
	if next.Announced == nil && len(next.Withdrawn) == 0 {
		return nil, retracted
	}
	return &next, retracted
}

// dataKey is where the data of a ConfigMap has a record.
const dataKey = "record.json"

// Data is the record as a ConfigMap keeps it.
func (r *Record) Data() (map[string]string, error) {
	text, err := json.Marshal(r)
	return map[string]string{dataKey: string(text)}, err
}

// Parse reads the record in the data of a ConfigMap; nil where there is none that can be read.
func Parse(data map[string]string) *Record {
	r := &Record{}
	if text, found := data[dataKey]; !found || json.Unmarshal([]byte(text), r) != nil || r.Window+r.Freeze == "" {
		return nil
	}
	return r
}
