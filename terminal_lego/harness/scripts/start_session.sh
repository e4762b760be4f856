# Opens $session, with everything its pane prints going to $log, and leaves an interactive non-login
# bash on a cleared screen. $history: lines of scrollback, empty for tmux's own number. $recorder: lines
# that the login shell runs to get the inner one, empty for a plain bash.
command -v tmux >/dev/null || exit 42
export TERM=xterm-256color SHELL=/bin/bash

mkdir -p "$(dirname "$log")"
# An earlier step of the same task may have left its session.
tmux kill-session -t "=$session" 2>/dev/null
tmux start-server ${history:+\; set-option -g history-limit "$history"} \; \
    new-session -d -s "$session" -x 160 -y 40 'bash --login' \; \
    pipe-pane -t "$session" "cat > '$log'" || exit 1
# Set once the pane exists, this leaves the pane what it has.
tmux set-option -g history-limit 10000000

# Wait, 10 s at most, until the cursor stands behind a prompt and on a row that fits.
prompt_on_row() {
    for _ in $(seq 500); do
        read -r column row < <(tmux display-message -p -t "$session" '#{cursor_x} #{cursor_y}')
        [ "${column:-0}" -gt 0 ] && [ "$row" "$@" ] && return
        sleep 0.02
    done
}

enter=bash
if [ -n "$recorder" ]; then
    # Through a file: a typed line that wraps would look like the prompt of the inner shell.
    enter=". /tmp/.enter-$$"
    printf '%s' "$recorder" > "/tmp/.enter-$$"
fi
prompt_on_row -ge 0
login_row=$row
tmux send-keys -t "$session" "$enter" Enter
prompt_on_row -gt "$login_row"
rm -f "/tmp/.enter-$$"
tmux send-keys -t "$session" clear Enter
prompt_on_row -le "$login_row"
tmux clear-history -t "$session"
tmux has-session -t "$session"
