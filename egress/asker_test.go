package egress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAnAskerIsNobodyOrHasAShortName(t *testing.T) {
	t.Parallel()
	require.Nil(t, egress.AskedBy("", ""))
	require.Equal(t, &egress.Asker{APIKey: "key"}, egress.AskedBy("key", ""))
	require.Equal(t, &egress.Asker{Identity: "ann"}, egress.AskedBy("", "ann"))
	require.Equal(t, &egress.Asker{APIKey: strings.Repeat("k", 128), Identity: strings.Repeat("é", 64)},
		egress.AskedBy(strings.Repeat("k", 500), strings.Repeat("é", 500)))
}
