# Runs one command after another. Each is asked for on stdin as fields that end with NUL: a mark, the working
# directory, how many variables, NAME=VALUE for each, how many words, the words. The answer on stdout: the
# mark and "go", what the command printed, the mark and the exit code; "no" when it cannot be run from here.
exec 2>/dev/null {lego_answers}>&1
# Commands see the variables that they would see as the engine's own processes.
unset SHLVL
# A shell that cannot fork ends, and with the first process its container. A shell that does something at its
# end also ends at a signal.
trap 'printf "%s no\n" "$lego_mark"; exec bash' EXIT
lego_signals='HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 PIPE ALRM TERM XCPU XFSZ VTALRM PROF SYS'
trap '' $lego_signals

while IFS= read -r -d '' lego_mark && IFS= read -r -d '' lego_folder; do
    for lego_list in lego_variables lego_words; do
        eval "$lego_list=()"
        read -r -d '' lego_count
        for ((; lego_count > 0; lego_count--)); do
            IFS= read -r -d '' lego_field && eval "$lego_list+=(\"\$lego_field\")"
        done
    done
    if ! cd -- "$lego_folder"; then
        printf '%s no\n' "$lego_mark"
        continue
    fi
    unset OLDPWD
    printf '%s go\n' "$lego_mark"

    # A pipe of its own: what the command leaves behind cannot write into the next answer.
    coproc lego_relay { exec cat 3>&1 >&"$lego_answers" {lego_answers}>&-; }
    lego_pid=$lego_relay_PID
    exec {lego_out}>&"${lego_relay[1]}" {lego_gone}<&"${lego_relay[0]}"
    eval "exec ${lego_relay[0]}<&- ${lego_relay[1]}>&-"
    (
        trap - $lego_signals
        exec </dev/null >&"$lego_out" 2>&1 {lego_out}>&- {lego_gone}<&- {lego_answers}>&-
        [ "${#lego_variables[@]}" -gt 0 ] && export -- "${lego_variables[@]}"
        exec "${lego_words[@]}"
    )
    lego_code=$?
    exec {lego_out}>&-
    # The relay ends with the last writer; those who stay get two seconds, as they do from the engine.
    read -r -t 2 -u "$lego_gone" lego_field
    [ $? -gt 128 ] && kill -9 "$lego_pid"
    wait "$lego_pid"
    exec {lego_gone}<&-
    printf '%s %s\n' "$lego_mark" "$lego_code"
done
