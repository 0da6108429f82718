package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// secretPrefix begins a secret of standard-webhooks, of 24 to 64 bytes.
const (
	secretPrefix            = "whsec_"
	leastSecret, mostSecret = 24, 64
)

// WebhookSecrets are each consumer's standard-webhooks secrets, by consumer name.
type WebhookSecrets map[string][]string

// UnmarshalText reads pairs as Keys does; a value may hold several secrets, separated by
// spaces. Errors never show a secret.
func (w *WebhookSecrets) UnmarshalText(b []byte) error {
	var pairs Keys
	switch err := pairs.UnmarshalText(b); {
	case errors.Is(err, errTwice):
		return fmt.Errorf("%w: separate the secrets of one by a space", err)
	case err != nil:
		return errors.New("want `name: whsec_…` pairs, separated by lines or commas, each with a space after its colon")
	}
	all := WebhookSecrets{}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if strings.Contains(name, secretPrefix) {
			return fmt.Errorf("a name is a secret: want `name: %s…` pairs", secretPrefix)
		}
		all[name] = strings.Fields(pairs[name])
		if slices.ContainsFunc(all[name], notASecret) {
			return fmt.Errorf("%q: want %s and %d to %d bytes in base64", name, secretPrefix, leastSecret, mostSecret)
		}
	}
	*w = all
	return nil
}

func notASecret(s string) bool {
	coded, ok := strings.CutPrefix(s, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(coded)
	return !ok || err != nil || len(key) < leastSecret || len(key) > mostSecret
}
