package config

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Secrets of standard-webhooks: the one from its documentation, and another.
const (
	oneSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func secretOf(bytes int) string {
	return secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", bytes)))
}

func TestASecretIsOfTheLengthThatTheStandardNames(t *testing.T) {
	t.Parallel()
	for bytes, right := range map[int]bool{0: false, 23: false, 24: true, 64: true, 65: false} {
		var w WebhookSecrets
		err := w.UnmarshalText([]byte("announce: " + secretOf(bytes)))
		require.Equal(t, right, err == nil, "%d bytes: %v", bytes, err)
	}
}

func TestNoErrorShowsASecretOfAWebhook(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"announce: " + secretOf(23), "announce: " + oneSecret + " " + oneSecret[:20], oneSecret, "announce:" + oneSecret,
		oneSecret + ": announce", oneSecret + ": " + otherSecret,
		"announce: [" + oneSecret + "]", "announce: {a: " + oneSecret + "}",
	} {
		_, err := Load(with("REELKEEPER_WEBHOOK_SECRETS", text), Worker)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "MfKQ9r")
		require.NotContains(t, err.Error(), "eHh4")
	}
}
