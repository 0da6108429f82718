package config

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
)

var errTwice = errors.New("has the same name twice")

// Keys are LiveKit API keys with their secrets.
type Keys map[string]string

// UnmarshalText reads livekit-server's own format, a YAML map (`key: secret`, one per line), or the
// same on one line, separated by commas. Errors never show the text, which is secret.
func (k *Keys) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	if !strings.HasPrefix(text, "{") {
		var lines []string // unindented: a map has one level
		for line := range strings.Lines(text) {
			lines = append(lines, strings.TrimSuffix(strings.TrimSpace(line), ","))
		}
		if text = strings.Join(lines, "\n"); len(lines) == 1 {
			text = "{" + text + "\n}" // the line may end with a comment
		}
	}
	var m map[string]string
	switch err := yaml.Unmarshal([]byte(text), &m); {
	case err != nil && strings.Contains(err.Error(), "already defined"):
		return errTwice
	case err != nil:
		return errors.New("want `key: secret` pairs, separated by lines or commas")
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key == "" || m[key] == "" {
			return errors.New("want `key: secret` pairs, separated by lines or commas, each with a space after its colon")
		}
	}
	*k = m
	return nil
}

// pickKey decides which of several keys is ours.
func (l *LiveKit) pickKey() error {
	switch {
	case l.APIKey == "" && l.APISecret == "" && len(l.Keys) == 1:
		for key, secret := range l.Keys {
			l.APIKey, l.APISecret = key, secret
		}
	case l.APIKey != "" && l.APISecret == "":
		l.APISecret = l.Keys[l.APIKey]
	case l.APIKey != "" && l.Keys[l.APIKey] != "" && l.Keys[l.APIKey] != l.APISecret:
		return egress.Invalidf("LIVEKIT_KEYS", "has a secret for %s that differs from LIVEKIT_API_SECRET", l.APIKey)
	}
	return nil
}

// AllKeys returns all keys with their secrets, including the project's own.
func (l LiveKit) AllKeys() Keys {
	all := Keys{}
	maps.Copy(all, l.Keys)
	if l.APIKey != "" {
		all[l.APIKey] = l.APISecret
	}
	return all
}

// KeyNames returns the names of AllKeys, sorted.
func (l LiveKit) KeyNames() []string { return slices.Sorted(maps.Keys(l.AllKeys())) }
