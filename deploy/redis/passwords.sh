#!/bin/sh
# Makes a password for each user of users.acl and puts its hash there.
#   passwords.sh DIR    writes DIR/users.acl for Redis and DIR/USER.password for the programs
set -eu
umask 077
from=$(dirname "$0")/users.acl
dir=${1:?"usage: passwords.sh DIR"}
mkdir -p "$dir"
if [ -e "$dir/users.acl" ]; then
	echo "passwords.sh: $dir/users.acl is there already" >&2
	exit 1
fi
acl=$(cat "$from")
for user in $(sed -n 's/.*#SHA256_OF_THE_PASSWORD_OF_\([a-z]*\).*/\1/p' "$from"); do
	password=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
	printf '%s\n' "$password" >"$dir/$user.password"
	hash=$(printf %s "$password" | sha256sum | cut -d' ' -f1)
	acl=$(printf '%s\n' "$acl" | sed "s/SHA256_OF_THE_PASSWORD_OF_$user /$hash /")
done
printf '%s\n' "$acl" >"$dir/users.acl"
