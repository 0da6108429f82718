package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/catalogue"
)

// The worker accepts the example file, once its variables and secrets exist.
func TestTheExampleOfStorageProfilesIsOne(t *testing.T) {
	t.Parallel()
	text := read(t, "deploy/storage.example.yaml")
	dir := t.TempDir()
	environ := map[string]string{}
	for _, m := range regexp.MustCompile(`\$\{([^}]+)\}`).FindAllStringSubmatch(text, -1) {
		path, isFile := strings.CutPrefix(m[1], "file:")
		if !isFile {
			environ[m[1]] = "value of " + m[1]
			continue
		}
		there := filepath.Join(dir, filepath.Base(path))
		require.NoError(t, os.WriteFile(there, []byte("secret"), 0o600))
		text = strings.ReplaceAll(text, path, there)
	}
	file := filepath.Join(dir, "storage.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	p, err := catalogue.Profiles(file, environ)
	require.NoError(t, err)
	require.Equal(t, "main", p.Default)
	require.Equal(t, []string{"ali", "az", "cold", "main", "minio"}, p.Names())
	require.Equal(t, "value of S3_ACCESS_KEY", p.Named["main"].GetS3().GetAccessKey())
	require.Equal(t, "secret", p.Named["main"].GetS3().GetSecret())
}
