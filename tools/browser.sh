#!/bin/sh
# browser.sh ENVIRONMENT: prints the path of a Chromium for the tests that open reports in a browser.
# One that is installed is taken first; else one is installed, by apt-get as root on Debian, or else
# by Playwright.
set -eu
environment=$1
log=$environment/browser.log

# Prints the first of its arguments that is a browser and starts.
first_that_starts() {
    for candidate in "$@"; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        if "$path" --version >/dev/null 2>&1; then
            echo "$path"
            return
        fi
    done
    return 1
}

playwright_browser() {
    first_that_starts "$("$environment/bin/python" -c '
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)')"
}

installed() {
    first_that_starts chromium chromium-browser google-chrome google-chrome-stable chrome \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        "/Applications/Chromium.app/Contents/MacOS/Chromium" ||
        playwright_browser
}

is_root_on_debian() {
    [ "$(id -u)" = 0 ] && grep -q '^ID=debian' /etc/os-release 2>/dev/null
}

install_from_apt() {
    is_root_on_debian || return
    echo "No Chromium found: installing it by apt-get …" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y chromium; } >>"$log" 2>&1
}

install_from_playwright() {
    echo "No Chromium found: installing Playwright's …" >&2
    "$environment/bin/playwright" install chromium >>"$log" 2>&1
}

if [ -n "${KL_DRIFT_CHROMIUM:-}" ]; then
    first_that_starts "$KL_DRIFT_CHROMIUM" && exit
    echo "KL_DRIFT_CHROMIUM=$KL_DRIFT_CHROMIUM does not start. Name a Chromium or Chrome, or unset it." >&2
    exit 1
fi
installed && exit
install_from_apt && first_that_starts chromium && exit
install_from_playwright && playwright_browser && exit
echo "The tests need Chromium or Chrome and none could be installed (see $log). Install one (Debian: apt-get install chromium; Ubuntu: $environment/bin/playwright install --with-deps chromium; macOS: brew install --cask chromium) or set KL_DRIFT_CHROMIUM to its path." >&2
exit 1
