#!/bin/sh
echo "migrate is here"
