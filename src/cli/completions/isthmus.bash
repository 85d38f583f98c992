# Completion of isthmus(1) for bash.
# shellcheck shell=bash

_isthmus_from() {  # completes the last piece of a list ($1: separator, $2: what is typed) from the lines of stdin
    local separator=$1 typed=$2 kept='' word
    [[ $typed != *"$separator"* ]] || kept=${typed%"$separator"*}$separator
    while read -r word; do
        [[ $kept$word != "$typed"* ]] || COMPREPLY+=("$kept$word")
    done
    [[ ${COMPREPLY[0]:-} != *[=:+] ]] || compopt -o nospace
}

_isthmus() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' n positions=0 word
    COMPREPLY=()
    for ((n = 1; n < COMP_CWORD; n++)); do
        word=${COMP_WORDS[n]}
        case $word in
            --log-level | -o | --options | -s | --set | --cache | --trace-file | --log | --junit | --timeout | --via | --in | --fuse | --userfs | --auth | --user | --tls | \
                --password-file | --allow-uid | --host | --share | --signing | --encrypt | --uidmap) ((n++)) ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=$word; else ((positions++)); fi ;;
        esac
    done
    case $previous in
        --log-level) mapfile -t COMPREPLY < <(compgen -W 'debug info warning error off' -- "$current"); return ;;
        --cache) mapfile -t COMPREPLY < <(compgen -W 'none auto always' -- "$current"); return ;;
        --auth) mapfile -t COMPREPLY < <(compgen -W 'none digest basic' -- "$current"); return ;;
        --log | --junit | --trace-file | --fuse | --password-file | --tls) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        -o | --options) _isthmus_from , "$current" < <(isthmus generate mount-options 2>/dev/null); return ;;
        --via) mapfile -t COMPREPLY < <(compgen -W 'auto smb webdav fuse cifs davfs2 gio' -- "$current"); return ;;
        --in) mapfile -t COMPREPLY < <(compgen -W 'auto seccomp fusermount fd libfuse preload' -- "$current"); return ;;
        --allow-uid) mapfile -t COMPREPLY < <(compgen -u -- "$current"); return ;;
        --userfs) mapfile -t COMPREPLY < <(compgen -W '-' -- "$current"); return ;;
        -s | --set | --timeout | --user | --host) return ;;
    esac
    case $command:$current in
        :-*) mapfile -t COMPREPLY < <(compgen -W '--help --version --log-level' -- "$current") ;;
        :*) mapfile -t COMPREPLY < <(compgen -W 'mount serve unmount run host fusetest list doctor help' -- "$current") ;;
        mount:-*)
            mapfile -t COMPREPLY < <(compgen -W '--foreground --options --set --cache --trace --trace=json --trace-file --log
                --timeout --via --no-progress --log-level --help' -- "$current")
            ;;
        serve:-*)
            mapfile -t COMPREPLY < <(compgen -W '--webdav --smb --userfs --share --signing --encrypt --case-sensitive --show-dot-files --uidmap --fuse --options --set --cache --trace --trace=json --trace-file --auth --user
                --password-file --tls --allow-uid --host --no-secret --read-only --log --no-progress --log-level --help' -- "$current")
            ;;
        unmount:-* | umount:-*) mapfile -t COMPREPLY < <(compgen -W '--lazy --force --help' -- "$current") ;;
        run:-*) mapfile -t COMPREPLY < <(compgen -W '--check --via --trace --trace=json --trace-file --help' -- "$current") ;;
        host:-*) mapfile -t COMPREPLY < <(compgen -W '--via --in --isolate --foreground --log --timeout --help' -- "$current") ;;
        fusetest:-*) mapfile -t COMPREPLY < <(compgen -W '--junit --read-only --in --isolate --help' -- "$current") ;;
        list:-*) mapfile -t COMPREPLY < <(compgen -W '--json --prometheus --help' -- "$current") ;;
        doctor:-*) mapfile -t COMPREPLY < <(compgen -W '--json --help' -- "$current") ;;
        mount:* | serve:*)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            [[ $positions != 0 ]] || _isthmus_from + "$current" < <(isthmus generate sources 2>/dev/null)
            ;;
        run:* | host:* | fusetest:*)
            compopt -o filenames
            if [[ $positions = 0 ]]; then mapfile -t COMPREPLY < <(compgen -c -- "$current"); else mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
            ;;
        unmount:* | umount:*)
            mapfile -t COMPREPLY < <(compgen -W "$(awk '/ - fuse[ .]/ { print $5 }' /proc/self/mountinfo)" \
                -- "$current")
            ;;
        help:*) mapfile -t COMPREPLY < <(compgen -W 'sources mount-options exit-status' -- "$current") ;;
    esac
}
complete -F _isthmus isthmus
