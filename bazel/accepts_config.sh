#!/bin/sh
# accepts_config.sh PROXY FILE: succeeds if the proxy accepts the configuration file.
exec "$1" --mode validate -c "$2"
