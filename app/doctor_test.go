package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/doctor"
)

func TestTheDoctorHoldsTheWaitsOfAStartAgainstEachOther(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change []string
		want   doctor.Status
		found  string
	}{
		"the defaults":            {nil, doctor.OK, "all required settings are set"},
		"a search too short":      {[]string{"REELKEEPER_TOKEN_SEARCH", "31s"}, doctor.Warn, "for up to 31s"},
		"a door that waits long":  {[]string{"REELKEEPER_TOKEN_SEARCH", "40s", "REELKEEPER_REQUEST_TIMEOUT", "30s"}, doctor.Warn, "for up to 52s"},
		"a door that never opens": {[]string{"REELKEEPER_TOKEN_SEARCH", "25s", "REELKEEPER_FAIL_OPEN_AFTER", "off"}, doctor.OK, "all required settings are set"},
		"a door too late to open": {[]string{"REELKEEPER_FAIL_OPEN_AFTER", "8s"}, doctor.Fail, "must be more than 1s below"},
		"a start that is short":   {[]string{"REELKEEPER_START_FOR", "3m"}, doctor.Warn, "take 3m0s"},
		"a call that is long":     {[]string{"REELKEEPER_START_CALL_TIMEOUT", "9m"}, doctor.Warn, "take 10m30s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, end, err := app.Doctor(environ(t, tc.change...))
			require.NoError(t, err)
			t.Cleanup(end)
			findings := d.Run(t.Context(), doctor.Settings)
			require.Len(t, findings, 1)
			require.Equal(t, tc.want, findings[0].Status, findings[0].Found)
			require.Contains(t, findings[0].Found, tc.found)
		})
	}
}

func TestTheDoctorAsksNoLiveKitWithHalfAKey(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"} {
		d, end, err := app.Doctor(environ(t, missing, ""))
		require.NoError(t, err)
		findings := d.Run(t.Context(), doctor.LiveKitAPI)
		end()
		require.Equal(t, doctor.Fail, findings[0].Status)
		require.Contains(t, findings[0].Found, "not checked: "+missing+": is not set")
	}
}

func TestTheDoctorTriesNoStoreUnlessItKnowsWhichHostsItMayReach(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "storage.yaml")
	for profiles, found := range map[string]string{
		"profiles: {main: {s3: {bucket: media, region: eu-central-1}}}": "REELKEEPER_ALLOW_HOSTS",
		"profiles: {main: {s3: {buckets: media}}}":                      "main.s3.buckets", // named beside the hosts
	} {
		require.NoError(t, os.WriteFile(file, []byte(profiles), 0o600))
		d, end, err := app.Doctor(environ(t, "REELKEEPER_ALLOW_HOSTS", "*", "REELKEEPER_STORAGE", file))
		require.NoError(t, err)
		findings := d.Run(t.Context(), doctor.Storage)
		end()
		require.Equal(t, doctor.Fail, findings[0].Status)
		require.Contains(t, findings[0].Found, "not checked: ")
		require.Contains(t, findings[0].Found, found)
	}
}
