#!/bin/sh
. /usr/local/lib/log.sh
log "auth is here"
