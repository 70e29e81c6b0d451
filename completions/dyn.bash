# Completion of the dyn tools for bash: each tool says itself what could stand at the cursor.
_dyn() {
    local line=${COMP_LINE:0:COMP_POINT} current='' candidate
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    current=${words[-1]}
    # Bash replaces only what follows its last word break.
    local kept=${current%"${current##*[=:]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        COMPREPLY+=("${candidate#"$kept"}")
    done < <(DYN_COMPLETE=1 "${words[@]}" 2>/dev/null)
}
complete -o default -o nosort -F _dyn dyn-get dyn-put dyn-del dyn-merge dyn-update dyn-keys dyn-ring dyn-stats dyn-cluster dyn-bench dyn-merkle-diff dyn-repair dyn-dump dyn-load
