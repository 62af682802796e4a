#!/bin/sh
. /usr/local/lib/log.sh
log "mailer is here"
