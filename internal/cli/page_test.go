package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/history"
	"fonster.dev/fonster/internal/policy"
)

// served is the page while the command serves it.
type served struct {
	*testing.T
	url  string
	errs *bytes.Buffer
	end  func() int
}

// serve runs kubectl window page, over a cluster that holds objects.
func serve(t *testing.T, connect func() (client.Client, error), args ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	reader, writer := io.Pipe()
	s := &served{T: t, errs: &bytes.Buffer{}}
	r := &root{Streams: Streams{In: strings.NewReader(""), Out: writer, Err: s.errs}, now: func() time.Time { return now.Add(time.Since(began)) }, zone: time.UTC, connect: connect}
	code := make(chan int, 1)
	go func() {
		code <- r.run(ctx, append([]string{"page", "--port", "0"}, args...))
		_ = writer.Close()
	}()
	line := make([]byte, 200)
	n, _ := reader.Read(line)
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	s.end = func() int { cancel(); return <-code }
	t.Cleanup(cancel)
	if found := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).Find(line[:n]); found != nil {
		s.url = string(found)
		return s
	}
	t.Fatalf("it says %q and ends with %d: %s", line[:n], s.end(), s.errs)
	return nil
}

func (s *served) get(path string) (int, string) {
	s.Helper()
	response, err := http.Get(s.url + path)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// states are the states of a window's occurrences, by the day on which they begin.
func (s *served) states(window string) map[string]string {
	s.Helper()
	var document struct {
		Occurrences []struct{ Name, State, Start string }
	}
	if _, body := s.get("windows.json"); json.Unmarshal([]byte(body), &document) != nil {
		s.Fatal(body)
	}
	found := map[string]string{}
	for _, o := range document.Occurrences {
		if o.Name == window {
			found[o.Start[:10]] = o.State
		}
	}
	return found
}

func none404() (client.Client, error) { panic("no cluster is needed") }

// TestPageOfFiles: the page of manifests, without a cluster, as it is at an instant; a file that is saved is read again.
func TestPageOfFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "window.yaml")
	write := func(title string) {
		text := "apiVersion: maintenance.fonster.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {name: w}\nspec:\n  title: " + title + `
  timeZone: Europe/Stockholm
  audiences: [heby]
  schedules: [{dates: ["2026-12-05"], startTime: "09:00", endTime: "20:00"}]
  namespaceSelector: {}
`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Byte av brandvägg")
	s := serve(t, none404, "-f", file, "--page-audiences=heby=Heby kommun")
	if code, body := s.get("sv/heby/"); code != http.StatusOK || !strings.Contains(body, "Byte av brandvägg") || !strings.Contains(body, "Heby kommun") {
		t.Errorf("%d:\n%s", code, body)
	}
	time.Sleep(300 * time.Millisecond) // a page is drawn five times a second at most
	write("Byte av växel")
	if _, body := s.get("sv/heby/"); !strings.Contains(body, "Byte av växel") {
		t.Errorf("the file was not read again:\n%s", body)
	}
	time.Sleep(300 * time.Millisecond)
	write("[") // as it is while somebody writes
	if code, body := s.get("sv/"); code != http.StatusServiceUnavailable || !strings.Contains(body, "window.yaml") {
		t.Errorf("a file that cannot be read: %d: %s", code, body)
	}
	if code := s.end(); code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
	open := serve(t, none404, "-f", notice, "--at", "2021-05-13T10:00:00+02:00")
	if got := open.states("osthammar-2021"); got["2021-05-13"] != "open" || got["2021-05-15"] != "upcoming" {
		t.Errorf("on 13 May 2021: %v", got)
	}
}

// TestPageBeforeApplying: the cluster's page as it is once a manifest is applied, with what that moves.
func TestPageBeforeApplying(t *testing.T) {
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "w", Generation: 1, CreationTimestamp: metav1.NewTime(now.AddDate(0, -1, 0))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-12-05"}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{},
		},
	}
	other := mw.DeepCopy()
	other.Name, other.UID = "other", "other"
	record := history.Next(nil, mw, history.Over{}, now.AddDate(0, -1, 0))
	data, err := record.Data()
	if err != nil {
		t.Fatal(err)
	}
	stored := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: policy.DefaultNamespace, Name: "announced-w", Labels: map[string]string{v1alpha1.AnnouncedLabel: "true"}}, Data: data,
	}
	connect := func() (client.Client, error) { return clusterWith(mw, other, stored) }
	file := filepath.Join(t.TempDir(), "window.yaml")
	text := "apiVersion: maintenance.fonster.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {name: w}\nspec:\n  timeZone: UTC\n" +
		"  schedules: [{dates: [\"2026-12-12\"], startTime: \"09:00\", endTime: \"20:00\"}]\n  namespaceSelector: {}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serve(t, connect).states("w"); len(got) != 1 || got["2026-12-05"] != "upcoming" {
		t.Errorf("the cluster's page: %v", got)
	}
	s := serve(t, connect, "--all", "-f", file)
	if got := s.states("w"); got["2026-12-05"] != "moved" || got["2026-12-12"] != "upcoming" {
		t.Errorf("as it will be: %v", got)
	}
	if got := s.states("other"); got["2026-12-05"] != "upcoming" {
		t.Errorf("what the file does not change: %v", got)
	}
	if got := serve(t, connect, "-f", file).states("other"); len(got) != 0 {
		t.Errorf("a page of files alone has what the cluster has: %v", got)
	}
}

// TestPageOfWhoMayReadLess: without the right to read what was announced, or Namespaces, there is a page all the same, and a warning.
func TestPageOfWhoMayReadLess(t *testing.T) {
	connect := func() (client.Client, error) {
		c, err := clusterWith()
		if err != nil {
			return nil, err
		}
		return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				switch list.(type) {
				case *corev1.ConfigMapList, *metav1.PartialObjectMetadataList:
					return apierrors.NewForbidden(schema.GroupResource{Resource: "x"}, "", nil)
				}
				return c.List(ctx, list, options...)
			},
		}), nil
	}
	s := serve(t, connect)
	if code, body := s.get("sv/"); code != http.StatusOK {
		t.Errorf("%d: %s", code, body)
	}
	if code := s.end(); code != 0 || strings.Count(s.errs.String(), "you may not read") != 2 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}

// TestPageThatCannotBe: what is wrong is said before anything is served.
func TestPageThatCannotBe(t *testing.T) {
	for title, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no such file":     {[]string{"-f", "nosuch.yaml"}, 1, "nosuch.yaml"},
		"nothing in it":    {[]string{"-f", "page_test.go"}, 1, "page_test.go"},
		"no instant":       {[]string{"-f", notice, "--at", "noon"}, 2, `--at: "noon" is neither`},
		"no port":          {[]string{"-f", notice, "--port", "70000"}, 2, "want a port"},
		"no audience":      {[]string{"-f", notice, "--page-audiences", "Östhammar"}, 2, "is no audience"},
		"no address":       {[]string{"-f", notice, "--page-url", "servicefonster.example.se"}, 2, "is no address of a page"},
		"an argument more": {[]string{"-f", notice, "now"}, 2, "no argument is expected"},
	} {
		code, out, errs := execute(t, "", nil, append([]string{"page"}, tc.args...)...)
		if code != tc.code || !strings.Contains(errs, tc.says) || out != "" {
			t.Errorf("%s: exit %d, want %d and %q: %s%s", title, code, tc.code, tc.says, out, errs)
		}
	}
}
