package e2e

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// delivering is a recording in a pipeline that can be stopped at any point.
type delivering struct {
	*world
	store   *s3Store
	billing *witness
	archive *witness
	index   *theirs
}

func newDelivering(t *testing.T) *delivering {
	t.Helper()
	d := &delivering{store: newS3Store(t), billing: newWitness(t, billingKey, billingSecret), archive: newWitness(t, apiKey, apiSecret)}
	pipeline := withPipeline(t, twoConsumers(d.billing.URL, d.archive.URL), "LIVEKIT_KEYS", billingKey+": "+billingSecret)
	d.world = newMediaWorld(t, d.store, func(environ map[string]string) { pipeline(nil, environ) })
	d.index = d.theirWorker("media", "Index")
	return d
}

// Wherever the worker is killed, the next one continues: nobody is left out, and repeats are
// recognizable.
func TestTheWorkerIsKilledInEachStepOfADelivery(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		// hold makes a step hang, and returns what signals that it does, and what releases it.
		hold             func(d *delivering) (hangs <-chan struct{}, free func())
		tells, mostTells int // how often billing is told at least, and each consumer at most
	}{
		"while verify looks": {func(d *delivering) (<-chan struct{}, func()) {
			answer, hangs := d.store.hang(), make(chan struct{})
			go func() {
				defer close(hangs)
				d.want("the store is asked", func() bool { return d.store.asks() > 0 })
			}()
			return hangs, answer
		}, 1, 1},
		"while a consumer of the pipeline is told": {func(d *delivering) (<-chan struct{}, func()) {
			hangs, answer := make(chan struct{}), make(chan struct{})
			told := sync.OnceFunc(func() { close(hangs) })
			d.billing.answer = func() int {
				told()
				<-answer
				return http.StatusOK
			}
			return hangs, sync.OnceFunc(func() { close(answer) })
		}, 2, 3},
		"while a step of the user's own runs": {func(d *delivering) (<-chan struct{}, func()) {
			hangs, end := make(chan struct{}), make(chan struct{})
			d.index.answerWith(func(egress.StepInput) (any, error) {
				close(hangs) // it is called once
				<-end
				return "done", nil
			})
			return hangs, sync.OnceFunc(func() { close(end) })
		}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDelivering(t)
			hangs, free := tc.hold(d)
			t.Cleanup(free) // before the servers close
			first := d.workerProcess()
			d.room("room", fakelivekit.RoomScript{Call: time.Second})
			id := d.store.record(d.world, "room").Info.Proto().GetEgressId()
			<-hangs

			first.kill()
			free()
			d.workerProcess()
			v := d.verdict("room")

			require.Equal(t, egress.MediaPresent, v.Media, v.MediaBecause)
			require.ElementsMatch(t, []string{"announce", "announce-archive", "announce-billing", "index"}, v.Delivered)
			told := d.consumer.told(id)
			require.GreaterOrEqual(t, len(d.billing.all()), tc.tells)
			for _, n := range []int{len(told), len(d.archive.all()), len(d.billing.all())} {
				require.GreaterOrEqual(t, n, 1)
				require.LessOrEqual(t, n, tc.mostTells)
			}
			for _, e := range told {
				require.Equal(t, told[0].GetId(), e.GetId())
			}
			for _, heard := range append(d.billing.all(), d.archive.all()...) {
				require.Equal(t, told[0].GetId(), heard.event.GetId())
				require.Equal(t, "present", heard.header.Get(egress.HeaderMedia), "nobody was told before the look was over")
			}
			require.Len(t, d.index.inputs, 1, "its worker lives")
			require.Equal(t, v.StepKey("index"), d.index.inputs[0].IdempotencyKey)
		})
	}
}
