package storage

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"

	"github.com/reelkeeper/reelkeeper/egress"
)

// explain returns a store's error in our words. It leaves out the store's own text, which may show
// the request that it answers.
func explain(field, op string, err error) error {
	if err == nil {
		return nil
	}
	if ours, ok := errors.AsType[*egress.Error](err); ok { // from the dialer, or about the configuration
		return ours
	}
	if long, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &egress.Error{Reason: egress.Invalid, Field: field, Message: fmt.Sprintf("cannot %s: the store's answer is longer than %d bytes", op, long.Limit)}
	}
	status, code := answerOf(err)
	e := &egress.Error{Reason: reasonOf(status, code, kindOf(err)), Field: field, Err: err}
	switch {
	case e.Reason == egress.NotFound && (code == "NoSuchBucket" || code == "ContainerNotFound"):
		e.Message = "there is no such bucket"
	case e.Reason == egress.NotFound:
		e.Message = "there is no such object"
	case status == 0:
		e.Message = fmt.Sprintf("cannot %s: the store does not answer", op)
	case code == "":
		e.Message = fmt.Sprintf("cannot %s: the store answers %d", op, status)
	default:
		e.Message = fmt.Sprintf("cannot %s: the store answers %d %s", op, status, code)
	}
	return e
}

// answerOf returns the status and the code that a store answered, from each client's error type.
func answerOf(err error) (status int, code string) {
	if s3, ok := errors.AsType[*awshttp.ResponseError](err); ok { // but not from a machine's metadata, which supplies keys
		status = s3.HTTPStatusCode()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	if google, ok := errors.AsType[*googleapi.Error](err); ok {
		status = google.Code
	}
	if azure, ok := errors.AsType[*azcore.ResponseError](err); ok {
		status, code = azure.StatusCode, azure.ErrorCode
	}
	if refused, _ := refusedToken(err); refused != 0 {
		return refused, egress.NoToken
	}
	return status, egress.Clip(code, longestCode)
}

// longestCode bounds the part of a store's code that is kept, in bytes, since histories keep it.
// Amazon's codes are shorter.
const longestCode = 64

// kindOf returns the driver's classification of an error. An error without a store's answer gets
// none: Azure's driver takes a host name that does not resolve for a missing object.
func kindOf(err error) gcerrors.ErrorCode {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return gcerrors.Unknown
	}
	return gcerrors.Code(err)
}

// reasonOf classifies a store's answer.
func reasonOf(status int, code string, kind gcerrors.ErrorCode) egress.Reason {
	switch {
	case status == http.StatusNotFound, status == 0 && kind == gcerrors.NotFound:
		return egress.NotFound
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == 0 && kind == gcerrors.PermissionDenied:
		return egress.Denied
	case status == http.StatusBadRequest && (code == egress.NoToken || code == "ExpiredToken" || code == "InvalidToken"):
		return egress.Denied
	case status == http.StatusBadRequest && (strings.HasPrefix(code, "Throttling") || code == "RequestTimeout"):
		return egress.Unreachable
	case status == http.StatusNotImplemented:
		return egress.Invalid
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == 0, status >= http.StatusInternalServerError:
		return egress.Unreachable
	default:
		return egress.Invalid
	}
}
