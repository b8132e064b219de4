@RESTORE@
[ -n "${ENV:-}" ] && eval "__irsa_env=\"$ENV\"" && [ -r "$__irsa_env" ] && . "$__irsa_env"
case "${PS1:-}" in @LABEL@*) ;; *) PS1=@LABEL@"${PS1:-$ }" ;; esac
