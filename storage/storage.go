// Package storage opens what the outputs of a request name: S3 and all that speaks its protocol,
// Google Cloud Storage, Azure Blob Storage, and local files. It must never connect except through
// the client that it is given, nor put a credential into an error.
package storage

import (
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Config says how to reach stores.
type Config struct {
	// Client connects to hosts that requests name, through the request's proxy if it has one (nil:
	// none), and refuses internal hosts. Required.
	Client func(proxy *url.URL) *http.Client
	// LocalFiles (REELKEEPER_LOCAL_FILES) is the directory below which LiveKit's egress service
	// writes what it does not upload, mounted at the same path here. Default: none, and local files
	// cannot be read.
	LocalFiles string
}

// Stores opens buckets. It is safe for concurrent use.
type Stores struct{ cfg Config }

// New returns Stores.
func New(cfg Config) *Stores { return &Stores{cfg} }

// Open opens the bucket that a destination names, with the credentials of the request,
// or with the worker's own where the request has none. It need not connect. Errors are
// *egress.Error and hold no credential:
//
//	Invalid      the configuration is wrong; Field names where
//	Denied       nobody may look from here: Ali's stores, those of a newer LiveKit, or local files
//	             that are not ours to read
//	Unreachable  the store, or who gives out the credentials, does not answer
func (s *Stores) Open(ctx context.Context, d egress.Destination) (*Bucket, error) {
	b := &Bucket{field: d.Field, renames: d.Upload.Store() != egress.StoreAzure} // for Azure, ownNames asks
	var err error
	switch d.Upload.Store() {
	case egress.StoreS3:
		b.blobs, err = s.openS3(ctx, d.Field, d.Upload.S3)
	case egress.StoreGCP:
		b.blobs, err = s.openGCP(ctx, d.Field, d.Upload.GCP)
	case egress.StoreAzure:
		b.blobs, err = s.openAzure(ctx, d.Field, d.Upload.Azure)
	case egress.StoreAliOSS:
		err = &egress.Error{Reason: egress.Denied, Field: d.Field, Message: "is Alibaba Cloud's, which cannot be read from here"}
	case egress.StoreNewer:
		err = &egress.Error{Reason: egress.Denied, Field: d.Field, Message: "may name a store that only a newer LiveKit knows"}
	case egress.StoreLocal:
		b.local, b.blobs, err = s.openLocal(d.Field)
	}
	if err != nil {
		return nil, explain(d.Field, "open", err)
	}
	return b, nil
}

// openLocal opens the directory of local files, which the operator chooses.
func (s *Stores) openLocal(field string) (dir string, b *blob.Bucket, err error) {
	if s.cfg.LocalFiles == "" {
		return "", nil, &egress.Error{Reason: egress.Denied, Field: field, Message: "names no store, and REELKEEPER_LOCAL_FILES is not set"}
	}
	dir, err = filepath.Abs(s.cfg.LocalFiles)
	if err == nil {
		b, err = fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	}
	if err != nil {
		return "", nil, &egress.Error{Reason: egress.Unreachable, Field: "REELKEEPER_LOCAL_FILES", Message: "is not a readable directory", Err: err}
	}
	return dir, b, nil
}

// proxyOf returns the proxy of a request, or nil.
func proxyOf(field, rawURL, user, password string) (*url.URL, error) {
	if rawURL == "" {
		return nil, nil //nolint:nilnil // no proxy is no fault
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) { // those of net/http, like LiveKit's
		return nil, egress.Invalidf(field+".proxy.url", "is not the URL of a proxy") // not shown: it may hold a password
	}
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return u, nil
}

// longestKey is the longest name that stores accept, in characters: Azure counts characters,
// others count bytes.
const longestKey = 1024

// key returns the key of a path: for a local file, relative to the directory.
func (b *Bucket) key(path string) (key string, err error) {
	key = path
	if b.local != "" {
		if key, err = b.below(path); err != nil {
			return "", err
		}
	} else if n := utf8.RuneCountInString(path); n > longestKey {
		return "", egress.Invalidf(b.field, "has a path of %d characters; stores take at most %d", n, longestKey)
	}
	if b.renames && renamed(key) {
		return "", egress.Invalidf(b.field, "has a path with a control character, ../ or the like of __0x23__, which stores cannot be asked for")
	}
	return key, nil
}

// below returns the path of a local file, relative to the directory.
func (b *Bucket) below(path string) (string, error) {
	full := path
	if !filepath.IsAbs(path) {
		full = filepath.Join(b.local, path)
	}
	rel, err := filepath.Rel(b.local, full)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &egress.Error{Reason: egress.Denied, Field: b.field, Message: "writes outside of REELKEEPER_LOCAL_FILES"}
	}
	if strings.HasSuffix(path, "/") {
		rel += "/"
	}
	return filepath.ToSlash(rel), nil
}

// renamed reports whether go-cloud's drivers would ask for an object with another name than path:
// they write some characters of a name in hexadecimal, and take what looks like that for it.
func renamed(path string) bool {
	return strings.Contains(path, "../") || looksHexadecimal.MatchString(path) || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' })
}

// looksHexadecimal matches all that go-cloud reads as one character.
var looksHexadecimal = regexp.MustCompile(`__0x[+-]?[0-9A-Fa-f]+__`)

// path is the inverse of key, absolute if like, the path that was asked for, is.
func (b *Bucket) path(key, like string) string {
	if b.local != "" && filepath.IsAbs(like) {
		return filepath.Join(b.local, filepath.FromSlash(key))
	}
	return key
}
