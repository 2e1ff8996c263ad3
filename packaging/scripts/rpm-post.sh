@ACCOUNT@
@PRIVATE@
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload > /dev/null 2>&1 || :
    if [ "$1" -eq 1 ]; then
        systemctl enable --now @UNIT@.service > /dev/null 2>&1 || :
    fi
elif [ "$1" -eq 1 ] && command -v systemctl > /dev/null 2>&1; then
    systemctl enable @UNIT@.service > /dev/null 2>&1 || :
fi
