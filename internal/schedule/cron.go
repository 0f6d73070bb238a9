package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/robfig/cron/v3"
)

// star is the bit by which the library marks a field written as * or ?.
const star = 1 << 63

var (
	cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	cronItem   = regexp.MustCompile(`^(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?$`)
)

// cronDays are the days of a cron expression. The library only parses: its Next gives up after five years and skips or
// doubles starts around changes of the clock.
type cronDays struct{ mday, month, weekday uint64 }

// parseCron returns the days and the clock times of the starts, in seconds after midnight. The fields are those of a
// CronJob, so both day fields given means either of them.
func parseCron(text string) (cronDays, []int64, error) {
	if strings.Contains(text, "TZ=") {
		return cronDays{}, nil, errors.New("TZ= is not allowed in cron: the zone is timeZone, for all schedules")
	}
	if strings.Contains(text, "@") {
		return cronDays{}, nil, errors.New("must have five fields (minute, hour, day of month, month, day of week): write @daily as 0 0 * * *")
	}
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return cronDays{}, nil, fmt.Errorf("must have five fields (minute, hour, day of month, month, day of week), such as 0 9 * * 6, has %d", len(fields))
	}
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			if !cronItem.MatchString(item) {
				return cronDays{}, nil, fmt.Errorf("cannot read %q in %q: write a value, a range such as 1-5, a step such as */2, or a list of them", item, field)
			}
		}
	}
	parsed, err := cronParser.Parse(strings.Join(fields, " "))
	if err != nil {
		return cronDays{}, nil, fmt.Errorf("cannot be read: %w (minute 0-59, hour 0-23, day of month 1-31, month 1-12, day of week 0-6 from Sunday)", err)
	}
	spec := parsed.(*cron.SpecSchedule)
	var clocks []int64
	for hour := range 24 {
		for minute := range 60 {
			if spec.Hour&(1<<hour) != 0 && spec.Minute&(1<<minute) != 0 {
				clocks = append(clocks, int64(hour*3600+minute*60))
			}
		}
	}
	return cronDays{mday: spec.Dom, month: spec.Month, weekday: spec.Dow}, clocks, nil
}

func (c cronDays) next(from, limit int) (int, bool) {
	from, limit = max(from, firstDay), min(limit, lastDay+1)
	for d := from; d < limit; {
		date := civilOf(d)
		if c.month&(1<<date.month) == 0 {
			d = dayOf(date.year, date.month+1, 1)
			continue
		}
		if c.matches(date) {
			return d, true
		}
		d++
	}
	return 0, false
}

func (c cronDays) matches(date civil) bool {
	mday := c.mday&(1<<date.day) != 0
	weekday := c.weekday&(1<<date.weekday) != 0
	if c.mday&star != 0 || c.weekday&star != 0 {
		return mday && weekday
	}
	return mday || weekday
}

func (c cronDays) origin() int { return cycleStart }
