package deploy_test

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// prometheus is everything that prometheus.yml may hold; promtool checks what it means.
type prometheus struct {
	Global struct {
		ScrapeInterval     string `yaml:"scrape_interval"`
		EvaluationInterval string `yaml:"evaluation_interval"`
	} `yaml:"global"`
	RuleFiles []string `yaml:"rule_files"`
	Scrape    []struct {
		Job string `yaml:"job_name"`
		DNS []struct {
			Names   []string `yaml:"names"`
			Type    string   `yaml:"type"`
			Port    int      `yaml:"port"`
			Refresh string   `yaml:"refresh_interval"`
		} `yaml:"dns_sd_configs"`
	} `yaml:"scrape_configs"`
}

// sources is a Grafana file that provisions data sources.
type sources struct {
	Version int  `yaml:"apiVersion"`
	Prune   bool `yaml:"prune"`
	Sources []struct {
		Name, UID, Type, Access, URL string
		Default                      bool `yaml:"isDefault"`
		Editable                     bool
		Data                         struct {
			Interval string `yaml:"timeInterval"`
		} `yaml:"jsonData"`
	} `yaml:"datasources"`
}

// providers is a Grafana file that provisions dashboards.
type providers struct {
	Version   int `yaml:"apiVersion"`
	Providers []struct {
		Name            string
		Type            string
		AllowUIUpdates  bool `yaml:"allowUiUpdates"`
		DisableDeletion bool `yaml:"disableDeletion"`
		Every           int  `yaml:"updateIntervalSeconds"`
		Options         struct{ Path string }
	} `yaml:"providers"`
}

// strictly decodes one of our files; an unknown key is an error.
func strictly(t *testing.T, name string, into any) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader([]byte(read(t, name))))
	d.KnownFields(true)
	require.NoError(t, d.Decode(into), name)
	require.ErrorIs(t, d.Decode(new(any)), io.EOF, name)
}

func TestPrometheusScrapesWhatRuns(t *testing.T) {
	t.Parallel()
	var p prometheus
	strictly(t, "deploy/prometheus/prometheus.yml", &p)
	services := load(t).Services
	assert.Contains(t, services["prometheus"].Volumes, "./"+filepath.Dir(alertsFile)+":/etc/prometheus:ro")
	assert.Equal(t, []string{"alerts.yml"}, p.RuleFiles)
	ports := map[string]int{}
	for _, job := range p.Scrape {
		for _, dns := range job.DNS {
			service := strings.TrimPrefix(job.Job, "reelkeeper-") // the name used in the alerts
			assert.Equal(t, []string{service}, dns.Names, "a job has its service's name")
			assert.Contains(t, services, service)
			ports[job.Job] = dns.Port
		}
	}
	assert.Equal(t, map[string]int{"reelkeeper-worker": 7981, "reelkeeper-starter": 7981, "temporal": 9090, "livekit": 6789}, ports)
	assert.Equal(t, "0.0.0.0:7981", *services["worker"].Environment["REELKEEPER_ADMIN_LISTEN"])
	assert.Equal(t, "0.0.0.0:9090", *services["temporal"].Environment["PROMETHEUS_ENDPOINT"])
	assert.Regexp(t, `(?m)^prometheus_port: 6789$`, read(t, "deploy/livekit/livekit.yaml"))
}

func TestTheDashboardFindsItsDataSource(t *testing.T) {
	t.Parallel()
	var f sources
	strictly(t, "deploy/grafana/provisioning/datasources/prometheus.yml", &f)
	require.Len(t, f.Sources, 1)
	s := f.Sources[0]
	assert.Equal(t, "http://prometheus:9090", s.URL)
	assert.Equal(t, loadDashboard(t).Templating.List[0].Query, s.Type)
	assert.True(t, s.Default, "the dashboard's variable takes the default one of its type")
	var p prometheus
	strictly(t, "deploy/prometheus/prometheus.yml", &p)
	assert.Equal(t, p.Global.ScrapeInterval, s.Data.Interval)
	for _, m := range regexp.MustCompile(`"uid": *"([^"]+)"`).FindAllStringSubmatch(read(t, dashboardFile), -1) {
		assert.Contains(t, []string{"${datasource}", s.UID, loadDashboard(t).UID}, m[1], "no data source has this UID")
	}
}

func TestGrafanaFindsTheDashboard(t *testing.T) {
	t.Parallel()
	var f providers
	strictly(t, "deploy/grafana/provisioning/dashboards/reelkeeper.yml", &f)
	require.Len(t, f.Providers, 1)
	p := f.Providers[0]
	assert.Equal(t, "file", p.Type)
	grafana := load(t).Services["grafana"]
	assert.Contains(t, grafana.Volumes, "./"+filepath.Dir(dashboardFile)+":"+p.Options.Path+":ro")
	assert.Equal(t, p.Options.Path+"/provisioning", *grafana.Environment["GF_PATHS_PROVISIONING"])
	assert.True(t, json.Valid([]byte(read(t, dashboardFile))))
}

func TestNobodyGetsIntoGrafanaWithoutThePassword(t *testing.T) {
	t.Parallel()
	environ := load(t).Services["grafana"].Environment
	for variable, want := range map[string]string{
		"GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/secrets/grafana_admin_password",
		"GF_AUTH_ANONYMOUS_ENABLED":        "false",
		"GF_USERS_ALLOW_SIGN_UP":           "false",
	} {
		require.NotNil(t, environ[variable], variable)
		assert.Equal(t, want, *environ[variable], variable)
	}
	assert.NotContains(t, environ, "GF_SECURITY_ADMIN_PASSWORD")
}

// A text log has status=LOST, and a JSON log, which Compose and Kubernetes have, "status":"LOST".
func TestPagesSearchTheLogsForWhatEitherFormatHas(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile("`[a-z]\\w*=[^`\"]+`")
	for _, page := range files(t, ".md") {
		assert.Empty(t, text.FindString(fenced.ReplaceAllString(read(t, page), "")), page)
	}
	for _, lines := range regexp.MustCompile(`(?m)^.* logs .*$`).FindAllString(read(t, metricsFile), -1) {
		assert.Regexp(t, `( \| grep ('[\w ]+'|\w+))+$`, lines)
	}
}
