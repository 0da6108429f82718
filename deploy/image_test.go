package deploy_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
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

func TestTheImageIsBuiltFromTheTagOfItsRelease(t *testing.T) {
	t.Parallel()
	build := regexp.MustCompile(`(?m)^.*docker buildx build .*$`).FindString(read(t, "docs/releasing.md"))
	assert.Regexp(t, `^git archive v0\.1\.0 \| docker .* -$`, build, "not from the working tree")
	assert.Contains(t, build, " --build-arg VERSION=v0.1.0 --build-arg COMMIT=$(git rev-parse 'v0.1.0^{commit}') ")
}

func TestAnUpgradeWithComposeChangesTheNamesOfTheImage(t *testing.T) {
	t.Parallel()
	offered := regexp.MustCompile(`(?m)^#(\w+)=.*v0\.1\.0$`).FindAllStringSubmatch(read(t, ".env.example"), -1)
	require.Len(t, offered, 2)
	paragraph := regexp.MustCompile(`(?m)^With Compose, .*$`).FindString(read(t, "docs/upgrades.md"))
	for _, variable := range offered {
		assert.Contains(t, paragraph, "`"+variable[1]+"`")
	}
}

// licensed returns the folders whose licences are for what is released, from each package in use up to its module's
// root, and their modules.
func licensed(t *testing.T) (modules, roots map[string]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}", "./worker", "./starter")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	modules, roots = map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(out)) {
		of := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, of, 3)
		roots[of[0]] = of[1]
		for folder := of[2]; len(folder) >= len(of[1]); folder = filepath.Dir(folder) {
			modules[folder] = of[0]
		}
	}
	return modules, roots
}

// licences returns the names of a folder's licences and notices.
func licences(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*", "LICENSES/*"} {
		found, err := fs.Glob(os.DirFS(folder), pattern)
		require.NoError(t, err)
		names = append(names, found...)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		return info.IsDir() || !regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)[^_]*$`).MatchString(name) || path.Ext(name) == ".go"
	})
}

func TestALicenceComesWithAllThatIsReleased(t *testing.T) {
	t.Parallel()
	notices, err := exec.CommandContext(t.Context(), "sh", "../notices.sh").Output()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(notices), "\n==> Go, LICENSE\n"))
	modules, roots := licensed(t)
	for module, root := range roots {
		if !strings.HasPrefix(module, "github.com/nexus-rpc/nexus-proto-annotations ") { // has no such file
			assert.NotEmpty(t, licences(t, root), "%s has no licence", module)
		}
	}
	for folder, module := range modules {
		for _, name := range licences(t, folder) {
			text, err := os.ReadFile(filepath.Join(folder, name))
			require.NoError(t, err)
			want := "\n==> " + module + ", " + name + "\n\n" + string(text)
			if !strings.Contains(string(notices), want) { // Contains would print all of them
				t.Errorf("%s: %s of %s is not in the notices", module, name, folder)
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
