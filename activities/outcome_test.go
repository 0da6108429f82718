package activities_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// outcomes returns what was counted, by "to outcome", including zeros.
func outcomes(t *testing.T, r *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.Collect(t.Context(), &all))
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != activities.MetricAttempts {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				to, _ := p.Attributes.Value("to")
				outcome, _ := p.Attributes.Value("outcome")
				got[to.AsString()+" "+outcome.AsString()] = p.Value
			}
		}
	}
	return got
}

func TestEachAttemptIsCountedByWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	statuses := make(chan int, 2)
	url := at(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-statuses) })
	d := delivery(t, url, func(cfg *activities.DeliveryConfig) {
		cfg.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	})
	want := map[string]int64{}
	for _, to := range []string{"consumer", "webhook", "pipeline"} {
		for _, o := range []string{"taken", "refused", "unreached", "no_place", "unsendable"} {
			want[to+" "+o] = 0
		}
	}
	require.Equal(t, want, outcomes(t, reader), "before anything has happened")

	event := ended(t, time.Now())
	to := func(url, key string) activities.Announcement {
		return activities.Announcement{Event: event, Consumer: &egress.Consumer{Name: "c", URL: url, Key: key}}
	}
	statuses <- http.StatusNoContent
	require.NoError(t, tryOnce(d, activities.Announcement{Event: event}))
	statuses <- http.StatusNotFound
	require.Error(t, tryOnce(d, to(url, "")))
	require.Error(t, tryOnce(d, to(refusing, "")))
	require.Error(t, tryOnce(d, to(url, "rotated")))
	require.Error(t, tryOnce(d, activities.Announcement{Event: event, Envelope: activities.Envelope{PutOff: 1}}), "no attempt at all")
	want["consumer taken"], want["pipeline refused"], want["pipeline unreached"], want["pipeline unsendable"] = 1, 1, 1, 1
	require.Equal(t, want, outcomes(t, reader))
}

func TestAnAttemptThatFindsNoPlaceIsCounted(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	inside, hang := make(chan struct{}), make(chan struct{})
	c := &crowd{takes: func(context.Context) { inside <- struct{}{}; <-hang }}
	d := delivery(t, at(t, c.ServeHTTP), func(cfg *activities.DeliveryConfig) {
		cfg.PerHost, cfg.Timeout = 1, time.Minute
		cfg.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	})
	done := make(chan error, 1)
	in := activities.Announcement{Event: ended(t, time.Now())}
	go func() { done <- tryOnce(d, in) }()
	<-inside
	a, e := failed(t, tryOnce(d, in))
	require.Equal(t, egress.HeldBack, e.Reason)
	require.False(t, a.NonRetryable())
	require.InDelta(t, 1, a.NextRetryDelay().Seconds(), 0.5, "the first of egress.RetryHeldBack")
	close(hang)
	require.NoError(t, <-done)
	require.EqualValues(t, 1, outcomes(t, reader)["consumer no_place"])
	require.EqualValues(t, 1, outcomes(t, reader)["consumer taken"])
}

func TestAWebhookOfARequestIsCountedAsSuch(t *testing.T) {
	t.Parallel()
	k := newTeller(t, refusing)
	in, err := keys(t).SealRequest(requestID, &lk.RoomCompositeEgressRequest{RoomName: room, Webhooks: []*lk.WebhookConfig{{
		Url: at(t, func(http.ResponseWriter, *http.Request) {}), SigningKey: consumerKey}}}, "", "")
	require.NoError(t, err)
	_, err = k.env.ExecuteActivity(k.tell.Tell, activities.TellRequest{RequestID: requestID, Input: in, Event: ended(t, time.Now())})
	require.NoError(t, err)
	require.EqualValues(t, 1, outcomes(t, k.reader)["webhook taken"], fmt.Sprint(outcomes(t, k.reader)))
}
