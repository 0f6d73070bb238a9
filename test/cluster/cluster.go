// Package cluster starts what the end-to-end tests and benchmarks run against: a real control plane of its own, with Fonster
// installed, and the operator as a process that has no more rights than its own ServiceAccount.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// Cluster is a running control plane with Fonster's CRDs, policies and RBAC.
type Cluster struct {
	// Name is the kwok cluster's name; Kubeconfig the path of its administrator's kubeconfig.
	Name       string
	Kubeconfig string
	Config     *rest.Config
	// Admin is a client with every right.
	Admin client.Client
	// Namespace is that in which Fonster is installed.
	Namespace string

	root     string
	folder   string
	operator *Operator
	page     *Page
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// controllers are all but the one that checks the types of policies: of that comes a status alone, and for Fonster's it takes eight seconds of
// CPU with each installation. TypeChecks, as a variable for Start, has it run.
const (
	controllers = "CONTROLLER_MANAGER_ARGS=controllers=*,-validatingadmissionpolicy-status-controller"
	TypeChecks  = "CONTROLLER_MANAGER_ARGS="
)

// unelected: controllers and scheduler, of which there is one each, hold no leases, which are a write each second, and without which they end
// where etcd stands still. Elected, as a variable for Start, has them hold leases.
const (
	unelected = "LEADER_ELECT=false"
	Elected   = "LEADER_ELECT=true"
)

// roomy are variables of the Go runtime, by which the programs of a control plane collect garbage less often, while they have the memory.
// AsShipped are variables for Start that take it back, where CPU is measured.
var (
	roomy     = []string{"GOGC=400", "GOMEMLIMIT=1GiB"}
	AsShipped = []string{"GOGC=100", "GOMEMLIMIT=off"}
)

// Controllers has the controller manager of a cluster take more flags: it returns a variable for Start.
func Controllers(flags string) string { return controllers + " " + flags }

// Start starts a cluster and installs Fonster in it; the operator is not yet running. Environment variables for the cluster
// script may be given as KEY=VALUE.
func Start(name string, environment ...string) (*Cluster, error) {
	c, err := StartPlain(name, environment...)
	if err != nil {
		return nil, err
	}
	if err := c.Install(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// StartPlain starts a cluster without Fonster.
func StartPlain(name string, environment ...string) (*Cluster, error) {
	folder, err := os.MkdirTemp("", "fonster-"+name)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Name: name, Namespace: policy.DefaultNamespace, root: Root(), folder: folder, Kubeconfig: filepath.Join(folder, "kubeconfig")}
	up := exec.Command(filepath.Join(c.root, "hack/controlplane/cluster.sh"), "up", name)
	up.Env = slices.Concat(os.Environ(), roomy, []string{"KUBECONFIG_OUT=" + c.Kubeconfig, controllers, unelected}, environment)
	if output, err := up.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("starting the cluster: %w\n%s", err, output)
	}
	if c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return nil, err
	}
	ctrl.SetLogger(logr.Discard()) // or controller-runtime complains, with a stack, that nothing takes its logs
	c.Config.QPS = -1
	if c.Admin, err = client.New(c.Config, client.Options{Scheme: Scheme()}); err != nil {
		return nil, err
	}
	return c, nil
}

// Audited has the API server of a cluster write an audit log to a path, of all that changes something in some namespaces, and Namespaces, with objects
// before and after: it returns a variable for Start. The log is written before the answer is.
func Audited(path string, namespaces ...string) (string, error) {
	policy := "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n" +
		"- {level: None, verbs: [get, list, watch]}\n- {level: RequestResponse, namespaces: [" + strings.Join(namespaces, ", ") + "]}\n" +
		"- {level: RequestResponse, resources: [{group: \"\", resources: [namespaces]}]}\n- {level: None}\n"
	if err := os.WriteFile(path+".policy.yaml", []byte(policy), 0o600); err != nil {
		return "", err
	}
	return "API_SERVER_ARGS=audit-policy-file=" + path + ".policy.yaml audit-log-path=" + path + " audit-log-mode=blocking", nil
}

// Install does what make install does.
func (c *Cluster) Install() error {
	install := exec.Command(filepath.Join(c.root, "hack/install.sh"))
	install.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("installing: %w\n%s", err, out)
	}
	return nil
}

// Scheme knows the built-in kinds and Fonster's.
func Scheme() *apiruntime.Scheme {
	scheme := apiruntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		panic(err)
	}
	return scheme
}

// Stop ends the operator and the cluster.
func (c *Cluster) Stop() error {
	if c.operator != nil {
		c.operator.Kill()
	}
	if c.page != nil {
		c.page.Kill()
	}
	down := exec.Command(filepath.Join(c.root, "hack/controlplane/cluster.sh"), "down", c.Name)
	down.Env = append(os.Environ(), "KUBECONFIG_OUT="+c.Kubeconfig)
	out, err := down.CombinedOutput()
	if err != nil {
		return fmt.Errorf("stopping the cluster: %w\n%s", err, out)
	}
	return os.RemoveAll(c.folder)
}

// Restart kills components of the control plane (all of them when none is named) as kill -9 does, starts them again, and
// returns when the API server is ready.
func (c *Cluster) Restart(components ...string) error {
	restart := exec.Command(filepath.Join(c.root, "hack/controlplane/cluster.sh"), append([]string{"restart", c.Name}, components...)...)
	restart.Env = slices.Concat(os.Environ(), roomy, []string{"KUBECONFIG_OUT=" + c.Kubeconfig})
	if out, err := restart.CombinedOutput(); err != nil {
		return fmt.Errorf("restarting %v: %w\n%s", components, err, out)
	}
	return nil
}

// Signal sends a signal to a component of the control plane, such as SIGSTOP to etcd.
func (c *Cluster) Signal(component string, signal syscall.Signal) error {
	pid, err := c.PID(component)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, signal)
}

// PID is the process id of a component of the control plane.
func (c *Cluster) PID(component string) (int, error) {
	content, err := os.ReadFile(filepath.Join(c.root, ".local/kwok/clusters", c.Name, "pids", component+".pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("the process of %s: %w", component, err)
	}
	return pid, nil
}

// ComponentLog is what a component of the control plane has logged, such as kube-controller-manager.
func (c *Cluster) ComponentLog(component string) (string, error) {
	content, err := os.ReadFile(filepath.Join(c.root, ".local/kwok/clusters", c.Name, "logs", component+".log"))
	return string(content), err
}

// Kubectl runs kubectl as the administrator and returns what it printed, on either stream.
func (c *Cluster) Kubectl(args ...string) (string, error) {
	return c.KubectlIn("", args...)
}

// KubectlIn is Kubectl with a standard input.
func (c *Cluster) KubectlIn(stdin string, args ...string) (string, error) {
	return c.KubectlAs(c.Kubeconfig, stdin, args...)
}

// Client returns a client of the cluster. It knows the kinds that Admin has found, and need not ask for them anew.
func (c *Cluster) Client(config *rest.Config) (client.Client, error) {
	return client.New(config, client.Options{Scheme: Scheme(), Mapper: c.Admin.RESTMapper()})
}

// As returns a client that impersonates a user with groups.
func (c *Cluster) As(user string, groups ...string) (client.Client, error) {
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return c.Client(config)
}

// ServiceAccountToken is a token of a service account.
func (c *Cluster) ServiceAccountToken(ctx context.Context, namespace, name string) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(7200))}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := c.Admin.SubResource("token").Create(ctx, account, request); err != nil {
		return "", err
	}
	return request.Status.Token, nil
}

// NamespaceAdmin makes a service account that may do in some namespaces what the ClusterRole admin lets it, and nothing of
// Fonster's, and returns the path of a kubeconfig with its token and the configuration of a client.
func (c *Cluster) NamespaceAdmin(ctx context.Context, account string, namespaces ...string) (string, *rest.Config, error) {
	return c.NamespaceAccount(ctx, account, "admin", namespaces...)
}

// NamespaceAccount makes a service account that may do in some namespaces what a ClusterRole lets it, and nothing besides, and returns the
// path of a kubeconfig with its token and the configuration of a client. Its context is that of the first namespace.
func (c *Cluster) NamespaceAccount(ctx context.Context, account, role string, namespaces ...string) (string, *rest.Config, error) {
	const home = "people"
	if err := c.Admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}); err != nil && !apierrors.IsAlreadyExists(err) {
		return "", nil, err
	}
	if err := c.Admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: account}}); err != nil && !apierrors.IsAlreadyExists(err) {
		return "", nil, err
	}
	for _, namespace := range namespaces {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role + "-" + account},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: account}},
		}
		if err := c.Admin.Create(ctx, binding); err != nil && !apierrors.IsAlreadyExists(err) {
			return "", nil, err
		}
		if err := c.Bound(ctx, binding); err != nil {
			return "", nil, err
		}
	}
	token, err := c.ServiceAccountToken(ctx, home, account)
	if err != nil {
		return "", nil, err
	}
	path := filepath.Join(c.folder, account+".kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfigWithToken(c.Config, token), path); err != nil {
		return "", nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return "", nil, err
	}
	config.QPS = -1
	return path, config, nil
}

// KubectlAs runs kubectl with a kubeconfig and a standard input, and returns what it printed, on either stream.
func (c *Cluster) KubectlAs(kubeconfig, stdin string, args ...string) (string, error) {
	command := exec.Command(filepath.Join(c.root, ".local/bin/kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	return string(out), err
}

// Operator is the operator's process.
type Operator struct {
	// MetricsURL is where it serves its metrics, without path.
	MetricsURL string
	*process
}

// Page is the process of the page.
type Page struct {
	// URL is where it serves, without path.
	URL string
	*process
}

// process is a program of Fonster's that runs.
type process struct {
	// ProbeURL is where it answers probes, without path.
	ProbeURL string

	command *exec.Cmd
	log     *lockedBuffer
	ended   chan struct{}
}

// Build builds the programs, and returns the folder where they are, with a separator at its end. Several processes may build at a time:
// the first builds, and the others find it done.
var Build = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(Root(), ".local", "test-bin") + string(filepath.Separator)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(folder + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	command := exec.Command("go", "build", "-o", folder, "./cmd/...")
	command.Dir = Root()
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	return folder, nil
})

// StartOperator starts the operator as its own ServiceAccount, with more flags, and returns when it is ready.
func (c *Cluster) StartOperator(ctx context.Context, flags ...string) (*Operator, error) {
	addresses, err := freeAddresses(1)
	if err != nil {
		return nil, err
	}
	started, err := c.start(ctx, "fonster", policy.DefaultServiceAccount, append([]string{
		"--metrics-bind-address=" + addresses[0],
		// A dead leader is not waited for long; one on a loaded machine must not lose its lease.
		"--leader-elect-lease-duration=6s", "--leader-elect-renew-deadline=5s", "--leader-elect-retry-period=500ms",
	}, flags...))
	if err != nil {
		return nil, err
	}
	c.operator = &Operator{MetricsURL: "https://" + addresses[0], process: started}
	return c.operator, nil
}

// StartPage starts the page as its own ServiceAccount, with more flags, and returns when it is ready.
func (c *Cluster) StartPage(ctx context.Context, flags ...string) (*Page, error) {
	addresses, err := freeAddresses(1)
	if err != nil {
		return nil, err
	}
	started, err := c.start(ctx, "fonster-page", PageServiceAccount, append([]string{
		"--page-bind-address=" + addresses[0], "--page-audiences=heby=Heby,osthammar=Östhammar",
	}, flags...))
	if err != nil {
		return nil, err
	}
	c.page = &Page{URL: "http://" + addresses[0], process: started}
	return c.page, nil
}

// PageServiceAccount is the identity of the page.
const PageServiceAccount = "fonster-page"

// Once runs the operator's program as a ServiceAccount until it ends, with arguments such as remove, and returns what it printed.
func (c *Cluster) Once(ctx context.Context, account string, args ...string) (string, error) {
	folder, err := Build()
	if err != nil {
		return "", err
	}
	kubeconfig, err := c.kubeconfigOf(ctx, account)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, folder+"fonster", args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := command.CombinedOutput()
	return string(out), err
}

// kubeconfigOf writes a kubeconfig of a ServiceAccount of the installation.
func (c *Cluster) kubeconfigOf(ctx context.Context, account string) (string, error) {
	token, err := c.ServiceAccountToken(ctx, c.Namespace, account)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.folder, "of-"+account+".kubeconfig")
	return path, clientcmd.WriteToFile(kubeconfigWithToken(c.Config, token), path)
}

// start starts a program as a ServiceAccount, and returns when it is ready.
func (c *Cluster) start(ctx context.Context, program, account string, flags []string) (*process, error) {
	folder, err := Build()
	if err != nil {
		return nil, err
	}
	kubeconfig, err := c.kubeconfigOf(ctx, account)
	if err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(1)
	if err != nil {
		return nil, err
	}
	p := &process{ProbeURL: "http://" + addresses[0], log: &lockedBuffer{}, ended: make(chan struct{})}
	p.command = exec.Command(folder+program, append([]string{"--health-probe-bind-address=" + addresses[0]}, flags...)...)
	p.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	if err := p.waitReady(ctx); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%s: %w\n%s", program, err, p.Log())
	}
	return p, nil
}

func kubeconfigWithToken(config *rest.Config, token string) clientcmdapi.Config {
	return clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"local": {
			Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
			InsecureSkipTLSVerify: config.Insecure,
		}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"local": {Cluster: "local", AuthInfo: "operator"}},
		CurrentContext: "local",
	}
}

// freeAddresses returns n free addresses on loopback. Each is held until all are found, so that they differ.
func freeAddresses(n int) ([]string, error) {
	if n == 0 {
		return nil, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	others, err := freeAddresses(n - 1)
	return append(others, listener.Addr().String()), err
}

func (p *process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if status, err := get(ctx, p.ProbeURL+"/readyz"); err == nil && status == 200 {
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("it ended before it was ready")
		case <-ctx.Done():
			return errors.New("it did not become ready in 30 s")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Ready is what the probe of readiness answers: nil when it is ready.
func (p *process) Ready(ctx context.Context) error {
	status, err := get(ctx, p.ProbeURL+"/readyz")
	if err == nil && status != 200 {
		err = fmt.Errorf("not ready: %d", status)
	}
	return err
}

// Kill ends the program at once, as kill -9 does, and waits for its end.
func (p *process) Kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// Ended is closed when the process has ended, by whatever means.
func (p *process) Ended() <-chan struct{} { return p.ended }

// PID is its process id.
func (p *process) PID() int { return p.command.Process.Pid }

// Log is what it has printed.
func (p *process) Log() string { return p.log.String() }

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
