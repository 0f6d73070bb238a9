package operator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"fonster.dev/fonster/internal/version"
)

// TestUserAgent: the API server is told which program asks, and its version. Its first question is enough: it gets no answer.
func TestUserAgent(t *testing.T) {
	var told atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		told.Store(request.UserAgent())
		http.Error(w, "not today", http.StatusTeapot)
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	if err := Run(t.Context(), config, Options{Now: time.Now}); err == nil {
		t.Error("it runs without a cluster")
	}
	want := fmt.Sprintf("fonster/%s (%s/%s)", version.Get().Version, runtime.GOOS, runtime.GOARCH)
	if got := told.Load(); got != want {
		t.Errorf("User-Agent %v, want %q", got, want)
	}
	if config.UserAgent != "" {
		t.Error("what was passed is changed")
	}
}
