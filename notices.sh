#!/bin/sh
# Prints the licences and notices of what is compiled into worker and starter, for the platform of GOOS and GOARCH: of Go
# itself, and of each module, at its root and beside the packages in use, some of which are somebody else's.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C # one order everywhere

notices() { # module, folder
	for file in "$2"/LICEN[CS]E* "$2"/COPYING* "$2"/NOTICE*; do
		[ -f "$file" ] || continue
		printf '\n==> %s, %s\n\n' "$1" "${file##*/}"
		cat "$file"
	done
}

notices Go "$(go env GOROOT)"
folders=$(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}
{{.Path}} {{.Version}} {{$.Dir}}{{end}}{{end}}' ./worker ./starter)
echo "$folders" | sort -u | while read -r module version folder; do
	notices "$module $version" "$folder"
done
