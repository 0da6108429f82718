package activities

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// visit is one who wants to enter.
type visit struct {
	leave func(bool)
	a     admission
}

func (p *places) visit(ctx context.Context, name string) <-chan visit {
	c := make(chan visit, 1)
	go func() {
		leave, a := p.enter(ctx, name)
		c <- visit{leave, a}
	}()
	return c
}

func TestWhoFindsNoPlaceIsSentBackAfterAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(2)
		a, b := <-p.visit(t.Context(), "x"), <-p.visit(t.Context(), "x")
		began := time.Now()
		require.Equal(t, full, (<-p.visit(t.Context(), "x")).a)
		require.Equal(t, longestWait, time.Since(began))
		require.Equal(t, admitted, (<-p.visit(t.Context(), "y")).a, "another host's places are its own")
		a.leave(true)
		require.Equal(t, admitted, (<-p.visit(t.Context(), "x")).a)
		b.leave(true)
	})
}

func TestAPlaceGoesToWhoHasWaitedLongest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1)
		inside := <-p.visit(t.Context(), "x")
		first := p.visit(t.Context(), "x")
		synctest.Wait()
		second := p.visit(t.Context(), "x")
		synctest.Wait()
		inside.leave(true)
		synctest.Wait()
		require.Len(t, first, 1)
		require.Empty(t, second)
		(<-first).leave(true)
		(<-second).leave(true)
		require.Empty(t, p.hosts, "nothing is kept of a host where nobody is")
		require.Zero(t, p.waiting)
	})
}

func TestNobodyWaitsAtAHostThatIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(2)
		a, b := <-p.visit(t.Context(), "x"), <-p.visit(t.Context(), "x")
		a.leave(false)
		c := <-p.visit(t.Context(), "x")
		require.Equal(t, admitted, c.a, "it is still asked")
		began := time.Now()
		require.Equal(t, hopeless, (<-p.visit(t.Context(), "x")).a)
		require.Zero(t, time.Since(began))
		b.leave(true)
		<-p.visit(t.Context(), "x")
		require.Equal(t, full, (<-p.visit(t.Context(), "x")).a, "it has answered since")
		c.leave(true)
	})
}

func TestTheLineIsBoundedAtOneHostAndAtAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1)
		line := func(name string, want int) {
			for range longestLine + 10 {
				p.visit(t.Context(), name)
			}
			synctest.Wait()
			p.mu.Lock()
			require.Len(t, p.hosts[name].line, want)
			p.mu.Unlock()
		}
		line("a", longestLine)
		line("b", mostWaiting-longestLine)
		line("c", 0)
		p.mu.Lock()
		require.Equal(t, mostWaiting, p.waiting)
		p.mu.Unlock()
		synctest.Wait()
		<-time.After(longestWait)
		synctest.Wait()
		require.Zero(t, p.waiting, "and they are gone after a moment")
	})
}

func TestWhoGivesUpWaitingLeavesTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1)
		inside := <-p.visit(t.Context(), "x")
		ctx, stop := context.WithCancel(t.Context())
		gone := p.visit(ctx, "x")
		synctest.Wait()
		stop()
		require.Equal(t, full, (<-gone).a)
		stays := p.visit(t.Context(), "x")
		synctest.Wait()
		inside.leave(true)
		require.Equal(t, admitted, (<-stays).a)
	})
}

func TestATurnThatCameAtTheLastMomentIsTaken(t *testing.T) {
	t.Parallel()
	p := newPlaces(1)
	leave, _ := p.enter(t.Context(), "x")
	turn, _ := p.queue("x")
	leave(true)
	require.False(t, p.unqueue("x", turn), "the place is theirs, and must be left again")
	p.leave("x", true)
	require.Empty(t, p.hosts)
	require.False(t, p.unqueue("x", turn))
}
