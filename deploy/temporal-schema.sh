#!/bin/sh
# Creates Temporal's two databases and brings their schemas up to date. Running it
# again is harmless: existing data stays, and newer versions are added. Do not interrupt
# it: if a change had dropped something, the next run says `does not exist`, and so does
# every other (docs/setup.md says what to do). The SQL_ variables say where PostgreSQL is
# (temporal-sql-tool --help names them).
set -eu

# temporal-sql-tool takes the password only from its environment.
if [ -n "${SQL_PASSWORD_FILE:-}" ]; then
	SQL_PASSWORD=$(cat "$SQL_PASSWORD_FILE")
	export SQL_PASSWORD
fi

schemas=${SCHEMAS:-/etc/temporal/schema/postgresql/v12}

schema() { # database, folder of its schema
	temporal-sql-tool --db "$1" create
	temporal-sql-tool --db "$1" setup-schema --version 0.0
	temporal-sql-tool --db "$1" update-schema --schema-dir "$schemas/$2/versioned"
}

schema temporal temporal
schema temporal_visibility visibility
