package operator

import (
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"fonster.dev/fonster/internal/version/versiontest"
)

// TestUserAgent: the API server is told which program asks, and its version.
func TestUserAgent(t *testing.T) {
	versiontest.Asks(t, "fonster", func(url string) {
		config := &rest.Config{Host: url}
		if err := Run(t.Context(), config, Options{Now: time.Now}); err == nil {
			t.Error("it runs without a cluster")
		}
		if config.UserAgent != "" {
			t.Error("what was passed is changed")
		}
	})
}
