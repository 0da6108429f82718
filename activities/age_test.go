package activities_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// teller delivers events, and shows how old the accepted ends were.
type teller struct {
	t      *testing.T
	env    *testsuite.TestActivityEnvironment
	tell   *activities.Delivery
	reader *sdkmetric.ManualReader
}

func newTeller(t *testing.T, url string) *teller {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	d := delivery(t, url, func(cfg *activities.DeliveryConfig) {
		cfg.Opener, cfg.Meter = keys(t), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	})
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	env.RegisterActivity(d)
	return &teller{t, env, d, reader}
}

// ages returns the sums of what was measured, by recipient.
func (k *teller) ages() map[string]float64 {
	k.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(k.t, k.reader.Collect(k.t.Context(), &all))
	sums := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != activities.MetricAge {
				continue
			}
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				to, _ := p.Attributes.Value("to")
				sums[to.AsString()] = p.Sum
			}
		}
	}
	return sums
}

func TestTheAgeOfAnEndIsMeasuredOnceItIsTaken(t *testing.T) {
	t.Parallel()
	var takes atomic.Bool
	url := at(t, func(w http.ResponseWriter, _ *http.Request) {
		if !takes.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	k := newTeller(t, url)
	in, err := keys(t).SealRequest(requestID, &lk.RoomCompositeEgressRequest{RoomName: room, Webhooks: []*lk.WebhookConfig{{Url: url, SigningKey: consumerKey}}}, "", "")
	require.NoError(t, err)
	hourOld := ended(t, time.Now().Add(-time.Hour))
	toTheirs := activities.TellRequest{RequestID: requestID, Input: in, Event: hourOld}

	_, err = k.env.ExecuteActivity(k.tell.Announce, activities.Announcement{Event: hourOld})
	require.Error(t, err)
	_, err = k.env.ExecuteActivity(k.tell.Tell, toTheirs)
	require.Error(t, err)
	require.Empty(t, k.ages(), "nobody has taken it")

	takes.Store(true)
	_, err = k.env.ExecuteActivity(k.tell.Announce, activities.Announcement{Event: hourOld})
	require.NoError(t, err)
	_, err = k.env.ExecuteActivity(k.tell.Tell, toTheirs)
	require.NoError(t, err)
	require.InDelta(t, 3600, k.ages()["consumer"], 30)
	require.InDelta(t, 3600, k.ages()["webhook"], 30)
}

func TestWhatHasNoAgeIsNotMeasured(t *testing.T) {
	t.Parallel()
	k := newTeller(t, at(t, func(http.ResponseWriter, *http.Request) {}))
	for name, body := range map[string]string{
		"an event of the way":    fmt.Sprintf(`{"event":"egress_updated","egressInfo":{"egressId":"EG_1","endedAt":"%d"}}`, time.Now().UnixNano()),
		"an end without a time":  `{"event":"egress_ended","egressInfo":{"egressId":"EG_1"}}`,
		"an event of no egress":  `{"event":"egress_ended"}`,
		"an event of the room's": `{"event":"room_finished"}`,
	} {
		e, err := egress.ParseEvent([]byte(body))
		require.NoError(t, err)
		_, err = k.env.ExecuteActivity(k.tell.Announce, activities.Announcement{Event: e})
		require.NoError(t, err, name)
	}
	require.Empty(t, k.ages())
}

func TestAnEndByAClockAheadOfOursIsNew(t *testing.T) {
	t.Parallel()
	k := newTeller(t, at(t, func(http.ResponseWriter, *http.Request) {}))
	_, err := k.env.ExecuteActivity(k.tell.Announce, activities.Announcement{Event: ended(t, time.Now().Add(time.Hour))})
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"consumer": 0}, k.ages())
}

func TestAnEndThatIsToldAgainHasNoAge(t *testing.T) {
	t.Parallel()
	for workflowType, want := range map[string]int{egress.WorkflowType: 1, egress.RedeliveryType: 0} {
		k := newTeller(t, at(t, func(http.ResponseWriter, *http.Request) {}))
		var s testsuite.WorkflowTestSuite
		s.SetLogger(quiet{})
		env := s.NewTestWorkflowEnvironment()
		env.SetDataConverter(payload.Converter())
		env.RegisterActivity(k.tell)
		env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
			return workflow.ExecuteActivity(ctx, k.tell.Announce, activities.Announcement{Event: ended(t, time.Now().Add(-time.Hour))}).Get(ctx, nil)
		}, workflow.RegisterOptions{Name: workflowType})
		env.ExecuteWorkflow(workflowType)
		require.NoError(t, env.GetWorkflowError())
		require.Len(t, k.ages(), want, workflowType)
	}
}
