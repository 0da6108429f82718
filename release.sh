#!/bin/sh
# Builds what a release consists of: `sh release.sh v0.1.0` makes dist/ with an archive of worker and starter for
# each platform, and SHA256SUMS. The same commit gives the same bytes on any Linux: it needs GNU tar and
# sha256sum.
#   PLATFORMS="linux/amd64" builds fewer; OUT=DIR puts them in a new folder elsewhere.
set -eu
cd "$(dirname "$0")"
unset TAR_OPTIONS GZIP # they would change the bytes
export GOWORK=off GOTOOLCHAIN=go1.26.8 # another Go fetches this one
export CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off GOFLAGS=-mod=readonly

version=${1:-}
case $version in
v[0-9]*.[0-9]*.[0-9]*) ;;
*)
	echo "release.sh: want a version such as v0.1.0, got \"$version\"" >&2
	exit 2
	;;
esac
if ! tar --version 2>/dev/null | grep -q GNU || ! command -v sha256sum >/dev/null; then
	echo 'release.sh: needs GNU tar and sha256sum, as Linux has them; without them the bytes would be others' >&2
	exit 2
fi
out=${OUT:-dist}
commit=$(git rev-parse HEAD)
date=$(git show -s --format=%ct HEAD)
if [ -n "$(git status --porcelain --untracked-files=normal)" ]; then
	echo 'release.sh: the working tree has changes; a release is made of a commit' >&2
	exit 1
fi
tagged=$(git rev-parse -q --verify "refs/tags/$version^{commit}") || tagged=$commit # not tagged yet
if [ "$tagged" != "$commit" ]; then
	echo "release.sh: $version is $tagged; check it out" >&2
	exit 1
fi

[ -n "${OUT:-}" ] || rm -rf "$out" # only our own
mkdir "$out"
app=github.com/reelkeeper/reelkeeper/app
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/arm64}; do
	name=reelkeeper-$version-$(echo "$platform" | tr / -)
	echo "$name" >&2
	mkdir "$out/$name"
	export GOOS="${platform%/*}" GOARCH="${platform#*/}"
	go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X $app.release=$version -X $app.commit=$commit" -o "$out/$name/" ./worker ./starter
	cp LICENSE "$out/$name/"
	for page in README.md CHANGELOG.md; do # what they link to is not in the archive
		sed -E "s|\]\(([^)#:][^):]*)\)|](https://github.com/reelkeeper/reelkeeper/blob/$version/\1)|g" "$page" >"$out/$name/$page"
	done
	sh notices.sh >"$out/$name/THIRD_PARTY_NOTICES"
	# Names in order, no owner, no setgid bit of the folder, and the time of the commit: nothing of this machine.
	tar --create --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX,g-s --mtime="@$date" \
		--directory "$out" --file "$out/$name.tar" "$name"
	gzip --no-name --best "$out/$name.tar"
	rm -r "${out:?}/$name"
done
(cd "$out" && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS)
