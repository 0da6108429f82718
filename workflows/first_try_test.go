package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
)

// tries notes how each attempt to tell was made: within the workflow task, or as an activity.
func (l *life) tries() *[]string {
	list := &[]string{}
	note := func(how, name string) {
		if name == "Announce" || name == "Tell" {
			l.note(func() { *list = append(*list, how+" "+name) })
		}
	}
	l.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		note("activity", info.ActivityType.Name)
	})
	l.SetOnLocalActivityStartedListener(func(info *activity.Info, _ context.Context, _ []any) { note("local", info.ActivityType.Name) })
	return list
}

func TestTheFirstTryToTellIsLocalAndWhatFailsIsAnActivity(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fails int
		want  []string
	}{
		"it is taken at once": {0, []string{"local Announce"}},
		"it is down at first": {2, []string{"local Announce", "activity Announce", "activity Announce"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.lived()
			tries := l.tries()
			failed := 0
			l.announce = func(egress.Event) error {
				if failed++; failed <= tc.fails {
					return errors.New("the consumer is down")
				}
				return nil
			}

			l.mustRun(plainInput(t))

			require.Equal(t, tc.want, *tries)
			require.Len(t, l.announced, 1)
		})
	}
}

// What is told must be in the history before anything else can change it.
func TestOfWhatMayStillChangeTheFirstTryIsAnActivity(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(*life){
		"a poll saw the end": func(l *life) {},
		"it failed":          func(l *life) { l.webhook(10*time.Second, egress.EventEnded, at(failed, 10, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			ends(l)
			tries := l.tries()

			l.mustRun(plainInput(t))

			require.Equal(t, []string{"activity Announce"}, *tries)
		})
	}
}

// A slow consumer of the part that broke off must not keep the workflow from starting the
// next one, or from stopping it.
func TestBesideTheNextPartTheFirstTryIsAnActivity(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	tries := l.tries()
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))

	l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	require.Equal(t, []string{"activity Announce", "local Announce"}, *tries)
}
