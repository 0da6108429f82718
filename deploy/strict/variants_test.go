package strict_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the PrometheusRule anew from alerts.yml")

const rulesFile = "deploy/kubernetes/components/monitoring/rules.yaml"

func TestTheOperatorHasTheRulesOfPrometheus(t *testing.T) {
	t.Parallel()
	var spec monitoringv1.PrometheusRuleSpec
	decode(t, "alerts.yml", read(t, "deploy/prometheus/alerts.yml"), &spec)
	require.NotEmpty(t, spec.Groups)
	if *update {
		text, err := yaml.Marshal(map[string]any{
			"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
			"metadata": map[string]any{"name": "reelkeeper", "labels": map[string]string{"app.kubernetes.io/name": "reelkeeper"}},
			"spec":     spec,
		})
		require.NoError(t, err)
		head := "# The rules of deploy/prometheus/alerts.yml, written by a test in deploy/strict:\n#\n#   go test . -run TheOperator -update\n"
		require.NoError(t, os.WriteFile(filepath.Join(root, rulesFile), append([]byte(head), text...), 0o600))
	}
	rule := of[monitoringv1.PrometheusRule](render(t, "production"))["reelkeeper"]
	require.NotNil(t, rule)
	assert.Equal(t, spec, rule.Spec, "go test . -run TheOperator -update")
}

func TestTheOperatorScrapesBothAndAlertsKnowThem(t *testing.T) {
	t.Parallel()
	objects := render(t, "production")
	monitor := of[monitoringv1.ServiceMonitor](objects)["reelkeeper"]
	service := of[corev1.Service](objects)["reelkeeper-metrics"]
	require.NotNil(t, monitor)
	require.NotNil(t, service)
	for key, value := range monitor.Spec.Selector.MatchLabels {
		assert.Equal(t, value, service.Labels[key], key)
	}
	require.Len(t, monitor.Spec.Endpoints, 1)
	assert.Equal(t, service.Spec.Ports[0].Name, monitor.Spec.Endpoints[0].Port)
	for name, pod := range pods(objects) {
		for key, value := range service.Spec.Selector {
			assert.Equal(t, value, pod.Labels[key], name)
		}
	}
	starter := of[corev1.Service](objects)["reelkeeper-starter"]
	require.Len(t, starter.Spec.Ports, 1, "the admin address is for monitoring alone")
	assert.Equal(t, "http", starter.Spec.Ports[0].TargetPort.StrVal)
	assert.Equal(t, "starter", starter.Spec.Selector["app.kubernetes.io/component"])
}

func TestNothingIsReachedThatIsNotNamed(t *testing.T) {
	t.Parallel()
	policies := of[networkingv1.NetworkPolicy](render(t, "production"))
	require.Len(t, policies, 4)
	nothing := policies["reelkeeper-nothing"]
	assert.ElementsMatch(t, []networkingv1.PolicyType{"Ingress", "Egress"}, nothing.Spec.PolicyTypes)
	assert.Empty(t, nothing.Spec.Ingress)
	assert.Empty(t, nothing.Spec.Egress)
	ports := map[int]bool{}
	for name, p := range policies {
		assert.Equal(t, "reelkeeper", p.Spec.PodSelector.MatchLabels["app.kubernetes.io/name"], name)
		for _, rule := range p.Spec.Egress {
			require.NotEmpty(t, rule.To, "%s: to everywhere", name)
			for _, to := range rule.To {
				if to.PodSelector != nil {
					assert.Empty(t, to.PodSelector.MatchLabels, "%s: kustomize puts our label here", name)
				}
			}
			for _, port := range rule.Ports {
				ports[port.Port.IntValue()] = true
			}
		}
	}
	assert.Equal(t, map[int]bool{53: true, 443: true, 7233: true, 7880: true, 7980: true}, ports)
	metrics := policies["reelkeeper-metrics"].Spec.Ingress
	require.Len(t, metrics, 1)
	assert.Len(t, metrics[0].From, 1, "monitoring alone")
	assert.Equal(t, "admin", metrics[0].Ports[0].Port.StrVal)
}

func TestTheDocsSayWhereAPolicyIs(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("`(reelkeeper-\\w+)`, in `(\\S+)`").FindAllStringSubmatch(string(read(t, "docs/keys.md")), -1)
	require.NotEmpty(t, named)
	for _, m := range named {
		documents := strings.Split(string(read(t, m[2])), "\n---\n")
		assert.True(t, slices.ContainsFunc(documents, func(d string) bool {
			return strings.Contains(d, "kind: NetworkPolicy\n") && strings.Contains(d, "name: "+m[1]+"\n")
		}), "%s has no policy %s", m[2], m[1])
	}
}

// A canary, a LiveKit and an agent inside the cluster may all use the starter's Service as the public URL.
func TestTheStartersServiceIsReachedByTheWorker(t *testing.T) {
	t.Parallel()
	objects := render(t, "production")
	starter, service := pods(objects)["reelkeeper-starter"], of[corev1.Service](objects)["reelkeeper-starter"]
	listens := map[string]int32{}
	for _, p := range starter.Spec.Containers[0].Ports {
		listens[p.Name] = p.ContainerPort
	}
	let := 0
	for _, rule := range of[networkingv1.NetworkPolicy](objects)["reelkeeper-out"].Spec.Egress {
		for _, to := range rule.To {
			if to.NamespaceSelector == nil && to.PodSelector != nil && selects(t, to.PodSelector, starter) {
				assert.False(t, selects(t, to.PodSelector, pods(objects)["reelkeeper-worker"]), "the starter alone")
				require.Len(t, rule.Ports, 1)
				assert.Equal(t, listens[service.Spec.Ports[0].TargetPort.StrVal], rule.Ports[0].Port.IntVal, "policies judge the pod's own port")
				let++
			}
		}
	}
	assert.Equal(t, 1, let)
	assert.Equal(t, int32(80), service.Spec.Ports[0].Port)
	url := "`http://" + service.Name + "." + service.Namespace + ".svc.cluster.local`"
	assert.Contains(t, string(read(t, "docs/setup.md")), url, "docs/setup.md has no %s", url)
}

// uncommented returns a manifest with its comments of this depth uncommented, without the prose.
func uncommented(t *testing.T, file, depth string) (documents []string, rules int) {
	t.Helper()
	marked := regexp.MustCompile(`(?m)^` + depth + `# (- \w+:|  \w+:|\w+: \{)`)
	text := string(read(t, file))
	return strings.Split(marked.ReplaceAllString(text, depth+"$1"), "\n---\n"), len(marked.FindAllString(text, -1))
}

func TestTheRulesInCommentsAreRules(t *testing.T) {
	t.Parallel()
	const file = "deploy/kubernetes/base/networks.yaml"
	documents, lines := uncommented(t, file, "    ")
	reached := map[string]int32{}
	for _, document := range documents {
		var policy networkingv1.NetworkPolicy
		decode(t, file, []byte(document), &policy)
		if policy.Name != "reelkeeper-out" {
			continue
		}
		for _, rule := range policy.Spec.Egress {
			require.NotEmpty(t, rule.To)
			require.NotEmpty(t, rule.Ports)
			for _, to := range rule.To {
				where := ""
				if to.IPBlock != nil {
					where = to.IPBlock.CIDR
				} else if to.NamespaceSelector != nil {
					where = to.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
				}
				reached[where] = rule.Ports[0].Port.IntVal
			}
		}
	}
	for where, port := range map[string]int32{
		"169.254.20.10/32": 53, "169.254.169.254/32": 80, "ingress-nginx": 443, "minio": 9000, "10.0.8.0/24": 443, "10.0.0.0/16": 7880,
		"169.254.169.252/32": 987, "10.0.9.10/32": 3128, "10.0.10.0/24": 7233,
	} {
		assert.Equal(t, port, reached[where], where)
	}
	assert.Equal(t, 2*9, lines, "to and ports of each")
}

func TestKEDAWatchesTheQueueOfTheSettings(t *testing.T) {
	t.Parallel()
	objects := render(t, "keda")
	scaled := of[scaledObject](objects)["reelkeeper-worker"]
	require.NotNil(t, scaled)
	assert.Contains(t, of[appsv1.Deployment](objects), scaled.Spec.ScaleTargetRef.Name)
	require.Len(t, scaled.Spec.Triggers, 1)
	trigger := scaled.Spec.Triggers[0]
	assert.Equal(t, "temporal", trigger.Type)
	assert.Equal(t, "egress", trigger.Metadata["taskQueue"])
	// KEDA ignores what it does not know: these are from the documentation of its Temporal scaler.
	documented := []string{"endpointFromEnv", "namespace", "queueTypes", "targetQueueSize", "taskQueue"}
	assert.Equal(t, documented, slices.Sorted(maps.Keys(trigger.Metadata)))
	for _, m := range of[corev1.ConfigMap](objects) {
		assert.Equal(t, m.Data["TEMPORAL_NAMESPACE"], trigger.Metadata["namespace"])
		assert.Contains(t, m.Data, trigger.Metadata["endpointFromEnv"])
	}
}

func TestTheWorkerControllerRunsTheBasesWorker(t *testing.T) {
	t.Parallel()
	base := of[appsv1.Deployment](render(t, "production"))["reelkeeper-worker"]
	objects := render(t, "worker-controller")
	assert.NotContains(t, of[appsv1.Deployment](objects), "reelkeeper-worker", "two would poll")
	worker := of[workerDeployment](objects)["reelkeeper-worker"]
	require.NotNil(t, worker)
	env := &worker.Spec.Template.Spec.Containers[0].Env
	assert.Contains(t, *env, corev1.EnvVar{Name: "TEMPORAL_API_KEY_FILE"}, "the controller sets TEMPORAL_API_KEY, and the two exclude each other")
	*env = slices.DeleteFunc(*env, func(v corev1.EnvVar) bool { return v.Name == "TEMPORAL_API_KEY_FILE" })
	assert.Equal(t, base.Spec.Template, worker.Spec.Template)
	assert.Equal(t, base.Spec.Replicas, worker.Spec.Replicas)
	conn := of[connection](objects)[worker.Spec.WorkerOptions.ConnectionRef.Name]
	require.NotNil(t, conn)
	for _, m := range of[corev1.ConfigMap](objects) {
		assert.Equal(t, m.Data["TEMPORAL_ADDRESS"], conn.Spec.HostPort)
		assert.Equal(t, m.Data["TEMPORAL_NAMESPACE"], worker.Spec.WorkerOptions.TemporalNamespace)
	}
	last := 0
	for _, step := range worker.Spec.Rollout.Steps {
		assert.Greater(t, step.RampPercentage, last)
		last = step.RampPercentage
	}
	assert.Less(t, last, 100)
}

// With two tags, a starter would stay at its old release, or an apply would set the workers back.
func TestOneTagIsThatOfWorkersAndStarter(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		folder := t.TempDir()
		require.NoError(t, os.CopyFS(folder, os.DirFS(filepath.Join(root, "deploy", "kubernetes"))))
		file := filepath.Join(folder, "overlays", "production", "kustomization.yaml")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		text = regexp.MustCompile(`(newName: )\S+(.*\n\s+newTag: )\S+`).ReplaceAll(text, []byte("${1}registry.example.org/rk${2}9.9.9"))
		require.NoError(t, os.WriteFile(file, text, 0o600))
		for name, pod := range pods(renderIn(t, folder, overlay)) {
			assert.Equal(t, "registry.example.org/rk:9.9.9", pod.Spec.Containers[0].Image, "%s: %s", overlay, name)
		}
	}
}

// The controller mounts the certificate into its workers itself: a second volume of that name would be rejected.
func TestTheControllerReachesTemporalCloud(t *testing.T) {
	t.Parallel()
	const file = "deploy/kubernetes/overlays/worker-controller/worker.yaml"
	documents, lines := uncommented(t, file, "  ")
	assert.Equal(t, 2, lines)
	var conn connection
	decode(t, file, []byte(documents[0]), &conn)
	require.NotNil(t, conn.Spec.APIKeySecretRef)
	require.NotNil(t, conn.Spec.MutualTLSSecretRef)
	assert.Equal(t, "reelkeeper", conn.Spec.APIKeySecretRef.Name)
	for _, m := range of[corev1.ConfigMap](render(t, "cloud-api-key")) {
		assert.Equal(t, filepath.Base(m.Data["TEMPORAL_API_KEY_FILE"]), conn.Spec.APIKeySecretRef.Key)
	}
	for name, pod := range pods(render(t, "cloud-mtls")) {
		mounted := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
			return v.Secret != nil && v.Secret.SecretName == conn.Spec.MutualTLSSecretRef.Name
		})
		assert.True(t, mounted, name)
	}
	for _, v := range of[workerDeployment](render(t, "worker-controller"))["reelkeeper-worker"].Spec.Template.Spec.Volumes {
		assert.NotEqual(t, "temporal-tls", v.Name)
	}
}

// Temporal's worker controller names a deployment by namespace and name.
func TestTheDocsCallTheControllersDeploymentAsItDoes(t *testing.T) {
	t.Parallel()
	for _, o := range render(t, "worker-controller") {
		if o.kind == "WorkerDeployment" {
			name := "`" + o.namespace + "/" + o.name + "`"
			assert.Contains(t, string(read(t, "docs/upgrades.md")), name, "docs/upgrades.md has no %s", name)
		}
	}
}

func TestTemporalCloudIsReachedWithItsCredentials(t *testing.T) {
	t.Parallel()
	for overlay, want := range map[string][]string{
		"cloud-api-key": {"TEMPORAL_API_KEY_FILE"},
		"cloud-mtls":    {"TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"},
	} {
		objects := render(t, overlay)
		for _, m := range of[corev1.ConfigMap](objects) {
			for _, name := range want {
				for pod, template := range pods(objects) {
					mounted := false
					for _, mount := range template.Spec.Containers[0].VolumeMounts {
						mounted = mounted || filepath.Dir(m.Data[name]) == mount.MountPath
					}
					assert.True(t, mounted, "%s: %s: nothing is mounted for %s", overlay, pod, name)
				}
			}
		}
	}
}
