package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	persistencesql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	"go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// minRetention is how long a closed workflow stays readable: Reelkeeper's reports look back a week.
// start-dev has no flag for it and keeps one day; a namespace that keeps longer is left alone.
const minRetention = 7 * 24 * time.Hour

// ensureNamespaces makes the namespaces that are missing and adds to each what it lacks, new and old
// ones alike. It writes to the database before the server reads it: through the operator service
// clients would see a server without the attributes, for as long as its namespace cache lives.
func ensureNamespaces(ctx context.Context, store *config.SQL, opts *options) error {
	for _, name := range opts.namespaces {
		fresh, err := sqlite.NewNamespaceConfig(clusterName, name, false, nil)
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		if err := sqlite.CreateNamespaces(store, fresh); err != nil {
			return err
		}
	}
	db, err := persistencesql.NewSQLDB(sqlplugin.DbKindMain, store,
		resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, name := range opts.namespaces {
		if err := amendNamespace(ctx, db, name, opts.searchAttributes); err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	return nil
}

// amendNamespace reads one namespace, adds what is missing, and writes it back.
func amendNamespace(ctx context.Context, db sqlplugin.DB, name string, attributes map[string]enumspb.IndexedValueType) error {
	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &name})
	if err != nil {
		return err
	}
	row := rows[0] // A missing one would have been sql.ErrNoRows.
	serializer := serialization.NewSerializer()
	detail, err := serializer.NamespaceDetailFromBlob(persistence.NewDataBlob(row.Data, row.DataEncoding))
	if err != nil {
		return err
	}
	if detail.Config.Retention.AsDuration() < minRetention {
		detail.Config.Retention = durationpb.New(minRetention)
	}
	if err := addSearchAttributes(detail.Config, attributes); err != nil {
		return err
	}
	blob, err := serializer.NamespaceDetailToBlob(detail)
	if err != nil {
		return err
	}
	row.Data, row.DataEncoding = blob.GetData(), blob.GetEncodingType().String()
	_, err = db.UpdateNamespace(ctx, &row)
	return err
}

// addSearchAttributes gives each missing attribute the first free column of its type. On SQL stores
// an attribute is an alias, within its namespace, of a column made in advance.
func addSearchAttributes(cfg *persistencespb.NamespaceConfig, attributes map[string]enumspb.IndexedValueType) error {
	columnTypes := sadefs.GetDBIndexSearchAttributes(nil).GetCustomSearchAttributes()
	if cfg.CustomSearchAttributeAliases == nil {
		cfg.CustomSearchAttributeAliases = map[string]string{}
	}
	aliases := cfg.CustomSearchAttributeAliases
	columnOf := make(map[string]string, len(aliases))
	for column, alias := range aliases {
		columnOf[alias] = column
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		want := attributes[name]
		if column, exists := columnOf[name]; exists {
			if have := columnTypes[column]; have != want {
				return fmt.Errorf("search attribute %s is %s already, not %s", name, have, want)
			}
			continue
		}
		column := freeColumn(columnTypes, aliases, want)
		if column == "" {
			return fmt.Errorf("search attribute %s: no more columns of type %s", name, want)
		}
		aliases[column] = name
	}
	return nil
}

func freeColumn(columnTypes map[string]enumspb.IndexedValueType, aliases map[string]string, want enumspb.IndexedValueType) string {
	for _, column := range slices.Sorted(maps.Keys(columnTypes)) {
		if _, taken := aliases[column]; !taken && columnTypes[column] == want {
			return column
		}
	}
	return ""
}
