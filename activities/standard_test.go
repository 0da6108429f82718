package activities_test

import (
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	oneSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// standard keeps the last request as it came.
type standard struct {
	header http.Header
	body   []byte
}

func (s *standard) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.header = r.Header
	s.body, _ = io.ReadAll(r.Body)
}

func (s *standard) verify(t *testing.T, secret string) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	return w.Verify(s.body, s.header)
}

func TestAnAnnouncementIsSignedAsStandardWebhooksSaysBesideLiveKitsWay(t *testing.T) {
	t.Parallel()
	s := &standard{}
	d := delivery(t, at(t, s.ServeHTTP), func(cfg *activities.DeliveryConfig) {
		cfg.Secrets = map[string][]string{egress.StepAnnounce: {oneSecret}, "archive": {otherSecret}}
	})
	e := ended(t, time.Now().Add(-48*time.Hour))
	require.NoError(t, tryOnce(d, activities.Announcement{Event: e}))
	require.NoError(t, s.verify(t, oneSecret), "the standard's own library takes it, two days after the end")
	require.Error(t, s.verify(t, otherSecret))
	require.Equal(t, "EV_1", s.header.Get("Webhook-Id"), "by which repeats are known")
	require.NotEmpty(t, s.header.Get("Authorization"))

	require.NoError(t, tryOnce(d, activities.Announcement{Event: e, Consumer: &egress.Consumer{Name: "archive", URL: at(t, s.ServeHTTP)}}))
	require.NoError(t, s.verify(t, otherSecret))
	require.Error(t, s.verify(t, oneSecret))
}

func TestDuringARotationEitherSecretVerifies(t *testing.T) {
	t.Parallel()
	s := &standard{}
	d := delivery(t, at(t, s.ServeHTTP), func(cfg *activities.DeliveryConfig) {
		cfg.Secrets = map[string][]string{egress.StepAnnounce: {oneSecret, otherSecret}}
	})
	require.NoError(t, tryOnce(d, activities.Announcement{Event: ended(t, time.Now())}))
	require.NoError(t, s.verify(t, oneSecret))
	require.NoError(t, s.verify(t, otherSecret))
}

func TestAConsumerWithoutASecretIsToldInLiveKitsWayAlone(t *testing.T) {
	t.Parallel()
	s := &standard{}
	d := delivery(t, at(t, s.ServeHTTP), func(cfg *activities.DeliveryConfig) { cfg.Secrets = map[string][]string{"archive": {oneSecret}} })
	require.NoError(t, tryOnce(d, activities.Announcement{Event: ended(t, time.Now())}))
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		require.Empty(t, s.header.Values(name))
	}
}

func TestASecretThatIsNoneIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	_, err := activities.NewDelivery(activities.DeliveryConfig{Secrets: map[string][]string{"archive": {"whsec_CANARY!"}}})
	require.ErrorContains(t, err, `REELKEEPER_WEBHOOK_SECRETS: its value for "archive" is not a secret`)
	require.NotContains(t, err.Error(), "CANARY")
}

func TestTheTimestampIsThatOfTheAttempt(t *testing.T) {
	t.Parallel()
	s := &standard{}
	d := delivery(t, at(t, s.ServeHTTP), func(cfg *activities.DeliveryConfig) {
		cfg.Secrets = map[string][]string{egress.StepAnnounce: {oneSecret}}
	})
	before := time.Now().Unix()
	require.NoError(t, tryOnce(d, activities.Announcement{Event: ended(t, time.Now().Add(-48*time.Hour))}))
	at, err := strconv.ParseInt(s.header.Get("Webhook-Timestamp"), 10, 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, at, before)
}
