# shellcheck shell=bash
# bash completion for ringward(8). Commands and options are those that the program on the command
# line lists in its --help, so that what is offered is what that one knows.

# _ringward_ask SECTION PROGRAM [COMMAND...]: one line for each entry of a section of its --help:
# the names, with commas between, and " VALUE" after an option that takes one.
_ringward_ask() {
  local section=$1 line inside='' heading='^ *([A-Za-z]+):$'
  local entry='^ {2,8}((-[^ ,]+, *)*[a-z-][^ ]*)( [A-Z])?'
  shift
  while IFS= read -r line; do
    if [[ $line =~ $heading ]]; then
      inside=${BASH_REMATCH[1],,}
    elif [[ $inside = "$section" && $line =~ $entry ]]; then
      printf '%s%s\n' "${BASH_REMATCH[1]// /}" "${BASH_REMATCH[3]:+ VALUE}"
    fi
  done < <("$@" --help 2>/dev/null)
}

# _ringward_offer COMPGEN-ARGUMENT...: what of it begins as the current word does.
_ringward_offer() {
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$@" -- "$current")
}

_ringward_files() {
  compopt -o filenames
  _ringward_offer "$@"
}

_ringward_value() {
  case $1 in
    --address | --host | --interval | --limit | --listener | --method | --path | --seconds | --sort | --top) ;;
    --group) _ringward_offer -g ;;
    *) _ringward_files -f ;;
  esac
}

# The arguments of a command that are no options.
_ringward_argument() {
  case $1 in
    import) _ringward_files -d ;;
    'audit verify') _ringward_files -f ;;
    revoke | unrevoke) _ringward_offer -W 'identity jti kid' ;;
    'log level') _ringward_offer -W 'error warning info debug' ;;
    tune)
      if [[ $current = */* ]]; then
        _ringward_files -f
      else
        _ringward_offer -W 'latency throughput connections'
      fi ;;
  esac
}

_ringward() {
  local current=${COMP_WORDS[COMP_CWORD]} option='' word
  local -a so_far=("${COMP_WORDS[0]/#\~/$HOME}") commands options
  local i
  COMPREPLY=()
  mapfile -t commands < <(_ringward_ask subcommands "${so_far[@]}")
  mapfile -t options < <(_ringward_ask options "${so_far[@]}")
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [ "$word" = = ]; then
      continue  # bash makes it a word of its own in --config=FILE
    elif [ -n "$option" ]; then
      option=''
    elif printf ',%s\n' "${options[@]}" | grep -q -- ",$word\(,.*\)\? VALUE$"; then
      option=$word
    elif printf '%s\n' "${commands[@]}" | grep -qxF -- "$word"; then
      so_far+=("$word")
      mapfile -t commands < <(_ringward_ask subcommands "${so_far[@]}")
      mapfile -t options < <(_ringward_ask options "${so_far[@]}")
    fi
  done
  if [ "$current" = = ]; then current=''; fi
  if [ -n "$option" ]; then
    _ringward_value "$option"
  elif [[ $current = -* ]]; then
    word=${options[*]% VALUE}
    _ringward_offer -W "${word//,/ }"
  elif [ ${#commands[@]} != 0 ]; then
    _ringward_offer -W "${commands[*]}"
  else
    _ringward_argument "${so_far[*]:1}"
  fi
}

complete -F _ringward ringward
