package egress

import (
	"cmp"
	"strconv"
	"strings"
)

// Probed is what became of the try of a destination before a start.
type Probed string

// What a try can find.
const (
	ProbeGood        Probed = "good"        // an object was written and deleted
	ProbeKnown       Probed = "known"       // it was good lately, and was not tried again
	ProbeUndeleted   Probed = "undeleted"   // written, but it may not be deleted: one small object stays
	ProbeRefused     Probed = "refused"     // the store says no for good: there would be no recording
	ProbeUnreachable Probed = "unreachable" // nothing that can be relied on: LiveKit may well reach what we do not
	ProbeSlow        Probed = "slow"        // no answer within the time that a start has for it
	ProbeUnchecked   Probed = "unchecked"   // not ours to try: the store's keys are LiveKit's own, or its kind is none that we speak to
)

// Probes lists every Probed, for metrics whose labels exist from the start.
func Probes() []Probed {
	return []Probed{ProbeGood, ProbeKnown, ProbeUndeleted, ProbeRefused, ProbeUnreachable, ProbeSlow, ProbeUnchecked}
}

// HasKeys reports whether an upload brings its credentials. Where it does not, LiveKit's
// egress service has some of its own, and nobody else can tell whether they are good.
func (u Upload) HasKeys() bool {
	return u.S3.GetAccessKey() != "" || u.GCP.GetCredentials() != "" || u.Azure.GetAccountKey() != "" || u.AliOSS.GetAccessKey() != ""
}

// ProbePath is the path of a probe's object: beside the output, as far as the output's
// path is known before LiveKit fills in its {placeholders}.
func (d Destination) ProbePath(name string) string {
	path, _, _ := strings.Cut(cmp.Or(d.Path, d.Playlist), "{")
	return path[:strings.LastIndex(path, "/")+1] + ".reelkeeper-probe-" + name
}

// fault is what a store's answer means: which field of the upload is wrong, and how.
type fault struct{ field, because string }

// faults are the answers that are a definite no, whoever asks and from wherever, by the
// code of the store. All others may be of the moment, or of the place that we ask from.
var faults = map[Store]map[string]fault{
	StoreS3: {
		"NoSuchBucket":                       {"bucket", "there is no such bucket"},
		"InvalidBucketName":                  {"bucket", "is no name of a bucket"},
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
	StoreGCP: { // Google says it by the status alone
		"400": {"credentials", "are refused"}, // of the token: an account that is gone, or a key that is
		"401": {"credentials", "are refused"},
		"403": {"credentials", "may not write there"},
		"404": {"bucket", "there is no such bucket"},
	},
	StoreAzure: { // not AuthorizationFailure, which may mean the address that we ask from
		"AuthenticationFailed":            {"account_key", "is refused"},
		"AuthorizationPermissionMismatch": {"account_key", "may not write there"},
		"AccountIsDisabled":               {"account_name", "is disabled"},
		"ContainerNotFound":               {"container_name", "there is no such container"},
		"ContainerBeingDeleted":           {"container_name", "is being deleted"},
	},
}

// Fault is the error of a destination whose store refused to take an object, by the
// status and code that it answered; nil where that is no definite no.
func (d Destination) Fault(status int, code string) *Error {
	code = cmp.Or(code, strconv.Itoa(status))
	f, ok := faults[d.Upload.Store()][code]
	if !ok || f.field == "region" && d.Upload.S3.GetRegion() == "" { // then it was our guess
		return nil
	}
	return Invalidf(d.Field+"."+f.field, "%s (the store answers %s)", f.because, code)
}

// OfProfile is a fault of a destination as one of the profile that it came from: the
// caller has named no such field.
func (d Destination) OfProfile(profile string, e *Error) *Error {
	out := *e
	out.Message = "profile " + strconv.Quote(profile) + ": " + string(d.Upload.Store()) + strings.TrimPrefix(e.Field, d.Field) + ": " + e.Message
	out.Field = fieldStorage
	return &out
}

// Destination is where a profile leads, without what an output has, such as a path. Its
// field begins with the profile's name.
func (p Profiles) Destination(name string) Destination {
	d := destinations{}
	d.add(Destination{Field: name}, p.Named[name])
	return d.list[0]
}
