package egress_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAnEgressInfoIsSpelledAsLkPrintsIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"lower camel":      {`{"egressId":"EG_1","roomName":"r"}`, `{"egress_id":"EG_1","room_name":"r"}`},
		"as lk already":    {`{"egress_id":"EG_1"}`, `{"egress_id":"EG_1"}`},
		"lists":            {`{"fileResults":[{"filename":"a","startedAt":"1"}]}`, `{"file_results":[{"filename":"a","started_at":"1"}]}`},
		"messages":         {`{"roomComposite":{"roomName":"r","file":{"filepath":"x","disableManifest":true}}}`, `{"room_composite":{"room_name":"r","file":{"filepath":"x","disable_manifest":true}}}`},
		"words of a user":  {`{"roomComposite":{"file":{"s3":{"metadata":{"roomName":"x"}}}}}`, `{"room_composite":{"file":{"s3":{"metadata":{"roomName":"x"}}}}}`},
		"of a newer one":   {`{"egressId":"EG_1","newField":{"roomName":1},"status":"EGRESS_NEW"}`, `{"egress_id":"EG_1","newField":{"roomName":1},"status":"EGRESS_NEW"}`},
		"large numbers":    {`{"updatedAt":1772366400000000001}`, `{"updated_at":1772366400000000001}`},
		"of another shape": {`{"newList":["a",1,null]}`, `{"newList":["a",1,null]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var i egress.Info
			require.NoError(t, json.Unmarshal([]byte(tc.in), &i))
			require.Equal(t, compact(t, tc.want), compact(t, string(i.Spelled().Raw())))
			require.Same(t, i.Proto(), i.Spelled().Proto())
		})
	}
	require.False(t, egress.Info{}.Spelled().Known())
	b, err := json.Marshal(egress.Info{}.Spelled())
	require.NoError(t, err)
	require.Equal(t, "null", string(b))
}
