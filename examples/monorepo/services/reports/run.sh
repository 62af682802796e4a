#!/bin/sh
. /usr/local/lib/log.sh
log "reports is here"
