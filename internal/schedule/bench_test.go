package schedule

import (
	"runtime"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

var (
	saturdays = Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{Cron: "0 9 * * 6", Duration: 11 * time.Hour}}, Cutoff: 30 * time.Minute}
	tuesday   = time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)

	// What is computed must be used, or the compiler leaves it out.
	sinkState State
	sinkTime  time.Time
	sinkSpec  *Schedule
)

// The steady case, against what the usual library takes for the same schedule.
func BenchmarkState(b *testing.B) {
	loc, err := loadZone(saturdays.TimeZone)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := cron.ParseStandard(saturdays.Schedules[0].Cron)
	if err != nil {
		b.Fatal(err)
	}
	now := tuesday.In(loc)
	var week [7]time.Time
	for i := range week {
		week[i] = now.AddDate(0, 0, i)
	}
	const rounds = 21_000 // from each day of the week, since the library walks day by day
	begin := time.Now()
	for i := range rounds {
		sinkTime = parsed.Next(week[i%7])
	}
	robfig := float64(time.Since(begin).Nanoseconds()) / rounds

	s := parse(b, saturdays)
	s.State(now)
	b.ReportAllocs()
	var state State
	for b.Loop() {
		state = s.State(now)
	}
	runtime.KeepAlive(state)
	own := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(robfig, "robfig-ns/op")
	b.ReportMetric(own/robfig, "of-robfig-Next")
}

// Each question lies in another stretch of the same cell.
func BenchmarkStateElsewhere(b *testing.B) {
	s := parse(b, saturdays)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		sinkState = s.State(tuesday.Add(time.Duration(i%8) * 24 * time.Hour))
	}
}

// Each question lies in another cell, so all is worked out anew.
func BenchmarkStateElsewhen(b *testing.B) {
	s := parse(b, saturdays)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		sinkState = s.State(tuesday.AddDate(0, 2*(i%8), 0))
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sinkSpec = parse(b, saturdays)
	}
}

func TestStateAllocatesNothing(t *testing.T) {
	s := parse(t, saturdays)
	s.State(tuesday)
	if n := testing.AllocsPerRun(1000, func() { sinkState = s.State(tuesday) }); n != 0 {
		t.Errorf("%v allocations in the steady case", n)
	}
	i := 0
	s.State(tuesday.Add(24 * time.Hour))
	if n := testing.AllocsPerRun(1000, func() {
		sinkState = s.State(tuesday.Add(time.Duration(i%8) * time.Hour * 12))
		i++
	}); n != 0 {
		t.Errorf("%v allocations from stretch to stretch", n)
	}
}
