#!/bin/sh
# Brings the mirror of $REMOTE in $WEFT_REPOSITORIES/$PROJECT.git up to date; makes it when there is none.
# A mirror is there whole or not at all. GIT_ALLOW_PROTOCOL says by which transports git may fetch.
set -eu

case "$PROJECT" in
'' | .* | -* | *[!A-Za-z0-9._-]*)
    echo "project '$PROJECT': use letters, digits, '.', '_' and '-' only" >&2
    exit 2
    ;;
esac
case "$REMOTE" in
'' | -*)
    echo "remote '$REMOTE' is no URL" >&2
    exit 2
    ;;
esac

# Housekeeping ends before this does; in the background it would be killed with the pod.
export GIT_CONFIG_COUNT=2 \
    GIT_CONFIG_KEY_0=gc.autoDetach GIT_CONFIG_VALUE_0=false \
    GIT_CONFIG_KEY_1=maintenance.autoDetach GIT_CONFIG_VALUE_1=false

# The credential (lines of `username=` and `password=`) is read when git asks, so it is in no argument and no configuration.
if [ -r "${GIT_CREDENTIAL_FILE:-}" ]; then
    export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_2=credential.helper
    # shellcheck disable=SC2016  # Git expands it.
    export GIT_CONFIG_VALUE_2='!f() { if [ "$1" = get ]; then cat "$GIT_CREDENTIAL_FILE"; fi; }; f'
fi

# A git server of one's own, with a certificate of one's own.
if [ -r "${GIT_CA_FILE:-}" ]; then
    export GIT_SSL_CAINFO="$GIT_CA_FILE"
fi

mirror="$WEFT_REPOSITORIES/$PROJECT.git"
if [ -d "$mirror" ]; then
    git --git-dir="$mirror" remote set-url origin "$REMOTE"
    git --git-dir="$mirror" remote update --prune
else
    # What an earlier pod left when it was killed.
    rm -rf "$mirror.new"
    git clone --mirror -- "$REMOTE" "$mirror.new"
    mv "$mirror.new" "$mirror"
fi
