package egress

import (
	"cmp"
	"path"
	"strconv"
	"strings"
)

// Probed is the result of probing a destination before a start.
type Probed string

// The possible results of a probe.
const (
	ProbeGood        Probed = "good"        // an object was written and deleted
	ProbeKnown       Probed = "known"       // it was good recently, and was not probed again
	ProbeUndeleted   Probed = "undeleted"   // written, but deletion is not permitted: one small object stays
	ProbeRefused     Probed = "refused"     // the store refuses for good: there would be no recording
	ProbeUnreachable Probed = "unreachable" // not conclusive: LiveKit may well reach what we do not
	ProbeSlow        Probed = "slow"        // no answer within the time that a start allows
	ProbeUnchecked   Probed = "unchecked"   // not ours to probe: the store's keys are LiveKit's own, or we do not speak to its kind
)

// Probes lists every Probed, for metrics whose labels exist from the start.
func Probes() []Probed {
	return []Probed{ProbeGood, ProbeKnown, ProbeUndeleted, ProbeRefused, ProbeUnreachable, ProbeSlow, ProbeUnchecked}
}

// HasKeys reports whether an upload brings its own credentials. If it does not, LiveKit's egress
// service uses its own, and nobody else can tell whether they are valid.
func (u Upload) HasKeys() bool {
	return u.S3.GetAccessKey() != "" || u.GCP.GetCredentials() != "" || u.Azure.GetAccountKey() != "" || u.AliOSS.GetAccessKey() != ""
}

// ProbePath returns the path of a probe's object: in the output's directory, as far as that is
// known before LiveKit fills in its {placeholders}. Segments lie in their playlist's, or below it.
func (d Destination) ProbePath(name string) string {
	dir, _ := path.Split(cleanPath(d.Playlist))
	if dir == "" {
		dir, _ = path.Split(cleanPath(d.Path))
	}
	dir, _, _ = strings.Cut(dir, "{")
	return dir[:strings.LastIndex(dir, "/")+1] + ".reelkeeper-probe-" + name
}

// fault says which field of the upload a store's answer blames, and what is wrong with it.
type fault struct{ field, because string }

// NoToken is the code of a refused token, which has none of its own.
const NoToken = "no token"

// faults are the answers that mean no, by the store's code. All others may be temporary, or due to
// where we ask from. A policy that binds a key to addresses denies access, too: then preflight must
// be off.
var faults = map[Store]map[string]fault{
	StoreS3: {
		"NoSuchBucket":                       {"bucket", "there is no such bucket"},
		"InvalidBucketName":                  {"bucket", "is not a valid bucket name"},
		"InvalidAccessKeyId":                 {"access_key", "the store does not know this key"},
		"InvalidClientTokenId":               {"access_key", "the store does not know this key"},
		"AccessDenied":                       {"access_key", "may not write there"},
		"SignatureDoesNotMatch":              {"secret", "does not belong to the access key"},
		"ExpiredToken":                       {"session_token", "has expired"},
		"InvalidToken":                       {"session_token", "is not valid"},
		"PermanentRedirect":                  {"region", "is not the bucket's"},
		"AuthorizationHeaderMalformed":       {"region", "is not the bucket's"},
		"IllegalLocationConstraintException": {"region", "is not the bucket's"},
	},
	StoreGCP: { // Google tells it by the status alone
		NoToken: {"credentials", "are refused"}, // an account that is gone, or a key that is
		"401":   {"credentials", "are refused"},
		"403":   {"credentials", "may not write there"},
		"404":   {"bucket", "there is no such bucket"},
	},
	StoreAzure: { // without AuthorizationFailure, which may be about the address that we ask from
		"AuthenticationFailed":               {"account_key", "is refused"},
		"AuthorizationPermissionMismatch":    {"account_key", "may not write there"},
		"AccountIsDisabled":                  {"account_name", "is disabled"},
		"KeyBasedAuthenticationNotPermitted": {"account_key", "is switched off for this account"},
		"ContainerNotFound":                  {"container_name", "there is no such container"},
		"ContainerBeingDeleted":              {"container_name", "is being deleted"},
	},
}

// Fault returns the error of a destination whose store refused an object with this status and
// code, or nil if the answer is not definite.
func (d Destination) Fault(status int, code string) *Error {
	code = cmp.Or(code, strconv.Itoa(status))
	f, ok := faults[d.Upload.Store()][code]
	if !ok || f.field == "region" && d.Upload.S3.GetRegion() == "" { // then it was our guess
		return nil
	}
	return Invalidf(d.Field+"."+f.field, "%s (the store answers %s)", f.because, code)
}

// OfProfile rewrites a destination's fault as one of the profile that the destination came from:
// the caller named no such field.
func (d Destination) OfProfile(profile string, e *Error) *Error {
	out := *e
	out.Message = "profile " + strconv.Quote(profile) + ": " + string(d.Upload.Store()) + strings.TrimPrefix(e.Field, d.Field) + ": " + e.Message
	out.Field = fieldStorage
	return &out
}

// Destination returns where a profile leads, without what an output adds, such as a path. Its
// field begins with the profile's name.
func (p Profiles) Destination(name string) Destination {
	d := destinations{}
	d.add(Destination{Field: name}, p.Named[name])
	return d.list[0]
}
