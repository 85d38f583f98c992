#!/usr/bin/env bash
# Load from Debian packages: stress-ng's file system stressors with --verify, fio --verify, bonnie++ and dbench.
# E2E_SECONDS: seconds a stressor (1).
. "$(dirname "$0")/lib.sh"
need stress-ng stress-ng
need fio fio
need bonnie++ bonnie++
need dbench dbench
begin "$@"
start_mount
seconds=${E2E_SECONDS:-1}
work=$mnt/work
mkdir "$work" && chmod 777 "$work" || fail "mkdir"
failures=() count=0

# Left out are stressors that leave their folder, mount, or load the whole machine.
stressors=(access aiol chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup eventfd fallocate fcntl fiemap
    file-ioctl filename flock fpunch fstat getdent handle hdd inotify io-uring iomix lease link locka lockf lockofd mknod open
    readahead rename revio seek sendfile symlink sync-file touch utime xattr)
stress() {  # STRESSOR FOLDER LOG
    (cd "$2" && timeout -k 5 $((seconds + 60)) stress-ng --"$1" 1 --timeout "$seconds" --verify --temp-path "$2" --metrics-brief) \
        >"$3" 2>&1 </dev/null
}
unsupported='skipp|not supported|not implemented|unsupported'
for stressor in "${stressors[@]}"; do
    log=$tmp/stress-ng.$stressor status=0
    stress "$stressor" "$work" "$log" || status=$?
    if ! grep -qE ' fail: ' "$log" && grep -qiE "$unsupported" "$log"; then
        echo "SKIP: stress-ng $stressor: $(grep -iE "$unsupported" "$log" | head -n 1 | sed 's/^stress-ng: //')"
    elif [[ $status = 0 ]]; then
        count=$((count + 1))
    elif ! stress "$stressor" "$tmp" "$log.native"; then
        # Some stressors of Debian's version do not know newer kernels. tmpfs is the truth.
        echo "SKIP: stress-ng $stressor: fails on tmpfs too: $(grep -E 'fail:|error:' "$log.native" | head -n 1 | sed 's/^stress-ng: //')"
    else
        failures+=("stress-ng $stressor (status $status): $(grep -E 'fail|error' "$log" | head -n 3 | tr '\n' ' ')")
    fi
done

verify() {  # NAME FIO-ARG...
    local name=$1 log=$tmp/fio.$1
    shift
    if (cd "$work" && timeout -k 5 200 fio --name=v --directory="$work" --size=16m --verify=crc32c --verify_fatal=1 --do_verify=1 --minimal "$@") \
        >"$log" 2>&1 </dev/null; then
        count=$((count + 1))
    else
        failures+=("fio $name: $(tail -n 2 "$log" | cut -c 1-300)")
    fi
    rm -f "$work"/v.*
}
verify psync_4k --rw=randwrite --bs=4k --ioengine=psync
verify psync_odd_sizes --rw=randwrite --bs=3k-71k --ioengine=psync --numjobs=2
verify mmap --rw=randwrite --bs=4k --ioengine=mmap
verify libaio_direct --rw=randwrite --bs=4k --ioengine=libaio --iodepth=16 --direct=1
verify io_uring --rw=randrw --bs=8k --ioengine=io_uring --iodepth=8
verify fsync --rw=write --bs=128k --ioengine=psync --fsync=16

if timeout -k 5 400 bonnie++ -d "$work" -u root -s 64 -r 32 -n 4 -q >"$tmp/bonnie" 2>&1 </dev/null; then
    count=$((count + 1))
else
    failures+=("bonnie++: $(tail -n 2 "$tmp/bonnie")")
fi
# dbench takes the id 0, which the first semaphore of a namespace gets, for a failure.
ipcmk -S 1 >/dev/null
if timeout -k 5 90 dbench -D "$work" -t 5 4 >"$tmp/dbench" 2>&1 </dev/null && ! grep -qi failed "$tmp/dbench"; then
    count=$((count + 1))
else
    failures+=("dbench: $(grep -i failed "$tmp/dbench" | head -n 3; tail -n 1 "$tmp/dbench")")
fi
chattr -R -f -ia "$work" # a stressor that was ended leaves such files
rm -rf "$work" || failures+=("rm -rf of the work folder")
[[ ${#failures[@]} = 0 ]] || { printf 'failed: %s\n' "${failures[@]}"; fail "${#failures[@]} of $((count + ${#failures[@]})) loads: see above"; }
stop_mount
passed "$count loads"
