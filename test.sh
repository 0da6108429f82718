#!/bin/sh
# Runs every test: those of this module with the race detector, including end-to-end tests and replays, and those of
# three separate modules: the development Temporal server, the deployment, and the real livekit-server for tests. First
# it builds the development Temporal server, once for each version of its source, and a livekit-server with what it
# needs around it; if that fails, the tests that need it are skipped, unless CI is set. The tests of LiveKit's Node SDK,
# of pipelines in TypeScript and of Azure Blob Storage install what they need with npm, once for each version. If a
# program that tests need is missing, test.sh says so first, and skips them, unless CI is set. Without a C compiler there
# is no race detector, and if CI is set, test.sh fails.
# Arguments go to go test:
#
#   sh test.sh -run Replay -v
#
# The exit status is 0 only if all of them pass.
set -eu
cd "$(dirname "$0")"

# Report it here, since go test does not say what it skips. In CI, tests fail if a program is missing.
places=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :) # Debian keeps initdb off the PATH.
for program in node npm curl openssl ffmpeg ffprobe chromium initdb temporal; do
	[ -n "${CI:-}" ] || (PATH=$places && command -v "$program" >/dev/null) ||
		echo "Without $program: the tests that need it are skipped." >&2
done

go run ./internal/devtemporal/build
go run ./internal/reallivekit/build

race=-race
if ! go build -race errors 2>/dev/null; then
	race=
	echo 'Without the race detector, which needs a C compiler.' >&2
	[ -z "${CI:-}" ] || exit 1
fi

status=0
# The end-to-end tests and the fault suite have the cores to themselves: servers without CPU time answer too late. On a
# busy machine, the end-to-end tests may take longer than go test's default limit of ten minutes. Many of them wait for
# a real LiveKit, so six run in parallel even on two cores.
go test $race "$@" $(go list ./... | grep -v -e '/e2e$' -e '/faults$') || status=$?
go test $race -timeout 30m -parallel 6 "$@" ./e2e || status=$?
go test $race -timeout 30m "$@" ./faults || status=$?
# Without the race detector, for which all of Temporal's server would be compiled again.
(cd devserver && go test -timeout 30m "$@" ./...) || status=$?
# Its tests read files of other modules, which Go's cache of test results does not track.
(cd deploy/strict && go test -count=1 "$@" ./...) || status=$?
if [ -n "${CI:-}" ] || (cd e2e/livekit && go list -deps ./... >/dev/null 2>&1); then
	(cd e2e/livekit && go test -timeout 30m "$@" ./...) || status=$?
else
	echo 'Without the tests of e2e/livekit, whose modules cannot be had.' >&2
fi
exit $status
