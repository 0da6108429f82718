#!/bin/sh
# Prints the licences and notices of what is compiled into worker and starter, for the platform of GOOS and GOARCH: of Go
# itself, and of each module, in its root, beside the packages in use, and in the folders between, some of which are
# somebody else's.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C # one order everywhere

notices() { # module, folder
	for file in "$2"/LICEN[CS]E* "$2"/LICENSES/* "$2"/COPYING* "$2"/NOTICE*; do
		[ -f "$file" ] || continue
		printf '\n==> %s, %s\n\n' "$1" "${file#"$2"/}"
		cat "$file"
	done
}

goroot=$(go env GOROOT)
if [ ! -f "$goroot/LICENSE" ]; then
	echo "notices.sh: $goroot has no LICENSE: that Go is not the one of go.dev, which compiles a release" >&2
	exit 1
fi
notices Go "$goroot"
packages=$(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{$.ImportPath}} {{.Dir}}{{end}}{{end}}' ./worker ./starter)
folders=$(echo "$packages" | while read -r module version package root; do
	echo "$module $version $root"
	while [ "$package" != "$module" ]; do
		echo "$module $version $root${package#"$module"}"
		package=${package%/*}
	done
done)
echo "$folders" | sort -u | while read -r module version folder; do
	notices "$module $version" "$folder"
done
