# shellcheck shell=bash
# What .ci/run and .ci/nightly share: stages, one after the other, each counted. A stage that fails does
# not stop the next one. The last line sums what the stages counted; a stage that fails without having
# counted a failure (a build that breaks, a linter) counts as one.

passed=0 failed=0 skipped=0
start_all=$SECONDS
log=$(mktemp)
failures=$(mktemp)
trap 'rm -f "$log" "$failures"' EXIT

# stage TITLE COMMAND...
stage() {
  local title=$1 start=$SECONDS status counts good=0 bad=0 left=0
  shift
  printf '\n### %s: %s\n' "$title" "$*"
  "$@" </dev/null 2>&1 | tee "$log"
  status=$?
  counts=$(tail -n 1 "$log")
  if [[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]} left=${BASH_REMATCH[4]:-0}
  fi
  if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  if [ "$bad" != 0 ]; then
    grep '^failed: ' "$log" || printf 'failed: exit status %s\n' "$status"
  fi | sed "s/^failed:/failed: $title:/" >>"$failures"
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
  printf '### %s: %s in %d s (%d s in all)\n' "$title" \
    "$([ "$bad" = 0 ] && echo passed || echo FAILED)" $((SECONDS - start)) $((SECONDS - start_all))
}

# sum_up: what failed, once more and together, the last line, and the exit status.
sum_up() {
  echo
  cat "$failures"
  if [ "$skipped" != 0 ]; then printf '\n%d skipped' "$skipped"; fi
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ]
}
