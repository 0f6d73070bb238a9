package schedule

import (
	"fmt"
	"time"
)

const (
	// daysTried is on how many of its days a rule is tried before it is said that it has no occurrence.
	daysTried = 1000
	// spansTried is how many occurrences, from the first of each rule, are measured against the cutoff.
	spansTried = 64
	// maxNotesPerList keeps notes on single dates short.
	maxNotesPerList = 5
)

// checkOccurs refuses a rule that has no occurrence, and notes dates that lose theirs, or start later, when clocks go forward.
func (p *parser) checkOccurs(path string, entry Rule, r *rule, zone *time.Location) {
	field, value := path+".dates", ""
	switch {
	case entry.RRule != "":
		field, value = path+".rrule", entry.RRule
	case entry.Cron != "":
		field, value = path+".cron", entry.Cron
	}
	c := newClock(zone)
	origin := r.days.origin()
	tried, lost, moved := 0, 0, 0
	occurs := false
	for d, ok := r.days.next(origin, origin+daysPerCycle); ok && tried < daysTried; d, ok = r.days.next(d+1, origin+daysPerCycle) {
		tried++
		if len(r.appendDay(nil, d, c)) > 0 {
			occurs = true
			if value != "" {
				break
			}
			wall := int64(d)*secondsPerDay + r.starts[0]
			if at := c.resolve(wall); at+offsetAt(at, zone) != wall && moved < maxNotesPerList {
				moved++
				p.note("%s: %s does not exist on %s, as clocks go forward: it starts at %s", path, entry.StartTime, dateText(d), time.Unix(at, 0).In(zone).Format("15:04"))
			}
			continue
		}
		if lost++; value == "" && lost <= maxNotesPerList {
			p.note("%s: no occurrence on %s: clocks go forward over it", path, dateText(d))
		}
	}
	switch {
	case occurs:
	case tried > 0:
		p.fail(NeverOccurs, field, value, fmt.Sprintf("never occurs: clocks go forward over %s to %s in %s", entry.StartTime, entry.EndTime, zone))
	default:
		p.fail(NeverOccurs, field, value, "never occurs: no day within 400 years matches it")
	}
}

func dateText(d int) string {
	return time.Unix(int64(d)*secondsPerDay, 0).UTC().Format(time.DateOnly)
}

// check refuses schedules of which the exclusions leave nothing, and a cutoff that leaves nothing of any occurrence.
func (s *Schedule) check(cutoff time.Duration) error {
	found := false
	longest := int64(0)
	budget := maxSearchWork // for all rules together
	for _, r := range s.schedules {
		x := max(int64(r.days.origin()-1)*secondsPerDay, firstSecond)
		for range spansTried {
			sp, ok := s.nextFrom(x, &budget)
			if !ok {
				break
			}
			if sp.from == x {
				sp.from = s.startOf(x)
			}
			found = true
			if sp.from == unknownStart || sp.to == unknownEnd || sp.to-sp.from > s.cutoff {
				return nil
			}
			longest = max(longest, sp.to-sp.from)
			x = sp.to
		}
	}
	if !found {
		return &Error{Path: "schedules", Message: "never occur: exclusions take away every occurrence", Reason: NeverOccurs}
	}
	return &Error{
		Path: "cutoff", Value: cutoff.String(), Reason: CutoffTooLong,
		Message: fmt.Sprintf("leaves nothing of any occurrence: the longest lasts %v, make the cutoff shorter", time.Duration(longest)*time.Second),
	}
}
