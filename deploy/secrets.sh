#!/bin/sh
# Makes the files that docker-compose.yml takes its secrets from, where they are not
# there: at random what only has to be secret, empty what is yours to fill in or leave.
# Running it again changes nothing. The folder is its owner's alone; the files in it can
# be read by all, since the containers' users are others than you. So they have to read
# what is mounted from deploy/, which a umask of 027 keeps from them.
set -eu
cd "$(dirname "$0")/.."

folder=${SECRETS_DIR:-./secrets}

file() { # name, command that prints the content
	name=$1
	shift
	[ -e "$folder/$name" ] || "$@" >"$folder/$name"
	chmod 0644 "$folder/$name"
}

random() { # 64 hexadecimal digits
	od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
	echo
}

mkdir -p "$folder"
chmod 0700 "$folder"
for name in seal_key postgres_password grafana_admin_password; do
	file "$name" random
done
for name in livekit_api_secret livekit_keys previous_secrets notify_url webhook_secrets codec_token; do
	file "$name" true
done

chmod -R a+rX deploy

# Where the egress service of the profile livekit, which is another user too, writes.
mkdir -p out
chmod 1777 out
