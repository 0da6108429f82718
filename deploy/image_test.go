package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheImageIsBuiltFromAllThatItsCommandsNeed(t *testing.T) {
	t.Parallel()
	const module = "github.com/reelkeeper/reelkeeper/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./worker", "./starter")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	sent := strings.Split(read(t, ".dockerignore"), "\n")
	for pkg := range strings.Lines(string(out)) {
		if path, ours := strings.CutPrefix(strings.TrimSpace(pkg), module); ours {
			folder, _, _ := strings.Cut(path, "/")
			assert.Contains(t, sent, "!"+folder, "%s does not reach the builder", pkg)
		}
	}
}

func TestOneGoCompilesWhatIsReleased(t *testing.T) {
	t.Parallel()
	inImage := regexp.MustCompile(`golang:(\S+)-alpine`).FindStringSubmatch(read(t, "Dockerfile"))
	require.NotNil(t, inImage)
	assert.Contains(t, read(t, "release.sh"), " GOTOOLCHAIN=go"+inImage[1]+" ", "as in the image")
	for _, name := range []string{".ci/run", "CONTRIBUTING.md"} {
		assert.Contains(t, read(t, name), " golang:"+inImage[1]+"-bookworm ", name)
	}
}

func TestALicenceComesWithAllThatIsReleased(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./worker", "./starter")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	notices, err := exec.CommandContext(t.Context(), "sh", "../notices.sh").Output()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(notices), "\n==> Go, LICENSE\n"))
	files := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)[^_]*$`)
	modules := slices.Sorted(strings.Lines(string(out)))
	for _, line := range slices.Compact(modules) {
		module, folder, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if module == "" || strings.HasPrefix(module, "github.com/nexus-rpc/nexus-proto-annotations ") { // has no such file
			continue
		}
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.IsDir() || !files.MatchString(e.Name()) })
		assert.NotEmpty(t, entries, "%s has no licence", module)
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(folder, e.Name()))
			require.NoError(t, err)
			want := "\n==> " + module + ", " + e.Name() + "\n\n" + string(text)
			if !strings.Contains(string(notices), want) { // Contains would print all of them
				t.Errorf("%s: %s is not in the notices", module, e.Name())
			}
		}
	}
	for _, name := range []string{"LICENSE", "notices.sh"} {
		assert.Contains(t, read(t, ".dockerignore"), "\n!"+name+"\n")
	}
	_, final, _ := strings.Cut(read(t, "Dockerfile"), "\nFROM alpine")
	assert.Contains(t, final, "/LICENSE /THIRD_PARTY_NOTICES ", "in the image")
	assert.Contains(t, read(t, "release.sh"), "/THIRD_PARTY_NOTICES\"", "in the archives")
}

func TestTheDemoNeedsTheGoThatTheReadmeNames(t *testing.T) {
	t.Parallel()
	needs := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "devserver/go.mod"))
	require.NotNil(t, needs)
	assert.Contains(t, read(t, "README.md"), "You need Go "+needs[1]+" or later")
}
