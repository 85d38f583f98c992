#!/usr/bin/env bash
# PostgreSQL on the mount, as user postgres: initdb with checksums, pgbench, crash and recovery, dump and restore.
# Needs a mount that other users than its owner may enter (-o allow_other).
. "$(dirname "$0")/lib.sh"
bin=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1)
[[ -n $bin ]] || skip "no initdb here (Debian package postgresql)"
id postgres >/dev/null 2>&1 || skip "no user postgres here (Debian package postgresql)"
begin "$@"
start_mount
data=$mnt/postgres
as_postgres() { runuser -u postgres -- env PATH="$bin:$PATH" PGHOST="$tmp" PGUSER=postgres "$@"; }
mkdir "$data" && chown postgres: "$data" && chmod 700 "$data" || fail "chown and chmod of the data folder"
export LC_ALL=C.UTF-8
as_postgres initdb -k -A trust -D "$data" >"$tmp/initdb" 2>&1 || fail "initdb: $(tail -n 5 "$tmp/initdb")"
cat >>"$data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$tmp'
shared_buffers = 32MB
max_wal_size = 128MB
checkpoint_timeout = 30s
CONF
start_postgres() { as_postgres pg_ctl -s -w -t 60 -D "$data" -l "$data/log" start >"$tmp/pg_ctl" 2>&1 || fail "pg_ctl start: $(cat "$tmp/pg_ctl"; tail "$data/log")"; }
start_postgres
as_postgres pgbench -q -i -s 3 --foreign-keys postgres >"$tmp/pgbench" 2>&1 || fail "pgbench -i: $(tail -n 5 "$tmp/pgbench")"
as_postgres pgbench -c 4 -T "${E2E_SECONDS:-8}" postgres >"$tmp/pgbench" 2>&1 || fail "pgbench: $(tail -n 5 "$tmp/pgbench")"
grep -E 'transactions actually|tps =' "$tmp/pgbench"

# Immediate shutdown is a crash: what was committed must come back by recovery.
before=$(as_postgres psql -qAt -c 'SELECT count(*), sum(delta) FROM pgbench_history' postgres)
as_postgres pg_ctl -s -m immediate -D "$data" stop || fail "pg_ctl stop"
start_postgres
after=$(as_postgres psql -qAt -c 'SELECT count(*), sum(delta) FROM pgbench_history' postgres)
[[ -n $before && $before = "$after" ]] || fail "before the crash '$before', after it '$after'"
[[ $(as_postgres psql -qAt -c 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)' postgres) = t ]] ||
    fail "the balances do not add up"
as_postgres pg_dump -Fc -f "$data/dump" postgres || fail "pg_dump"
as_postgres createdb copy && as_postgres pg_restore -d copy "$data/dump" || fail "pg_restore"
as_postgres pg_ctl -s -m fast -D "$data" stop || fail "pg_ctl stop"
as_postgres pg_checksums -D "$data" >"$tmp/checksums" 2>&1 || fail "pg_checksums: $(tail -n 5 "$tmp/checksums")"
rm -rf "$data" || fail "rm -rf"
stop_mount
passed "initdb, pgbench, crash recovery, dump and restore, checksums"
