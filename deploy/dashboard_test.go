package deploy_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const dashboardFile = "deploy/grafana/reelkeeper.json"

// dashboard is the part of the Grafana dashboard that the tests read.
type dashboard struct {
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int         `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	GridPos     rectangle   `json:"gridPos"`
	Datasource  *datasource `json:"datasource"`
	Targets     []struct {
		Expr       string      `json:"expr"`
		RefID      string      `json:"refId"`
		Datasource *datasource `json:"datasource"`
		Range      bool        `json:"range"`
		Instant    bool        `json:"instant"`
	} `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Thresholds struct {
				Steps []struct {
					Color string   `json:"color"`
					Value *float64 `json:"value"`
				} `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

type rectangle struct{ X, Y, W, H int }

type datasource struct{ Type, UID string }

// fromVariable is the data source that the dashboard's viewer has chosen.
var fromVariable = &datasource{Type: "prometheus", UID: "${datasource}"}

func loadDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	require.NoError(t, json.Unmarshal([]byte(read(t, dashboardFile)), &d))
	require.NotEmpty(t, d.Panels)
	return d
}

// panelExpressions returns the panels' expressions, by title and letter.
func panelExpressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range loadDashboard(t).Panels {
		for _, target := range p.Targets {
			all[p.Title+" "+target.RefID] = target.Expr
		}
	}
	return all
}

// temporal returns the metrics of Temporal's SDK in an expression. A test in e2e shows that the SDK
// has them.
func temporal(expr string) []string {
	return regexp.MustCompile(`\btemporal_[a-z_]+`).FindAllString(expr, -1)
}

func TestTheDashboardHasARowForEachPart(t *testing.T) {
	t.Parallel()
	var rows []string
	for _, p := range loadDashboard(t).Panels {
		if p.Type == "row" {
			rows = append(rows, p.Title)
		}
	}
	assert.Equal(t, []string{"Recordings", "Webhooks", "Detection", "Delivery", "Front door", "Reconciler", "Temporal SDK"}, rows)
}

func TestTheDashboardAsksTheDataSourceThatIsChosen(t *testing.T) {
	t.Parallel()
	d := loadDashboard(t)
	assert.NotEmpty(t, d.UID)
	assert.NotEmpty(t, d.Title)
	assert.GreaterOrEqual(t, d.SchemaVersion, 36, "data sources are named by their UID from then on")
	require.Len(t, d.Templating.List, 1)
	assert.Equal(t, "datasource", d.Templating.List[0].Name)
	assert.Equal(t, "datasource", d.Templating.List[0].Type)
	assert.Equal(t, "prometheus", d.Templating.List[0].Query)
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		assert.Contains(t, []string{"timeseries", "stat", "heatmap"}, p.Type, p.Title)
		assert.NotEmpty(t, p.Description, "%s says what to look for", p.Title)
		assert.Equal(t, fromVariable, p.Datasource, p.Title)
		assert.NotEmpty(t, p.Targets, p.Title)
		letters := map[string]bool{}
		for _, target := range p.Targets {
			assert.Equal(t, fromVariable, target.Datasource, p.Title)
			assert.NotEmpty(t, target.Expr, p.Title)
			assert.False(t, letters[target.RefID], "%s: %s twice", p.Title, target.RefID)
			letters[target.RefID] = true
		}
	}
}

// A ratio has no value while nothing happened that it is a share of. Over a range, such a panel
// would show the last one before, which may be hours old.
func TestARatioIsShownAsItIsNow(t *testing.T) {
	t.Parallel()
	var ratios []string
	for _, p := range loadDashboard(t).Panels {
		for _, target := range p.Targets {
			if p.Type == "stat" && regexp.MustCompile(` / |:ratio`).MatchString(target.Expr) {
				ratios = append(ratios, p.Title)
				assert.Equal(t, []bool{true, false}, []bool{target.Instant, target.Range}, p.Title)
			}
		}
	}
	assert.Equal(t, []string{"Missed webhooks, last hour", "Rooms that are not recorded"}, ratios)
}

// The alert fires while a single room is seen by a few of the rounds that the panel's mean is of.
func TestOneRoomThatIsNotRecordedIsRed(t *testing.T) {
	t.Parallel()
	var red float64
	for _, p := range loadDashboard(t).Panels {
		if p.Title == "Rooms that are not recorded" {
			steps := p.FieldConfig.Defaults.Thresholds.Steps
			require.Equal(t, "red", steps[len(steps)-1].Color)
			red = *steps[len(steps)-1].Value
		}
	}
	assert.Positive(t, red)
	assert.Less(t, red, 1.0/15, "seen by one of the rounds of 15 min")
}

func TestNoPanelLiesOverAnother(t *testing.T) {
	t.Parallel()
	ids, cells := map[int]string{}, map[[2]int]string{}
	for _, p := range loadDashboard(t).Panels {
		assert.Empty(t, ids[p.ID], "%s has the ID of another panel", p.Title)
		ids[p.ID] = p.Title
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, "%s: Grafana's grid is 24 wide", p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				assert.Empty(t, cells[[2]int{x, y}], p.Title)
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}
