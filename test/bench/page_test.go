package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/compile"
)

// BenchmarkPage compares, over loopback, requests a second for the page and the calendar of 100 windows with those for files
// of the same content from Go's own file server. The measurements take turns.
func BenchmarkPage(b *testing.B) {
	pages := httptest.NewServer(pageOf(100))
	defer pages.Close()
	folder := b.TempDir()
	for _, file := range []string{"page.html", "calendar.ics"} {
		path := "/" + file
		if file == "page.html" {
			path = "/"
		}
		response, err := http.Get(pages.URL + path)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || os.WriteFile(filepath.Join(folder, file), body, 0o600) != nil {
			b.Fatal("writing the file to compare with")
		}
		b.Logf("%s: %d bytes", file, len(body))
	}
	files := httptest.NewServer(http.FileServer(http.Dir(folder)))
	defer files.Close()
	cases := []struct {
		name, ours, theirs string
		rate, static       []float64
	}{
		{"page", pages.URL + "/", files.URL + "/page.html", nil, nil},
		{"calendar", pages.URL + "/calendar.ics", files.URL + "/calendar.ics", nil, nil},
	}
	for b.Loop() {
		for range 5 {
			for i := range cases {
				c := &cases[i]
				c.rate = append(c.rate, rate(b, c.ours))
				c.static = append(c.static, rate(b, c.theirs))
			}
		}
	}
	for _, c := range cases {
		ours, theirs := best(c.rate), best(c.static)
		b.Logf("%-9s %6.0f requests/s, a static file %6.0f: %.2f", c.name, ours, theirs, ours/theirs)
		b.ReportMetric(ours/theirs, c.name+"/static")
		if ours/theirs < 0.5 {
			b.Errorf("%s: less than half of a static file's requests a second", c.name)
		}
	}
}

// rate asks for an address on four connections for a second.
func rate(b *testing.B, url string) float64 {
	b.Helper()
	const connections, span = 4, time.Second
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections, DisableCompression: true,
		DialContext: (&net.Dialer{}).DialContext,
	}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(b.Context(), span)
	defer cancel()
	var answered atomic.Int64
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for ctx.Err() == nil {
				request, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
				response, err := client.Do(request)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					b.Errorf("%s: %d, %v", url, response.StatusCode, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	group.Wait()
	return float64(answered.Load()) / span.Seconds()
}

// best is the highest of a sample: what the machine does when nothing else runs.
func best(sample []float64) (most float64) {
	for _, s := range sample {
		most = max(most, s)
	}
	return most
}

// pageOf serves the announcements of n windows, two days a month each.
func pageOf(n int) http.Handler {
	var windows []v1alpha1.MaintenanceWindow
	for i := range n {
		windows = append(windows, v1alpha1.MaintenanceWindow{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("w%03d", i), UID: types.UID(fmt.Sprint(i)), Generation: 1, CreationTimestamp: metav1.Now()},
			Spec: v1alpha1.MaintenanceWindowSpec{
				Title: fmt.Sprintf("Servicefönster %d", i), Description: "Störningar kan förekomma i de flesta system.", TimeZone: "Europe/Stockholm",
				Schedules:         []v1alpha1.Schedule{{RRule: new("FREQ=MONTHLY;BYDAY=2SA,2SU"), StartTime: new("09:00"), EndTime: new("20:00")}},
				NamespaceSelector: &metav1.LabelSelector{},
			},
		})
	}
	var cache compile.Cache
	return web.New(func(context.Context) (announce.Input, error) {
		return announce.Input{Compiled: cache.Compile(windows, nil), Windows: windows}, nil
	}, time.Now, web.Options{})
}

// BenchmarkDraw draws everything anew, as each edge and each change of an object does once, whatever the number of readers.
func BenchmarkDraw(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("%d-windows", n), func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				pageOf(n).ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/sv/", nil))
			}
		})
	}
}
