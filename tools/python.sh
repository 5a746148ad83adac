#!/bin/sh
# Prints the path of a Python that kl-drift runs on: $PYTHON where it is set, else the first on PATH.
set -eu

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.13 python3.12 python3.11 python3.14
fi
for candidate in "$@"; do
    if "$candidate" -c 'import sys
if sys.version_info < (3, 11): sys.exit(1)
print(sys.executable)' 2>/dev/null; then
        exit
    fi
done
echo "No Python 3.11 or newer among: $*. Install one (apt-get install python3 python3-venv, or brew install python) or name it: make PYTHON=/path/to/python3.11" >&2
exit 1
