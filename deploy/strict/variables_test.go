package strict_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

const secretsFolder = "/run/secrets/reelkeeper/"

// variables are those that a pod may set.
type variables struct {
	known   []string
	secrets []string // which may be in the file that NAME_FILE names
}

// readmes returns the variables of the README's table and its list of secrets, which other tests compare with their
// struct, those of Temporal's that the docs name, and Go's own.
func readmes(t *testing.T) variables {
	t.Helper()
	text := string(read(t, "README.md"))
	_, table, found := strings.Cut(text, "<!-- settings -->")
	require.True(t, found)
	v := variables{known: []string{
		"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE",
		"TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH", "GOMEMLIMIT",
	}}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` ").FindAllStringSubmatch(table, -1) {
		v.known = append(v.known, m[1])
	}
	require.Greater(t, len(v.known), 50)
	list := regexp.MustCompile(`A secret may be in a file instead: .* for (.*)\. White space`).FindStringSubmatch(text)
	require.NotNil(t, list)
	for _, m := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(list[1], -1) {
		v.secrets = append(v.secrets, m[1])
	}
	return v
}

// fault says what is wrong with a variable, empty if nothing is.
func (v variables) fault(e corev1.EnvVar) string {
	bare, isFile := strings.CutSuffix(e.Name, "_FILE")
	switch {
	case isFile && slices.Contains(v.secrets, bare):
		if e.Value != "" && !strings.HasPrefix(e.Value, secretsFolder) {
			return "is not below " + secretsFolder
		}
	case !slices.Contains(v.known, e.Name):
		return "is not known"
	case slices.Contains(v.secrets, e.Name) && e.Value != "":
		return "is a secret"
	}
	return ""
}

func TestAWrongVariableIsFound(t *testing.T) {
	t.Parallel()
	v := readmes(t)
	for name, tc := range map[string]struct {
		is   corev1.EnvVar
		want string
	}{
		"a setting":                 {corev1.EnvVar{Name: "REELKEEPER_LOOK_ACTIVE", Value: "4s"}, ""},
		"Temporal's":                {corev1.EnvVar{Name: "TEMPORAL_PROFILE", Value: "cloud"}, ""},
		"a file that is no secret":  {corev1.EnvVar{Name: "TEMPORAL_CONFIG_FILE", Value: "/etc/temporal.toml"}, ""},
		"Go's":                      {corev1.EnvVar{Name: "GOMEMLIMIT", Value: "1GiB"}, ""},
		"a secret's file":           {corev1.EnvVar{Name: "REELKEEPER_SEAL_KEY_FILE", Value: secretsFolder + "seal-key"}, ""},
		"a secret's file, unset":    {corev1.EnvVar{Name: "TEMPORAL_API_KEY_FILE"}, ""},
		"a secret of the cluster's": {corev1.EnvVar{Name: "TEMPORAL_API_KEY", ValueFrom: &corev1.EnvVarSource{}}, ""},
		"a setting, misspelt":       {corev1.EnvVar{Name: "REELKEEPER_LOOK_ACTIV", Value: "4s"}, "is not known"},
		"Temporal's, misspelt":      {corev1.EnvVar{Name: "TEMPORAL_ADRESS", Value: "temporal:7233"}, "is not known"},
		"Go's, misspelt":            {corev1.EnvVar{Name: "GOMEMLIMT", Value: "1GiB"}, "is not known"},
		"a setting's file":          {corev1.EnvVar{Name: "REELKEEPER_LOOK_ACTIVE_FILE", Value: secretsFolder + "look"}, "is not known"},
		"a file elsewhere":          {corev1.EnvVar{Name: "REELKEEPER_SEAL_KEY_FILE", Value: "/tmp/seal-key"}, "is not below " + secretsFolder},
		"a secret in the clear":     {corev1.EnvVar{Name: "LIVEKIT_KEYS", Value: "key: secret"}, "is a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, v.fault(tc.is))
		})
	}
}

func TestEverySettingInAClusterIsKnown(t *testing.T) {
	t.Parallel()
	known := readmes(t)
	for _, overlay := range overlays {
		maps := of[corev1.ConfigMap](render(t, overlay))
		require.Len(t, maps, 1, overlay)
		for _, m := range maps {
			for name, value := range m.Data {
				assert.NotEmpty(t, value, "%s: %s", overlay, name)
				assert.Empty(t, known.fault(corev1.EnvVar{Name: name, Value: value}), "%s: %s", overlay, name)
			}
		}
	}
}

func TestEveryVariableOfAContainerIsKnown(t *testing.T) {
	t.Parallel()
	known, checked := readmes(t), 0
	everyPod(t, func(t *testing.T, name string, _ []object, pod corev1.PodTemplateSpec) {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			for _, e := range c.Env {
				checked++
				assert.Empty(t, known.fault(e), "%s: %s: %s", name, c.Name, e.Name)
			}
		}
	})
	require.GreaterOrEqual(t, checked, 2*len(overlays))
}
