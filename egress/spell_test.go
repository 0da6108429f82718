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
		"half of it":       {`{"file_results":[{"startedAt":"1"}]}`, `{"file_results":[{"started_at":"1"}]}`},
		"messages":         {`{"roomComposite":{"roomName":"r","file":{"filepath":"x","disableManifest":true}}}`, `{"room_composite":{"room_name":"r","file":{"filepath":"x","disable_manifest":true}}}`},
		"words of a user":  {`{"roomComposite":{"file":{"s3":{"metadata":{"roomName":"x"}}}}}`, `{"room_composite":{"file":{"s3":{"metadata":{"roomName":"x"}}}}}`},
		"keys of a map":    {`{"web":{"file":{"s3":{"metadata":{"key":"a","value":"b","egressId":"c"}}}}}`, `{"web":{"file":{"s3":{"metadata":{"key":"a","value":"b","egressId":"c"}}}}}`},
		"of a newer one":   {`{"egressId":"EG_1","newField":{"roomName":1},"status":"EGRESS_NEW"}`, `{"egress_id":"EG_1","newField":{"roomName":1},"status":"EGRESS_NEW"}`},
		"large numbers":    {`{"updatedAt":1772366400000000001}`, `{"updated_at":1772366400000000001}`},
		"null of a list":   {`{"fileResults":null,"roomComposite":null}`, `{"file_results":null,"room_composite":null}`},
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

func TestAVerdictIsSpelledInAllItsParts(t *testing.T) {
	t.Parallel()
	var v egress.Verdict
	require.NoError(t, json.Unmarshal([]byte(`{"info":{"egressId":"EG_2"},"parts":[{"info":{"egressId":"EG_1","newerField":1}},{"info":{"egressId":"EG_2"}}]}`), &v))

	s := v.Spelled()

	require.JSONEq(t, `{"egress_id":"EG_2"}`, string(s.Info.Raw()))
	require.JSONEq(t, `{"egress_id":"EG_1","newerField":1}`, string(s.Parts[0].Info.Raw()))
	require.JSONEq(t, `{"egress_id":"EG_2"}`, string(s.Parts[1].Info.Raw()))
	require.JSONEq(t, `{"egressId":"EG_2"}`, string(v.Parts[1].Info.Raw()), "what was spelled stays as it was")
}
