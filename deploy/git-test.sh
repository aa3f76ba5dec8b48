#!/usr/bin/env bash
# Boots a real systemd in a container and shows there what git push does to a
# machine: units, timers, cron, kernel parameters and files come and go with
# signed commits, what is changed by hand comes back, what fails is taken back, and
# a reboot in the middle of a commit leaves nothing half done.
#
#   deploy/git-test.sh [--root TARBALL] [--keep] [VIGILD]
#
# Needs root and the Debian packages systemd-container and mmdebstrap. TARBALL is
# made when it is not there, and used again when it is. VIGILD is built when it is
# not given. Takes a minute and a half with a kept root; ends by force after four
# and a half. Prints each check; exits non-zero when one failed or the container
# did not come to its end.
. "$(dirname "$0")/booted.sh"

inside() {
	export HOME=/root GIT_TERMINAL_PROMPT=0
	if [ -e /opt/kit/rebooted ]; then
		cd /root/repo
		after_the_reboot
		taken_away
		finish
		return
	fi
	mkdir -m 750 /etc/vigil
	mkdir -p /etc/web /etc/vigil/policies /var/log/journal
	systemctl restart systemd-journald
	cd /root
	ssh-keygen -q -t ed25519 -N '' -C ada@example.org -f /root/ada
	printf 'ada@example.org %s\n' "$(cat /root/ada.pub)" >/etc/vigil/signers
	# shellcheck disable=SC2016
	git config --global credential.helper '!f() { echo username=ada; echo password=$(cat /var/lib/vigil/token); }; f'
	git config --global user.name Ada
	git config --global user.email ada@example.org
	git config --global init.defaultBranch main
	git config --global gpg.format ssh
	git config --global user.signingkey /root/ada
	git config --global commit.gpgsign true
	# This host sees more acts in a minute than the gates would allow in earnest, and
	# looks at what says nothing of itself more often.
	cat >/etc/vigil/vigil.toml <<-TOML
		[remedy]
		cooldown = "1s"
		limit = {max = 50, per = "1h"}
		storm = {subjects = 50, within = "2m", hold = "5m"}
		breaker = {failures = 20}

		[git]
		paths = ["/etc/web"]
		kinds = ["File", "Directory", "Service", "Timer", "Cron", "Sysctl", "Process"]
		trust_commands = true
		require_signed = true
		allowed_signers = "/etc/vigil/signers"
		soak = "2s"
		resync = "5s"

		[[process]]
		name = "worker"
		argv = ["/usr/bin/sleep", "86400"]
		user = "daemon"
	TOML

	sandboxed
	pushed
	[ "$failed" = 0 ] || finish # the rest stands on it
	by_hand
	units_by_hand
	broken
	more_kinds
	killed
	[ "$failed" = 0 ] || finish # nobody would hear of it after a reboot
	rebooted
}

commit() { git add -A && git commit -q -m "$1"; }
push() { timeout 60 git push "${@:---quiet}" origin HEAD:main; }
holds() { grep -qxF -- "$2" "$1"; }
# starts: the service read its config so many times or more, the last time this process.
starts() { [ "$(wc -l </run/web.words)" -ge "$1" ] && is web SubState running; }
tried() { [ "$(grep -c bad /run/web.words)" = "$1" ]; }
good() { [ "$(git ls-remote -q origin refs/vigil/good | cut -f1)" = "$(git rev-parse "${1:-HEAD}")" ]; }
now_ms() { date +%s%3N; }

# back waits, looking all the time, until a file is as it was, and says how long
# that took from the moment when the change was made.
back() {
	local file=$1 word=$2 began=$3 end=$((SECONDS + 25)) text=''
	until [ "$text" = "$word" ]; do
		[ $SECONDS -lt $end ] || return 1
		text=''
		if [ -e "$file" ]; then text=$(<"$file"); fi 2>/dev/null
	done
	echo "      | back after $(($(now_ms) - began)) ms"
}

web() {
	cat >web.yaml <<-YAML
		apiVersion: vigil/v1
		kind: File
		metadata: {name: web}
		spec:
		  path: /etc/web/web.conf
		  content: |
		    word=$1
		  permissions: "0640"
		  owner: root
		  group: daemon
		---
		apiVersion: vigil/v1
		kind: Service
		metadata: {name: web}
		spec:
		  heal: {backoff: 100ms, maxAttempts: 50, quietReset: 3s}
		  state: running
		  enabled: true
		  config: [/etc/web/web.conf]
		  file: |
		    [Service]
		    EnvironmentFile=/etc/web/web.conf
		    ExecStart=/bin/sh -c 'echo \$\$word >> /run/web.words; test \$\$word != bad && exec sleep 1000000'
		    [Install]
		    WantedBy=multi-user.target
	YAML
}

# sandboxed: as it is installed vigild cannot write below /etc, and says so.
sandboxed() {
	check "installed and READY" /opt/kit/install.sh --airgap /opt/kit
	check "stock git clones" git clone -q http://127.0.0.1:8000/git/desired repo
	cd repo
	git checkout -q -b main
	web one
	commit one
	check "what the sandbox keeps read-only is told before anything is done" fails_with 'ReadWritePaths' push -o wait
	check "nothing was done" [ -z "$(ls /etc/web)" ]
	check "and the branch did not move" [ -z "$(git ls-remote -q origin refs/heads/main)" ]
	mkdir -p /etc/systemd/system/vigild.service.d
	printf '[Service]\nReadWritePaths=/etc\nProtectKernelTunables=no\nCapabilityBoundingSet=CAP_CHOWN CAP_NET_ADMIN\n' >/etc/systemd/system/vigild.service.d/desired.conf
	systemctl daemon-reload
	check "with the drop-in of docs/systemd.md it starts again" systemctl restart vigild
}

pushed() {
	local out
	git -c commit.gpgsign=false commit -q --allow-empty -m unsigned
	check "an unsigned commit is refused by name" fails_with 'unsigned.*not signed' push -o wait
	check "nothing of it was done" [ -z "$(ls /etc/web)" ]
	git commit -q --amend --allow-empty -m one
	out=$(push -o dry-run 2>&1 || true)
	check "a dry run shows the plan" says 'File/web: write .*/etc/web/web.conf' echo "$out"
	check "and that of the unit" says 'start web.service' echo "$out"
	check "signed, it is applied" push -o wait 2>/run/push
	sed 's/^/      | /' /run/push
	check "the pusher sees who signed" grep -q 'signed by ada@example.org' /run/push
	check "and that it is healthy" grep -qE 'good|healthy' /run/push
	check "the service is active" is web ActiveState active
	check "and enabled" systemctl is-enabled -q web
	check "it read its config" holds /run/web.words one
	check "the file has its mode" mode /etc/web/web.conf 640
	check "and its group" [ "$(stat -c %U:%G /etc/web/web.conf)" = root:daemon ]
	check "git says that the host is good" soon good
	check "nothing differs" vigild drift --exit-code >/dev/null
}

by_hand() {
	local t
	t=$(now_ms)
	echo word=hand >/etc/web/web.conf
	check "an edit by hand comes back" back /etc/web/web.conf word=one "$t"
	check "that is on record" soon says 'File/web' vigild drift --history
	vigild drift --history | sed 's/^/      | /' | head -n 12
	rm /etc/web/web.conf
	check "so does a file that was removed" back /etc/web/web.conf word=one "$(now_ms)"
	check "its service read it again" soon starts 2
}

units_by_hand() {
	local old
	check "nothing differs by then" soon vigild drift --exit-code >/dev/null
	old=$(prop web MainPID)
	kill -9 "$old"
	check "a service that was killed runs again" soon is web SubState running
	systemctl disable -q web
	check "one that was disabled is enabled again" soon systemctl is-enabled -q web
	systemctl stop web
	check "a stop by hand is taken for hands-off" soon says 'systemd:web.service' vigild hands-off list
	check "it stays stopped" holds_for 8 is web ActiveState inactive
	check "and is told as drift" says 'active: wanted yes, found no' vigild drift
	vigild drift | sed 's/^/      | /'
	check "its heal is held, by name" says 'held.*(hands|stopped by hand)' vigild action list
	vigild action list --limit 3 | sed 's/^/      | /'
	check "hands-off remove hands it back" vigild hands-off remove systemd:web.service
	check "and it runs" soon is web SubState running
	# As somebody would have it who moved the file away; then the process dies.
	rm /etc/systemd/system/web.service
	systemctl mask -q web
	kill -9 "$(prop web MainPID)" 2>/dev/null || true
	check "a masked unit is unmasked and written" soon grep -q EnvironmentFile /etc/systemd/system/web.service
	check "and started" soon is web SubState running # not before: it may be seen running still
	# The same bytes written by somebody else: systemd has to read them again.
	cp -p /etc/systemd/system/web.service /run/web.unit
	sleep 1.1
	touch /etc/systemd/system/web.service
	check "a unit file that changed under systemd is read again" soon is web NeedDaemonReload no
	echo '# hand' >>/etc/systemd/system/web.service
	check "a unit file that was edited comes back" soon cmp -s /run/web.unit /etc/systemd/system/web.service
	check "and systemd knows" soon is web NeedDaemonReload no
	check "the service runs through all that" soon is web SubState running
	check "nothing differs in the end" soon vigild drift --exit-code >/dev/null
}

# broken: a config that the service does not stay up with.
broken() {
	local bad
	web bad
	commit bad
	bad=$(git rev-parse --short HEAD)
	: >/run/web.words
	check "a push that breaks the service fails" fails_with 'remote: .*(bad|undo|return|back)' push -o wait
	check "the config is the old one" soon holds /etc/web/web.conf word=one
	check "and the service runs with it" soon is web SubState running
	check "it was tried" holds /run/web.words bad
	check "the last word it read is the old one" [ "$(tail -n 1 /run/web.words)" = one ]
	check "the record says bad" soon says "$bad.*bad|bad.*$bad" vigild revisions
	vigild revisions | sed 's/^/      | /'
	check "it is not tried again" holds_for 7 tried "$(grep -c bad /run/web.words)"
	check "good is the commit before" good HEAD~1
}

more_kinds() {
	web one
	cat >more.yaml <<-YAML
		apiVersion: vigil/v1
		kind: Service
		metadata: {name: tick}
		spec:
		  file: |
		    [Service]
		    Type=oneshot
		    ExecStart=/bin/sh -c 'echo tick >> /run/ticks'
		---
		apiVersion: vigil/v1
		kind: Timer
		metadata: {name: tick}
		spec: {unit: tick.service, every: 2s, dependsOn: [Service/tick]}
		---
		apiVersion: vigil/v1
		kind: Sysctl
		metadata: {name: forward}
		spec: {name: net.ipv4.ip_forward, value: 1}
		---
		apiVersion: vigil/v1
		kind: Cron
		metadata: {name: note}
		spec: {schedule: "* * * * *", user: daemon, command: [/bin/sh, -c, "date +%s >> /var/tmp/note"]}
		---
		apiVersion: vigil/v1
		kind: Process
		metadata: {name: worker}
		spec: {state: running}
	YAML
	commit more
	check "a timer, a kernel parameter, a cron file and a process" push -o wait 2>/run/push
	sed 's/^/      | /' /run/push
	check "the timer is enabled" systemctl is-enabled -q tick.timer
	check "it fires" soon test -s /run/ticks
	check "and again" soon says '^2' bash -c 'wc -l </run/ticks | sed "s/^[3-9]/2/"'
	check "the parameter is set" holds /proc/sys/net/ipv4/ip_forward 1
	check "and kept over a reboot" grep -q 'net/ipv4/ip_forward = 1' /etc/sysctl.d/90-vigil-net-ipv4-ip_forward.conf
	check "cron's file is root's" [ "$(stat -c '%U:%G %a' /etc/cron.d/note)" = "root:root 644" ]
	check "the process runs" pgrep -u daemon -f '^/usr/bin/sleep 86400' >/dev/null
	echo 0 >/proc/sys/net/ipv4/ip_forward
	check "a parameter that was changed by hand is set again" soon holds /proc/sys/net/ipv4/ip_forward 1
	check "that is on record" soon says 'Sysctl/forward' vigild drift --history
	systemctl stop tick.timer
	check "a timer that was stopped by hand is left" soon says 'tick.timer' vigild hands-off list
	vigild hands-off remove systemd:tick.timer
	check "and starts when it is handed back" soon is tick.timer ActiveState active
	rm /etc/cron.d/note
	check "a cron file that was removed comes back" soon test -e /etc/cron.d/note
	patience=75 check "cron runs it as its user" soon test -s /var/tmp/note
}

# many is files FROM TO with one word in each, which need something before.
many() {
	local i
	for i in $(seq "$1" "$2"); do
		printf -- '---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: many%d}\nspec: {path: /etc/web/many/%d, content: "%s\\n", dependsOn: [%s]}\n' "$i" "$i" "$3" "$4"
	done
}

# killed: vigild dies in the middle of applying a commit with many things.
killed() {
	check "nothing differs before" soon vigild drift --exit-code >/dev/null
	many 1 200 two Directory/many >many.yaml
	printf -- '---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: many}\nspec: {path: /etc/web/many, permissions: "0755"}\n' >>many.yaml
	web two
	commit two
	push -o wait >/run/push 2>&1 &
	local pusher=$!
	check "it is being applied" soon test -e /etc/web/many/1
	kill -9 "$(prop vigild MainPID)"
	wait "$pusher" || true
	echo "      | $(find /etc/web/many -type f | wc -l) of 200 files were there"
	check "vigild is back" soon is vigild SubState running
	check "the host comes to the whole commit" soon good
	check "with every file" [ "$(cat /etc/web/many/* | grep -c two)" = 200 ]
	check "the service has the new config" [ "$(tail -n 1 /run/web.words)" = two ]
	check "nothing is left over" [ -z "$(find /etc/web /etc/systemd/system /etc/cron.d /etc/sysctl.d -name '.*' -not -name .placeholder)" ]
	check "the chain is whole" says intact vigild audit verify
}

# rebooted: the machine goes down while a commit is half applied: a hundred files
# are written, a slow service starts, and a hundred more wait for it.
rebooted() {
	{
		many 1 100 three Directory/many
		many 101 200 three Service/slow
		cat <<-YAML
			---
			apiVersion: vigil/v1
			kind: Directory
			metadata: {name: many}
			spec: {path: /etc/web/many, permissions: "0755"}
			---
			apiVersion: vigil/v1
			kind: Service
			metadata: {name: slow}
			spec:
			  state: running
			  dependsOn: [File/many100]
			  file: |
			    [Service]
			    Type=exec
			    ExecStartPre=/bin/sleep 6
			    ExecStart=/bin/sleep 1000000
		YAML
	} >many.yaml
	web three
	commit three
	push -o wait >/run/push 2>&1 &
	check "a slow service is being started" soon is slow ActiveState activating
	check "after the files before it" [ "$(cat /etc/web/many/* | grep -c three)" = 100 ]
	[ "$failed" = 0 ] || finish
	cp /proc/sys/kernel/random/boot_id /opt/kit/rebooted
	systemctl reboot
	sleep 100 # until that ends us
}

after_the_reboot() {
	check "the machine was rebooted" not cmp -s /opt/kit/rebooted /proc/sys/kernel/random/boot_id
	check "vigild runs by itself" soon is vigild SubState running
	check "the host comes to the whole commit" soon good
	check "with every file" [ "$(cat /etc/web/many/* | grep -c three)" = 200 ]
	check "and the slow service" is slow SubState running
	check "the service has the new config" [ "$(tail -n 1 /run/web.words)" = three ]
	check "the kernel parameter is set" holds /proc/sys/net/ipv4/ip_forward 1
	check "the timer is active" is tick.timer ActiveState active
	check "nothing differs" soon vigild drift --exit-code >/dev/null
	check "it was taken up, not tried anew" [ "$(vigild revisions | grep -c "$(git rev-parse --short HEAD)")" = 1 ]
	vigild revisions | sed 's/^/      | /' | head -n 4
	check "nothing is left over" [ -z "$(find /etc/web /etc/systemd/system /etc/cron.d /etc/sysctl.d -name '.*' -not -name .placeholder)" ]
	check "the chain is whole" says intact vigild audit verify
}

taken_away() {
	git rm -q more.yaml many.yaml
	commit less
	check "many removals are asked about" fails_with 'confirm-prune' push -o wait
	check "and are done when they are meant" push -o wait -o confirm-prune 2>/run/push
	check "the timer is gone" is tick.timer LoadState not-found
	check "with its file and its link" [ -z "$(find /etc/systemd/system -name 'tick*')" ]
	check "the cron file is gone" not test -e /etc/cron.d/note
	check "the kept parameter is gone" not test -e /etc/sysctl.d/90-vigil-net-ipv4-ip_forward.conf
	check "the folder of many is gone" not test -e /etc/web/many
	check "the service runs on" is web SubState running
	check "nothing differs" soon vigild drift --exit-code >/dev/null
	check "uninstalled without a trace" /opt/kit/install.sh --uninstall --purge
	check "what was made stays" is web SubState running
}

booted "$@"
