#!/bin/sh
tail -n 1 /usr/share/numbers
