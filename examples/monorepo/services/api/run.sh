#!/bin/sh
. /usr/local/lib/log.sh
log "api is here"
