# A unit that somebody stopped stays stopped; one that failed gets its chance with the new program.
case $(systemctl is-active @UNIT@.service || true) in
    active | activating | reloading | failed)
        @GOODBYE@
        @RESTART@
        ;;
esac
