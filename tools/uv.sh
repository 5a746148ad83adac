#!/bin/sh
# Runs uv: the one on PATH, or else the one that requirements.lock names, installed into .venv-uv.
set -eu
cd "$(dirname "$0")/.."

# An activated environment is none of our business.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH
# As pip does: trust what the machine trusts, and wait for a slow index.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
# Where there is no home folder to keep downloads in, they are kept here.
[ -w "${HOME:-/nonexistent}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.venv-cache}"

uv=uv
if ! uv pip install --help 2>/dev/null | grep -q -e --group; then
    uv=.venv-uv/bin/uv
    if [ ! -x "$uv" ]; then
        python=$(sh tools/python.sh)
        if ! "$python" -m venv --clear .venv-uv >/dev/null 2>&1; then
            rm -rf .venv-uv
            echo "$python has no venv module. Install it (Debian, Ubuntu: apt-get install python3-venv) or install uv." >&2
            exit 1
        fi
        sed -n '/^uv==/,/# via/p' requirements.lock >.venv-uv/uv.txt
        .venv-uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv-uv/uv.txt
    fi
fi
exec "$uv" "$@"
