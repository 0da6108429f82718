#!/bin/sh
# Creates the missing files of docker-compose.yml's secrets: with random content if it
# only has to be secret, and empty if it is yours to fill in or leave. Running it again
# changes nothing. Only its owner can enter the folder; the files in it are readable by
# all, since the containers run as other users. Those users must also be able to read what
# is mounted from deploy/, which a umask of 027 prevents.
set -eu
cd "$(dirname "$0")/.."

folder=${SECRETS_DIR:-./secrets}

file() { # name, command that prints the content
	name=$1
	shift
	if [ ! -e "$folder/$name" ]; then
		"$@" >"$folder/$name.new"
		mv "$folder/$name.new" "$folder/$name"
	fi
	chmod 0644 "$folder/$name"
}

random() { # 64 hexadecimal digits
	digits=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
	[ ${#digits} = 64 ]
	echo "$digits"
}

mkdir -p "$folder"
new=
[ -e "$folder/seal_key" ] || new=yes
chmod 0700 "$folder"
for name in seal_key postgres_password grafana_admin_password; do
	file "$name" random
done
for name in livekit_api_secret livekit_keys previous_secrets notify_url webhook_secrets codec_token; do
	file "$name" true
done

chmod -R a+rX deploy

# Where the egress service of the profile livekit writes, also as another user.
mkdir -p out
chmod 1777 out

if [ -n "$new" ]; then
	echo "Keep a copy of $folder elsewhere: a restored backup needs its seal_key (docs/backup.md)."
fi
