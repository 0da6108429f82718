package storage

import (
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"

	gcs "cloud.google.com/go/storage"
	"github.com/livekit/protocol/livekit"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/reelkeeper/reelkeeper/egress"
)

// readWrite is the scope that is requested, since we write playlists and probes.
const readWrite = "https://www.googleapis.com/auth/devstorage.read_write"

func (s *Stores) openGCP(ctx context.Context, field string, u *livekit.GCPUpload) (*blob.Bucket, error) {
	if u.GetBucket() == "" {
		return nil, egress.Invalidf(field+".bucket", "is missing")
	}
	proxy, err := proxyOf(field, u.GetProxy().GetUrl(), u.GetProxy().GetUsername(), u.GetProxy().GetPassword())
	if err != nil {
		return nil, err
	}
	client := s.client(proxy)
	asking := *client // for tokens, which are fetched without the context of the call that needs one
	asking.Timeout = callTimeout
	tokens, err := tokensOf(ctx, field, u, &asking)
	if err != nil {
		return nil, err
	}
	signing := &gcp.HTTPClient{Client: http.Client{
		Transport: &oauth2.Transport{Source: tokens, Base: client.Transport}, CheckRedirect: client.CheckRedirect,
	}}
	return gcsblob.OpenBucket(ctx, signing, u.GetBucket(), nil)
}

// tokensOf accepts only a service account's key: Google's other kinds of credentials name files
// and commands on the machine that reads them.
func tokensOf(ctx context.Context, field string, u *livekit.GCPUpload, client *http.Client) (oauth2.TokenSource, error) {
	if u.GetCredentials() == "" {
		// Not with dial's client, which refuses the address of the machine's metadata.
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: callTimeout})
		own, err := google.FindDefaultCredentials(ctx, readWrite)
		if err != nil {
			return nil, &egress.Error{Reason: egress.Denied, Field: field + ".credentials", Message: "is missing, and the worker has none of its own", Err: err}
		}
		return own.TokenSource, nil
	}
	account, err := google.JWTConfigFromJSON([]byte(u.GetCredentials()), readWrite)
	if err != nil {
		return nil, egress.Invalidf(field+".credentials", "is not a service account key") // not shown: it holds one
	}
	if tooLong(account.PrivateKey) {
		return nil, egress.Invalidf(field+".credentials", "has a key of more than %d bits", longestModulus)
	}
	return account.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)), nil
}

// longestModulus is the longest RSA key that we compute with, in bits, like crypto/tls. That takes the
// cube of the length, and no context ends it: hours at 100,000 bits. Google's own keys have 2,048.
const longestModulus = 8192

// tooLong reports whether a private key, as oauth2 reads it, is longer than longestModulus. Its primes
// count as well, since crypto/rsa computes with them before it finds that they do not belong to the key.
func tooLong(key []byte) bool {
	if block, _ := pem.Decode(key); block != nil {
		key = block.Bytes
	}
	if len(key) > longestModulus { // in bytes: it has more than two primes, or other large numbers
		return true
	}
	var pkcs8 struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	if _, err := asn1.Unmarshal(key, &pkcs8); err == nil {
		key = pkcs8.Key
	}
	var pkcs1 struct {
		Version int
		N       *big.Int
		E       int
		D, P, Q *big.Int
	}
	if _, err := asn1.Unmarshal(key, &pkcs1); err != nil {
		return false // oauth2 cannot read it either
	}
	return pkcs1.N.BitLen() > longestModulus || max(pkcs1.P.BitLen(), pkcs1.Q.BitLen()) > longestModulus/2
}

// listFields requests only the fields that we read of each listed object. Otherwise Google would also
// list who may do what with it.
func listFields(as func(any) bool) error {
	var q *gcs.Query
	if !as(&q) {
		return nil
	}
	q.Projection = gcs.ProjectionNoACL
	return q.SetAttrSelection([]string{"Name", "Size", "Created"})
}

// refusedToken returns the status with which a token was refused and the time of that by the token
// server's clock, zero for any other error.
func refusedToken(err error) (status int, at string) {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.Response == nil {
		return 0, ""
	}
	return refused.Response.StatusCode, refused.Response.Header.Get("Date")
}
