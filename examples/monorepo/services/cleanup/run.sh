#!/bin/sh
. /usr/local/lib/log.sh
log "cleanup is here"
