#!/usr/bin/env bash
# SQLite on the mount: two writers at once in each journal mode, and one killed in the middle of a transaction.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
begin "$@"
start_mount
sql() { sqlite3 -bail -cmd '.timeout 20000' "$@"; }
for mode in delete truncate persist wal; do
    db=$mnt/$mode.db
    [[ $(sql "$db" "PRAGMA journal_mode=$mode;") = "$mode" ]] || fail "journal mode $mode is refused"
    sql "$db" 'CREATE TABLE t(who INTEGER, n INTEGER, text TEXT); CREATE INDEX i ON t(who, n);' || fail "create"
    pids=()
    for who in 1 2; do
        { for ((n = 0; n < 40; n++)); do
            echo "BEGIN IMMEDIATE; INSERT INTO t VALUES($who, $n, hex(randomblob(500))); INSERT INTO t VALUES($who, -$n, 'x'); COMMIT;"
        done; } | sql "$db" >"$tmp/writer.$who" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || fail "$mode: a writer failed: $(cat "$tmp"/writer.*)"; done
    [[ $(sql "$db" 'SELECT count(*) FROM t;') = 160 ]] || fail "$mode: $(sql "$db" 'SELECT count(*) FROM t;') rows instead of 160"

    # Killed with a transaction of some MB open: the rows of it must be gone, those before it must stay.
    : >"$tmp/killed"  # what the mode before left in it must not be taken for this one's
    sqlite3 "$db" >"$tmp/killed" 2>&1 < <(
        echo "PRAGMA cache_size=10; BEGIN; INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<20000)"
        echo "SELECT 3, x, hex(randomblob(200)) FROM c; SELECT 'in';"
        exec sleep 30
    ) &
    shell=$!
    for _ in {1..200}; do
        ! grep -q in "$tmp/killed" || break
        sleep 0.05
    done
    grep -q in "$tmp/killed" || fail "$mode: the long transaction did not start: $(cat "$tmp/killed")"
    kill -KILL "$shell"
    wait "$shell" 2>/dev/null
    [[ $(sql "$db" 'PRAGMA integrity_check;') = ok ]] || fail "$mode: integrity_check after kill -9"
    [[ $(sql "$db" 'SELECT count(*) FROM t;') = 160 ]] || fail "$mode: rows of a killed transaction are there"
    sql "$db" 'DELETE FROM t WHERE n < 0; VACUUM;' || fail "$mode: vacuum"
    [[ $(sql "$db" 'PRAGMA integrity_check; SELECT count(*) FROM t;') = $'ok\n82' ]] || fail "$mode: after vacuum"
done
stop_mount
passed "two writers, kill -9, vacuum in journal modes delete, truncate, persist, wal"
