# bash completion for wasmctl: source <(wasmctl completion bash)

# Words of the line up to the cursor in _wasmctl_words. bash takes words apart at = and :, which they are not here.
_wasmctl_split() {
    local rest=${COMP_LINE:0:COMP_POINT} word i glued
    _wasmctl_words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        glued=
        [[ $i -gt 0 && -n $rest && $rest != [[:space:]]* ]] && glued=1
        rest=${rest#"${rest%%[![:space:]]*}"}
        # The last word ends at the cursor.
        ((i == COMP_CWORD)) && word=$rest
        rest=${rest#"$word"}
        if [[ $glued ]]; then
            _wasmctl_words[${#_wasmctl_words[@]} - 1]+=$word
        else
            _wasmctl_words+=("$word")
        fi
    done
}

_wasmctl() {
    local -a _wasmctl_words candidates=() extensions=()
    local program answer line directives=0 current word before i
    COMPREPLY=()
    _wasmctl_split
    # Quotes belong to the shell.
    _wasmctl_words=("${_wasmctl_words[@]//[\\\"\']/}")
    program=${_wasmctl_words[0]/#\~\//$HOME/}
    current=${_wasmctl_words[${#_wasmctl_words[@]} - 1]}
    answer=$("$program" __completeNoDesc "${_wasmctl_words[@]:1}" 2>/dev/null) || return 0
    while IFS= read -r line; do
        if [[ $line =~ ^:[0-9]+$ ]]; then
            directives=${line#:}
        elif [[ -n $line ]]; then
            candidates+=("${line%%$'\t'*}")
        fi
    done <<<"$answer"

    if ((directives & 8)); then
        for word in "${candidates[@]}"; do
            extensions+=("*.$word")
        done
        before=${current##*=}
        while IFS= read -r line; do
            [[ -n $line ]] && COMPREPLY+=("$line")
        done < <(compgen -d -- "$before"
            for word in "${extensions[@]}"; do compgen -f -X "!$word" -- "$before"; done)
        compopt -o filenames 2>/dev/null
        return 0
    fi
    if ((directives & 16)); then
        while IFS= read -r line; do
            [[ -n $line ]] && COMPREPLY+=("$line")
        done < <(compgen -d -- "${current##*=}")
        compopt -o filenames 2>/dev/null
        return 0
    fi
    if ((${#candidates[@]} == 0)); then
        ((directives & 4)) || compopt -o default 2>/dev/null
        return 0
    fi
    ((directives & 2)) && compopt -o nospace 2>/dev/null

    # What bash counts to the words before stays there.
    before=''
    if [[ $current == --*=* ]]; then
        [[ $COMP_WORDBREAKS == *=* ]] || before=${current%%=*}=
        COMPREPLY=("${candidates[@]/#/$before}")
    else
        for word in = :; do
            if [[ $COMP_WORDBREAKS == *$word* && $current == *$word* ]]; then
                line=${current%"${current##*"$word"}"}
                ((${#line} > ${#before})) && before=$line
            fi
        done
        COMPREPLY=("${candidates[@]#"$before"}")
    fi
    # What means something to the shell is quoted.
    for i in "${!COMPREPLY[@]}"; do
        [[ ${COMPREPLY[i]} == *[!A-Za-z0-9_./:=,@%+-]* ]] && printf -v "COMPREPLY[$i]" %q "${COMPREPLY[i]}"
    done
    return 0
}

complete -F _wasmctl wasmctl
