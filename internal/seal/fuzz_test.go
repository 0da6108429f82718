package seal

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// FuzzARequestOpensAsItWasSealed takes any request that a caller can send, also with fields of a newer
// LiveKit.
func FuzzARequestOpensAsItWasSealed(f *testing.F) {
	for n, kind := range egress.Kinds() {
		b, err := proto.Marshal(requests()[kind])
		require.NoError(f, err)
		f.Add(uint8(n), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		r := egress.NewRequest(egress.Kinds()[int(kind)%len(egress.Kinds())])
		if proto.Unmarshal(b, r) != nil {
			return
		}
		k := keysOf(t, Config{Secret: testSecret})
		in, err := k.SealRequest("req-1", r, "store", "pipe")
		require.NoError(t, err)
		kept, err := json.Marshal(in)
		require.NoError(t, err)
		var read egress.Input
		require.NoError(t, json.Unmarshal(kept, &read))
		opened, err := k.OpenRequest("req-1", read)
		require.NoError(t, err)
		require.True(t, proto.Equal(r, opened))
	})
}
