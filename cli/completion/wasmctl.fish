# fish completion for wasmctl: wasmctl completion fish | source

function __wasmctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l directives 0
    set -l before ''
    set -l program $words[1]
    set -e words[1]
    set -l answer (command $program __complete $words $current 2>/dev/null)
    if test (count $answer) -gt 0; and string match -qr '^:[0-9]+$' -- $answer[-1]
        set directives (string sub -s 2 -- $answer[-1])
        set -e answer[-1]
    end
    # Values behind --option= are told without it.
    if string match -qr '^--[^=]+=' -- $current
        set before (string match -r '^--[^=]+=' -- $current)
    end
    set -l begun (string replace -r '^--[^=]+=' '' -- $current)
    if test (math "bitand($directives, 8)") -ne 0
        for path in (__fish_complete_path $begun)
            set -l name (string split -f 1 \t -- $path)
            if string match -q '*/' -- $name; or contains -- (string replace -r '.*\.' '' -- $name) $answer
                echo -- $before$path
            end
        end
    else if test (math "bitand($directives, 16)") -ne 0
        __fish_complete_directories $begun | string replace -r '^' -- $before
    else if test (count $answer) -gt 0
        for line in $answer
            echo -- $before$line
        end
    else if test (math "bitand($directives, 4)") -eq 0
        __fish_complete_path $begun | string replace -r '^' -- $before
    end
end

complete -c wasmctl -e
complete -c wasmctl -f -k -a '(__wasmctl_complete)'
