package cli

import (
	"net/http"
	"sync/atomic"
	"time"
)

// serverClock is by how much the API server's clock is ahead of this machine's, by the dates of its answers: the policies go by that clock.
type serverClock struct{ ahead atomic.Int64 }

// sameClock is by how much the two may seem to differ: a date has whole seconds, and an answer takes time.
const sameClock = 2 * time.Second

// listen notes the dates of answers.
func (s *serverClock) listen(now func() time.Time) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err != nil {
				return response, err
			}
			if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
				ahead := date.Sub(now())
				if ahead.Abs() <= sameClock {
					ahead = 0
				}
				s.ahead.Store(int64(ahead))
			}
			return response, nil
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// serverNow is now by the clock of the API server, as far as its answers have told it.
func (r *root) serverNow() time.Time { return r.now().Add(time.Duration(r.clock.ahead.Load())) }
