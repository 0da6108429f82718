package strict_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// stopping is the longest time that a process takes to stop: the main part of a worker 30 s and that
// of a starter 20 s, and its admin address 20 s more (shutdownGrace in app).
var stopping = map[string]time.Duration{"worker": 50 * time.Second, "starter": 40 * time.Second}

// pods returns the pod templates of an overlay, by the name of their owner.
func pods(objects []object) map[string]corev1.PodTemplateSpec {
	all := map[string]corev1.PodTemplateSpec{}
	for name, d := range of[appsv1.Deployment](objects) {
		all[name] = d.Spec.Template
	}
	for name, d := range of[workerDeployment](objects) {
		all[name] = d.Spec.Template
	}
	return all
}

// everyPod runs a check on worker and starter of every overlay.
func everyPod(t *testing.T, check func(t *testing.T, name string, objects []object, pod corev1.PodTemplateSpec)) {
	t.Helper()
	for _, overlay := range overlays {
		objects := render(t, overlay)
		all := pods(objects)
		require.Len(t, all, 2, overlay)
		for _, name := range []string{"reelkeeper-worker", "reelkeeper-starter"} {
			require.Contains(t, all, name, overlay)
			check(t, overlay+": "+name, objects, all[name])
		}
	}
}

func TestPodsKeepToTheRestrictedProfile(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, _ []object, pod corev1.PodTemplateSpec) {
		assert.False(t, *pod.Spec.AutomountServiceAccountToken, name)
		assert.True(t, *pod.Spec.SecurityContext.RunAsNonRoot, name)
		assert.Equal(t, int64(10001), *pod.Spec.SecurityContext.RunAsUser, "%s: the Dockerfile's user", name)
		assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.Spec.SecurityContext.SeccompProfile.Type, name)
		require.Len(t, pod.Spec.Containers, 1, name)
		c := pod.Spec.Containers[0]
		assert.False(t, *c.SecurityContext.AllowPrivilegeEscalation, name)
		assert.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, name)
		assert.Equal(t, &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, c.SecurityContext.Capabilities, name)
		for _, v := range pod.Spec.Volumes {
			require.NotNil(t, v.Secret, "%s: %s", name, v.Name)
			assert.Equal(t, int32(0o440), *v.Secret.DefaultMode, name)
		}
	})
}

// goLimit returns Go's soft memory limit.
func goLimit(pod corev1.PodTemplateSpec) string {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == "GOMEMLIMIT" {
			return v.Value
		}
	}
	return ""
}

func TestPodsArePinnedBoundedAndSpread(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, _ []object, pod corev1.PodTemplateSpec) {
		c := pod.Spec.Containers[0]
		assert.Regexp(t, `^registry\.example\.com/reelkeeper:\d+\.\d+\.\d+$`, c.Image, name)
		assert.NotZero(t, c.Resources.Requests.Cpu().MilliValue(), name)
		assert.NotZero(t, c.Resources.Requests.Memory().Value(), name)
		soft := resource.MustParse(strings.TrimSuffix(goLimit(pod), "B"))
		assert.Less(t, soft.Value(), c.Resources.Limits.Memory().Value(), "%s: Go collects before it is killed", name)
		assert.Len(t, pod.Spec.TopologySpreadConstraints, 2, name)
		for _, s := range pod.Spec.TopologySpreadConstraints {
			assert.True(t, selects(t, s.LabelSelector, pod), name)
		}
	})
}

func TestPodsTakeTheSettingsAndTheSecrets(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, objects []object, pod corev1.PodTemplateSpec) {
		c := pod.Spec.Containers[0]
		require.Len(t, c.EnvFrom, 1, name)
		assert.Contains(t, of[corev1.ConfigMap](objects), c.EnvFrom[0].ConfigMapRef.Name, name)
		assert.Contains(t, of[corev1.ServiceAccount](objects), pod.Spec.ServiceAccountName, name)
		require.NotEmpty(t, c.VolumeMounts, name)
		assert.Equal(t, "/run/secrets/reelkeeper", c.VolumeMounts[0].MountPath, name)
		for _, m := range c.VolumeMounts {
			assert.True(t, m.ReadOnly, name)
		}
	})
}

// The worker controller leaves old versions their ConfigMap, while all pods mount one Secret: a new secret under an old
// name would be denied.
func TestAKeysNameIsWhereItsSecretIs(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, objects []object, pod corev1.PodTemplateSpec) {
		for _, m := range of[corev1.ConfigMap](objects) {
			assert.NotContains(t, m.Data, "LIVEKIT_API_KEY", name)
			assert.Contains(t, m.Data, "LIVEKIT_KEYS_FILE", "%s: an old key is kept without another version", name)
		}
		env := pod.Spec.Containers[0].Env
		i := slices.IndexFunc(env, func(v corev1.EnvVar) bool { return v.Name == "LIVEKIT_API_KEY" })
		require.GreaterOrEqual(t, i, 0, name)
		assert.Equal(t, pod.Spec.Volumes[0].Secret.SecretName, env[i].ValueFrom.SecretKeyRef.Name, name)
		assert.Contains(t, secretExample(t).StringData, env[i].ValueFrom.SecretKeyRef.Key, name)
	})
}

func TestProbesAskWhatListens(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, _ []object, pod corev1.PodTemplateSpec) {
		c := pod.Spec.Containers[0]
		listens := map[string]int32{}
		for _, p := range c.Ports {
			listens[p.Name] = p.ContainerPort
		}
		assert.Equal(t, int32(7981), listens["admin"], name)
		for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			require.NotNil(t, probe, name)
			assert.Equal(t, path, probe.HTTPGet.Path, name)
			assert.Contains(t, listens, probe.HTTPGet.Port.StrVal, name)
		}
		require.NotNil(t, c.StartupProbe, name)
		assert.Equal(t, c.LivenessProbe.HTTPGet, c.StartupProbe.HTTPGet, "%s: a process that waits for Temporal has begun", name)
	})
}

func TestPodsHaveTheTimeToStop(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, _ []object, pod corev1.PodTemplateSpec) {
		need := stopping[pod.Spec.Containers[0].Name]
		require.NotZero(t, need, name)
		if l := pod.Spec.Containers[0].Lifecycle; l != nil {
			need += time.Duration(l.PreStop.Sleep.Seconds) * time.Second
		}
		assert.GreaterOrEqual(t, time.Duration(*pod.Spec.TerminationGracePeriodSeconds)*time.Second, need, name)
	})
}

func TestADisruptionLeavesOneOfEach(t *testing.T) {
	t.Parallel()
	everyPod(t, func(t *testing.T, name string, objects []object, pod corev1.PodTemplateSpec) {
		budgets := 0
		for _, b := range of[policyv1.PodDisruptionBudget](objects) {
			if selects(t, b.Spec.Selector, pod) {
				budgets++
				if _, versions := of[workerDeployment](objects)[b.Name]; versions {
					assert.Nil(t, b.Spec.MaxUnavailable, "%s: a version that does not start would hold up nodes", name)
					assert.Equal(t, new(intstr.FromInt32(1)), b.Spec.MinAvailable, name)
				} else {
					assert.Equal(t, new(intstr.FromInt32(1)), b.Spec.MaxUnavailable, name)
				}
				assert.Equal(t, policyv1.AlwaysAllow, *b.Spec.UnhealthyPodEvictionPolicy, "%s: what is not ready holds up no node", name)
			}
		}
		assert.Equal(t, 1, budgets, name)
	})
}

func TestOnlyOneDecidesHowManyRun(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		objects := render(t, overlay)
		scaled := map[string]bool{}
		for _, h := range of[autoscalingv2.HorizontalPodAutoscaler](objects) {
			assert.GreaterOrEqual(t, *h.Spec.MinReplicas, int32(2), overlay)
			scaled[h.Spec.ScaleTargetRef.Name] = true
		}
		for _, k := range of[scaledObject](objects) {
			assert.GreaterOrEqual(t, k.Spec.MinReplicaCount, int32(2), overlay)
			scaled[k.Spec.ScaleTargetRef.Name] = true
		}
		for name, d := range of[appsv1.Deployment](objects) {
			assert.Equal(t, scaled[name], d.Spec.Replicas == nil, "%s: %s", overlay, name)
			assert.Equal(t, 0, d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue(), "%s: %s", overlay, name)
		}
	}
}

// selects reports whether a selector matches the pods of a template.
func selects(t *testing.T, s *metav1.LabelSelector, pod corev1.PodTemplateSpec) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	return !selector.Empty() && selector.Matches(labels.Set(pod.Labels))
}
