#compdef wasmctl
# zsh completion for wasmctl: source <(wasmctl completion zsh)

_wasmctl() {
    local program=${(Q)words[1]} answer line value directives=0 tab=$'\t'
    local -a before candidates patterns space
    (($+commands[$program])) || [[ -x $program ]] || program=wasmctl
    before=("${(@Q)words[2,CURRENT-1]}")
    answer=$("$program" __complete "${before[@]}" "${(Q)PREFIX}" 2>/dev/null) || return 1
    # Values behind --option= are told without it.
    [[ $PREFIX == --*=* ]] && compset -P '*='
    for line in "${(@f)answer}"; do
        if [[ $line == :<-> ]]; then
            directives=${line#:}
        elif [[ -n $line ]]; then
            value=${line%%$tab*}
            patterns+=("*.$value")
            value=${value//:/\\:}
            [[ $line == *$tab* ]] && value+=":${line#*$tab}"
            candidates+=("$value")
        fi
    done
    if ((directives & 8)); then
        _files -g "(${(j:|:)patterns})"
    elif ((directives & 16)); then
        _files -/
    elif (($#candidates)); then
        ((directives & 2)) && space=(-S '')
        _describe -V -t values wasmctl candidates $space
    elif ((!(directives & 4))); then
        _files
    fi
}

# As a file of $fpath it is called when it is loaded; sourced, it tells what it is for.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _wasmctl "$@"
else
    compdef _wasmctl wasmctl
fi
