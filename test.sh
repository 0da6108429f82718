#!/bin/sh
# Runs every test: those of this module with the race detector, end to end ones and replays included,
# and those of the development Temporal server, of what is deployed, and of the real livekit-server in tests, which
# are modules of their own. It first builds the development Temporal server, once for each version of its source, and
# a livekit-server with what it needs around it, without which the tests that need it are skipped, unless CI is set.
# The tests of LiveKit's Node SDK, of pipelines in TypeScript and of Azure Blob Storage get what they need by npm, once
# for each version. Where a program is missing that tests need, which it says first, they are skipped, unless CI is set.
# Arguments go to go test:
#
#   sh test.sh -run Replay -v
#
# It ends with exit status 0 only if all of them passed.
set -eu
cd "$(dirname "$0")"

# Said here, since go test does not say what it skips. In CI what is missing fails its tests.
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
fi

status=0
# End to end tests and fault suite have the cores for themselves: servers that get no time answer too late. The end to
# end tests may take longer than go test's own limit of ten minutes on a busy machine; and many of them wait for what a
# real LiveKit takes its time for, so six run beside each other also on two cores.
go test $race "$@" $(go list ./... | grep -v -e '/e2e$' -e '/faults$') || status=$?
go test $race -timeout 30m -parallel 6 "$@" ./e2e || status=$?
go test $race -timeout 30m "$@" ./faults || status=$?
# Without the race detector, with which all of Temporal's server would be compiled once more.
(cd devserver && go test -timeout 30m "$@" ./...) || status=$?
# Its tests read files of other modules, of which go's cache of test results knows nothing.
(cd deploy/strict && go test -count=1 "$@" ./...) || status=$?
if [ -n "${CI:-}" ] || (cd e2e/livekit && go list -deps ./... >/dev/null 2>&1); then
	(cd e2e/livekit && go test -timeout 30m "$@" ./...) || status=$?
else
	echo 'Without the tests of e2e/livekit, whose modules can not be had.' >&2
fi
exit $status
