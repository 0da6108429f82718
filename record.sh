#!/bin/sh
# Records what the workers of a release write, for later versions to replay: `sh record.sh v0.1.0 dist`.
# The histories are written by the released binary, and driven by the tests of its own tag: nothing of the
# working tree has a part in them.
set -eu
cd "$(dirname "$0")"

version=${1:-}
archive=${2:-dist}/reelkeeper-$version-$(go env GOHOSTOS)-$(go env GOHOSTARCH).tar.gz
if ! git rev-parse -q --verify "refs/tags/$version^{commit}" >/dev/null; then
	echo "record.sh: want the tag of a release, got \"$version\"" >&2
	exit 2
fi
work=$(mktemp -d)
trap 'git worktree remove --force "$work/tag" 2>/dev/null || true; rm -rf "$work"' EXIT
tar -xzf "$archive" -C "$work" --strip-components 1
said=$("$work/worker" --version)
case $said in
"worker version $version (commit $(git rev-parse "$version^{commit}"),"*) ;;
*)
	echo "record.sh: $archive holds another build: $said" >&2
	exit 1
	;;
esac
git worktree add -q --detach "$work/tag" "$version"
go run ./internal/devtemporal/build
histories=$PWD/workflows/testdata/histories/$version
(cd "$work/tag" && go test ./e2e -count=1 -run '^TestRecordHistories$' -worker "$work/worker" -record "$histories")
go test ./workflows -count=1 -run '^TestRecordedLivesReplay$'
ls "$histories"
