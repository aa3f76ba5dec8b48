# What the tests in a booted systemd have in common: sourced by deploy/*-test.sh,
# which define inside() and end with `booted "$@"`. Inside of the container the
# same script runs again, with --inside; after a reboot once more.
set -euo pipefail

# outside makes or takes a root, puts vigild and the test in, boots it, and shows
# what the test said.
outside() {
	local here keep=0 tarball='' binary=''
	here=$(cd "$(dirname "$0")/.." && pwd)
	while [ $# -gt 0 ]; do
		case $1 in
		--root) tarball=$2; shift ;;
		--keep) keep=1 ;;
		-*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
		*) binary=$1 ;;
		esac
		shift
	done
	[ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 2; }
	command -v systemd-nspawn >/dev/null || { echo "this needs systemd-container" >&2; exit 2; }

	local work
	work=$(mktemp -d)
	# shellcheck disable=SC2064
	if [ "$keep" = 1 ]; then echo "kept: $work"; else trap "rm -rf '$work'" EXIT; fi
	[ -n "$tarball" ] || tarball=$work/root.tar
	if [ ! -s "$tarball" ]; then
		echo "making a root"
		timeout 200 mmdebstrap -q --format=tar --variant=minbase \
			--include=systemd,systemd-sysv,dbus,procps,cron,git,openssh-client bookworm "$tarball.new"
		mv "$tarball.new" "$tarball"
	fi
	local root=$work/root
	mkdir "$root"
	tar -C "$root" -xf "$tarball"

	local kit=$root/opt/kit
	mkdir -p "$kit"
	if [ -n "$binary" ]; then
		cp "$binary" "$kit/vigild"
	else
		(cd "$here" && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$kit/vigild" .)
	fi
	cp "$here/deploy/vigild.service" "$here/vigil.example.toml" "$kit"
	(cd "$kit" && sha256sum vigild vigild.service vigil.example.toml >SHA256SUMS)
	cp "$here/install.sh" "$kit/install.sh"
	cp "$here/deploy/booted.sh" "$kit/booted.sh"
	cp "$here/deploy/$(basename "$0")" "$kit/test.sh"

	# Not wanted by multi-user.target, so that the boot ends before the test begins.
	cat >"$root/etc/systemd/system/kit.service" <<-UNIT
		[Unit]
		SuccessAction=poweroff
		FailureAction=poweroff
		[Service]
		Type=oneshot
		ExecStart=/bin/bash /opt/kit/test.sh --inside
		TimeoutStartSec=180
		StandardOutput=append:/opt/kit/out
		StandardError=inherit
	UNIT
	cat >"$root/etc/systemd/system/kit.timer" <<-UNIT
		[Timer]
		OnBootSec=1s
		AccuracySec=100ms
	UNIT
	mkdir -p "$root/etc/systemd/system/timers.target.wants"
	ln -s ../kit.timer "$root/etc/systemd/system/timers.target.wants/kit.timer"

	local rc=133 # it was rebooted: systemd-nspawn(1)
	while [ "$rc" = 133 ]; do
		rc=0
		timeout -k 10 $((265 - SECONDS)) systemd-nspawn -q --register=no --keep-unit --private-network \
			--system-call-filter="adjtimex clock_adjtime" -D "$root" --boot \
			</dev/null >>"$work/console" 2>&1 || rc=$?
	done
	cat "$kit/out" 2>/dev/null || true
	if ! grep -q '^every check passed' "$kit/out" 2>/dev/null; then
		echo "FAILED (the container ended with $rc); the end of its console and of vigild's journal:"
		tail -n 5 "$work/console"
		journalctl --no-pager -q -D "$root/var/log/journal" -o short-precise -u vigild 2>/dev/null |
			grep -E 'level=(INFO|WARN|ERROR)|systemd\[1\]' | tail -n 120 || true
		exit 1
	fi
}

failed=0

# check says what must hold, and whether it does.
check() {
	local what=$1 before=$SECONDS
	shift
	if "$@"; then
		printf 'ok    %s (%ss)\n' "$what" $((SECONDS - before))
	else
		printf 'FAIL  %s: %s\n' "$what" "$*"
		failed=1
	fi
}

# soon asks again until it is so, for 25 s or the time in $patience.
soon() {
	local end=$((SECONDS + ${patience:-25}))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

not() { ! "$@"; }
# holds_for is so at each look for so many seconds.
holds_for() {
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		"$@" || return 1
		sleep 0.3
	done
}
prop() { systemctl show -P "$2" "$1"; }
is() { [ "$(prop "$1" "$2")" = "$3" ]; }
says() { grep -qE -- "$1" <<<"$("${@:2}" 2>&1)"; }
journal() { journalctl -q --no-pager -o cat -u vigild; }
fails_with() { local out; out=$("${@:2}" 2>&1) && return 1; grep -qE -- "$1" <<<"$out" || { printf '%s\n' "$out"; return 1; }; }
mode() { [ "$(stat -c %a "$1")" = "$2" ]; }

# finish is the last word of inside().
finish() {
	if [ "$failed" = 0 ]; then
		echo "every check passed in ${SECONDS}s"
	else
		systemctl status --no-pager vigild || true
		echo "some checks failed in ${SECONDS}s"
		exit 1
	fi
}

booted() {
	case ${1:-} in
	--inside) inside ;;
	*) outside "$@" ;;
	esac
}
