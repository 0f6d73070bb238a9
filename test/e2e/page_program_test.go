package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

// TestPageMayOnlyRead: beside what every service account may, the page's may read what is announced, and nothing else. Windows and freezes
// everybody may read, by the binding that a platform team may leave out.
func TestPageMayOnlyRead(t *testing.T) {
	lists := func(account, namespace string) []string {
		out, err := shared.Kubectl("auth", "can-i", "--list", "-n", namespace, "--as", "system:serviceaccount:"+policy.DefaultNamespace+":"+account)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var lines []string
		for line := range strings.Lines(out) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return lines
	}
	announced := []string{"changefreezes.maintenance.fonster.dev [] [] [get list watch]", "maintenancewindows.maintenance.fonster.dev [] [] [get list watch]"}
	for namespace, more := range map[string][]string{"default": nil, policy.DefaultNamespace: {"configmaps [] [] [get list watch]"}} {
		anybody := slices.DeleteFunc(lists("anybody", namespace), func(line string) bool { return slices.Contains(announced, line) })
		may := slices.DeleteFunc(lists(cluster.PageServiceAccount, namespace), func(line string) bool { return slices.Contains(anybody, line) })
		slices.Sort(may)
		want := slices.Concat(announced, []string{"namespaces [] [] [get list watch]"}, more)
		slices.Sort(want)
		if !slices.Equal(may, want) {
			t.Errorf("in %s it may\n%s\nwant\n%s", namespace, strings.Join(may, "\n"), strings.Join(want, "\n"))
		}
	}

	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := window(t, ns, ns, nextYear())
	token, err := shared.ServiceAccountToken(t.Context(), policy.DefaultNamespace, cluster.PageServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(shared.Config)
	config.BearerToken = token
	c, err := shared.Client(config)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"labelling a namespace": c.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, mergePatch(`{"metadata":{"labels":{"x":"y"}}}`)),
		"a rollout":             setImage(t.Context(), c, d, "app:2"),
		"reading workloads":     c.List(t.Context(), &appsv1.DeploymentList{}),
		"reading secrets":       c.List(t.Context(), &corev1.SecretList{}, client.InNamespace(policy.DefaultNamespace)),
		"reading pods":          c.List(t.Context(), &corev1.PodList{}, client.InNamespace(policy.DefaultNamespace)),
		"reading others' maps":  c.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns)),
		"reading Gates":         c.List(t.Context(), &v1alpha1.GateList{}),
		"reading roles":         c.List(t.Context(), &rbacv1.ClusterRoleList{}),
		"writing a window":      c.Patch(t.Context(), mw.DeepCopy(), mergePatch(`{"spec":{"title":"x"}}`)),
		"writing its status":    c.Status().Patch(t.Context(), mw.DeepCopy(), mergePatch(`{"status":{"overrides":[]}}`)),
		"writing a record": c.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: policy.DefaultNamespace, Name: ns, Labels: map[string]string{v1alpha1.AnnouncedLabel: "true"},
		}}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// readers is how many ask for the page at once.
const readers = 200

// TestPageUnderLoad: 200 ask at once, again and again, while the window they ask for is changed five times a second. Nobody is refused;
// each document is whole, and of one version; nobody is told what was before after what came later; and what is changed is shown within
// seconds.
func TestPageUnderLoad(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	mw := window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Title, mw.Spec.Audiences = "Version 0.", []string{"load"}
	})
	eventually(t, 5*time.Second, func() error {
		if response, _ := page(t, "/load/windows.json"); response.StatusCode != http.StatusOK {
			return fmt.Errorf("no page yet: %d", response.StatusCode)
		}
		return nil
	})
	const span, late = 8 * time.Second, 5 * time.Second
	var mu sync.Mutex
	written := []time.Time{time.Now()} // by version
	latest := func(at time.Time) int {
		mu.Lock()
		defer mu.Unlock()
		for v := len(written) - 1; v > 0; v-- {
			if written[v].Before(at) {
				return v
			}
		}
		return 0
	}
	var answered, failed atomic.Int64
	fail := func(format string, args ...any) {
		if failed.Add(1) <= 5 {
			t.Errorf(format, args...)
		}
	}
	seen := make([]map[int]bool, readers)
	transport := &http.Transport{MaxIdleConnsPerHost: readers}
	defer transport.CloseIdleConnections()
	asker := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	end := time.Now().Add(span)
	var all sync.WaitGroup
	for n := range readers {
		seen[n] = map[int]bool{}
		all.Go(func() {
			last := 0
			for i := n; time.Now().Before(end); i++ {
				path := []string{"/sv/load/", "/load/windows.json", "/sv/load/calendar.ics", "/en/load/feed.atom", "/sv/"}[i%5]
				asked := time.Now()
				version, err := versionOf(asker, pages.URL+path, mw)
				switch {
				case err != nil:
					fail("%s: %v", path, err)
				case version < last:
					fail("%s: version %d after version %d", path, version, last)
				case version < latest(asked.Add(-late)):
					fail("%s: version %d, while %d was there %s before", path, version, latest(asked.Add(-late)), late)
				}
				last = max(last, version)
				seen[n][version] = true
				answered.Add(1)
			}
		})
	}
	for v := 1; time.Now().Before(end); v++ {
		wantPassed(t, shared.Admin.Patch(t.Context(), mw.DeepCopy(), mergePatch(`{"spec":{"title":"Version %d."}}`, v)))
		mu.Lock()
		written = append(written, time.Now())
		mu.Unlock()
		time.Sleep(200 * time.Millisecond)
	}
	all.Wait()
	versions := map[int]bool{}
	for _, of := range seen {
		for v := range of {
			versions[v] = true
		}
	}
	fmt.Printf("page %d readers at once: %d answers in %s, %d refused or wrong; %d versions of %d seen\n", readers, answered.Load(), span, failed.Load(), len(versions), len(written))
	if len(versions) < 5 || answered.Load() < 2*readers {
		t.Errorf("only %d versions were seen in %d answers", len(versions), answered.Load())
	}
	eventually(t, late, func() error {
		if v, err := versionOf(asker, pages.URL+"/load/windows.json", mw); err != nil || v != len(written)-1 {
			return fmt.Errorf("version %d, %w", v, cmp.Or(err, errors.New("want the last")))
		}
		return nil
	})
}

var versionPattern = regexp.MustCompile(`Version (\d+)\.`)

// versionOf reads a document, and which version of the window it tells of.
func versionOf(c *http.Client, url string, mw *v1alpha1.MaintenanceWindow) (int, error) {
	response, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%d: %w", response.StatusCode, cmp.Or(err, errors.New(string(body))))
	}
	text := strings.ReplaceAll(string(body), "\r\n ", "")
	for ending, whole := range map[string]string{"/": "</html>\n", ".ics": "END:VCALENDAR\r\n", ".atom": "</feed>\n", ".json": "}\n"} {
		if strings.HasSuffix(url, ending) && !strings.HasSuffix(string(body), whole) {
			return 0, fmt.Errorf("it does not end with %q", whole)
		}
	}
	found := versionPattern.FindAllStringSubmatch(text, -1)
	if found == nil {
		return 0, fmt.Errorf("it does not tell of the window: %s", text)
	}
	for _, f := range found {
		if f[1] != found[0][1] {
			return 0, fmt.Errorf("it tells of versions %s and %s", f[1], found[0][1])
		}
	}
	if strings.HasSuffix(url, ".json") {
		var document announced
		if err := json.Unmarshal(body, &document); err != nil {
			return 0, err
		}
		date := mw.Spec.Schedules[0].Dates[0]
		told := 0
		for _, o := range document.Occurrences { // common windows of other tests too
			if o.Name == mw.Name && o.Start == date+"T09:00:00Z" && o.End == date+"T20:00:00Z" {
				told++
			}
		}
		if told != 1 {
			return 0, fmt.Errorf("want %s, 9 to 20: %+v", date, document.Occurrences)
		}
	}
	return strconv.Atoi(found[0][1])
}

// TestPageRefusesWhatItDoesNotServe: methods that are not for reading, requests that are too large, and paths that lead nowhere.
func TestPageRefusesWhatItDoesNotServe(t *testing.T) {
	for _, tc := range []struct {
		method, path, header string
		status               int
	}{
		{http.MethodPost, "/", "", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/windows.json", "", http.StatusMethodNotAllowed},
		{http.MethodOptions, "*", "", http.StatusMethodNotAllowed},
		{http.MethodGet, "/" + strings.Repeat("a", 30_000), "", http.StatusRequestHeaderFieldsTooLarge},
		{http.MethodGet, "/", strings.Repeat("a", 30_000), http.StatusRequestHeaderFieldsTooLarge},
		{http.MethodGet, "/healthz", "", http.StatusNotFound}, // on a port of its own
		{http.MethodGet, "/../etc/passwd", "", http.StatusNotFound},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tc.method, pages.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Opaque = tc.path
		if tc.header != "" {
			request.Header.Set("Accept-Language", tc.header)
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != tc.status {
			t.Errorf("%s %.20s: %d, want %d", tc.method, tc.path, response.StatusCode, tc.status)
		}
	}
}
