#!/bin/sh
# Puts muster-agent @VERSION@ on a system that has neither dpkg nor rpm, or takes it off again:
#   ./install.sh            install, or upgrade: state, identity and a changed configuration stay
#   ./install.sh --remove   take the program off; state and configuration stay
#   ./install.sh --purge    take everything off but the user
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

refuse() {
    echo "install.sh: $1" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || refuse "this needs root: run it by sudo"

has_systemd() {
    [ -d /run/systemd/system ]
}

remove_program() {
    if has_systemd; then
        systemctl disable --now @UNIT@.service muster-task.socket muster-task.service > /dev/null 2>&1 || true
    fi
    (cd "$here/files" && find . -type f ! -path './etc/*') | while IFS= read -r file; do
        rm -f "/$file"
    done
    if has_systemd; then
        systemctl daemon-reload
    fi
}

case "${1:-}" in
    --remove)
        remove_program
        exit 0
        ;;
    --purge)
        remove_program
        rm -rf @STATE@ /etc/muster/agent.toml /etc/muster/agent.toml.new
        rm -rf /var/lib/muster-task /etc/muster/task.toml /etc/muster/task.toml.new
        rmdir /etc/muster 2> /dev/null || true
        exit 0
        ;;
    '') ;;
    *)
        refuse "unknown argument '$1': there are --remove and --purge"
        ;;
esac

# Whole or not at all: a program that runs is replaced by a rename, never written to.
(cd "$here/files" && find . -type f) | while IFS= read -r file; do
    target="/$file"
    case "$file" in
        ./etc/*)
            if [ -e "$target" ] && ! cmp -s "$here/files/$file" "$target"; then
                echo "$target is kept; the new one is $target.new" >&2
                target="$target.new"
            fi
            ;;
    esac
    mkdir -p "$(dirname -- "$target")"
    cp "$here/files/$file" "$target.muster-new"
    chown 0:0 "$target.muster-new"
    mv -f "$target.muster-new" "$target"
done

@ACCOUNT@

if has_systemd; then
    systemctl daemon-reload
    systemctl enable @UNIT@.service > /dev/null 2>&1
    @RESTART_RUNNING@
fi
echo "muster-agent @VERSION@ is installed"
