// Package fakes3 is a store for tests that speaks S3's protocol and checks signatures as Amazon's
// does. It must never hold anything of value: everything is in memory.
package fakes3

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Store is an http.Handler.
type Store struct {
	keys    map[string]string
	backend *s3mem.Backend
	api     http.Handler

	mu    sync.Mutex
	deny  map[string]string
	hang  chan struct{}
	asked []string
}

// New makes a store with buckets, for clients that sign with one of the keys (access key to
// secret).
func New(keys map[string]string, buckets ...string) (*Store, error) {
	s := &Store{keys: keys, backend: s3mem.New(), deny: map[string]string{}}
	s.api = gofakes3.New(s.backend).Server()
	for _, name := range buckets {
		if err := s.backend.CreateBucket(name); err != nil {
			return nil, fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return s, nil
}

// Versions is appended to a method to select its requests for one version of an object.
const Versions = " of a version"

// Deny answers all requests of a method with a code, such as AccessDenied; with Versions appended,
// only those that name a version. An empty code ends that.
func (s *Store) Deny(method, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny[method] = code
}

// Hang makes requests wait until the returned function is called, or their caller gives up.
func (s *Store) Hang() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hang := make(chan struct{})
	s.hang = hang
	return sync.OnceFunc(func() { close(hang) })
}

// Asked returns every request so far: its method and path.
func (s *Store) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Keys returns the paths of a bucket's objects.
func (s *Store) Keys(bucket string) ([]string, error) {
	list, err := s.backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", bucket, err)
	}
	var keys []string
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// KeepVersions makes a bucket keep each version of an object from now on.
func (s *Store) KeepVersions(bucket string) error {
	c := gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}
	if err := s.backend.SetVersioningConfiguration(bucket, c); err != nil {
		return fmt.Errorf("keep versions of %s: %w", bucket, err)
	}
	return nil
}

// Kept returns how many versions of objects a bucket has, including deleted ones, and how many
// delete markers.
func (s *Store) Kept(bucket string) (versions, marks int, err error) {
	list, err := s.backend.ListBucketVersions(bucket, nil, nil)
	if err != nil {
		return 0, 0, fmt.Errorf("list versions of %s: %w", bucket, err)
	}
	for _, v := range list.Versions {
		if _, mark := v.(*gofakes3.DeleteMarker); mark {
			marks++
		} else {
			versions++
		}
	}
	return versions, marks, nil
}

// ServeHTTP answers one request.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	hang, code := s.hang, s.deny[r.Method]
	if code == "" && r.URL.Query().Has("versionId") {
		code = s.deny[r.Method+Versions]
	}
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	if wrong := s.signature(r); wrong != "" {
		code = wrong
	}
	if code == "" {
		s.api.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>of a test</Message></Error>", code) // a caller that is gone needs no answer
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=`)

// signature returns the error code for a request's signature, or "" if it is valid. It signs the
// same content again, with the secret that the key has here.
func (s *Store) signature(r *http.Request) string {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return "AccessDenied"
	}
	secret, known := s.keys[m[1]]
	if !known {
		return "InvalidAccessKeyId"
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return "AccessDenied"
	}
	again := r.Clone(r.Context())
	again.Header, again.ContentLength, again.URL.Host = http.Header{}, 0, r.Host
	for name := range strings.SplitSeq(m[4], ";") {
		switch name {
		case "content-length":
			again.ContentLength = r.ContentLength
		case "host":
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	err = v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: m[1], SecretAccessKey: secret}, again,
		r.Header.Get("X-Amz-Content-Sha256"), m[3], m[2], at, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil || again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		return "SignatureDoesNotMatch"
	}
	return ""
}
