#!/bin/sh
# log TEXT: a line with the time before it
log() {
  echo "$(date -u +%H:%M:%S) $*"
}
