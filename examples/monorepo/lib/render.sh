#!/bin/sh
# render.sh FROM TO: a page of every text.
set -eu
mkdir -p "$2"
for text in "$1"/*.txt; do
  name=$(basename "$text" .txt)
  sed -e "s/TITLE/$name/" -e "s/TEXT/$(cat "$text")/" "$(dirname "$0")/page.html" > "$2/$name.html"
done
