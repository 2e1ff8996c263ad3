if [ -d /run/systemd/system ]; then
    systemctl daemon-reload > /dev/null 2>&1 || :
    if [ "$1" -ge 1 ]; then
        @RESTART_RUNNING@
    fi
fi
