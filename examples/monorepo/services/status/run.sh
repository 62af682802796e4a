#!/bin/sh
echo "status is here"
