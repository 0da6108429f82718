package strict_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// typeOf returns a new object of Kubernetes' or an operator's own Go type or, for the two operators
// whose types are not available without the operator, of a type below.
func typeOf(t *testing.T, version, kind string) any {
	t.Helper()
	create, known := map[string]func() any{
		"v1/ConfigMap":                           func() any { return new(corev1.ConfigMap) },
		"v1/Service":                             func() any { return new(corev1.Service) },
		"v1/ServiceAccount":                      func() any { return new(corev1.ServiceAccount) },
		"apps/v1/Deployment":                     func() any { return new(appsv1.Deployment) },
		"autoscaling/v2/HorizontalPodAutoscaler": func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
		"policy/v1/PodDisruptionBudget":          func() any { return new(policyv1.PodDisruptionBudget) },
		"networking.k8s.io/v1/NetworkPolicy":     func() any { return new(networkingv1.NetworkPolicy) },
		"monitoring.coreos.com/v1/ServiceMonitor": func() any {
			return new(monitoringv1.ServiceMonitor)
		},
		"monitoring.coreos.com/v1/PrometheusRule": func() any { return new(monitoringv1.PrometheusRule) },
		"keda.sh/v1alpha1/ScaledObject":           func() any { return new(scaledObject) },
		"temporal.io/v1alpha1/Connection":         func() any { return new(connection) },
		"temporal.io/v1alpha1/WorkerDeployment":   func() any { return new(workerDeployment) },
	}[version+"/"+kind]
	require.True(t, known, "%s/%s is no kind that is known here", version, kind)
	return create()
}

// scaledObject is the part of KEDA's ScaledObject (keda.sh/v1alpha1) that we use.
type scaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int32 `json:"minReplicaCount"`
		MaxReplicaCount int32 `json:"maxReplicaCount"`
		PollingInterval int32 `json:"pollingInterval"`
		CooldownPeriod  int32 `json:"cooldownPeriod"`
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
		Triggers []struct {
			Type     string            `json:"type"`
			Metadata map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// connection is the worker controller's Connection (temporal.io/v1alpha1).
type connection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		HostPort           string                    `json:"hostPort"`
		MutualTLSSecretRef *reference                `json:"mutualTLSSecretRef"`
		APIKeySecretRef    *corev1.SecretKeySelector `json:"apiKeySecretRef"`
	} `json:"spec"`
}

type reference struct {
	Name string `json:"name"`
}

// workerDeployment is the part of its WorkerDeployment that we use.
type workerDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Replicas      *int32                 `json:"replicas"`
		Template      corev1.PodTemplateSpec `json:"template"`
		WorkerOptions struct {
			ConnectionRef     reference `json:"connectionRef"`
			TemporalNamespace string    `json:"temporalNamespace"`
		} `json:"workerOptions"`
		Rollout struct {
			Strategy string `json:"strategy"`
			Steps    []struct {
				RampPercentage int             `json:"rampPercentage"`
				PauseDuration  metav1.Duration `json:"pauseDuration"`
			} `json:"steps"`
		} `json:"rollout"`
		Sunset struct {
			ScaledownDelay *metav1.Duration `json:"scaledownDelay"`
			DeleteDelay    *metav1.Duration `json:"deleteDelay"`
		} `json:"sunset"`
	} `json:"spec"`
}
