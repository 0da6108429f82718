package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
)

func TestASchemaIsMadeOnceAndRecognised(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new.db")
	must(t, ensureSchema(t.Context(), file))
	must(t, ensureSchema(t.Context(), file))
}

func TestAnEmptyFileIsANewOne(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "empty.db")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, ensureSchema(t.Context(), file))
}

func TestAFileOfAnotherSchemaIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, change, want string }{
		{"newer", "ALTER TABLE namespaces ADD COLUMN colour TEXT", "it has an unknown column namespaces.colour TEXT"},
		{"older", "ALTER TABLE namespaces DROP COLUMN is_global", "it has no column namespaces.is_global"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), tc.name+".db")
			must(t, ensureSchema(t.Context(), file))
			execute(t, file, tc.change)
			refused(t, file, "not made by Temporal server 1.32.1 ("+tc.want)
		})
	}
}

func TestAFileThatIsNoDatabaseIsRefusedByName(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(file, []byte(strings.Repeat("dear diary, ", 100)), 0o600))
	refused(t, file, "file is not a database")
}

func TestAFolderThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	refused(t, filepath.Join(t.TempDir(), "missing", "new.db"), "unable to open database file")
}

// refused runs a server on file, which has to end with one line that names the file and the reason.
func refused(t *testing.T, file, reason string) {
	t.Helper()
	opts := parsed(t, "--headless", "--db-filename", file)
	_, err := openStore(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), "database file "+file+": "+reason) {
		t.Errorf("opening %s: %v, not %q", file, err, reason)
	}
}

func execute(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open(driverName, file)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
}

func TestSearchAttributesTakeTheFirstFreeColumnOfTheirType(t *testing.T) {
	t.Parallel()
	cfg := &persistencespb.NamespaceConfig{CustomSearchAttributeAliases: map[string]string{
		"Keyword01": "Taken", "Keyword03": "AlsoTaken", "Bool01": "Stuck",
	}}
	must(t, addSearchAttributes(cfg, map[string]enumspb.IndexedValueType{
		"Room":  enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"Kind":  enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"Stuck": enumspb.INDEXED_VALUE_TYPE_BOOL,
	}))
	for column, want := range map[string]string{
		"Keyword01": "Taken", "Keyword02": "Kind", "Keyword03": "AlsoTaken", "Keyword04": "Room",
		"Bool01": "Stuck", "Bool02": "",
	} {
		if got := cfg.CustomSearchAttributeAliases[column]; got != want {
			t.Errorf("column %s is %q, not %q", column, got, want)
		}
	}
}

func TestASearchAttributeKeepsItsType(t *testing.T) {
	t.Parallel()
	cfg := &persistencespb.NamespaceConfig{CustomSearchAttributeAliases: map[string]string{"Bool01": "Stuck"}}
	err := addSearchAttributes(cfg, map[string]enumspb.IndexedValueType{"Stuck": enumspb.INDEXED_VALUE_TYPE_INT})
	if err == nil || err.Error() != "search attribute Stuck is Bool already, not Int" {
		t.Errorf("the error is %v", err)
	}
}

func TestThereIsAnEndToTheColumnsOfAType(t *testing.T) {
	t.Parallel()
	wanted := map[string]enumspb.IndexedValueType{}
	for _, name := range []string{"A", "B", "C", "D"} {
		wanted[name] = enumspb.INDEXED_VALUE_TYPE_BOOL // Three of them are made in advance.
	}
	err := addSearchAttributes(&persistencespb.NamespaceConfig{}, wanted)
	if err == nil || err.Error() != "search attribute D: no more columns of type Bool" {
		t.Errorf("the error is %v", err)
	}
}
