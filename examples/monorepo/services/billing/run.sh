#!/bin/sh
. /usr/local/lib/log.sh
log "billing is here"
