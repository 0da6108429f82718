package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// Whoever asks for the start waits for one answer alone, and whoever joins them for what the
// search finds.
func TestAStartThatIsHandedBackIsLookedForAndItsCallerHearsOfItAtOnce(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	var sent []bool
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		sent = append(sent, in.OnlyLook)
		if !in.OnlyLook {
			return activities.Started{}, failure(egress.HandedBack, "not started before noon")
		}
		return activities.Started{Info: info(t, lk.EgressStatus_EGRESS_ACTIVE), Terms: terms()}, nil
	}
	var back, told error
	l.at(0, func() {
		l.update(egress.UpdateStart, "start", &back, egress.StartUpdate{TakesBack: true})
		l.update(egress.UpdateStart, "start/searched", &told, egress.StartUpdate{})
	})

	l.mustRun(plainInput(t))

	require.Equal(t, []bool{false, true}, sent)
	var app *temporal.ApplicationError
	require.ErrorAs(t, back, &app)
	require.Equal(t, string(egress.HandedBack), app.Type())
	require.NoError(t, told)
}

func TestAStartThatIsHandedBackAndNotFoundIsRefused(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		return activities.Started{}, failure(map[bool]egress.Reason{true: egress.TooLate, false: egress.HandedBack}[in.OnlyLook], "not started before noon")
	}
	var told error
	l.at(0, func() { l.update(egress.UpdateStart, "start", &told, egress.StartUpdate{}) })

	_, err := l.run(plainInput(t))

	for _, err := range []error{told, err} {
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Equal(t, string(egress.TooLate), app.Type())
	}
}

func TestAPartAfterAStartThatWasHandedBackIsAskedFor(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	before := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		if in.Part == 1 && !in.OnlyLook {
			return activities.Started{}, failure(egress.HandedBack, "not started before noon")
		}
		return before(ctx, in)
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))

	l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	require.True(t, (*starts)[0].OnlyLook)
	require.False(t, (*starts)[1].OnlyLook)
}

// Whoever asks meanwhile must not start it as well.
func TestAPartAfterAStartThatWasHandedBackIsNotHandedBack(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.OnActivity("Start", mock.Anything, mock.MatchedBy(func(in activities.StartRequest) bool { return in.Part == 2 })).
		After(20*time.Second).Return(activities.Started{Info: infoOf(t, part(2, active, 30)), Terms: terms()}, nil)
	l.OnActivity("Start", mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		if !in.OnlyLook {
			return activities.Started{}, failure(egress.HandedBack, "not started before noon")
		}
		return l.started(ctx, in)
	})
	told := errors.New("no answer")
	l.at(20*time.Second, func() { l.update(egress.UpdateStart, "again", &told, egress.StartUpdate{TakesBack: true}) })
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))

	l.mustRun(plainInput(t))

	require.NoError(t, told)
}
