#!/bin/sh
# environment.sh FOLDER ARGUMENT...: makes the virtual environment FOLDER, or brings it up to date,
# by `uv pip install ARGUMENT...`. Versions come from requirements.lock, or from the lock that
# KL_DRIFT_LOCK names, and uv refuses a file whose hash is not in it.
set -eu
cd "$(dirname "$0")/.."
folder=$1
shift

if ! PYTHON="$folder/bin/python" sh tools/python.sh >/dev/null 2>&1; then
    python=$(sh tools/python.sh)
    sh tools/uv.sh venv --quiet --clear --python "$python" "$folder"
fi
echo "Installing into $folder …"
sh tools/uv.sh pip install --quiet --python "$folder/bin/python" \
    --constraints "${KL_DRIFT_LOCK:-requirements.lock}" --build-constraints requirements.lock "$@"
