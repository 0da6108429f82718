package strict_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// overlays are all overlays that can be applied unchanged, once their settings are right.
var overlays = []string{"production", "keda", "cloud-api-key", "cloud-mtls", "worker-controller"}

// object is an object made by kustomize, decoded into its own type.
type object struct {
	kind, name, namespace string
	is                    any
}

// render returns what `kubectl apply --kustomize` would send, each object strictly decoded.
func render(t *testing.T, overlay string) []object {
	t.Helper()
	return renderIn(t, filepath.Join(root, "deploy", "kubernetes"), overlay)
}

// renderIn does so with a copy of deploy/kubernetes.
func renderIn(t *testing.T, folder, overlay string) []object {
	t.Helper()
	k := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	made, err := k.Run(filesys.MakeFsOnDisk(), filepath.Join(folder, "overlays", overlay))
	require.NoError(t, err, overlay)
	require.NotZero(t, made.Size())
	var all []object
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		require.NoError(t, err)
		o := object{kind: r.GetKind(), name: r.GetName(), namespace: r.GetNamespace(), is: typeOf(t, r.GetApiVersion(), r.GetKind())}
		decode(t, overlay+": "+o.kind+" "+o.name, text, o.is)
		all = append(all, o)
	}
	return all
}

// decode reads an object as Kubernetes' API does in strict mode: unknown and duplicate keys are
// errors, and so are keys in the wrong case.
func decode(t *testing.T, what string, text []byte, into any) {
	t.Helper()
	raw, err := yaml.YAMLToJSONStrict(text)
	require.NoError(t, err, what)
	wrong, err := kjson.UnmarshalStrict(raw, into)
	require.NoError(t, err, what)
	require.Empty(t, wrong, what)
}

// of returns the objects of one type, by name.
func of[T any](objects []object) map[string]*T {
	found := map[string]*T{}
	for _, o := range objects {
		if is, ok := o.is.(*T); ok {
			found[o.name] = is
		}
	}
	return found
}

func TestEveryOverlayIsMadeOfKnownObjects(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		seen := map[string]bool{}
		for _, o := range render(t, overlay) {
			assert.Equal(t, "reelkeeper", o.namespace, "%s: %s %s", overlay, o.kind, o.name)
			assert.False(t, seen[o.kind+o.name], "%s: %s %s twice", overlay, o.kind, o.name)
			seen[o.kind+o.name] = true
		}
	}
}

func TestEveryOverlayIsListed(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(filepath.Join(root, "deploy", "kubernetes", "overlays", "*"))
	require.NoError(t, err)
	var names []string
	for _, f := range folders {
		names = append(names, filepath.Base(f))
	}
	assert.ElementsMatch(t, overlays, names)
}

func secretExample(t *testing.T) (secret corev1.Secret) {
	t.Helper()
	decode(t, "secret.example.yaml", read(t, "deploy/kubernetes/secret.example.yaml"), &secret)
	return secret
}

func TestTheSecretHasWhatIsReadOfIt(t *testing.T) {
	t.Parallel()
	secret := secretExample(t)
	for key, value := range secret.StringData {
		assert.Empty(t, value, "%s: an example holds no secret", key)
	}
	for _, m := range of[corev1.ConfigMap](render(t, "production")) {
		for name, value := range m.Data {
			if strings.HasSuffix(name, "_FILE") {
				assert.Contains(t, secret.StringData, filepath.Base(value), name)
			}
		}
	}
}
