// Package inputs holds the table of what controllers believe (docs/inputs.md) against the sources of Kubernetes: whatever a new version
// adds must be reviewed.
package inputs

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fonster.dev/fonster/hack/inputs"
	"fonster.dev/fonster/test/cluster"
)

// packages are those of the controllers that delete or replace pods, or let others do it, and of the types that they read; by module.
var packages = map[string][]string{
	"k8s.io/kubernetes": {
		"pkg/controller", "pkg/controller/cronjob", "pkg/controller/daemon", "pkg/controller/daemon/util", "pkg/controller/deployment",
		"pkg/controller/deployment/util", "pkg/controller/devicetainteviction", "pkg/controller/disruption", "pkg/controller/garbagecollector",
		"pkg/controller/history", "pkg/controller/job", "pkg/controller/job/util", "pkg/controller/namespace", "pkg/controller/namespace/deletion",
		"pkg/controller/nodelifecycle", "pkg/controller/nodelifecycle/scheduler", "pkg/controller/podautoscaler", "pkg/controller/podgc",
		"pkg/controller/replicaset", "pkg/controller/replication", "pkg/controller/resourceclaim", "pkg/controller/scheduling/podgroupprotection",
		"pkg/controller/statefulset", "pkg/controller/tainteviction", "pkg/controller/ttlafterfinished", "pkg/controller/util/node",
		"pkg/apis/apps", "pkg/apis/autoscaling", "pkg/apis/batch", "pkg/apis/core", "pkg/apis/core/helper", "pkg/apis/policy", "pkg/apis/scheduling",
		"pkg/kubelet", "pkg/kubelet/eviction", "pkg/kubelet/pod", "pkg/kubelet/preemption", "pkg/kubelet/types",
		"pkg/scheduler", "pkg/scheduler/framework/plugins/defaultpreemption", "pkg/scheduler/framework/preemption",
		"pkg/registry/core/pod/storage", "pkg/util/labels", "pkg/util/taints",
	},
	"k8s.io/api": {"apps/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1", "core/v1", "policy/v1", "resource/v1", "scheduling/v1"},
}

// TestKeys: every annotation, label and taint in those packages was reviewed, and every one that was reviewed is still there.
func TestKeys(t *testing.T) {
	found := map[string]string{} // key to the file that names it
	for module, folders := range packages {
		root := source(t, module)
		for _, folder := range folders {
			for key := range keysOf(parse(t, filepath.Join(root, folder))) {
				found[key] = module + "/" + folder
			}
		}
	}
	if len(found) < 60 {
		t.Fatalf("only %d keys were found: the sources are written in another way now, and keysOf must learn it", len(found))
	}
	reviewed := map[string]bool{}
	for _, group := range inputs.Keys {
		for _, key := range group.Keys {
			if reviewed[key] {
				t.Errorf("%s was reviewed twice", key)
			}
			reviewed[key] = true
			if found[key] == "" {
				t.Errorf("%s is not in the sources any more: take it from hack/inputs/reviewed.go, and from the rows that name it", key)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if !reviewed[key] {
			t.Errorf("%s, in %s, was not reviewed: look who reads it before a pod is deleted or replaced, and who may write it; write a row of "+
				"hack/inputs where that ends pods, with the rule that holds it; then add it to hack/inputs/reviewed.go", key, found[key])
		}
	}
	t.Logf("%d annotations, labels and taints", len(found))
}

// source is the folder of a module, in the version of the control plane that tests run against.
func source(t *testing.T, module string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	command.Dir = filepath.Join(cluster.Root(), "hack", "controlplane")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", module, err, out)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil || downloaded.Dir == "" {
		t.Fatalf("go mod download %s does not say where it is: %v\n%s", module, err, out)
	}
	return downloaded.Dir
}

// parse reads the files of a package, but for its tests.
func parse(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s holds no Go: the controller has moved, and its new package must be reviewed (%v)", folder, err)
	}
	var files []*ast.File
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(filepath.Base(name), "zz_generated") || strings.HasSuffix(name, ".pb.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// key is what an annotation or label with a prefix looks like, and the few of Kubernetes that have none.
var key = regexp.MustCompile(`^([a-z0-9-]+\.)+[a-z]+/[A-Za-z0-9._-]*$|^deprecated\.[a-z.]+$|^(pod-template|controller-revision)-[a-z]+$`)

// keysOf finds them among the strings of a package; one that is put together from strings and constants of the package, too.
func keysOf(files []*ast.File) map[string]bool {
	constants, keys := map[string]string{}, map[string]bool{}
	var text func(e ast.Expr) string
	text = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
				return s
			}
		case *ast.Ident:
			return constants[e.Name]
		case *ast.BinaryExpr:
			if left, right := text(e.X), text(e.Y); e.Op == token.ADD && left != "" && right != "" {
				return left + right
			}
		}
		return ""
	}
	each := func(look func(ast.Node)) {
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				if _, imports := n.(*ast.ImportSpec); imports {
					return false
				}
				look(n)
				return true
			})
		}
	}
	each(func(n ast.Node) {
		if n, ok := n.(*ast.ValueSpec); ok {
			for i := range n.Values {
				constants[n.Names[i].Name] = text(n.Values[i])
			}
		}
	})
	each(func(n ast.Node) {
		if e, ok := n.(ast.Expr); ok {
			if s := text(e); key.MatchString(s) {
				keys[s] = true
			}
		}
	})
	return keys
}
