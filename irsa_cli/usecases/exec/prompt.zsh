@RESTORE@
[[ -f "${ZDOTDIR:-$HOME}/.zshenv" ]] && source "${ZDOTDIR:-$HOME}/.zshenv"
__irsa_prompt() { [[ "$PROMPT" == @LABEL@* ]] || PROMPT=@LABEL@"$PROMPT"; }
typeset -ga precmd_functions
precmd_functions+=(__irsa_prompt)
