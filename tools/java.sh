#!/bin/sh
# java.sh ENVIRONMENT: prints the home of a Java 17 or newer for the tests that count on Spark. One
# that is installed is taken first; else one is installed, by apt-get as root on Debian.
set -eu
log=$1/java.log

# Prints the home of a java command if it is new enough.
home_of() {
    settings=$("$1" -XshowSettings:properties -version 2>&1) || return 1
    version=$(echo "$settings" | sed -n 's/^ *java.specification.version = //p')
    [ "${version%%.*}" -ge 17 ] 2>/dev/null || return 1
    echo "$settings" | sed -n 's/^ *java.home = //p'
}

installed() {
    for java in "${JAVA_HOME:-/nowhere}/bin/java" java /usr/lib/jvm/*/bin/java \
        /opt/homebrew/opt/openjdk*/bin/java; do
        home_of "$java" && return
    done
    return 1
}

install_from_apt() {
    [ "$(id -u)" = 0 ] && grep -q '^ID=debian' /etc/os-release 2>/dev/null || return
    echo "No Java 17 found: installing one by apt-get …" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y default-jre-headless; } \
        >>"$log" 2>&1
}

installed && exit
install_from_apt && installed && exit
echo "The tests need Java 17 or newer and none could be installed (see $log). Install one (Debian, Ubuntu: apt-get install default-jre-headless; macOS: brew install openjdk) or set JAVA_HOME to its folder." >&2
exit 1
