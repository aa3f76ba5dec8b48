#!/bin/sh
# Installs, upgrades and removes vigild. The whole script is functions; the last
# line calls main, so that half a download does nothing.
#
# Exit codes: 0 done, 2 wrong usage, 3 this machine is not served, 4 nothing to
# install from, 5 a file is not what its checksum says, 6 not permitted, 7 the
# service did not start (the program before it is put back).
#
# DESTDIR puts everything under another root and leaves the service manager alone.
set -eu

say() { printf '%s\n' "$*"; }
fail() {
	code=$1
	shift
	printf 'install.sh: %s\n' "$*" >&2
	exit "$code"
}

usage() {
	cat <<'USAGE'
usage: install.sh [--airgap DIR] [--version V] [--prefix DIR] [--user] [--no-service] [--dry-run]
       install.sh --uninstall [--purge] [--prefix DIR] [--user] [--dry-run]

  --airgap DIR   install from DIR: vigild (or vigild-VERSION-linux-ARCH), vigild.service and
                 SHA256SUMS with the sums of both; vigil.example.toml is taken along if there
  --version V    the version to install
  --prefix DIR   where bin/vigild goes: /usr/local, or ~/.local with --user
  --user         for this user alone: no root, a service of the user's own manager
  --no-service   the program and its folders, no service
  --dry-run      say what would be done, do nothing
  --uninstall    remove program and service; configuration and data stay
  --purge        with --uninstall: remove configuration, data and supervised processes too

Without --airgap the files come from VIGIL_BASE_URL (https), which must be set: there is no
place that vigild is published at yet. A configuration that exists is never touched.
USAGE
}

# run does something, or says what it would do.
run() {
	if [ "$dry" = 1 ]; then
		say "would: $*"
	else
		"$@"
	fi
}

parse() {
	airgap='' version='' prefix='' user=0 service=1 dry=0 uninstall=0 purge=0
	while [ $# -gt 0 ]; do
		case $1 in
		--airgap | --version | --prefix)
			[ -n "${2:-}" ] || fail 2 "$1 wants a value"
			case $1 in
			--airgap) airgap=$2 ;;
			--version) version=$2 ;;
			--prefix) prefix=$2 ;;
			esac
			shift
			;;
		--user) user=1 ;;
		--no-service) service=0 ;;
		--dry-run) dry=1 ;;
		--uninstall) uninstall=1 ;;
		--purge) purge=1 ;;
		-h | --help)
			usage
			exit 0
			;;
		*)
			usage >&2
			fail 2 "$1 is not known"
			;;
		esac
		shift
	done
	[ "$purge" = 0 ] || [ "$uninstall" = 1 ] || fail 2 "--purge goes with --uninstall"
	case $version in
	*[!A-Za-z0-9.+-]*) fail 2 "$version is not a version" ;;
	esac
	case $prefix in
	'' | /*) ;;
	*) fail 2 "--prefix wants an absolute path" ;;
	esac
	case $prefix in
	*[!A-Za-z0-9_./+-]*) fail 2 "--prefix $prefix has characters that a unit file does not take as they are" ;;
	esac
}

# places decides where everything is.
places() {
	root=${DESTDIR:-}
	if [ "$user" = 1 ]; then
		[ -n "${HOME:-}" ] || fail 6 "HOME is not set"
		bin=$root${prefix:-$HOME/.local}/bin
		unit=$root${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/vigild.service
		conf=$root${XDG_CONFIG_HOME:-$HOME/.config}/vigil
		data=$root${XDG_STATE_HOME:-$HOME/.local/state}/vigil
		rt=${XDG_RUNTIME_DIR:+$root$XDG_RUNTIME_DIR/vigil}
	else
		[ "$(id -u)" = 0 ] || [ -n "$root" ] || [ "$dry" = 1 ] || fail 6 "this needs root; --user installs for you alone"
		bin=$root${prefix:-/usr/local}/bin
		unit=$root/etc/systemd/system/vigild.service
		conf=$root/etc/vigil
		data=$root/var/lib/vigil
		rt=$root/run/vigil
	fi
	manager=0
	if [ "$service" = 1 ] && [ -z "$root" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
		manager=1
	fi
}

# ctl speaks to the service manager in charge.
ctl() {
	if [ "$user" = 1 ]; then
		systemctl --user "$@"
	else
		systemctl "$@"
	fi
}

platform() {
	[ "$(uname -s)" = Linux ] || fail 3 "vigild runs on Linux, this is $(uname -s)"
	case $(uname -m) in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	armv7* | armv6*) arch=arm ;;
	riscv64) arch=riscv64 ;;
	*) fail 3 "there is no vigild for $(uname -m)" ;;
	esac
}

# fetch brings one file of the published set into $work; it may be missing.
fetch() {
	if [ -n "$airgap" ]; then
		[ -f "$airgap/$1" ] || return 1
		cp -- "$airgap/$1" "$work/$1"
	elif command -v curl >/dev/null 2>&1; then
		curl --proto '=https' --tlsv1.2 -fsSL --max-time 300 -o "$work/$1" "$base/$1"
	elif command -v wget >/dev/null 2>&1; then
		wget -q --https-only -T 300 -O "$work/$1" "$base/$1"
	else
		fail 4 "neither curl nor wget is here"
	fi
}

# check holds a fetched file to SHA256SUMS; what is not listed is not installed.
check() {
	sum=$(awk -v f="$1" '$2 == f || $2 == "*" f { print $1 }' "$work/SHA256SUMS")
	case $sum in
	*[!0-9a-f]* | '') fail 5 "SHA256SUMS has no one sum of $1" ;;
	esac
	[ "${#sum}" = 64 ] || fail 5 "SHA256SUMS has no one sum of $1"
	got=$(sha256sum "$work/$1" | awk '{ print $1 }')
	[ "$got" = "$sum" ] || fail 5 "$1 is not what SHA256SUMS says: $got, expected $sum"
}

gather() {
	command -v sha256sum >/dev/null 2>&1 || fail 3 "sha256sum is not here, and nothing is installed unchecked"
	base=${VIGIL_BASE_URL:-}
	if [ -n "$airgap" ]; then
		[ -d "$airgap" ] || fail 4 "$airgap is not a folder"
	elif [ -z "$base" ]; then
		fail 4 "there is no place yet that vigild is published at: give --airgap DIR, or set VIGIL_BASE_URL to your own"
	else
		case $base in
		https://*) ;;
		*) fail 4 "VIGIL_BASE_URL must be https" ;;
		esac
		[ -n "$version" ] || fail 2 "--version says what to fetch from $base"
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	fetch SHA256SUMS || fail 5 "there is no SHA256SUMS: nothing is installed unchecked"
	name=vigild
	[ -z "$version" ] || name=vigild-$version-linux-$arch
	fetch "$name" || fail 4 "there is no $name in ${airgap:-$base}"
	check "$name"
	[ "$(head -c 4 "$work/$name" | od -An -tx1 | tr -d ' \n')" = 7f454c46 ] || fail 5 "$name is not a program"
	if [ "$service" = 1 ] && [ "$user" = 0 ]; then
		fetch vigild.service || fail 4 "there is no vigild.service in ${airgap:-$base}"
		check vigild.service
		sed "s|/usr/local/bin/vigild|${bin#"$root"}/vigild|g" "$work/vigild.service" >"$work/unit"
	elif [ "$service" = 1 ]; then
		user_unit >"$work/unit"
	fi
	if [ -n "$airgap" ] && [ -f "$airgap/vigil.example.toml" ]; then
		fetch vigil.example.toml
		check vigil.example.toml
	fi
}

# user_unit is the service of one user: what only root may ask for is left out.
user_unit() {
	cat <<UNIT
[Unit]
Description=vigild: measures, judges and heals what this user runs

[Service]
Type=notify
NotifyAccess=main
ExecStart=${bin#"$root"}/vigild run
ExecReload=/bin/kill -HUP \$MAINPID
Restart=on-failure
RestartSec=1s
WatchdogSec=30s
TimeoutStopSec=1min
KillMode=process
Delegate=yes
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
UNIT
}

# place puts a file where it belongs, in one step, if it differs.
place() {
	from=$1 to=$2 mode=$3
	if [ -f "$to" ] && cmp -s "$from" "$to"; then
		return 0
	fi
	changed=1
	run mkdir -p "$(dirname "$to")"
	run cp -- "$from" "$to.new"
	run chmod "$mode" "$to.new"
	run mv -f -- "$to.new" "$to"
	[ "$dry" = 1 ] || say "installed $to"
}

install_all() {
	platform
	gather
	changed=0
	if [ "$dry" = 0 ] && [ -f "$bin/vigild" ]; then
		cp -p -- "$bin/vigild" "$work/before"
	fi
	place "$work/$name" "$bin/vigild" 755
	for d in "$conf" "$conf/policies"; do
		[ -d "$d" ] || run mkdir -p -m 750 "$d"
	done
	if [ -f "$work/vigil.example.toml" ]; then
		place "$work/vigil.example.toml" "$conf/vigil.example.toml" 640
		[ -e "$conf/vigil.toml" ] || place "$work/vigil.example.toml" "$conf/vigil.toml" 640
	fi
	if [ "$service" = 0 ]; then
		say "start it with: ${bin#"$root"}/vigild"
		return 0
	fi
	place "$work/unit" "$unit" 644
	if [ "$manager" = 0 ]; then
		say "systemd does not run here: the unit is in place and was not started"
		return 0
	fi
	start
}

start() {
	run ctl daemon-reload
	run ctl enable -q vigild.service
	if [ "$changed" = 0 ] && ctl is-active -q vigild.service; then
		say "nothing changed, vigild runs on"
		return 0
	fi
	if run ctl restart vigild.service; then
		[ "$dry" = 1 ] || say "vigild runs; ${bin#"$root"}/vigild status shows this host"
		return 0
	fi
	if [ -f "$work/before" ]; then
		cp -p -- "$work/before" "$bin/vigild.new"
		mv -f -- "$bin/vigild.new" "$bin/vigild"
		ctl restart vigild.service || true
		fail 7 "vigild did not start; the program that was there before is back. systemctl status vigild says why"
	fi
	fail 7 "vigild did not start: systemctl status vigild says why"
}

uninstall_all() {
	if [ "$manager" = 1 ] && [ -f "$unit" ]; then
		if [ "$purge" = 1 ] && [ "$user" = 0 ]; then
			# What vigild supervises would outlive it; now it must not.
			end=/run/systemd/system/vigild.service.d
			run mkdir -p "$end"
			[ "$dry" = 1 ] || printf '[Service]\nKillMode=control-group\n' >"$end/uninstall.conf"
			run ctl daemon-reload
		fi
		run ctl disable -q --now vigild.service
		run rm -rf /run/systemd/system/vigild.service.d
	fi
	run rm -f -- "$unit" "$bin/vigild" "$bin/vigild.new"
	if [ "$purge" = 1 ]; then
		run rm -rf -- "$conf" "$data" ${rt:+"$rt"} "$unit.d"
	fi
	if [ "$manager" = 1 ]; then
		run ctl daemon-reload
		[ "$dry" = 1 ] || ctl reset-failed vigild.service 2>/dev/null || true
	fi
	[ "$dry" = 1 ] || say "vigild is removed"
	[ "$purge" = 1 ] || say "kept: $conf and $data (--purge removes them)"
}

main() {
	parse "$@"
	places
	if [ "$uninstall" = 1 ]; then
		uninstall_all
	else
		install_all
	fi
}

main "$@"
