package activities_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// tell makes one attempt at one of the caller's own webhooks, of a sealed request.
func tell(t *testing.T, client *http.Client, which int, hooks ...*lk.WebhookConfig) error {
	t.Helper()
	in, err := keys(t).SealRequest(requestID, &lk.RoomCompositeEgressRequest{RoomName: room, Webhooks: hooks}, "", "")
	require.NoError(t, err)
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	d := delivery(t, "", func(cfg *activities.DeliveryConfig) {
		cfg.SigningKey, cfg.Keys["ours"] = "ours", "our secret, which nobody else knows"
		cfg.Opener, cfg.Timeout, cfg.Client = keys(t), 5*time.Second, client
	})
	env.RegisterActivity(d.Tell)
	_, err = env.ExecuteActivity(d.Tell, activities.TellRequest{RequestID: requestID, Input: in, Webhook: which, Event: ended(t, time.Now())})
	return err
}

func TestTheCallersOwnWebhookIsToldAsLiveKitWouldHave(t *testing.T) {
	t.Parallel()
	c := &consumer{}
	url := at(t, c.ServeHTTP) + "/hook?key=theirs"
	other := &lk.WebhookConfig{Url: "https://other.example.com"}
	require.NoError(t, tell(t, nil, 1, other, &lk.WebhookConfig{Url: url, SigningKey: consumerKey}))
	require.Len(t, c.events, 1, "and it verifies with the key that they named")
	require.Equal(t, egress.EventEnded, c.events[0].GetEvent())
}

func TestWhatTheCallersWebhookCannotBeToldIsSaidInWords(t *testing.T) {
	t.Parallel()
	refuses := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, &egress.Error{Reason: egress.Invalid, Field: "REELKEEPER_ALLOW_HOSTS", Message: "does not have 10.0.0.1"}
	})}
	fails := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("cut") })}
	for name, tc := range map[string]struct {
		client *http.Client
		hook   *lk.WebhookConfig
		which  int
		reason egress.Reason
		words  string
	}{
		"a key that we do not have":   {nil, &lk.WebhookConfig{Url: "https://a.example.com", SigningKey: "rotated"}, 0, egress.Invalid, `webhooks.signing_key: no key "rotated" is among ours`},
		"what is no URL":              {nil, &lk.WebhookConfig{Url: "http://a b/CANARY"}, 0, egress.Invalid, "webhooks.url: is not a URL"},
		"a webhook that is not there": {nil, &lk.WebhookConfig{Url: "https://a.example.com"}, 1, egress.Internal, "the request has no webhook 2"},
		"a host that is refused":      {refuses, &lk.WebhookConfig{Url: "https://10.0.0.1/CANARY"}, 0, egress.Invalid, "REELKEEPER_ALLOW_HOSTS: does not have 10.0.0.1"},
		"a host that is away":         {fails, &lk.WebhookConfig{Url: "https://a.example.com/?key=CANARY"}, 0, egress.ConsumerFailed, "the consumer could not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, e := failed(t, tell(t, tc.client, tc.which, tc.hook))
			require.Equal(t, tc.reason, e.Reason)
			require.Contains(t, e.Error(), tc.words)
			require.NotContains(t, strings.Join([]string{e.Error(), e.Message}, " "), "CANARY")
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
