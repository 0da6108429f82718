package activities_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// delivery returns a Delivery for the consumer at a URL, with settings that a test changes.
func delivery(t *testing.T, url string, change func(*activities.DeliveryConfig)) *activities.Delivery {
	t.Helper()
	cfg := activities.DeliveryConfig{AnnounceURL: url, SigningKey: consumerKey, Keys: map[string]string{consumerKey: consumerSecret}}
	if change != nil {
		change(&cfg)
	}
	d, err := activities.NewDelivery(cfg)
	require.NoError(t, err)
	return d
}

// tryOnce makes one attempt at an announcement.
func tryOnce(d *activities.Delivery, in activities.Announcement) error {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	env.RegisterActivity(d.Announce)
	_, err := env.ExecuteActivity(d.Announce, in)
	return err
}

// patiently announces as a workflow does, on a clock that skips the waits. It returns when the
// requests came, counted from the beginning.
func patiently(t *testing.T, in activities.Announcement, answer func(n int, w http.ResponseWriter, r *http.Request)) []time.Duration {
	t.Helper()
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestWorkflowEnvironment()
	env.SetDataConverter(payload.Converter())
	env.SetTestTimeout(time.Minute)
	began, asked := env.Now(), []time.Duration{}
	var mu sync.Mutex // a cut request and the next one come over two connections
	url := at(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, env.Now().Sub(began))
		n := len(asked)
		mu.Unlock()
		answer(n, w, r)
	})
	d := delivery(t, url, nil)
	env.RegisterActivity(d.Announce)
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Hour, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumAttempts: 100_000},
		})
		return workflow.ExecuteActivity(ctx, d.Announce, in).Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError())
	return asked
}

func TestAConsumerThatIsDownForTwoDaysIsToldWithinMinutesOfItsReturn(t *testing.T) {
	t.Parallel()
	const down = 48 * time.Hour
	c := &consumer{}
	asked := patiently(t, activities.Announcement{Event: ended(t, time.Now())}, func(n int, w http.ResponseWriter, r *http.Request) {
		if n < 600 { // far more than two days of attempts 5 min apart
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		c.ServeHTTP(w, r)
	})
	require.Greater(t, asked[598], down-time.Hour)
	require.Len(t, c.events, 1)
	require.Len(t, asked, 600)
	for n, want := range []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		require.InDelta(t, want, (asked[n+1] - asked[n]).Seconds(), 0.2*want+0.01, "wait %d", n+1)
	}
	require.LessOrEqual(t, asked[599]-asked[598], 6*time.Minute)
	waits := map[time.Duration]bool{}
	for n := range 500 {
		waits[(asked[n+20] - asked[n+19]).Truncate(10*time.Second)] = true
	}
	require.GreaterOrEqual(t, len(waits), 10, "5 min give or take 20 % are twelve times 10 s")
}

func TestWhenAConsumerWantsToBeAskedAgainIsHonoured(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status      int
		after       string
		least, most time.Duration
	}{
		"429, seconds":          {429, "60", 60 * time.Second, 72 * time.Second},
		"503, seconds":          {503, "120", 120 * time.Second, 144 * time.Second},
		"503, a date":           {503, time.Now().Add(5 * time.Minute).UTC().Format(http.TimeFormat), 4 * time.Minute, 6 * time.Minute},
		"429, an age":           {429, "86400", 15 * time.Minute, 18 * time.Minute},
		"429, a date in an age": {429, "Fri, 31 Dec 2199 23:59:59 GMT", 15 * time.Minute, 18 * time.Minute},
		"429, past":             {429, "Fri, 31 Dec 1999 23:59:59 GMT", 800 * time.Millisecond, 1200 * time.Millisecond},
		"429, sooner than ours": {429, "0", 800 * time.Millisecond, 1200 * time.Millisecond},
		"429, no sense":         {429, "soon", 800 * time.Millisecond, 1200 * time.Millisecond},
		"429, less than none":   {429, "-60", 800 * time.Millisecond, 1200 * time.Millisecond},
		"429, nothing":          {429, "", 800 * time.Millisecond, 1200 * time.Millisecond},
		"500 does not ask":      {500, "60", 800 * time.Millisecond, 1200 * time.Millisecond},
		"410 does not ask":      {410, "60", 800 * time.Millisecond, 1200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := at(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tc.after)
				w.WriteHeader(tc.status)
			})
			a, _ := failed(t, announce(t, url, ended(t, time.Now())))
			require.GreaterOrEqual(t, a.NextRetryDelay(), tc.least)
			require.LessOrEqual(t, a.NextRetryDelay(), tc.most)
		})
	}
}

func TestTheFirstAttemptIsPutOffAsTheOneBeforeWanted(t *testing.T) {
	t.Parallel()
	in := activities.Announcement{Event: ended(t, time.Now()), Envelope: activities.Envelope{PutOff: egress.Duration(time.Minute), Because: "the consumer answered 503"}}
	asked := patiently(t, in, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	require.Len(t, asked, 2)
	require.Equal(t, time.Minute, asked[0])
	require.InDelta(t, 2, (asked[1] - asked[0]).Seconds(), 0.41, "the second of egress.RetryConsumer")

	url := at(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	a, e := failed(t, tryOnce(delivery(t, url, nil), in))
	require.Equal(t, egress.HeldBack, e.Reason)
	require.Equal(t, "the consumer answered 503", e.Message, "which who looks at the pending activity wants to know")
	require.Equal(t, time.Minute, a.NextRetryDelay())
}

// The consumer has accepted it, and we do not know: it is told again, and recognizes the ID.
func TestAnAnnouncementWhoseAnswerWasCutIsRepeatedUnderTheSameID(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(w http.ResponseWriter){
		"before the answer": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"after the 200": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush() // cut anyway
			panic(http.ErrAbortHandler)
		},
		"in the middle of its text": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "take")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &consumer{}
			patiently(t, activities.Announcement{Event: ended(t, time.Now())}, func(n int, w http.ResponseWriter, r *http.Request) {
				c.ServeHTTP(w, r)
				if n == 1 {
					cut(w)
				}
			})
			require.Len(t, c.events, 2)
			require.Equal(t, "EV_1", c.events[0].GetId())
			require.Equal(t, "EV_1", c.events[1].GetId())
			require.NotEmpty(t, c.headers[1].Get("Authorization"))
		})
	}
}

func TestAConsumerOfThePipelineIsToldWithItsOwnKey(t *testing.T) {
	t.Parallel()
	c := &consumer{}
	url := at(t, c.ServeHTTP)
	d := delivery(t, refusing, func(cfg *activities.DeliveryConfig) {
		cfg.SigningKey, cfg.Keys["ours"] = "ours", "our secret, which nobody else knows"
	})
	in := activities.Announcement{Event: ended(t, time.Now()), Consumer: &egress.Consumer{Name: "archive", URL: url, Key: consumerKey}}
	require.NoError(t, tryOnce(d, in))
	require.Len(t, c.events, 1)

	in.Consumer.Key = ""
	_, e := failed(t, tryOnce(d, in))
	require.Contains(t, e.Message, "401", "without a name it is the project's own key, which this consumer does not have")
	in.Consumer.Key = "rotated"
	a, e := failed(t, tryOnce(d, in))
	require.Equal(t, egress.Invalid, e.Reason)
	require.True(t, a.NonRetryable(), "a person gives the worker the key")
}

func TestWhatIsSaidBesideLiveKitsOwnTakesNothingOfIt(t *testing.T) {
	t.Parallel()
	c := &consumer{}
	in := activities.Announcement{Event: ended(t, time.Now()), Envelope: activities.Envelope{Headers: map[string]string{
		egress.HeaderVerdict: "LOST", "Authorization": "none", "User-Agent": "none", "Content-Type": "text/plain",
	}}}
	require.NoError(t, tryOnce(delivery(t, at(t, c.ServeHTTP), nil), in))
	require.Equal(t, "LOST", c.headers[0].Get("x-reelkeeper-verdict"))
	require.Equal(t, "LiveKit", c.headers[0].Get("User-Agent"))
	require.Equal(t, "application/webhook+json", c.headers[0].Get("Content-Type"))
}

// all runs n attempts at once, until each is accepted. It returns how many were sent back.
func all(t *testing.T, d *activities.Delivery, n int, in activities.Announcement) (sentBack int) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([][]error, n)
	for i := range n {
		wg.Go(func() {
			for {
				err := tryOnce(d, in)
				if err == nil {
					return
				}
				errs[i] = append(errs[i], err)
				if a, ok := errors.AsType[*temporal.ApplicationError](err); !ok || a.Type() != string(egress.HeldBack) {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range slices.Concat(errs...) {
		_, e := failed(t, err)
		require.Equal(t, egress.HeldBack, e.Reason)
		sentBack++
	}
	return sentBack
}

func TestAHundredEndsAtOnceAreToldOfSomeAtATimeAndOneAttemptIsEnough(t *testing.T) {
	t.Parallel()
	crowd := &crowd{takes: func(ctx context.Context) { await(ctx, 5*time.Millisecond) }}
	d := delivery(t, at(t, crowd.ServeHTTP), func(cfg *activities.DeliveryConfig) { cfg.PerHost = 3 })
	back := all(t, d, 100, activities.Announcement{Event: ended(t, time.Now())})
	require.Equal(t, 100, crowd.came)
	require.LessOrEqual(t, crowd.most, 3)
	t.Log("sent back:", back)
}

func TestAConsumerThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	inside := make(chan struct{}, 100)
	hangs := &crowd{takes: func(context.Context) {
		inside <- struct{}{}
		<-hang
	}}
	well := &crowd{takes: func(context.Context) {}}
	d := delivery(t, at(t, hangs.ServeHTTP), func(cfg *activities.DeliveryConfig) { cfg.PerHost, cfg.Timeout = 4, time.Minute })
	event := ended(t, time.Now())

	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _ = tryOnce(d, activities.Announcement{Event: event}) }) // those in the queue may be sent back
	}
	for range 4 {
		<-inside
	}
	all(t, d, 50, activities.Announcement{Event: event, Consumer: &egress.Consumer{Name: "well", URL: at(t, well.ServeHTTP)}})
	require.Equal(t, 50, well.came, "while the other one still hangs")
	require.Equal(t, 4, hangs.cameSoFar())
	close(hang)
	wg.Wait()
	require.LessOrEqual(t, hangs.most, 4)
}

// crowd is a consumer that counts concurrent requests.
type crowd struct {
	takes func(ctx context.Context)

	mu               sync.Mutex
	came, here, most int
}

func (c *crowd) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	c.mu.Lock()
	c.came++
	c.here++
	c.most = max(c.most, c.here)
	c.mu.Unlock()
	c.takes(r.Context())
	c.mu.Lock()
	c.here--
	c.mu.Unlock()
}

func (c *crowd) cameSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came
}

// await waits as long as a consumer takes.
func await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
