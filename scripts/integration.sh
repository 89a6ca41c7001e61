#!/usr/bin/env bash
# Runs the demo's two services against real servers: etcd, MariaDB and Redis as the system packages them (on Debian:
# apt-get install etcd-server mariadb-server redis-server curl). It breaks Redis, then the database, heals them, stops the
# services, and checks what /healthz says and what etcd lists. It prints what it sees, and exits 1 where a promise is
# broken and 2 where it can't run. Ports and data are its own, and it ends only what it has started.
set -uo pipefail

cd "$(dirname "$0")/.."

PATH=$PATH:/usr/sbin
missing=
for tool in go curl etcd mariadbd mariadb mariadb-install-db redis-server base64; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
	echo "integration.sh: not found:$missing (Debian: apt-get install etcd-server mariadb-server redis-server curl)" >&2
	exit 2
fi

# What the shell's environment says of another world must not reach into this one.
for v in "${!MUSTER_@}" "${!DEMO_@}" "${!KITEX_@}"; do unset "$v"; done

work=$(mktemp -d)
declare -A pid # by name, of what runs
broken=0

finish() {
	local name
	for name in user-svc order-svc redis mariadb etcd; do
		[ -n "${pid[$name]-}" ] && kill "${pid[$name]}" 2>/dev/null && wait "${pid[$name]}" 2>/dev/null
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() { # it can't go on
	echo "integration.sh: $1" >&2
	[ -n "${2-}" ] && tail -n 20 "$work/$2.log" >&2
	exit 2
}

say() { printf '%s\n' "$*"; }

check() { # text command...: a promise
	local text=$1
	shift
	if "$@"; then
		say "  ok      $text"
	else
		say "  BROKEN  $text"
		broken=1
	fi
}

now() { date +%s%3N; }

within() { # seconds command...: waits until the command succeeds; sets took, in ms
	local began limit
	began=$(now)
	limit=$((began + $1 * 1000))
	shift
	until "$@"; do
		took=$(($(now) - began))
		[ "$(now)" -lt "$limit" ] || return 1
		sleep 0.02
	done
	took=$(($(now) - began))
}

declare -A taken
free_port() { # sets port
	port=
	while [ -z "$port" ]; do
		port=$((20000 + RANDOM % 10000))
		if [ -n "${taken[$port]-}" ] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then port=; fi
	done
	taken[$port]=1
}

run() { # name command...: in the background, its output in a log
	local name=$1
	shift
	"$@" >>"$work/$name.log" 2>&1 &
	pid[$name]=$!
}

stop() { # name: SIGTERM, and the exit code
	local code
	kill "${pid[$1]}"
	wait "${pid[$1]}"
	code=$?
	unset "pid[$1]"
	return $code
}

as_root=() # MariaDB refuses to run as root unless it is told to
[ "$(id -u)" = 0 ] && as_root=(--user=root)

# --- the servers -------------------------------------------------------------------------------------------------------

free_port; etcd=127.0.0.1:$port
free_port; peer=127.0.0.1:$port
free_port; redis_port=$port
free_port; db_port=$port
free_port; user_http=127.0.0.1:$port
free_port; user_rpc=127.0.0.1:$port
free_port; order_http=127.0.0.1:$port
free_port; order_rpc=127.0.0.1:$port

say "etcd:    $(etcd --version | head -n 1)"
say "MariaDB: $(mariadbd --no-defaults --version)"
say "Redis:   $(redis-server --version)"

start_etcd() {
	run etcd etcd --name it --data-dir "$work/etcd" --listen-client-urls "http://$etcd" --advertise-client-urls "http://$etcd" \
		--listen-peer-urls "http://$peer" --initial-advertise-peer-urls "http://$peer" --initial-cluster "it=http://$peer"
}
start_redis() { run redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work"; }
start_mariadb() {
	run mariadb mariadbd --no-defaults "${as_root[@]}" --datadir="$work/db" --socket="$work/db.sock" --pid-file="$work/db.pid" \
		--bind-address=127.0.0.1 --port="$db_port" --innodb-buffer-pool-size=32M
}
sql() { mariadb --no-defaults --socket="$work/db.sock" -u root --batch --skip-column-names -e "$1" 2>>"$work/sql.log"; }

etcd_up() { curl -fs "http://$etcd/health" >/dev/null; }
redis_up() { (exec 3<>"/dev/tcp/127.0.0.1/$redis_port") 2>/dev/null; }
mariadb_up() { sql 'SELECT 1' >/dev/null; }

mariadb-install-db --no-defaults "${as_root[@]}" --datadir="$work/db" --auth-root-authentication-method=normal \
	--skip-test-db >"$work/install.log" 2>&1 || fail "MariaDB could not be set up" install
start_etcd
start_redis
start_mariadb
within 30 etcd_up || fail "etcd does not answer" etcd
within 30 redis_up || fail "Redis does not answer" redis
within 60 mariadb_up || fail "MariaDB does not answer" mariadb
sql "CREATE DATABASE shop; CREATE DATABASE test; CREATE USER demo@localhost IDENTIFIED BY 'demo'; CREATE USER demo@127.0.0.1 IDENTIFIED BY 'demo';
	GRANT ALL ON *.* TO demo@localhost; GRANT ALL ON *.* TO demo@127.0.0.1" || fail "no database for the demo" sql

# --- the services ------------------------------------------------------------------------------------------------------

go build -C demo -o "$work/" ./user-svc ./order-svc || fail "the services do not build"

say
say "the demo's store, in MariaDB"
check "its tests pass: 8 instances that fill one empty table at once, and more" \
	env DEMO_TEST_MYSQL_DSN="demo:demo@tcp(127.0.0.1:$db_port)/test" go test -C demo -count=1 ./internal/store

start_service() { # name rpc http
	run "$1" env MUSTER_ETCD_ENDPOINTS="$etcd" DEMO_RPC_ADDR="$2" DEMO_HTTP_ADDR="$3" \
		DEMO_DB_DRIVER=mysql DEMO_DB_DSN="demo:demo@tcp(127.0.0.1:$db_port)/shop" DEMO_REDIS_ADDR="127.0.0.1:$redis_port" "$work/$1"
}

status() { curl -s -m 5 -o /dev/null -w '%{http_code}' "$1"; }
answers() { [ "$(status "$1")" = "$2" ]; }
body() { curl -s -m 5 "$1"; }
metrics_say() { body "http://$1/metrics" | grep -qxF "$2"; } # address line
health_is() { [ "$(body "http://$1/healthz")" = "$2" ]; } # address body

# etcd's JSON gateway wants keys in base64, and bytes one past the prefix for its end.
entries() { # prefix: how many keys
	local from to
	from=$(printf '%s' "$1" | base64 -w0)
	to=$(printf '%s' "${1%/}0" | base64 -w0) # '0' follows '/'
	curl -s -m 5 "http://$etcd/v3/kv/range" -d "{\"key\":\"$from\",\"range_end\":\"$to\",\"count_only\":true}" |
		sed -n 's/.*"count":"\([0-9]*\)".*/\1/p' | grep . || echo 0
}
listed() { [ "$(entries "muster/dev/default/$1/")" = "$2" ]; } # service count
no_lease() { ! curl -s -m 5 "http://$etcd/v3/lease/leases" -d '{}' | grep -q '"ID"'; }

all_listed() { listed user-svc "$1" && listed order-svc "$1"; }
both_answer() { answers "http://$user_http/healthz" "$1" && answers "http://$order_http/healthz" "$1"; }
both_say() { health_is "$user_http" "$1" && health_is "$order_http" "$1"; }

say
say "user-svc and order-svc start, at once, on one empty database"
start_service user-svc "$user_rpc" "$user_http"
start_service order-svc "$order_rpc" "$order_http"
check "both are listed in etcd" within 20 all_listed 1
say "          after $took ms"
check "/healthz of both answers 200" both_answer 200
check '/healthz of both says {"db":"ok","redis":"ok"}' both_say '{"db":"ok","redis":"ok"}'

flow() {
	local i
	for i in $(seq 1 100); do
		answers "http://$order_http/orders/$i" 200 && answers "http://$user_http/users/$((i % 50 + 1))" 200 || return 1
	done
}
say
say "calls"
check "200 requests, each through both services, are answered" flow
say "          $(body "http://$order_http/orders/7")"
check "an unknown order answers 404" answers "http://$order_http/orders/99999" 404
check "MariaDB holds what was asked for: 50 users, 300 orders" [ "$(sql 'SELECT (SELECT COUNT(*) FROM shop.users), (SELECT COUNT(*) FROM shop.orders)')" = "50	300" ]
check "Redis has been used" [ -n "$( (printf 'DBSIZE\r\nQUIT\r\n' >&3; grep -m1 '^:[1-9]' <&3) 3<>"/dev/tcp/127.0.0.1/$redis_port")" ]

outage() { # server body
	say
	say "$1 stops"
	stop "$1"
	check "/healthz of both answers 503" within 20 both_answer 503
	say "          after $took ms: $(body "http://$user_http/healthz")"
	check "it says $2" both_say "$2"
	check "neither is listed in etcd" within 5 all_listed 0
	say "          after $took ms more"
	check "/metrics says withdrawn" within 5 metrics_say "$user_http" \
		"muster_registration_state{addr=\"$user_rpc\",group=\"default\",namespace=\"dev\",service=\"user-svc\",state=\"withdrawn\"} 1"
	check "/livez still answers 200" answers "http://$user_http/livez" 200

	say
	say "$1 starts again"
	"start_$1"
	within 60 "$1_up" || fail "$1 does not answer" "$1"
	check "/healthz of both answers 200" within 20 both_answer 200
	say "          $took ms after it answered: $(body "http://$user_http/healthz")"
	check "both are listed in etcd again" within 5 all_listed 1
	check "200 requests, each through both services, are answered" flow
}
outage redis '{"db":"ok","redis":"failing"}'
outage mariadb '{"db":"failing","redis":"ok"}'

say
say "SIGTERM to both services"
began=$(now)
check "order-svc exits with code 0" stop order-svc
check "user-svc exits with code 0" stop user-svc
say "          after $(($(now) - began)) ms, one after the other"
check "nothing is listed in etcd" all_listed 0
check "nothing is on the roster" [ "$(entries muster/dev/.roster/)" = 0 ]
check "no lease is left" no_lease

say
if [ "$broken" != 0 ]; then
	say "a promise was broken; the logs' ends:"
	tail -n 20 "$work/user-svc.log" "$work/order-svc.log"
	exit 1
fi
say "all promises kept"
