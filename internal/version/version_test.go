package version

import (
	"regexp"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	settings := func(pairs ...string) []debug.BuildSetting {
		var all []debug.BuildSetting
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	long := "94d01fa0123456789abcdef0123456789abcdef0"
	for title, tc := range map[string]struct {
		version, commit string
		built           *debug.BuildInfo
		want            Info
	}{
		"stamped": {"v0.1.0", "94d01fa01234", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Info{Version: "v0.1.0", Commit: "94d01fa01234"}},
		"stamped wins": {
			"v0.1.0", "94d01fa01234",
			&debug.BuildInfo{Main: debug.Module{Version: "v0.0.9"}, Settings: settings("vcs.revision", "ffff", "vcs.modified", "true")},
			Info{Version: "v0.1.0", Commit: "94d01fa01234"},
		},
		"go install of a version": {"", "", &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}}, Info{Version: "v0.1.0"}},
		"go build in a clone": {
			"", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: settings("vcs.revision", long, "vcs.modified", "false")},
			Info{Version: "devel", Commit: "94d01fa01234"},
		},
		"something not committed": {
			"", "", &debug.BuildInfo{Main: debug.Module{Version: "v0.0.1-0.20261129+dirty"}, Settings: settings("vcs.modified", "true", "vcs.revision", long)},
			Info{Version: "v0.0.1-0.20261129+dirty", Commit: "94d01fa01234-dirty"},
		},
		"nothing known": {"", "", nil, Info{Version: "devel"}},
	} {
		tc.want.Go = runtime.Version()
		if got := of(tc.version, tc.commit, tc.built); got != tc.want {
			t.Errorf("%s: %+v, want %+v", title, got, tc.want)
		}
	}
}

func TestString(t *testing.T) {
	for want, i := range map[string]Info{
		"v0.1.0 (94d01fa01234), go1.26.8": {Version: "v0.1.0", Commit: "94d01fa01234", Go: "go1.26.8"},
		"devel, go1.26.8":                 {Version: "devel", Go: "go1.26.8"},
	} {
		if got := i.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestUserAgent: a product with its version, and a comment (RFC 9110).
func TestUserAgent(t *testing.T) {
	token := "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	got := UserAgent("kubectl-window")
	if !regexp.MustCompile(`^kubectl-window/` + token + ` \(` + runtime.GOOS + `/` + runtime.GOARCH + `\)$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}
