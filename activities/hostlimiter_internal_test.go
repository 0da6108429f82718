package activities

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// visit is one caller that asks for a slot.
type visit struct {
	release func(bool)
	a       admission
}

func (l *hostLimiter) visit(ctx context.Context, name string) <-chan visit {
	c := make(chan visit, 1)
	go func() {
		release, a := l.acquire(ctx, name)
		c <- visit{release, a}
	}()
	return c
}

func TestWhoFindsNoPlaceIsSentBackAfterAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newHostLimiter(2)
		a, b := <-l.visit(t.Context(), "x"), <-l.visit(t.Context(), "x")
		began := time.Now()
		require.Equal(t, full, (<-l.visit(t.Context(), "x")).a)
		require.Equal(t, longestWait, time.Since(began))
		require.Equal(t, admitted, (<-l.visit(t.Context(), "y")).a, "another host's places are its own")
		a.release(true)
		require.Equal(t, admitted, (<-l.visit(t.Context(), "x")).a)
		b.release(true)
	})
}

func TestAPlaceGoesToWhoHasWaitedLongest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newHostLimiter(1)
		inside := <-l.visit(t.Context(), "x")
		first := l.visit(t.Context(), "x")
		synctest.Wait()
		second := l.visit(t.Context(), "x")
		synctest.Wait()
		inside.release(true)
		synctest.Wait()
		require.Len(t, first, 1)
		require.Empty(t, second)
		(<-first).release(true)
		(<-second).release(true)
		require.Empty(t, l.hosts, "nothing is kept of a host where nobody is")
		require.Zero(t, l.waiting)
	})
}

func TestNobodyWaitsAtAHostThatIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newHostLimiter(2)
		a, b := <-l.visit(t.Context(), "x"), <-l.visit(t.Context(), "x")
		a.release(false)
		c := <-l.visit(t.Context(), "x")
		require.Equal(t, admitted, c.a, "it is still asked")
		began := time.Now()
		require.Equal(t, silent, (<-l.visit(t.Context(), "x")).a)
		require.Zero(t, time.Since(began))
		b.release(true)
		<-l.visit(t.Context(), "x")
		require.Equal(t, full, (<-l.visit(t.Context(), "x")).a, "it has answered since")
		c.release(true)
	})
}

func TestTheQueueIsBoundedAtOneHostAndAtAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newHostLimiter(1)
		queue := func(name string, want int) {
			for range longestQueue + 10 {
				l.visit(t.Context(), name)
			}
			synctest.Wait()
			l.mu.Lock()
			require.Len(t, l.hosts[name].queue, want)
			l.mu.Unlock()
		}
		queue("a", longestQueue)
		queue("b", mostWaiting-longestQueue)
		queue("c", 0)
		l.mu.Lock()
		require.Equal(t, mostWaiting, l.waiting)
		l.mu.Unlock()
		synctest.Wait()
		<-time.After(longestWait)
		synctest.Wait()
		require.Zero(t, l.waiting, "and they are gone after a moment")
	})
}

func TestWhoGivesUpWaitingLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newHostLimiter(1)
		inside := <-l.visit(t.Context(), "x")
		ctx, stop := context.WithCancel(t.Context())
		gone := l.visit(ctx, "x")
		synctest.Wait()
		stop()
		require.Equal(t, full, (<-gone).a)
		stays := l.visit(t.Context(), "x")
		synctest.Wait()
		inside.release(true)
		require.Equal(t, admitted, (<-stays).a)
	})
}

func TestATurnThatCameAtTheLastMomentIsTaken(t *testing.T) {
	t.Parallel()
	l := newHostLimiter(1)
	release, _ := l.acquire(t.Context(), "x")
	turn, _ := l.enqueue("x")
	release(true)
	require.False(t, l.dequeue("x", turn), "the place is theirs, and must be released again")
	l.release("x", true)
	require.Empty(t, l.hosts)
}
