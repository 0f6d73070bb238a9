package docs

import (
	"regexp"
	"strings"
	"testing"
)

// arguments are the items of a list that a manifest has for args.
var arguments = regexp.MustCompile(`(?m)^- (--page-.*)$`)

// announcing follows docs/announce.md: the API server accepts its manifests, and the page its flags.
func (s *session) announcing(t *testing.T) {
	s.document(t, "docs/announce.md", func(b block) {
		if b.language != "yaml" {
			return
		}
		command := "kubectl apply --dry-run=server -f - <<'END'\n" + b.text + "END\n"
		if found := arguments.FindAllStringSubmatch(b.text, -1); found != nil {
			command = "fonster-page --version"
			for _, m := range found {
				command += " '" + m[1] + "'"
			}
		}
		if out, err := s.run(command); err != nil {
			t.Errorf("line %d: %v\n%s", b.line, err, out)
		}
	})
}

// others are a StatefulSet and a DaemonSet beside the Deployment in Östhammar, as docs/hold.md names them.
const others = `
for kind in StatefulSet/db DaemonSet/agent; do kubectl -n osthammar apply -f - <<END
apiVersion: apps/v1
kind: ${kind%/*}
metadata: {name: ${kind#*/}}
spec:
  selector: {matchLabels: {app: ${kind#*/}}}
  template:
    metadata: {labels: {app: ${kind#*/}}}
    spec: {containers: [{name: app, image: "app:1"}]}
END
kubectl -n osthammar rollout status $kind --timeout=60s
done
kubectl delete mw --all
`

// answered is a row of the table in docs/hold.md: a command, and what kubectl answers.
var answered = regexp.MustCompile("(?m)^\\| `kubectl ([^`]+)` \\| ([^|]*`[^|]+) \\|")

// holding follows docs/hold.md: a window like its own, what it says that kubectl says, and what to do where no operator is left.
func (s *session) holding(t *testing.T) {
	do := func(command string) { t.Helper(); s.must(t, command) }
	text := read(t, "docs/hold.md")
	s.document(t, "docs/hold.md", func(b block) {
		switch {
		case b.language == "yaml":
			do(others)
			do("kubectl apply -f - <<'END'\n" + b.text + "END\nkubectl wait --for=condition=Enforced --timeout=30s mw/saturdays")
			do("kubectl -n osthammar wait --for=jsonpath='{.spec.summary.by}'=saturdays --timeout=30s gate/gate")
		case strings.Contains(b.text, "policybindings"):
			do("for o in statefulset/db daemonset/agent; do kubectl -n osthammar set image $o app=app:9; done")
			s.answers(t, text)
			do("kill -9 $(<.local/play/play/fonster.pid)")
		}
	})
	for _, o := range []string{"deployment/web", "statefulset/db", "daemonset/agent"} {
		do("kubectl -n osthammar rollout status --timeout=60s " + o + " && kubectl -n osthammar get " + o + " -o yaml | grep 'image: app:9'")
	}
	if out, err := s.run("kubectl get deployments,statefulsets,daemonsets -A -o yaml | grep maintenance.fonster.dev/held"); err == nil {
		t.Errorf("still marked:\n%s", out)
	}
}

// answers runs the commands of the table, and wants one of the answers that it quotes.
func (s *session) answers(t *testing.T, text string) {
	t.Helper()
	ran := 0
	for _, row := range answered.FindAllStringSubmatch(text, -1) {
		command, wait := row[1], ""
		switch {
		case strings.HasPrefix(command, "diff"):
			continue // without a file it is no command
		case strings.HasPrefix(command, "rollout status"):
			wait = " --timeout=1s"
		}
		ran++
		out, _ := s.run("kubectl -n osthammar " + command + wait)
		found := false
		for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			found = found || strings.Contains(out, strings.TrimSuffix(quoted[1], "..."))
		}
		if !found {
			t.Errorf("kubectl %s says\n%s\nthe document has %s", command, out, row[2])
		}
	}
	if ran < 6 {
		t.Errorf("only %d commands of the table were found", ran)
	}
}
