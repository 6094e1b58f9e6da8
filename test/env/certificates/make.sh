#!/bin/sh
# Makes the certificates of the tests anew: an authority, the peers a, b and c, and a stranger with another authority.
# Needs openssl. `openssl ca` is the command that takes a first day: they are to be good on any day.
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work"
mkdir issued
: >index.txt
cat >ca.cnf <<'END'
[ ca ]
default_ca = all
[ all ]
dir = .
database = index.txt
new_certs_dir = issued
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[ any ]
commonName = supplied
[ authority ]
basicConstraints = critical, CA:TRUE
[ peer ]
subjectAltName = ${ENV::NAMES}
END
dates='-startdate 20200101000000Z -enddate 21200101000000Z'
export NAMES=URI:none
request() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
}
authority() {
  request "$1"
  openssl ca -batch -config ca.cnf -selfsign -keyfile "$1.key" -in "$1.csr" -extensions authority $dates -notext -out "$1.pem"
}
peer() {
  request "$2"
  NAMES="URI:dynaring-node:$3" openssl ca -batch -config ca.cnf -cert "$1.pem" -keyfile "$1.key" -in "$2.csr" \
    -extensions peer $dates -notext -out "$2.pem"
}
authority authority
authority other-authority
peer authority a a
peer authority b b
peer authority c c
peer other-authority stranger b
rm authority.key other-authority.key
cp ./*.pem ./*.key "$here"
rm -r "$work"
