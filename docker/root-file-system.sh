#!/bin/sh
# Puts into $1 what the server needs of Debian, and of the image it is run in: node, the libraries that node and curl load,
# curl, and busybox as the shell and its tools. Packages are listed in /opt/dynaring/debian-packages.txt.
set -eu
root=$1
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/sbin" "$root/usr/local/bin" "$root/etc" "$root/opt/dynaring"
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$root/$folder"; done
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/root" "$root/var"
# Whatever user the container runs as may write here, but not into what belongs to another.
mkdir -m 1777 "$root/tmp" "$root/var/tmp" "$root/data"
mkdir -p "$root/home/dynamodblocal/data"
chmod 1777 "$root/home/dynamodblocal" "$root/home/dynamodblocal/data"

cp -L "$(command -v node)" "$root/usr/local/bin/node"
strip "$root/usr/local/bin/node"
cp -L "$(command -v curl)" "$root/usr/bin/curl"
cp -L "$(command -v busybox)" "$root/usr/bin/busybox"
for tool in $("$root/usr/bin/busybox" --list); do
  [ -e "$root/usr/bin/$tool" ] || ln -s busybox "$root/usr/bin/$tool"
done
for library in $(ldd "$root/usr/local/bin/node" "$root/usr/bin/curl" | grep -o '/[^ ]*' | grep -v ':$' | sort -u); do
  cp -L --parents "$library" "$root"
done

# The names and ids of DynamoDB Local's image.
printf 'root:x:0:0:root:/root:/bin/sh\ndynamodblocal:x:1000:1000::/home/dynamodblocal:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\ndynamodblocal:x:1000:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"

# What was taken from which package, and its terms where the base image has them.
{ command -v curl busybox && ldd "$root/usr/local/bin/node" "$root/usr/bin/curl" | grep -o '/[^ ]*' | grep -v ':$'; } |
  xargs -n 1 realpath | sort -u | xargs -n 1 dpkg-query -S 2>/dev/null | cut -d: -f1 | sort -u >/tmp/packages
# shellcheck disable=SC2016
xargs dpkg-query -W -f '${Package} ${Version}\n' </tmp/packages >"$root/opt/dynaring/debian-packages.txt"
while read -r package; do
  terms=/usr/share/doc/$package/copyright
  [ ! -e "$terms" ] || cp --parents "$terms" "$root"
done </tmp/packages
