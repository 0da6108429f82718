package config

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	fileSuffix     = "_FILE"
	temporalAPIKey = "TEMPORAL_API_KEY"
)

// Secrets returns the variables NAME whose value may be in the file that NAME_FILE names: our own
// secrets, and Temporal's API key, which Temporal's settings take only from the environment or a
// profile.
func Secrets() []string { return append(ourSecrets(), temporalAPIKey) }

func ourSecrets() []string {
	var names []string
	for _, s := range settings(&Config{}) {
		if s.secret {
			names = append(names, s.name)
		}
	}
	return names
}

// withFiles returns the variables without surrounding space, such as the line ends of a file with
// CRLF, and each secret as the file has it that NAME_FILE names. An empty file leaves the secret
// unset, as an empty variable does, so that a file can be mounted whether or not it is used. Errors
// name the variable, and show nothing of the content, nor the path, which may be the secret itself.
func withFiles(environ map[string]string, secrets ...string) (map[string]string, error) {
	merged := map[string]string{}
	for name, value := range environ {
		merged[name] = strings.TrimSpace(value)
	}
	for _, name := range secrets {
		path := merged[name+fileSuffix]
		delete(merged, name+fileSuffix)
		if path == "" {
			continue
		}
		if merged[name] != "" {
			return nil, egress.Invalidf(name+fileSuffix, "is set, and so is %s: set only one of the two", name)
		}
		var err error
		if merged[name], err = readSecret(name, path); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// fromFile names NAME_FILE in an error about the secret NAME that its file gives.
func fromFile(environ map[string]string, err error) error {
	e, ok := errors.AsType[*egress.Error](err)
	if !ok || !slices.Contains(Secrets(), e.Field) || strings.TrimSpace(environ[e.Field+fileSuffix]) == "" {
		return err
	}
	named := *e
	named.Field += fileSuffix
	if rest, unset := strings.CutPrefix(e.Message, notSet); unset {
		named.Message = "is empty" + rest
	}
	return &named
}

// readSecret returns what the file that NAME_FILE names holds.
func readSecret(name, path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok { // whose path may be the secret itself
			err = e.Err
		}
		return "", egress.Invalidf(name+fileSuffix, "names no file that can be read (%s)", err)
	}
	if bytes.HasPrefix(content, []byte("\ufeff")) {
		return "", egress.Invalidf(name+fileSuffix, "begins with a byte-order mark; save it without one, which makes it another secret")
	}
	return strings.TrimSpace(string(content)), nil
}

// rotating returns credentials that read the file of Temporal's API key at each call, so that a
// rotated key takes no restart. While the file gives none, the last key is used.
func rotating(path, key string) client.Credentials {
	var last atomic.Pointer[string]
	last.Store(&key)
	return client.NewAPIKeyDynamicCredentials(func(context.Context) (string, error) {
		if now, err := readSecret(temporalAPIKey, path); err == nil && now != "" && printable(now) {
			last.Store(&now)
		}
		return *last.Load(), nil
	})
}
