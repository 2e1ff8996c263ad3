unit='@UNIT@'
if [ "$1" -eq 0 ] && command -v systemctl > /dev/null 2>&1; then
    systemctl disable --now "$unit.service" > /dev/null 2>&1 || :
    if [ "$unit" = muster-agent ]; then
        systemctl disable --now muster-task.socket muster-task.service > /dev/null 2>&1 || :
    fi
fi
