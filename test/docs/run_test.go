package docs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"fonster.dev/fonster/test/cluster"
)

// session is a shell in which documents are followed: what one exports, and where it goes, is there in the next command.
type session struct {
	folder string
	// names puts the names of this run for those that documents use, and namesBack the latter again into what comes back.
	names, namesBack *strings.Replacer
	environment      []string
	// state is the file in which a command leaves what it has exported.
	state string
}

// run runs a command as a shell does, and returns what it printed on either stream.
func (s *session) run(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	script := "[[ ! -f " + s.state + " ]] || source " + s.state + "\ntrap 'status=$?; export -p >" + s.state + "; exit $status' EXIT\nset -eo pipefail\n" + s.names.Replace(command)
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir, shell.Env = s.folder, append(os.Environ(), s.environment...)
	out, err := shell.CombinedOutput()
	return s.namesBack.Replace(string(bytes.ReplaceAll(out, []byte("\r"), nil))), err
}

// looks are commands that change nothing: what they tell may be true only a moment later.
var looks = regexp.MustCompile(`^(kubectl (-n \S+ )?(get|auth) |kubectl (-n \S+ )?.* --dry-run=server|kubectl window (can-i|explain|held|overrides|status|when) |curl )`)

// follow runs a step, and compares.
func (s *session) follow(step step) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		said, err := s.run(step.command)
		switch {
		case step.fails() && err == nil:
			err = fmt.Errorf("it passes, and the document says that it fails: %s", said)
		case !step.fails() && err != nil:
			err = fmt.Errorf("%w: %s", err, said)
		default:
			err = nil
		}
		if difference := differs(said, step.want); err == nil && step.want != "" && difference != "" {
			err = fmt.Errorf("%s", difference)
		}
		if err == nil || !looks.MatchString(step.command) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// document runs every block of a document, in order, each after what prepares it; those that are not run must say why.
func (s *session) document(t *testing.T, path string, prepare ...func(block)) {
	t.Helper()
	list, err := blocks(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range list {
		if b.notRun != "" {
			t.Logf("%s:%d is not run: %s", path, b.line, b.notRun)
			continue
		}
		for _, p := range prepare {
			p(b)
		}
		for _, step := range b.steps() {
			if err := s.follow(step); err != nil {
				t.Errorf("%s:%d: %s\n%v", path, b.line, strings.TrimSpace(step.command), err)
			}
			ran++
		}
	}
	if ran == 0 {
		t.Errorf("%s: nothing is run", path)
	}
}

// freePorts is the first of four free ports in a row.
func freePorts(t *testing.T) int {
	t.Helper()
	for port := 21000; port < 32000; port += 4 {
		free := true
		for p := port; p < port+4; p++ {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				free = false
				break
			}
			_ = listener.Close()
		}
		if free {
			return port
		}
	}
	t.Fatal("no four free ports")
	return 0
}

// playing is a session in which make play has a name and ports of its own, so that nobody who plays in the same folder is disturbed.
func playing(t *testing.T) *session {
	t.Helper()
	name, port := fmt.Sprintf("docs-%d", os.Getpid()), freePorts(t)
	s := &session{
		folder: cluster.Root(), state: filepath.Join(t.TempDir(), "state"),
		names: strings.NewReplacer("http://fonster-page.fonster-system", fmt.Sprintf("http://127.0.0.1:%d", port), // its Service, inside a cluster
			"BYDAY=SA", "BYDAY="+strings.ToUpper(time.Now().AddDate(0, 0, 3).Format("Mon")[:2]), // which is not today
			".local/play.kubeconfig", ".local/"+name+".kubeconfig", ".local/play/play/", ".local/play/"+name+"/", "127.0.0.1:8190", fmt.Sprintf("127.0.0.1:%d", port)),
		namesBack:   strings.NewReplacer(name, "play", fmt.Sprintf("127.0.0.1:%d", port), "127.0.0.1:8190"),
		environment: []string{"PLAY=" + name, fmt.Sprintf("PLAY_PORT=%d", port)},
	}
	t.Cleanup(func() {
		if out, err := s.run("make --no-print-directory play-down"); err != nil {
			t.Errorf("make play-down: %v\n%s", err, out)
		}
	})
	return s
}

// TestPlayedDocuments follows README, and the other documents for which the cluster that one may play in is enough. README shows a refusal
// before it says how to get there, so the cluster is there from the first.
func TestPlayedDocuments(t *testing.T) {
	s := playing(t)
	if out, err := s.run("make --no-print-directory play && export KUBECONFIG=$PWD/.local/play.kubeconfig PATH=$PWD/.local/bin:$PWD/bin:$PATH"); err != nil {
		t.Fatalf("make play: %v\n%s", err, out)
	}
	for _, path := range []string{"README.md", "docs/tour.md", "docs/overrides.md", "docs/troubleshooting.md"} {
		t.Run(path, func(t *testing.T) { s.document(t, path) })
	}
	t.Run("docs/announce.md", s.announcing)
	t.Run("what was played with stays, and what else runs is left alone", func(t *testing.T) {
		other, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		port := other.Addr().(*net.TCPAddr).Port
		out, err := s.run(fmt.Sprintf("PLAY_PORT=%d make --no-print-directory play", port))
		if err == nil || !strings.Contains(out, fmt.Sprintf("port %d of 127.0.0.1 is taken by something else", port)) {
			t.Errorf("a port that is taken: %v\n%s", err, out)
		}
		if out, err := s.run("kubectl create namespace mine && make --no-print-directory play && kubectl get namespace mine"); err != nil {
			t.Errorf("again: %v\n%s", err, out)
		}
	})
	t.Run("docs/hold.md", s.holding) // at the end of which nothing is bound any more
}

// build is make build, once for all tests: it writes programs that others run.
var build = sync.OnceValue(func() error {
	if out, err := exec.Command("make", "-C", cluster.Root(), "--no-print-directory", "build").CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	return nil
})

// programs is a session in a folder, with the programs built and on the PATH; names replace what documents write, in pairs.
func programs(t *testing.T, folder string, names ...string) *session {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	root := cluster.Root()
	return &session{
		folder: folder, state: filepath.Join(t.TempDir(), "state"), names: strings.NewReplacer(names...), namesBack: strings.NewReplacer(),
		environment: []string{"PATH=" + root + "/.local/bin:" + root + "/bin:" + os.Getenv("PATH")},
	}
}

// installing is the same with a cluster of its own, in which nothing is.
func installing(t *testing.T, name, folder string, names ...string) (*session, *cluster.Cluster) {
	t.Helper()
	s := programs(t, folder, names...)
	c, err := cluster.StartPlain(fmt.Sprintf("fonster-%s-%d", name, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.environment = append(s.environment, "KUBECONFIG="+c.Kubeconfig)
	return s, c
}

// must runs a command that must succeed, and returns what it printed.
func (s *session) must(t *testing.T, command string) string {
	t.Helper()
	out, err := s.run(command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.TrimSpace(command), err, out)
	}
	return out
}

// TestInstalling follows docs/install.md in a cluster in which nothing is.
func TestInstalling(t *testing.T) {
	t.Parallel()
	s, c := installing(t, "install", cluster.Root(), "~/", t.TempDir()+"/")
	s.must(t, "kubectl create namespace osthammar && kubectl label namespace osthammar kommun=osthammar")
	var operator *cluster.Operator
	s.document(t, "docs/install.md", func(b block) {
		switch { // kwok runs no programs: this one runs beside its pods
		case strings.Contains(b.text, "condition=Enforced"):
			var err error
			if operator, err = c.StartOperator(t.Context()); err != nil {
				t.Fatal(err)
			}
		case strings.Contains(b.text, "make uninstall"):
			operator.Kill()
		}
	})
}

// TestAdopting follows docs/adopt.md with the samples for windows, and the tests of those.
func TestAdopting(t *testing.T) {
	root := cluster.Root()
	s := programs(t, t.TempDir())
	for _, command := range []string{
		"mkdir windows && cp " + root + "/config/samples/{hold/*,freezes,weekday-nights}.yaml windows/",
		"cp " + root + "/docs/examples/window-tests.yaml tests.yaml",
		"cp " + root + "/internal/calendar/testdata/outlook.ics calendar.ics",
		"gunzip < " + root + "/offline/replay/testdata/recorded/audit.log.gz > audit.log",
	} {
		s.must(t, command)
	}
	s.document(t, "docs/adopt.md")
}
