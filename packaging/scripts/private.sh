# It may hold passwords: the collector reads it, and nobody else.
if [ -f /etc/muster/alerting.yml ] && [ "$(stat -c %G /etc/muster/alerting.yml)" = root ]; then
    chgrp muster-collector /etc/muster/alerting.yml
fi
