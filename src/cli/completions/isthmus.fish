# Completion of isthmus(1) for fish.

function __isthmus_list_of --argument-names separator what
    set -l typed (commandline -ct)
    set -l kept (string match -r ".*[$separator]" -- $typed)
    for word in (isthmus generate $what 2>/dev/null)
        echo "$kept$word"
    end
end

set -l commands mount serve unmount umount run host list doctor help
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -f
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a mount -d 'mount a source and serve it'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a unmount -d 'unmount FUSE mounts'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a serve -d 'serve a source to clients of this machine'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a run -d 'run a FUSE program on our libfuse'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a host -d 'host a FUSE daemon as it is'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a list -d 'show what is mounted'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a doctor -d 'show what this machine can do'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -a help -d 'more help'
complete -c isthmus -n "not __fish_seen_subcommand_from $commands" -l version -d 'print the version'
complete -c isthmus -l log-level -x -a 'debug info warning error off' -d 'what is logged'
complete -c isthmus -s h -l help -d 'print help'

complete -c isthmus -n '__fish_seen_subcommand_from mount' -s f -l foreground -d 'do not go to the background'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -s o -l options -x -a '(__isthmus_list_of , mount-options)' -d 'mount options'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -s s -l set -x -d 'option of the source'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l cache -x -a 'none auto always' -d 'how much the kernel may believe'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l trace -d 'write down every operation'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l trace-file -r -F -d 'where to'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l log -r -F -d 'write the log to a file'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l via -x -a 'auto smb webdav fuse cifs davfs2 gio' -d 'the way'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l timeout -x -d 'how long the mount may take'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -l no-progress -d 'no progress bar'
complete -c isthmus -n '__fish_seen_subcommand_from mount' -a '(__isthmus_list_of + sources)'

complete -c isthmus -n '__fish_seen_subcommand_from serve' -l webdav -d 'open a WebDAV door'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l smb -d 'open an SMB door'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l userfs -x -a '-' -d 'serve a peer over two descriptors'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l share -x -d 'name of the share of --smb'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l signing -x -a 'required offered' -d 'of --smb'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l encrypt -x -a 'off offered required' -d 'of --smb'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l case-sensitive -d 'names by SMB'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l show-dot-files -d 'not hidden by SMB'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l uidmap -x -d 'SIDs of users'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l fuse -r -F -d 'and mount it by the kernel'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -s o -l options -x -a '(__isthmus_list_of , mount-options)' -d 'mount options'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -s s -l set -x -d 'option of the source'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l cache -x -a 'none auto always' -d 'how much the kernel may believe'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l auth -x -a 'none digest basic' -d 'ask for a password'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l user -x -d 'name for --auth'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l tls -r -F -d 'certificate,key: HTTPS'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l password-file -r -F -d 'its first line'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l allow-uid -x -a '(__fish_complete_users)' -d 'let this user in, too'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l host -x -d 'a further name of ours'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l no-secret -d 'no random part in the URL'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l read-only -d 'refuse changes'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l trace -d 'write down every operation'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l trace-file -r -F -d 'where to'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l log -r -F -d 'write the log to a file'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -l no-progress -d 'no progress bar'
complete -c isthmus -n '__fish_seen_subcommand_from serve' -a '(__isthmus_list_of + sources)'

complete -c isthmus -n '__fish_seen_subcommand_from unmount umount' -f -a "(awk '/ - fuse[ .]/ { print \$5 }' /proc/self/mountinfo)"
complete -c isthmus -n '__fish_seen_subcommand_from unmount umount' -s l -l lazy -d 'gone when the last user leaves'
complete -c isthmus -n '__fish_seen_subcommand_from unmount umount' -l force -d 'make requests under way fail'
complete -c isthmus -n '__fish_seen_subcommand_from run' -l check -d 'say whether it can be run so'
complete -c isthmus -n '__fish_seen_subcommand_from run' -l via -x -a 'auto smb webdav fuse cifs davfs2 gio' -d 'the way'
complete -c isthmus -n '__fish_seen_subcommand_from run' -l trace -d 'write down every operation'
complete -c isthmus -n '__fish_seen_subcommand_from run' -l trace-file -r -F -d 'where to'
complete -c isthmus -n '__fish_seen_subcommand_from run' -a '(__fish_complete_subcommand)'
complete -c isthmus -n '__fish_seen_subcommand_from host' -l via -x -a 'auto smb webdav fuse cifs davfs2 gio' -d 'the way'
complete -c isthmus -n '__fish_seen_subcommand_from host' -l in -x -a 'auto seccomp fusermount fd libfuse' -d 'how it gets its device'
complete -c isthmus -n '__fish_seen_subcommand_from host' -l isolate -d 'in namespaces of its own'
complete -c isthmus -n '__fish_seen_subcommand_from host' -s f -l foreground -d 'do not go to the background'
complete -c isthmus -n '__fish_seen_subcommand_from host' -l log -r -F -d 'write the log to a file'
complete -c isthmus -n '__fish_seen_subcommand_from host' -l timeout -x -d 'how long the mount may take'
complete -c isthmus -n '__fish_seen_subcommand_from host' -a '(__fish_complete_subcommand)'
complete -c isthmus -n '__fish_seen_subcommand_from list doctor' -f -l json -d 'for programs'
complete -c isthmus -n '__fish_seen_subcommand_from list' -f -l prometheus -d 'figures for Prometheus'
complete -c isthmus -n '__fish_seen_subcommand_from help' -f -a 'sources mount-options exit-status'
