package egress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestATextIsCutAtARunesEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		most int
		want string
	}{
		"shorter":                        {"ab", 3, "ab"},
		"as long":                        {"abc", 3, "abc"},
		"longer":                         {"abcd", 3, "abc"},
		"in the middle of a rune":        {"aé", 2, "a"},
		"in the middle of a longer rune": {"日本", 5, "日"},
		"at a rune's end":                {"日本", 3, "日"},
		"shorter than its first rune":    {"é", 1, ""},
		"to nothing":                     {"abc", 0, ""},
		"no text at all":                 {"\x80\x80", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.Clip(tc.text, tc.most))
		})
	}
	require.Len(t, egress.Keyword(strings.Repeat("a", 300)), 255, "what Temporal's SQL stores hold")
	require.Equal(t, "a\uFFFDb", egress.Keyword("a\x00b"), "PostgreSQL's JSON holds no NUL")
}

func TestTheSearchAttributesHaveTheTypesThatQueriesCountOn(t *testing.T) {
	t.Parallel()
	got := egress.Attributes()
	for name, want := range map[string]string{
		"EgressId": "Keyword", "EgressRoom": "Keyword", "EgressKind": "Keyword", "EgressStatus": "Keyword",
		"EgressEndedBy": "Keyword", "EgressMissed": "Keyword", "EgressStuck": "Bool",
	} {
		require.Equal(t, want, got[name], name)
	}
}

func TestAnErrorOfAReasonAloneCanBePrinted(t *testing.T) {
	t.Parallel()
	require.Empty(t, (&egress.Error{Reason: egress.Internal}).Error())
}

func TestATokenWhosePartIsNoNumberOfAnyPartIsNoToken(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"0", "-1", "one", "", "99999999999999999999"} {
		_, ok := egress.ParseToken("https://reelkeeper.example.com/webhooks/livekit/standup-1/" + part + "/mac")
		require.False(t, ok, part)
	}
}
