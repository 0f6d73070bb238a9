package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/test/cluster"
)

// recipes are the YAML documents of docs/ci.md, by the heading that they stand under.
func recipes(t *testing.T) map[string][]map[string]any {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(cluster.Root(), "docs/ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]map[string]any{}
	heading, block, in := "", "", false
	for line := range strings.Lines(string(page)) {
		switch {
		case strings.HasPrefix(line, "## "):
			heading = strings.TrimSpace(strings.TrimPrefix(line, "## "))
		case strings.HasPrefix(line, "```yaml"):
			block, in = "", true
		case strings.HasPrefix(line, "```") && in:
			in = false
			for document := range strings.SplitSeq(block, "\n---\n") {
				var object map[string]any
				if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
					t.Fatalf("under %s: %v\n%s", heading, err, document)
				}
				found[heading] = append(found[heading], object)
			}
		case in:
			block += line
		}
	}
	return found
}

// commandsIn are the lines of the plugin in a recipe: what a shell runs, and the arguments of a container.
func commandsIn(value any) (commands []string) {
	switch v := value.(type) {
	case string:
		for line := range strings.Lines(v) {
			if rest, is := strings.CutPrefix(strings.TrimSpace(line), "kubectl window "); is {
				commands = append(commands, rest)
			}
		}
	case []any:
		for _, item := range v {
			commands = append(commands, commandsIn(item)...)
		}
	case map[string]any:
		if command, is := v["command"].([]any); is && len(command) == 1 && command[0] == "kubectl-window" {
			commands = append(commands, strings.Trim(fmt.Sprint(v["args"]), "[]"))
		}
		for _, item := range v {
			commands = append(commands, commandsIn(item)...)
		}
	}
	return commands
}

// TestRecipesForPipelines runs what docs/ci.md says a pipeline runs, as a service account with the Role that it says it takes: it waits
// while the window is closed, and goes on when it is open.
func TestRecipesForPipelines(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	deployment(t, ns, "web", 1)
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "pipeline"}})
	found := recipes(t)
	for _, object := range found["The rights"] {
		content, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		role := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(content), "osthammar", ns)), &role.Object); err != nil {
			t.Fatal(err)
		}
		create(t, role)
	}
	user := "system:serviceaccount:" + ns + ":pipeline"
	closed := window(t, ns, ns, nextYear())
	timeout := regexp.MustCompile(`--timeout \S+`)
	steps := map[string]int{"GitHub Actions": 1, "GitLab": 1, "Tekton": 1}
	each := func(wantCode int, wantText string) {
		t.Helper()
		for under, want := range steps {
			var commands []string
			for _, object := range found[under] {
				commands = append(commands, commandsIn(object)...)
			}
			if len(commands) != want {
				t.Errorf("%s: %d commands, want %d: %q", under, len(commands), want, commands)
			}
			for _, command := range commands {
				command = strings.NewReplacer("osthammar", ns, "$(params.workload)", "deployment/web", "$(params.timeout)", "1h").Replace(command)
				args := strings.Fields(timeout.ReplaceAllString(command, "--timeout 2s"))
				if !strings.Contains(command, "-n ") { // in a pod it is that of the pod
					args = append(args, "-n", ns)
				}
				eventually(t, 10*time.Second, func() error { // the rights are seen a little later
					code, out, errs := kubectlWindow(t, user, args...)
					if code != wantCode || !strings.Contains(out+errs, wantText) {
						return fmt.Errorf("%s: %v: code %d %s%s", under, args, code, out, errs)
					}
					return nil
				})
			}
		}
	}
	each(1, "after 2s it may not begin yet: Deployment "+ns+"/web: no, refused: from ")
	wantPassed(t, shared.Admin.Delete(t.Context(), closed))
	window(t, ns+"-open", ns, always())
	each(0, "Deployment "+ns+"/web: yes: until ")

	job := found["GitHub Actions"][0]["jobs"].(map[string]any)["deploy"].(map[string]any)
	for _, step := range job["steps"].([]any) {
		if s := step.(map[string]any); s["run"] == nil || s["name"] == nil {
			t.Errorf("a step that runs nothing: %v", s)
		}
	}
	for i, kind := range []string{"Task", "TaskRun"} {
		if o := found["Tekton"][i]; o["kind"] != kind || o["apiVersion"] != "tekton.dev/v1" {
			t.Errorf("%v", o)
		}
	}
}
