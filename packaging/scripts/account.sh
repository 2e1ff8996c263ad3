# User and state folder: as sysusers.d and tmpfiles.d say where systemd reads them, else by hand, since containers have no systemd.
if command -v systemd-sysusers > /dev/null 2>&1; then
    systemd-sysusers @UNIT@.conf || true
fi
if ! getent passwd @USER@ > /dev/null; then
    useradd --system --user-group --home-dir @STATE@ --no-create-home --shell /usr/sbin/nologin \
        --comment '@GECOS@' @USER@
fi
if command -v systemd-tmpfiles > /dev/null 2>&1; then
    systemd-tmpfiles --create @UNIT@.conf || true
fi
if [ ! -d @STATE@ ]; then
    install -d -m 0700 -o @USER@ -g @USER@ @STATE@
fi
