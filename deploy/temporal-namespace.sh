#!/bin/sh
# Creates the namespace and the search attributes that Reelkeeper needs. Running it
# again is harmless. The temporal CLI reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

# Reports and idempotency keys reach as far back as closed workflows are kept:
# seven days at least. A namespace that is there keeps its retention.
retention=${RETENTION:-168h}

again() { # a command, until it works: for a minute
	for _ in $(seq 30); do
		if "$@"; then
			return 0
		fi
		sleep 2
	done
	echo "gave up: $*" >&2
	return 1
}

namespace() {
	temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
		temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
}

# The server's caches lag behind: a new namespace is known only after up to 10 s.
attributes() {
	temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
		--name EgressId --type Keyword \
		--name EgressRoom --type Keyword \
		--name EgressKind --type Keyword \
		--name EgressStatus --type Keyword \
		--name EgressEndedBy --type Keyword \
		--name EgressMissed --type Keyword \
		--name EgressStuck --type Bool
}

again temporal operator cluster health
again namespace
again attributes
