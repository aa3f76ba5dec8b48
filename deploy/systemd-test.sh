#!/usr/bin/env bash
# Boots a real systemd in a container and shows there that vigild installs, heals
# failed units over D-Bus, leaves alone what a person stopped, survives being
# killed, and goes without a trace.
#
#   deploy/systemd-test.sh [--root TARBALL] [--keep] [VIGILD]
#
# Needs root and the Debian packages systemd-container and mmdebstrap. TARBALL is
# made when it is not there, and used again when it is. VIGILD is built when it
# is not given. Takes three minutes with a fresh root, less than one and a half
# with a kept one; ends by force after four and a half. Prints each check; exits
# non-zero when one failed or the container did not come to its end.
. "$(dirname "$0")/booted.sh"

worker_pid() { pgrep -f '^/usr/bin/sleep 86400' || true; }
worker_gone() { [ -z "$(worker_pid)" ]; }
starts() { [ "$(wc -l <"/run/starts.$1")" = "$2" ]; }

# unit makes a unit that notes each start, with a policy that heals it.
unit() {
	cat >"/etc/systemd/system/$1.service" <<-UNIT
		[Service]
		ExecStartPre=/bin/sh -c 'echo start >> /run/starts.$1'
		ExecStartPre=/bin/sleep $2
		ExecStart=/bin/sleep 1000000
	UNIT
	cat >"/etc/vigil/policies/$1.yaml" <<-POLICY
		apiVersion: vigil/v1
		kind: Check
		metadata: {name: $1}
		spec: {kind: unit, unit: $1.service, every: 2s}
		---
		apiVersion: vigil/v1
		kind: Policy
		metadata: {name: $1-down}
		spec:
		  match: vigil_unit_active{check="$1"}
		  fire: value < 1
		  remedy:
		    cooldown: 1s
		    ladder: [{action: service, with: {unit: $1.service, verb: restart}, timeout: 30s, settle: 1s}]
		    verify: {expr: value == 1, within: 20s}
	POLICY
}

inside() {
	mkdir -m 750 /etc/vigil
	mkdir -p /etc/vigil/policies /var/log/journal /etc/systemd/system/vigild.service.d
	systemctl restart systemd-journald
	# A short watchdog, so that a hang is seen within the test.
	printf '[Service]\nWatchdogSec=6s\nTimeoutAbortSec=1s\n' >/etc/systemd/system/vigild.service.d/test.conf
	# This host sees more acts in a minute than the gates would allow in earnest.
	cat >/etc/vigil/vigil.toml <<-TOML
		[remedy]
		cooldown = "1s"
		limit = {max = 50, per = "1h"}
		storm = {subjects = 50, within = "2m", hold = "5m"}

		[[process]]
		name = "worker"
		argv = ["/usr/bin/sleep", "86400"]
		user = "daemon"

		[actions.who]
		kind = "exec"
		argv = ["/bin/sh", "-c", "id > /var/tmp/who"]
		user = "daemon"

		[actions.long]
		kind = "exec"
		isolation = "unit"
		user = "daemon"
		argv = ["/bin/sh", "-c", "echo start; while ! test -e /var/tmp/go; do sleep 0.1; done; id -un"]
	TOML
	unit web 0
	unit slow 4
	systemctl daemon-reload
	systemctl start web slow

	fresh
	heal
	killed
	outlived
	stopped_by_hand
	supervised
	steering
	watchdog
	gone
	finish
}

fresh() {
	check "what has no checksum is not installed" fails_with 'not what SHA256SUMS says' bash -c \
		'cp -r /opt/kit /opt/bad && echo x >>/opt/bad/vigild && /opt/kit/install.sh --airgap /opt/bad'
	check "nothing was left of that" not test -e /usr/local/bin/vigild
	check "installed and READY" /opt/kit/install.sh --airgap /opt/kit
	check "an existing configuration stays" grep -q worker /etc/vigil/vigil.toml
	check "enabled for the next boot" systemctl is-enabled -q vigild
	check "installing again changes nothing" says 'nothing changed, vigild runs on' /opt/kit/install.sh --airgap /opt/kit
	check "active" is vigild ActiveState active
	check "systemctl status tells what vigild does" says 'Status: "' systemctl status --no-pager vigild
	check "the folder of the socket is root's" mode /run/vigil 700
	check "the socket is root's" mode /run/vigil/vigil.sock 600
	check "the data is root's" mode /var/lib/vigil 700
	check "the command line is answered" vigild status --output json >/dev/null
	check "the host is measured" soon says 'memory +[0-9]' vigild status
	check "nothing of the sandbox is in its way" not says 'level=(WARN|ERROR)|not permitted|to=error' journal
	check "no file system is told read-only that is not" not says 'node_filesystem_readonly\{.*mountpoint="/".* 1$' vigild collect
	systemd-analyze security --no-pager vigild.service | tail -n 1
}

heal() {
	local old
	old=$(prop web MainPID)
	kill -9 "$old"
	check "a unit that failed is restarted over D-Bus" soon is web SubState running
	check "it is another process" [ "$(prop web MainPID)" != "$old" ]
	check "once" starts web 2
	check "the remediation succeeded" soon says 'succeeded|completed' vigild action show 1
	check "why tells the story" says 'web\.service' vigild why 1
	vigild why 1 | sed 's/^/      | /' | head -n 40
	systemctl mask --runtime -q masked.service
	check "a masked unit is refused" fails_with 'masked' timeout 20 vigild action run service masked.service unit=masked.service --wait
	check "a unit that is not there is refused" fails_with 'no unit' timeout 20 vigild action run service none.service unit=none.service --wait
}

# killed: vigild dies while its restart of a slow unit goes on in PID 1.
killed() {
	local pid
	pid=$(prop vigild MainPID)
	kill -9 "$(prop slow MainPID)"
	check "the restart of the slow unit is on its way" soon starts slow 2
	kill -9 "$pid"
	check "vigild is gone" soon not is vigild MainPID "$pid"
	check "it is back by itself" soon is vigild SubState running
	check "the slow unit is up" soon is slow SubState running
	check "the probe is told" soon says 'attempt.recovered' vigild audit export
	check "there was no second restart" holds_for 6 starts slow 2
	check "the remediation succeeded" soon says 'succeeded|completed' vigild action show "$(newest)"
	check "the chain is whole" says intact vigild audit verify
}

# outlived: an act as a unit of its own goes on while vigild is killed and stopped.
outlived() {
	local pid unit
	pid=$(prop vigild MainPID)
	check "an isolated act is taken" timeout 20 vigild action run long here
	units() { systemctl list-units --plain --no-legend --state=active 'vigil-attempt-*.service' | cut -d' ' -f1; }
	one() { [ "$(units | wc -l)" = 1 ]; }
	check "it runs as a unit of its own" soon one
	unit=$(units)
	check "as the user that it should" soon pgrep -u daemon -f '^/bin/sh -c echo start; while' >/dev/null
	kill -9 "$pid"
	check "vigild is killed and back" soon not is vigild MainPID "$pid"
	check "it runs" soon is vigild SubState running
	check "the act goes on" is "$unit" ActiveState active
	check "systemctl restart vigild leaves it too" systemctl restart vigild
	check "the act still goes on" is "$unit" ActiveState active
	check "it is still running for vigild" says running vigild action show "$(newest)"
	touch /var/tmp/go
	check "its end is found" soon says 'succeeded|completed' vigild action show "$(newest)"
	check "with its whole output" says 'start.*daemon' bash -c 'vigild audit export | grep "\"attempt.end\"" | tail -n 1'
	check "nothing of it stays in PID 1" soon is "$unit" LoadState not-found
	check "and nothing that runs" not pgrep -u daemon -f '^/bin/sh -c echo start; while' >/dev/null
}

newest() { vigild action list --limit 1 --output json | grep -o '"id": *[0-9]*' | grep -o '[0-9]*' | head -n 1; }

stopped_by_hand() {
	ln -s web.service /etc/systemd/system/www.service
	systemctl daemon-reload
	systemctl stop web
	check "a stop by hand is taken for hands-off" soon says 'systemd:web.service' vigild hands-off list
	check "by an alias nobody undoes it either" says 'held .*by hand' vigild action run service www
	check "since it is one subject" says 'subject: systemd:web.service' vigild action show "$(newest)"
	check "which nobody waits for any more" vigild action cancel "$(newest)"
	check "and nobody undoes it" holds_for 8 is web ActiveState inactive
	systemctl start web
	check "a start by hand takes it back" soon not says 'systemd:web.service' vigild hands-off list
	kill -9 "$(prop web MainPID)"
	check "a death by a signal is healed again" soon is web SubState running
}

supervised() {
	local pid
	pid=$(worker_pid)
	check "the supervised process runs" [ -n "$pid" ]
	check "vigild restarts" systemctl restart vigild
	check "the supervised process outlives it" [ "$(worker_pid)" = "$pid" ]
	check "it is adopted" soon says "process adopted.*pid=$pid\$" journal
	kill -9 "$pid"
	again() { [ -n "$(worker_pid)" ] && [ "$(worker_pid)" != "$pid" ]; }
	check "and started again when it dies" soon again
	pid=$(worker_pid)
	check "it runs as the user that it should" [ "$(stat -c %U "/proc/$pid")" = daemon ]
	check "vigild may stop it through the sandbox" timeout 20 vigild action run process worker process=worker verb=restart --wait
	check "it is another one" soon again
	check "a catalogue action runs as its user" timeout 20 vigild action run who here --wait
	check "with the groups of that user alone" grep -qE '^uid=1\(daemon\) gid=1\(daemon\) groups=1\(daemon\)$' /var/tmp/who
}

steering() {
	printf '[log]\nlevel = "debug"\n' | cat - /etc/vigil/vigil.toml >/etc/vigil/vigil.toml.new
	mv /etc/vigil/vigil.toml.new /etc/vigil/vigil.toml
	check "systemctl reload" systemctl reload vigild
	check "is told" soon says 'configuration reloaded.*|configuration reloaded' journal
	check "is still active" soon is vigild ActiveState active
	check "systemctl stop" systemctl stop vigild
	check "ends well" is vigild Result success
	check "in order" says 'level=INFO msg=stopped' journal
	check "the supervised process runs on" [ -n "$(worker_pid)" ]
	check "systemctl start" systemctl start vigild
	check "its own stops are no word about itself" not says 'vigild.service' vigild hands-off list
}

watchdog() {
	local pid
	check "the watchdog is fed" holds_for 8 is vigild ActiveState active
	check "without a restart" is vigild NRestarts 0
	pid=$(prop vigild MainPID)
	kill -STOP "$pid"
	patience=15 check "a vigild that hangs is replaced" soon not is vigild MainPID "$pid"
	check "by the watchdog" soon says '[Ww]atchdog timeout' journalctl -q --no-pager -o cat _PID=1
	check "and runs" soon is vigild SubState running
}

gone() {
	check "uninstall" /opt/kit/install.sh --uninstall
	check "keeps the configuration" test -e /etc/vigil/vigil.toml
	check "keeps the data" test -e /var/lib/vigil/ledger.db
	check "installed again" /opt/kit/install.sh --airgap /opt/kit
	check "uninstall --purge" /opt/kit/install.sh --uninstall --purge
	check "the supervised process has ended" soon worker_gone
	rm -rf /etc/systemd/system/vigild.service.d
	check "no file is left" [ -z "$(find /etc /usr/local /var/lib /run -xdev -name '*vigil*' -not -path '/run/systemd/units/*' 2>/dev/null)" ]
	check "systemd does not know it" is vigild LoadState not-found
}

booted "$@"
