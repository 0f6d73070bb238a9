// Package version tells what a program was built from, the same wherever it is asked: --version, kubectl window version, the metric
// fonster_build_info and the HTTP User-Agent.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Stamped by make release, with -ldflags -X; empty in any other build.
var stampedVersion, stampedCommit string

// Info is what a program was built from.
type Info struct {
	// Version is that of the release, such as v0.1.0; what Go knows where none was stamped, such as a pseudo-version; or else devel.
	Version string
	// Commit has twelve hexadecimal digits, and -dirty behind them where something was not committed; empty where it is not known.
	Commit string
	// Go is the version of the compiler, such as go1.26.8.
	Go string
}

// Get is what this program was built from.
func Get() Info {
	built, _ := debug.ReadBuildInfo()
	return of(stampedVersion, stampedCommit, built)
}

// of takes what was stamped, and what is missing from what Go writes into every program; nil where it has not.
func of(version, commit string, built *debug.BuildInfo) Info {
	i := Info{Version: version, Commit: commit, Go: runtime.Version()}
	dirty := false
	revision := ""
	if built != nil {
		if i.Version == "" && built.Main.Version != "(devel)" {
			i.Version = built.Main.Version
		}
		for _, s := range built.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value[:min(len(s.Value), 12)]
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
	}
	if i.Commit == "" && revision != "" {
		i.Commit = revision
		if dirty {
			i.Commit += "-dirty"
		}
	}
	if i.Version == "" {
		i.Version = "devel" // no parentheses as Go has: in a User-Agent they would begin a comment
	}
	return i
}

// String is one line for people.
func (i Info) String() string {
	if i.Commit == "" {
		return fmt.Sprintf("%s, %s", i.Version, i.Go)
	}
	return fmt.Sprintf("%s (%s), %s", i.Version, i.Commit, i.Go)
}

// UserAgent is what a program calls itself in HTTP requests: its name, a slash, its version and what it runs on (RFC 9110, 10.1.5). The API
// server takes what is before the slash for the field manager of writes that name none, so a version does not change it.
func UserAgent(program string) string {
	return fmt.Sprintf("%s/%s (%s/%s)", program, Get().Version, runtime.GOOS, runtime.GOARCH)
}
