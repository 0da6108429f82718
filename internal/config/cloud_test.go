package config

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// authority signs certificates, as Temporal Cloud's and an account's own do.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return authority{cert, key, pool}
}

// issue makes a certificate for a name, and returns its path and that of its key.
func (a authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	own := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &own.PublicKey, a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(own)
	require.NoError(t, err)
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "PRIVATE KEY", private)
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// seen is what a call carried.
type seen struct {
	method, authorization, namespace string
}

// cloud is a gRPC server that answers only what a client asks when it connects, over TLS if it has
// credentials.
type cloud struct {
	workflowservice.UnimplementedWorkflowServiceServer
	address string
	calls   chan seen
}

func (*cloud) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (*cloud) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

// note keeps what each call carried.
func (c *cloud) note(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s := seen{method: filepath.Base(info.FullMethod), authorization: strings.Join(md["authorization"], ","), namespace: strings.Join(md["temporal-namespace"], ",")}
	select {
	case c.calls <- s:
	default:
		return nil, status.Error(codes.ResourceExhausted, "more calls than a test looks at")
	}
	return handle(ctx, req)
}

// serve runs one until the test ends.
func serve(t *testing.T, options ...grpc.ServerOption) *cloud {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cloud{address: l.Addr().String(), calls: make(chan seen, 16)}
	s := grpc.NewServer(append(options, grpc.UnaryInterceptor(c.note))...)
	workflowservice.RegisterWorkflowServiceServer(s, c)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return c
}

// serveTLS requires a certificate of the clients' authority, if there is one.
func serveTLS(t *testing.T, own authority, clients *authority) *cloud {
	t.Helper()
	cert, key := own.issue(t, "cloud.example")
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	conf := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		conf.ClientCAs, conf.ClientAuth = clients.pool, tls.RequireAndVerifyClientCert
	}
	return serve(t, grpc.Creds(credentials.NewTLS(conf)))
}

// ask connects with the settings, and asks for the namespace.
func ask(t *testing.T, environ map[string]string) error {
	t.Helper()
	environ = maps.Clone(environ)
	if environ["TEMPORAL_CONFIG_FILE"] == "" {
		environ["TEMPORAL_CONFIG_FILE"] = file(t, "")
	}
	opts, err := TemporalOptions(environ)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	temporal, err := client.DialContext(ctx, opts)
	if err != nil {
		return err
	}
	defer temporal.Close()
	_, err = temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: opts.Namespace})
	return err
}

// trusting returns the settings with which a server of the authority is trusted.
func (c *cloud) trusting(t *testing.T, own authority) map[string]string {
	t.Helper()
	return map[string]string{
		"TEMPORAL_ADDRESS": c.address, "TEMPORAL_NAMESPACE": "recordings.a1b2c", "TEMPORAL_TLS_SERVER_NAME": "cloud.example",
		"TEMPORAL_TLS_SERVER_CA_CERT_PATH": pemFile(t, "CERTIFICATE", own.cert.Raw),
	}
}

func (c *cloud) described(t *testing.T) seen {
	t.Helper()
	for len(c.calls) > 0 {
		if s := <-c.calls; s.method == "DescribeNamespace" {
			return s
		}
	}
	t.Fatal("nobody asked")
	return seen{}
}

func TestAnAPIKeyReachesTemporalOverTLS(t *testing.T) {
	t.Parallel()
	own := newAuthority(t)
	for name, give := range map[string]func(t *testing.T, environ map[string]string){
		"by variable":                 func(_ *testing.T, environ map[string]string) { environ["TEMPORAL_API_KEY"] = "hunter2" },
		"by variable, with a newline": func(_ *testing.T, environ map[string]string) { environ["TEMPORAL_API_KEY"] = "hunter2\n" },
		"by file": func(t *testing.T, environ map[string]string) {
			environ["TEMPORAL_API_KEY_FILE"] = secretFile(t, "hunter2\n")
		},
		"by profile": func(t *testing.T, environ map[string]string) {
			environ["TEMPORAL_CONFIG_FILE"] = file(t, "[profile.default]\napi_key = \"hunter2\"\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveTLS(t, own, nil)
			environ := c.trusting(t, own)
			give(t, environ)
			require.NoError(t, ask(t, environ))
			require.Equal(t, seen{"DescribeNamespace", "Bearer hunter2", "recordings.a1b2c"}, c.described(t))
		})
	}
}

func TestAnAPIKeyThatIsRotatedInItsFileTakesNoRestart(t *testing.T) {
	t.Parallel()
	own := newAuthority(t)
	c := serveTLS(t, own, nil)
	environ, path := c.trusting(t, own), secretFile(t, "hunter2\n")
	maps.Copy(environ, map[string]string{"TEMPORAL_API_KEY_FILE": path, "TEMPORAL_CONFIG_FILE": file(t, "")})
	opts, err := TemporalOptions(environ)
	require.NoError(t, err)
	temporal, err := client.NewLazyClient(opts)
	require.NoError(t, err)
	defer temporal.Close()
	sent := func() string {
		_, err := temporal.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: opts.Namespace})
		require.NoError(t, err)
		return c.described(t).authorization
	}
	require.Equal(t, "Bearer hunter2", sent())
	for _, step := range []struct{ content, want string }{{"hunter3\n", "hunter3"}, {"", "hunter3"}, {"\ufeffhunter4", "hunter3"}, {"hunter4\nhunter5", "hunter3"}, {"hunter4", "hunter4"}} {
		require.NoError(t, os.WriteFile(path, []byte(step.content), 0o600))
		require.Equal(t, "Bearer "+step.want, sent(), "the file holds %q", step.content)
	}
	require.NoError(t, os.Remove(path))
	require.Equal(t, "Bearer hunter4", sent())
}

func TestAnAPIKeyIsNotSentInTheClear(t *testing.T) {
	t.Parallel()
	c := serve(t)
	err := ask(t, map[string]string{"TEMPORAL_ADDRESS": c.address, "TEMPORAL_API_KEY": "hunter2"})
	require.Error(t, err)
	require.Empty(t, c.calls)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestAClientsCertificateReachesTemporal(t *testing.T) {
	t.Parallel()
	own, account := newAuthority(t), newAuthority(t)
	c := serveTLS(t, own, &account)
	cert, key := account.issue(t, "reelkeeper")
	environ := c.trusting(t, own)
	environ["TEMPORAL_TLS_CLIENT_CERT_PATH"], environ["TEMPORAL_TLS_CLIENT_KEY_PATH"] = cert, key
	require.NoError(t, ask(t, environ))
	require.Equal(t, seen{"DescribeNamespace", "", "recordings.a1b2c"}, c.described(t))
}

func TestWithoutTheRightCertificatesTemporalIsNotReached(t *testing.T) {
	t.Parallel()
	own, account, other := newAuthority(t), newAuthority(t), newAuthority(t)
	cert, key := account.issue(t, "reelkeeper")
	strange, strangeKey := other.issue(t, "reelkeeper")
	for name, change := range map[string]map[string]string{
		"no certificate":                {"TEMPORAL_TLS_CLIENT_CERT_PATH": "", "TEMPORAL_TLS_CLIENT_KEY_PATH": ""},
		"one of another authority":      {"TEMPORAL_TLS_CLIENT_CERT_PATH": strange, "TEMPORAL_TLS_CLIENT_KEY_PATH": strangeKey},
		"a server of another authority": {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": pemFile(t, "CERTIFICATE", other.cert.Raw)},
		"a server of another name":      {"TEMPORAL_TLS_SERVER_NAME": "else.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveTLS(t, own, &account)
			environ := c.trusting(t, own)
			environ["TEMPORAL_TLS_CLIENT_CERT_PATH"], environ["TEMPORAL_TLS_CLIENT_KEY_PATH"] = cert, key
			maps.Copy(environ, change)
			require.Error(t, ask(t, environ))
			require.Empty(t, c.calls)
		})
	}
}

func TestCredentialsThatCannotBeReadAreNamed(t *testing.T) {
	t.Parallel()
	cert, key := newAuthority(t).issue(t, "reelkeeper")
	const pair, profile = "TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH", "[profile.default.tls]\nserver_ca_cert_path = \"/nowhere.pem\""
	for name, tc := range map[string]struct {
		profile string
		environ map[string]string
		field   string
	}{
		"no certificate there":   {"", map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere.pem", "TEMPORAL_TLS_CLIENT_KEY_PATH": key}, pair},
		"no key there":           {"", map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": cert, "TEMPORAL_TLS_CLIENT_KEY_PATH": "/nowhere.pem"}, pair},
		"no authority there":     {"", map[string]string{"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/nowhere.pem"}, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"},
		"no authority beside it": {"", map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": cert, "TEMPORAL_TLS_CLIENT_KEY_PATH": key, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/nowhere.pem"}, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"},
		"none of a profile":      {profile, map[string]string{}, "TEMPORAL_CONFIG_FILE"},
	} {
		tc.environ["TEMPORAL_CONFIG_FILE"] = file(t, tc.profile)
		_, err := TemporalOptions(tc.environ)
		require.ErrorContains(t, err, "/nowhere.pem", name)
		require.ErrorContains(t, err, tc.field+": invalid TLS config: ", name)
	}
}
