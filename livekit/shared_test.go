package livekit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
)

var one = []*livekit.EgressInfo{{EgressId: "EG_1"}}

// asked counts the calls behind a shared list.
type asked struct {
	n   int
	err error
	do  func()
}

func (a *asked) ask() ([]*livekit.EgressInfo, error) {
	a.n++
	if a.do != nil {
		a.do()
	}
	return one, a.err
}

func TestCallersWhoComeDuringACallShareIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		release := make(chan struct{})
		a := &asked{do: func() { <-release }}
		var callers errgroup.Group
		for range 50 {
			callers.Go(func() error {
				items, err := s.get(t.Context(), time.Nanosecond, a.ask)
				assert.Equal(t, one, items)
				return err
			})
		}
		synctest.Wait() // all of them wait now
		close(release)
		require.NoError(t, callers.Wait())
		require.Equal(t, 1, a.n)
	})
}

func TestAListIsKeptUntilItIsTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		a := &asked{}
		for _, step := range []struct {
			wait  time.Duration
			calls int
		}{{0, 1}, {2*time.Second - 1, 1}, {1, 2}, {time.Second, 2}, {time.Hour, 3}} {
			<-time.After(step.wait) // on the bubble's own clock
			items, err := s.get(t.Context(), 2*time.Second, a.ask)
			require.NoError(t, err)
			require.Equal(t, one, items)
			require.Equal(t, step.calls, a.n)
		}
	})
}

func TestAListIsAsOldAsItsQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		a := &asked{do: func() { <-time.After(5 * time.Second) }}
		for range 2 {
			_, err := s.get(t.Context(), 2*time.Second, a.ask)
			require.NoError(t, err)
		}
		require.Equal(t, 2, a.n, "an egress that began during the first call may be missing in its answer")
	})
}

func TestWhoComesLateInACallWaitsForTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		a := &asked{do: func() { <-time.After(5 * time.Second) }}
		begun := time.Now()
		var callers errgroup.Group
		for _, came := range []time.Duration{0, time.Second - 1, time.Second, 4 * time.Second} {
			callers.Go(func() error {
				<-time.After(came)
				_, err := s.get(t.Context(), time.Second, a.ask)
				answered := 5 * time.Second
				if came >= time.Second {
					answered = 10 * time.Second
				}
				assert.Equal(t, answered, time.Since(begun))
				return err
			})
		}
		require.NoError(t, callers.Wait())
		require.Equal(t, 2, a.n, "those whose coming the first call was too old for share the second")
	})
}

func TestWhoHasNoTimeLeavesAndTheOthersHaveTheirAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		a := &asked{do: func() { <-time.After(5 * time.Second) }}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var callers errgroup.Group
		var left error
		callers.Go(func() error {
			_, left = s.get(short, time.Minute, a.ask)
			return nil
		})
		callers.Go(func() error {
			items, err := s.get(t.Context(), time.Minute, a.ask)
			assert.Equal(t, one, items)
			return err
		})
		require.NoError(t, callers.Wait())
		require.ErrorIs(t, left, context.DeadlineExceeded)
		require.Equal(t, egress.Ambiguous, egress.ReasonOf(left))
		require.Equal(t, 1, a.n)
	})
}

func TestAnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	var s sharedList
	a := &asked{err: errors.New("not now")}
	_, err := s.get(t.Context(), time.Hour, a.ask)
	require.Error(t, err)
	a.err = nil
	items, err := s.get(t.Context(), time.Hour, a.ask)
	require.NoError(t, err)
	require.Equal(t, one, items)
	require.Equal(t, 2, a.n)
}

func TestAnErrorDoesNotDropAListThatIsStillFresh(t *testing.T) {
	t.Parallel()
	var s sharedList
	a := &asked{}
	_, err := s.get(t.Context(), time.Hour, a.ask)
	require.NoError(t, err)
	a.err = errors.New("not now")
	items, err := s.get(t.Context(), time.Hour, a.ask)
	require.NoError(t, err)
	require.Equal(t, one, items)
}

func TestWhoComesDuringACallSharesTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		a := &asked{do: func() { <-time.After(5 * time.Second) }}
		var callers errgroup.Group
		for i := range 50 {
			callers.Go(func() error {
				<-time.After(time.Duration(i) * 50 * time.Millisecond)
				items, err := s.get(t.Context(), 0, a.ask)
				assert.Equal(t, one, items)
				return err
			})
		}
		require.NoError(t, callers.Wait())
		require.Equal(t, 2, a.n, "nobody who came during the first call has its list")
		require.Empty(t, s.kept(), "nobody wants it any more")
		_, err := s.get(t.Context(), 0, a.ask)
		require.NoError(t, err)
		require.Equal(t, 3, a.n)
	})
}

func TestWhoComesDuringACallThatFailsHasTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sharedList
		a := &asked{}
		a.do = func() {
			if a.err = nil; a.n == 1 {
				<-time.After(5 * time.Second)
				a.err = errors.New("unavailable")
			}
		}
		var first errgroup.Group
		first.Go(func() error {
			_, err := s.get(t.Context(), 0, a.ask)
			return err
		})
		<-time.After(time.Second)
		items, err := s.get(t.Context(), 0, a.ask)
		require.NoError(t, err)
		require.Equal(t, one, items)
		require.EqualError(t, first.Wait(), "unavailable")
		require.Equal(t, 2, a.n)
	})
}
