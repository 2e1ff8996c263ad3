#!/bin/sh
# Installs muster-agent @VERSION@ on this host, enrols it at a collector and starts it.
#
#   sh install.sh --collector HOST:PORT --token WORD [--name NAME] --from DIR
#   sh install.sh --collector HOST:PORT --token WORD [--name NAME] --base URL [--cacert FILE] [--connect-to H1:P1:H2:P2]
#
# DIR or URL hold the packages; the right one is chosen, and refused unless it is byte for byte the one that this script was made with.
# A host that is enrolled already is upgraded and keeps its identity. The word may also come in MUSTER_ENROL_TOKEN, which does not
# show in the list of processes.
set -eu

VERSION='@VERSION@'
MACHINE='x86_64'
GLIBC_FLOOR='@GLIBC_FLOOR@'
DEB='@DEB@'
DEB_SHA256='@DEB_SHA256@'
RPM='@RPM@'
RPM_SHA256='@RPM_SHA256@'
TAR='@TAR@'
TAR_SHA256='@TAR_SHA256@'
STATE='/var/lib/muster-agent'

say() {
    echo "muster: $1"
}

# refuse WHAT REMEDY
refuse() {
    echo "muster: $1" >&2
    echo "muster: $2" >&2
    exit 1
}

usage() {
    echo "muster: $1" >&2
    echo "usage: sh install.sh --collector HOST:PORT --token WORD [--name NAME] (--from DIR | --base URL [--cacert FILE] [--connect-to H1:P1:H2:P2])" >&2
    exit 2
}

has() {
    command -v "$1" > /dev/null 2>&1
}

collector='' token="${MUSTER_ENROL_TOKEN:-}" name='' from='' base='' cacert='' connect_to=''
while [ $# -gt 0 ]; do
    case "$1" in
        --collector | --token | --name | --from | --base | --cacert | --connect-to)
            [ $# -ge 2 ] || usage "$1 needs a value"
            case "$1" in
                --collector) collector=$2 ;;
                --token) token=$2 ;;
                --name) name=$2 ;;
                --from) from=$2 ;;
                --base) base=$2 ;;
                --cacert) cacert=$2 ;;
                --connect-to) connect_to=$2 ;;
            esac
            shift 2
            ;;
        *)
            usage "unknown argument '$1'"
            ;;
    esac
done

check_arguments() {
    is_enrolled=no
    if [ -e "$STATE/identity.pem" ]; then
        is_enrolled=yes
    fi
    if [ "$is_enrolled" = no ]; then
        [ -n "$collector" ] || usage "--collector is missing: the collector's address for agents, such as collector.example:9471"
        [ -n "$token" ] || usage "--token is missing: a word that 'muster token new' printed"
    fi
    if [ -n "$from" ]; then
        [ -z "$base" ] || usage "--from and --base: name one place"
        [ -d "$from" ] || usage "--from $from is no folder"
    else
        [ -n "$base" ] || usage "name the place of the packages: --from DIR or --base URL"
    fi
    case "$base" in
        '' | https://* | http://127.0.0.1[:/]* | http://localhost[:/]* | 'http://[::1]'[:/]*) ;;
        *) usage "--base $base: only https:// (http:// on this machine alone)" ;;
    esac
    if [ -n "$cacert" ] && [ ! -r "$cacert" ]; then
        usage "--cacert $cacert cannot be read"
    fi
}

check_system() {
    [ "$(id -u)" -eq 0 ] || refuse "this needs root" "run it by sudo, or as root"
    machine=$(uname -m)
    [ "$machine" = "$MACHINE" ] || refuse "this host is $machine, and muster-agent $VERSION is built for $MACHINE alone" \
        "build it on such a host from source: cargo build --release --package muster-agent"
    glibc=''
    if has getconf; then
        glibc=$(getconf GNU_LIBC_VERSION 2> /dev/null | sed -n 's/^glibc \([0-9][0-9.]*\).*/\1/p') || glibc=''
    fi
    [ -n "$glibc" ] || refuse "this host has no glibc (musl systems have not), and muster-agent needs glibc $GLIBC_FLOOR or newer" \
        "build it on such a host from source, or run it where glibc is"
    is_at_least "$glibc" "$GLIBC_FLOOR" || refuse "this host has glibc $glibc, and muster-agent needs $GLIBC_FLOOR or newer" \
        "it runs on Debian 12, Ubuntu 22.04, RHEL 9, SLES 15 SP6 and newer: upgrade the system, or build from source on it"
    has sha256sum || refuse "sha256sum is missing, so the package cannot be checked" "install coreutils"
    { has setpriv || has runuser; } || refuse "neither setpriv nor runuser is here, so nothing can run as another user" "install util-linux"
}

# is_at_least A B: whether version A (MAJOR.MINOR) is B or newer.
is_at_least() {
    major=${1%%.*} rest=${1#*.} floor_major=${2%%.*} floor_minor=${2#*.}
    minor=${rest%%.*}
    [ "$major" -gt "$floor_major" ] || { [ "$major" -eq "$floor_major" ] && [ "$minor" -ge "$floor_minor" ]; }
}

# Which form: that of the package manager which has itself installed, since a Debian may have an rpm command and the reverse.
choose() {
    if has dpkg-query && dpkg-query -W dpkg > /dev/null 2>&1; then
        form=deb file=$DEB sum=$DEB_SHA256
    elif has rpm && rpm -q rpm > /dev/null 2>&1; then
        form=rpm file=$RPM sum=$RPM_SHA256
    else
        form=tar file=$TAR sum=$TAR_SHA256
        has tar || refuse "neither dpkg nor rpm nor tar is here" "install tar"
        has gzip || refuse "neither dpkg nor rpm nor gzip is here" "install gzip"
    fi
}

fetch() {
    package="$work/$file"
    if [ -n "$from" ]; then
        [ -r "$from/$file" ] || refuse "$from has no $file" "copy the files of this version there: $file"
        cp "$from/$file" "$package"
    elif has curl; then
        set -- --fail --silent --show-error --location --max-time 300 --output "$package"
        [ -z "$cacert" ] || set -- "$@" --cacert "$cacert"
        [ -z "$connect_to" ] || set -- "$@" --connect-to "$connect_to"
        curl "$@" "${base%/}/$file" || refuse "$file cannot be fetched from $base" "see curl's words above; --from DIR takes a copied file"
    elif has wget; then
        [ -z "$connect_to" ] || refuse "wget has no --connect-to" "install curl, or copy $file here and use --from DIR"
        set -- --quiet --timeout=60 --output-document="$package"
        [ -z "$cacert" ] || set -- "$@" --ca-certificate="$cacert"
        wget "$@" "${base%/}/$file" || refuse "$file cannot be fetched from $base" "--from DIR takes a copied file"
    else
        refuse "neither curl nor wget is here" "install one, or copy $file here and use --from DIR"
    fi
    found=$(sha256sum "$package")
    found=${found%% *}
    [ "$found" = "$sum" ] || refuse "$file is not the package of this script: its SHA-256 is $found, not $sum" \
        "take script and package from the same place and version; if they are, somebody changed one of them"
}

install_package() {
    case "$form" in
        deb)
            DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold -i "$package" < /dev/null ||
                refuse "dpkg did not install $file" "see its words above; 'apt-get -f install' gets what is missing"
            ;;
        rpm)
            rpm -U --replacepkgs "$package" ||
                refuse "rpm did not install $file" "see its words above"
            ;;
        tar)
            tar -xzf "$package" -C "$work"
            sh "$work/${file%.tar.gz}/install.sh"
            ;;
    esac
}

as_agent() {
    if has setpriv; then
        setpriv --reuid=muster --regid=muster --init-groups "$@"
    else
        runuser -u muster -- "$@"
    fi
}

enrol() {
    if [ "$is_enrolled" = yes ]; then
        say "this host is enrolled already and keeps its identity"
        return
    fi
    set -- muster-agent enrol --collector "$collector" --token-file -
    [ -z "$name" ] || set -- "$@" --name "$name"
    printf '%s\n' "$token" | as_agent "$@" || refuse "this host is not enrolled; the package is installed" \
        "see the reason above; then run this again with a new word from 'muster token new'"
}

start() {
    if [ ! -d /run/systemd/system ]; then
        say "systemd does not run here, so nothing starts the agent: let your init run this as root:"
        say "  setpriv --reuid=muster --regid=muster --groups=muster,adm muster-agent run"
        return
    fi
    systemctl enable muster-agent.service > /dev/null 2>&1 || refuse "the unit cannot be enabled" "see: systemctl enable muster-agent"
    systemctl restart muster-agent.service || refuse "the agent did not start" "see: journalctl -u muster-agent"
    # Until it has spoken with the collector, at most half a minute.
    tries=0
    until as_agent muster-agent status --output json 2> /dev/null | grep -q '"state": *"connected"'; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || refuse "the agent runs and has not reached the collector yet" "see: muster-agent status; journalctl -u muster-agent"
        sleep 1
    done
    say "the agent runs and is connected"
}

# Whole functions before anything happens: a script that was cut off on its way does nothing.
main() {
    check_arguments
    check_system
    choose
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    # A relative folder was meant from where this was started.
    fetch
    cd /
    install_package
    enrol
    start
}

case "$from" in
    '' | /*) ;;
    *) from="${PWD%/}/$from" ;;
esac
case "$cacert" in
    '' | /*) ;;
    *) cacert="${PWD%/}/$cacert" ;;
esac
main
