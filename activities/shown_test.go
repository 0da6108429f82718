package activities_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
)

func TestPagesThatWereSeenAreForgottenOnceTheyAreTooMany(t *testing.T) {
	t.Parallel()
	var shown activities.Shown
	shown.Saw(status(active))
	page := ownPage(active)
	for n := range 10_001 {
		page.EgressId = "EG_" + strconv.Itoa(n)
		shown.Saw(page)
		require.True(t, shown.Tells(page))
	}
	page.EgressId = "EG_0"
	require.False(t, shown.Tells(page))
	require.True(t, shown.Tells(status(active)), "how others join is not forgotten")
}
