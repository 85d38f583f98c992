#!/usr/bin/env bash
# usage: python.sh COMMAND ARG... | native (tests/e2e/lib.sh)
# Python's own tests of the modules that work with files (Debian's libpython3.11-testsuite), in a folder of the mount. What fails here
# and passes on tmpfs is ours.
. "$(dirname "$0")/../e2e/lib.sh"
python=/usr/bin/python3  # the one the package belongs to
[[ -x $python ]] || skip "no $python here (Debian package python3)"
[[ -e $($python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')/test/test_os.py ]] ||
    skip "Python's tests are not here (Debian package libpython3.11-testsuite)"
begin "$@"
start_mount
modules=(test_os test_posix test_posixpath test_genericpath test_shutil test_pathlib test_glob test_fnmatch test_tempfile
    test_file test_fileio test_largefile test_mmap test_fcntl test_stat test_filecmp test_fileinput test_linecache test_zipfile
    test_dbm test_dbm_dumb test_dbm_gnu test_shelve test_mailbox test_ioctl test_unicode_file
    test_unicode_file_functions test_py_compile test_bz2 test_lzma test_gzip)
# In the child's case of an error regrtest tells all; the rest of its lines is its progress.
suite() {  # FOLDER LOG MODULE...
    local folder=$1 log=$2
    shift 2
    mkdir -p "$folder" && (cd "$folder" && TMPDIR=$folder timeout -k 5 600 "$python" -m test -j "$(nproc)" --timeout 120 -u largefile \
        --tempdir "$folder" -W "$@") >"$log" 2>&1 </dev/null
}
bad() {  # LOG: names of the modules that failed
    sed -nE 's/^.*\] (test_\w+) (failed|crashed|timed out).*/\1/p' "$1" | sort -u
}
if suite "$mnt/work" "$tmp/suite.log" "${modules[@]}"; then
    failed=()
else
    mapfile -t failed < <(bad "$tmp/suite.log")
    [[ ${#failed[@]} -gt 0 ]] || { tail -n 20 "$tmp/suite.log"; fail "the suite broke"; }
fi
ours=()
for module in "${failed[@]}"; do
    if suite "$tmp/native" "$tmp/native.log" "$module"; then
        ours+=("$module")
    else
        echo "SKIP: $module: fails on tmpfs too: $(grep -E '^(FAIL|ERROR):' "$tmp/native.log" | head -n 1)"
    fi
done
if [[ ${#ours[@]} -gt 0 ]]; then
    grep -E -A25 '^(FAIL|ERROR): ' "$tmp/suite.log" | head -n 150
    fail "passed on tmpfs, not here: ${ours[*]}"
fi
rm -rf "$mnt/work" || fail "rm -rf of the work folder"
count=$(sed -nE 's/^Total tests: run=([0-9,]+).*/\1/p' "$tmp/suite.log")
stop_mount
passed "${count:-no} cases of ${#modules[@]} modules"
