#!/bin/sh
echo "backup is here"
