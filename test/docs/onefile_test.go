package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fonster.dev/fonster/test/cluster"
)

// towns are two namespaces with a workload each, and windows over them that are closed for a year: one refuses, one holds.
const towns = `
for town in heby tierp; do
  kubectl create namespace $town
  kubectl label namespace $town kommun=$town
  kubectl -n $town create deployment web --image=app:1
  kubectl -n $town rollout status --timeout=60s deployment/web
done
`

// closedWindows are those windows; of what enforcement, by town.
const closedWindows = `
day=$(date -u -d '+1 year' +%F)
for window in heby/Deny tierp/Hold; do kubectl apply -f - <<END
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: ${window%/*}}
spec:
  timeZone: UTC
  schedules: [{dates: ["$day"], startTime: "09:00", endTime: "20:00"}]
  namespaceSelector: {matchLabels: {kommun: "${window%/*}"}}
  enforcement: ${window#*/}
END
done
kubectl wait --for=condition=Enforced --timeout=60s mw/heby mw/tierp
kubectl -n heby wait --for=create --timeout=30s gate/gate
kubectl -n tierp wait --for=create --timeout=30s gate/gate
`

// everything prints all objects but those that come and go by themselves, each on a line, and then whatever text of theirs names Fonster.
const everything = `
kinds=$(kubectl api-resources --verbs=list -o name | grep -vE '^(events|leases|componentstatuses)(\.|$)' | paste -sd,)
kubectl get "$kinds" -A --ignore-not-found -o jsonpath='{range .items[*]}{.apiVersion} {.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}'
kubectl get "$kinds" -A --ignore-not-found -o yaml | grep -i fonster || true
`

// theBlock is the one block of a document that has a text in it.
func theBlock(t *testing.T, path, text string) block {
	t.Helper()
	list, err := blocks(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	list = slices.DeleteFunc(list, func(b block) bool { return !strings.Contains(b.text, text) })
	if len(list) != 1 {
		t.Fatalf("%s: %d blocks with %q, want one", path, len(list), text)
	}
	return list[0]
}

// TestOneFile installs what a release has for kubectl, install.yaml, as docs/install.md says; windows govern then; and removes it in both ways
// that it names, after which nothing of it is left.
func TestOneFile(t *testing.T) {
	t.Parallel()
	root, folder := cluster.Root(), t.TempDir()
	theRemoval := theBlock(t, "docs/install.md", "make uninstall")
	byImage := theBlock(t, "docs/install.md", "-f install.yaml")
	container, _, _ := strings.Cut(byImage.text, " remove --crds")
	// What the image runs is run as a process; and the folder is not the clone, whose dist/ is left alone.
	s, c := installing(t, "one-file", folder, "~/", folder+"/", container, "fonster", "make ", "make --no-print-directory -C "+root+" ", "-f install.yaml", "-f dist/install.yaml")
	do := func(command string) string {
		t.Helper()
		return s.must(t, command)
	}
	follow := func(b block) {
		t.Helper()
		for _, step := range b.steps() {
			if err := s.follow(step); err != nil {
				t.Fatalf("line %d: %s\n%v", b.line, strings.TrimSpace(step.command), err)
			}
		}
	}
	do("mkdir dist && go -C " + root + "/hack/release run . manifest -version v0.1.0 -image registry.example.se/fonster >dist/install.yaml")
	do(towns)
	before := do(everything)
	for _, removal := range []block{theRemoval, byImage} {
		follow(theBlock(t, "docs/install.md", "dist/install.yaml"))
		do("for name in controller-manager page; do kubectl -n fonster-system rollout status --timeout=60s deployment/fonster-$name; done")
		operator, err := c.StartOperator(t.Context()) // kwok runs no programs: this one runs beside its pods
		if err != nil {
			t.Fatal(err)
		}
		do(closedWindows)
		refused := func(when string) {
			t.Helper()
			if out, err := s.run("kubectl -n heby set image deployment/web app=app:2 --dry-run=server"); err == nil || !strings.Contains(out, "Rollout of Deployment heby/web is outside its maintenance windows (heby)") {
				t.Fatalf("%s: a rollout in a closed namespace: %v\n%s", when, err, out)
			}
		}
		refused("installed")
		do("kubectl apply --server-side --force-conflicts -f dist/install.yaml") // as to another version
		refused("applied once more")
		if out := do("kubectl -n tierp set image deployment/web app=app:2; kubectl -n tierp get deployment web -o yaml"); !strings.Contains(out, "paused: true") {
			t.Fatalf("not held:\n%s", out)
		}
		if out, err := s.run(removal.text); err == nil || !strings.Contains(out, "Deployment tierp/web") {
			t.Fatalf("removed while a rollout is held: %v\n%s", err, out)
		}
		refused("the removal was refused")
		do("kubectl -n tierp set image deployment/web app=app:1; kubectl window held -A")
		operator.Kill()
		follow(removal)
		do("kubectl -n heby set image deployment/web app=app:2 --dry-run=server")
		cluster.Eventually(t, 30*time.Second, func() error {
			if left := added(before, do(everything)); len(left) > 0 {
				return fmt.Errorf("after\n%s\nthere is left:\n%s", removal.text, strings.Join(left, "\n"))
			}
			return nil
		})
	}
}

// added are the lines that a text has and another, before it, has not.
func added(before, after string) (lines []string) {
	known := map[string]bool{}
	for line := range strings.Lines(before) {
		known[line] = true
	}
	for line := range strings.Lines(after) {
		if !known[line] {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return lines
}
