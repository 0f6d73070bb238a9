// Package versiontest holds programs to what they call themselves towards the API server.
package versiontest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"fonster.dev/fonster/internal/version"
)

// Asks wants a program to name itself and its version when it asks the API server at a URL. The server knows nothing: the first question is enough.
func Asks(t *testing.T, program string, ask func(url string)) {
	t.Helper()
	var told atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		told.Store(request.UserAgent())
		http.NotFound(w, request)
	}))
	defer server.Close()
	ask(server.URL)
	want := fmt.Sprintf("%s/%s (%s/%s)", program, version.Get().Version, runtime.GOOS, runtime.GOARCH)
	if got := told.Load(); got != want {
		t.Errorf("User-Agent %v, want %q", got, want)
	}
}
