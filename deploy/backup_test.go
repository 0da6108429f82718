package deploy_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A value at random is nowhere else.
func TestTheBackupPageNamesTheSecretsThatARestoreNeeds(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/backup.md")
	made := regexp.MustCompile(`(?m)^for name in (.+); do\n\tfile "\$name" random$`).FindStringSubmatch(read(t, "deploy/secrets.sh"))
	require.NotNil(t, made)
	for name := range strings.FieldsSeq(made[1]) {
		if name != "grafana_admin_password" { // It is of Grafana's own volume.
			assert.Contains(t, page, "`"+name+"`")
		}
	}
	assert.Contains(t, page, "`secrets/`")
}

func TestPostgreSQLsVolumeIsWhereItsImageAndThePagesHaveIt(t *testing.T) {
	t.Parallel()
	postgresql := load(t).Services["postgresql"]
	tag := regexp.MustCompile(`^postgres:(\d+)\.`).FindStringSubmatch(postgresql.Image)
	require.NotNil(t, tag)
	major, err := strconv.Atoi(tag[1])
	require.NoError(t, err)
	folder := "/var/lib/postgresql/data"
	if major >= 18 { // These images refuse a volume at the old place.
		folder = "/var/lib/postgresql"
	}
	assert.Equal(t, []string{"postgresql:" + folder}, postgresql.Volumes)

	project := regexp.MustCompile(`(?m)^name: (\S+)$`).FindStringSubmatch(read(t, "docker-compose.yml"))
	require.NotNil(t, project)
	for _, page := range []string{"docs/backup.md", "docs/upgrades.md"} {
		assert.Regexp(t, `\ndocker volume rm (--force )?`+project[1]+`_postgresql &&\n`, read(t, page), page)
	}
	assert.Contains(t, strings.Join(postgresql.Command, " "), " wal_keep_size=", "which docs/backup.md says to raise")
	assert.NotContains(t, read(t, "docs/backup.md"), "/var/lib/postgresql", "it is where the image says, in $PGDATA")
}
