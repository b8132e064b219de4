[ -f ~/.bashrc ] && . ~/.bashrc
__irsa_prompt() { case "$PS1" in @LABEL@*) ;; *) PS1=@LABEL@"$PS1" ;; esac; }
__irsa_prompt
# Whatever sets the prompt again before each line has done so by then.
if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
  PROMPT_COMMAND+=(__irsa_prompt)
else
  PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}__irsa_prompt"
fi
