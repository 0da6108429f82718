package fakes3

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

func TestAStoreHasTheFilesOfItsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	f := files{s3mem.New(), root}
	require.NoError(t, f.CreateBucket("recordings"))
	read := func(name string, r *gofakes3.ObjectRangeRequest) string {
		o, err := f.GetObject("recordings", name, r)
		require.NoError(t, err)
		b, err := io.ReadAll(o.Contents)
		require.NoError(t, err)
		require.NoError(t, o.Contents.Close())
		return string(b)
	}

	_, err = f.HeadObject("recordings", "life-1.mp4")
	require.True(t, gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey), err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "life-1.mp4"), []byte("media"), 0o600))
	require.Equal(t, "media", read("life-1.mp4", nil))
	require.Equal(t, "di", read("life-1.mp4", &gofakes3.ObjectRangeRequest{Start: 2, End: 3}))
	o, err := f.HeadObject("recordings", "life-1.mp4")
	require.NoError(t, err)
	require.EqualValues(t, 5, o.Size)
	require.NotEmpty(t, o.Metadata["Last-Modified"])
	require.NoError(t, o.Contents.Close())
	_, err = f.GetObject("recordings", "life-1.mp4", &gofakes3.ObjectRangeRequest{Start: 9, End: 9})
	require.ErrorContains(t, err, "InvalidRange")

	_, err = f.PutObject("recordings", "probe", nil, strings.NewReader("x"), 1, nil)
	require.NoError(t, err)
	require.Equal(t, "x", read("probe", nil))
	require.NoFileExists(t, filepath.Join(dir, "probe"))
}
