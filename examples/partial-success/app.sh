#!/bin/sh
if [ "$1" = --self-test ]; then
  echo 'greeting: expected "Hello!", got "Hallo!"' >&2
  exit 1
fi
echo 'Hallo!'
