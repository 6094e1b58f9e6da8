#!/bin/sh
# Takes out of $1, a node_modules, what no running server reads: sources, types, source maps, texts but licences, and LMDB's
# binaries for other Nodes and C libraries than the image's.
set -eu
cd "$1"
find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -iname '*.md' -o -name '.*' \) \
  ! -iname 'licen[sc]e*' ! -name '.package-lock.json' -delete
rm -rf .bin bintrees/dist bintrees/test lmdb/dependencies lmdb/src lmdb/test ajv/lib @opentelemetry/api/build/esm @opentelemetry/api/build/esnext
find @lmdb -name '*.node' ! -name 'node.napi.glibc.node' -delete
find . -type d -empty -delete
