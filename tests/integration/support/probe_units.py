"""Units that use what systemd offers to services: each proves its effect by its own exit status."""

_USER = "User=nobody"
_IS_NOBODY = "[ $(id -un) = nobody ]"
# The settings that systemd leaves out here, or whose effect a unit cannot see.
_STARTS = "true"
_IN_ITS_CGROUP = "cd /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup | tail -1)"


def _oneshot(directives: str, script: str) -> dict[str, str]:
    lines = "\n".join(line.strip() for line in directives.split(";"))
    return {"service": f"[Service]\nType=oneshot\n{lines}\nExecStart=/bin/bash -ec '{script}'\n"}


_FILTERED = {
    "NoNewPrivileges": ("NoNewPrivileges=yes", "grep -q NoNewPrivs:.1 /proc/self/status"),
    "SystemCallFilter": ("SystemCallFilter=@system-service; SystemCallFilter=~mkdir mkdirat", "! mkdir /tmp/refused"),
    "SystemCallFilter deny": (
        "SystemCallFilter=~@mount @reboot; SystemCallErrorNumber=EUCLEAN",
        "LC_ALL=C chroot /srv true 2>&1 | grep needs.cleaning",
    ),
    "SystemCallArchitectures": ("SystemCallArchitectures=native", "grep -q Seccomp:.2 /proc/self/status"),
    "RestrictRealtime": ("RestrictRealtime=yes", "! chrt --fifo 1 true"),
    "RestrictSUIDSGID": ("RestrictSUIDSGID=yes; RuntimeDirectory=suid", "cd /run/suid; touch x; ! chmod u+s x"),
    "LockPersonality": ("LockPersonality=yes", "! setarch --addr-no-randomize true"),
    "MemoryDenyWriteExecute": (
        "MemoryDenyWriteExecute=yes",
        'map="import mmap; mmap.mmap(-1, 4096, prot="; python3 -c "$${map}3)"; ! python3 -c "$${map}7)"',
    ),
    "RestrictAddressFamilies": ("RestrictAddressFamilies=AF_UNIX", "! echo > /dev/udp/127.0.0.1/9"),
    "RestrictNamespaces": ("RestrictNamespaces=yes", "! unshare --user true"),
}
_ANY = {
    "User": (_USER, _IS_NOBODY),
    "DynamicUser": ("DynamicUser=yes; StateDirectory=dyn", "[ $(id -u) -ge 61184 ]; touch /var/lib/dyn/x"),
    "SupplementaryGroups": (f"{_USER}; SupplementaryGroups=adm", "id -Gn | grep -w adm"),
    "PAMName": (f"{_USER}; PAMName=login", _IS_NOBODY),
    "CapabilityBoundingSet": ("CapabilityBoundingSet=CAP_CHOWN", "grep -q CapBnd:.0000000000000001 /proc/self/status"),
    "AmbientCapabilities": (
        f"{_USER}; AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_SYS_NICE CAP_IPC_LOCK CAP_SYS_RESOURCE",
        "grep -q CapAmb:.0000000001804400 /proc/self/status",
    ),
    "PrivateTmp": ("PrivateTmp=yes; ExecStartPre=/bin/touch /tmp/own", "[ -e /tmp/own ]; [ ! -e /tmp/outside ]"),
    "PrivateDevices": ("PrivateDevices=yes", "[ -c /dev/null ]; echo > /dev/null"),
    "PrivateNetwork": ("PrivateNetwork=yes", "[ $(ls /proc/sys/net/ipv4/conf | wc -l) = 3 ]"),
    "PrivateUsers": ("PrivateUsers=yes", "[ $(wc -l < /proc/self/uid_map) -ge 1 ]; ! chown nobody /etc/passwd"),
    "PrivateMounts": ("PrivateMounts=yes", "mount -t tmpfs tmpfs /mnt; mountpoint /mnt"),
    "pivot_root": (
        "PrivateMounts=yes",
        "mount --make-rprivate /; mount -t tmpfs tmpfs /mnt; mkdir /mnt/old; cd /mnt; /usr/sbin/pivot_root . old; "
        "[ -e /old/etc/passwd ]",
    ),
    "personality": ("PrivateMounts=no", "setarch --addr-no-randomize true"),
    "PrivateIPC": ("PrivateIPC=yes", "[ $(readlink /proc/self/ns/ipc) != $(cat /run/ipc) ]"),
    "ProtectSystem": ("ProtectSystem=strict; ReadWritePaths=/opt", "touch /opt/x; ! touch /usr/x"),
    "ProtectHome": ("ProtectHome=yes", "[ -z $(ls -A /root) ]"),
    "ProtectKernelTunables": ("ProtectKernelTunables=yes", "! echo 1 > /proc/sys/net/ipv4/ip_forward"),
    "ProtectKernelModules": ("ProtectKernelModules=yes", "! ls /usr/lib/modules"),
    "ProtectKernelLogs": ("ProtectKernelLogs=yes", "! dmesg"),
    "ProtectControlGroups": ("ProtectControlGroups=yes", "! mkdir /sys/fs/cgroup/x"),
    "ProtectClock": ("ProtectClock=yes", "! date -s 2000-01-01"),
    "ProtectHostname": ("ProtectHostname=yes", "! hostname other; [ $(hostname) = $(cat /run/hostname) ]"),
    "ProtectProc": (f"ProtectProc=invisible; {_USER}", _STARTS),
    "ProcSubset": (f"ProcSubset=pid; {_USER}", _STARTS),
    "BindPaths": ("BindPaths=/etc:/srv", "[ -e /srv/passwd ]; touch /srv/x; rm /etc/x"),
    "BindReadOnlyPaths": ("BindReadOnlyPaths=/etc:/srv", "[ -e /srv/passwd ]; ! touch /srv/x"),
    "InaccessiblePaths": ("InaccessiblePaths=/opt", "[ -z $(ls -A /opt) ]"),
    "ReadOnlyPaths": ("ReadOnlyPaths=/etc", "! touch /etc/x"),
    "TemporaryFileSystem": ("TemporaryFileSystem=/opt:size=1m", "mountpoint /opt; touch /opt/x"),
    "RootDirectory": (
        "RootDirectory=/srv/tree; MountAPIVFS=yes; BindReadOnlyPaths=/usr /etc",
        "[ ! -e /srv ]; [ -e /etc/passwd ]; [ -c /dev/null ]",
    ),
    "StateDirectory": (
        f"{_USER}; StateDirectory=s; CacheDirectory=c; LogsDirectory=l; RuntimeDirectory=r; ConfigurationDirectory=e",
        "touch $STATE_DIRECTORY/x $CACHE_DIRECTORY/x $LOGS_DIRECTORY/x $RUNTIME_DIRECTORY/x; [ -d /etc/e ]",
    ),
    "SetCredential": ("SetCredential=word:secret", "[ $(cat $CREDENTIALS_DIRECTORY/word) = secret ]"),
    "LoadCredential": ("LoadCredential=word:/etc/hostname", "[ -s $CREDENTIALS_DIRECTORY/word ]"),
    "MemoryMax": (
        "MemoryMax=50M; TasksMax=20; CPUWeight=50",
        f"{_IN_ITS_CGROUP}; ! [ -e memory.max ] || [ $(cat memory.max) = 52428800 ];"
        "! [ -e pids.max ] || [ $(cat pids.max) = 20 ]; ! [ -e cpu.weight ] || [ $(cat cpu.weight) = 50 ]",
    ),
    "Delegate": (f"{_USER}; Delegate=yes", "[ -w /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup | tail -1) ]"),
    "LimitNOFILE": ("LimitNOFILE=4096; LimitMEMLOCK=infinity; LimitCORE=infinity", "[ $(ulimit -n) = 4096 ]"),
    "Nice": ("Nice=5; IOSchedulingClass=idle; OOMScoreAdjust=100", "[ $(nice) = 5 ]"),
    "IPAddressDeny": ("IPAddressDeny=any; IPAddressAllow=localhost", _STARTS),
    "DeviceAllow": ("DevicePolicy=closed; DeviceAllow=/dev/null rw", "echo > /dev/null"),
    "KeyringMode": ("KeyringMode=shared", _STARTS),
    "LogNamespace": ("LogNamespace=own", "echo said; [ -S /run/systemd/journal.own/stdout ]"),
    "CPUSchedulingPolicy": ("CPUSchedulingPolicy=batch", "chrt -p $$$$ | grep -q BATCH"),
    "CPUAffinity": ("CPUAffinity=0", "[ $(nproc) = 1 ]"),
    "CPUQuota": (
        "CPUQuota=50%; IOWeight=50; MemoryHigh=100M; MemorySwapMax=0; AllowedCPUs=0",
        f"{_IN_ITS_CGROUP}; ! [ -e cpu.max ] || grep ^50000 cpu.max;"
        "! [ -e memory.high ] || [ $(cat memory.high) = 104857600 ]",
    ),
    "Slice": ("Slice=own.slice", "systemctl is-active own.slice"),
    "SecureBits": ("SecureBits=noroot", "grep -q CapEff:.0000000000000000 /proc/self/status"),
    "IPCNamespacePath": ("IPCNamespacePath=/proc/1/ns/ipc", "[ $(readlink /proc/self/ns/ipc) = $(cat /run/ipc) ]"),
    "NetworkNamespacePath": ("NetworkNamespacePath=/proc/1/ns/net", "[ -e /sys/class/net/lo ]"),
    "NoExecPaths": ("NoExecPaths=/opt; ExecPaths=/usr", "cp /usr/bin/true /opt/copy; ! /opt/copy"),
    "ProtectHome tmpfs": ("ProtectHome=tmpfs", "mountpoint /root"),
    "ExtensionDirectories": ("ExtensionDirectories=/srv/extension", "[ -e /usr/extended ]"),
    "PrivatePIDs": ("PrivatePIDs=yes; PrivateTmp=disconnected; ProtectControlGroups=private", _STARTS),
    "StandardInputText": ("StandardInputText=hello; StandardOutput=file:/run/said", "[ $(cat) = hello ]"),
    "tools of systemd": (
        "Environment=SYSTEMD_PAGER=cat",
        "hostnamectl; timedatectl; localectl; loginctl; busctl list; systemd-cgls; systemd-analyze security;"
        "systemd-tmpfiles --create --clean; systemd-sysusers; journalctl --flush --rotate; systemctl daemon-reload",
    ),
    "systemd-run": (
        "RuntimeDirectory=runs",
        "systemd-run --scope true; systemd-run --wait true; systemd-run --pipe --wait true;"
        "systemd-run --uid=nobody --wait true",
    ),
    "a mount unit": (
        "Environment=WHERE=/mnt/unit",
        "mkdir $WHERE; systemd-mount -t tmpfs -o size=1m tmpfs $WHERE; mountpoint $WHERE; systemd-umount $WHERE",
    ),
    "ExecStartPre as root": (f"{_USER}; ExecStartPre=+/bin/touch /run/by-root", "[ -O / ] || [ -e /run/by-root ]"),
    "the sandbox as a whole": (
        "DynamicUser=yes; ProtectSystem=strict; ProtectHome=yes; PrivateTmp=yes; PrivateDevices=yes; PrivateUsers=yes;"
        "ProtectKernelTunables=yes; ProtectKernelModules=yes; ProtectKernelLogs=yes; ProtectControlGroups=yes;"
        "ProtectClock=yes; ProtectHostname=yes; ProtectProc=invisible; RestrictNamespaces=yes; RestrictRealtime=yes;"
        "RestrictSUIDSGID=yes; LockPersonality=yes; MemoryDenyWriteExecute=yes; RestrictAddressFamilies=AF_UNIX;"
        "SystemCallArchitectures=native; SystemCallFilter=@system-service; CapabilityBoundingSet=; UMask=0077",
        "[ $(id -u) -ge 61184 ]",
    ),
}

# Files by unit type, by what they try. The service is started, or what activates it.
UNITS: dict[str, dict[str, str]] = {
    **{name: _oneshot(*parts) for name, parts in _ANY.items()},
    **{f"User, {name}": _oneshot(f"{_USER}; {directives}", script) for name, (directives, script) in _FILTERED.items()},
    "Type=forking": {"service": "[Service]\nType=forking\nExecStart=/bin/sh -c 'sleep infinity &'\n"},
    "Type=notify": {
        "service": "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=60\n"
        "ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'\n"
    },
    "socket": {
        "socket": "[Socket]\nListenStream=/run/probe.sock\nAccept=no\n",
        "service": "[Service]\nStandardInput=socket\nExecStart=/bin/sleep infinity\n",
    },
    "timer": {
        "timer": "[Timer]\nOnActiveSec=1ms\nAccuracySec=1ms\n",
        "service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    },
    "path": {
        "path": "[Path]\nPathExists=/etc/passwd\n",
        "service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    },
}

# Needs rights over the kernel that a user namespace does not give.
REFUSED: dict[str, dict[str, str]] = {
    "CPUSchedulingPolicy": _oneshot("CPUSchedulingPolicy=rr", "true"),
    "IOSchedulingClass": _oneshot("IOSchedulingClass=realtime", "true"),
    "an automount unit": _oneshot(
        "Environment=WHERE=/mnt/automount",
        "mkdir $WHERE; systemd-mount --automount=yes -t tmpfs tmpfs $WHERE; mountpoint $WHERE",
    ),
}

# Runs inside, with the units as JSON: prints the result of each.
RUN = r"""
import json, pathlib, re, subprocess, sys
def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True)
units = json.loads(sys.argv[1])
names = {title: f"probe{number}" for number, title in enumerate(units)}
for title, files in units.items():
    for kind, text in files.items():
        pathlib.Path(f"/etc/systemd/system/{names[title]}.{kind}").write_text(text)
pathlib.Path("/tmp/outside").touch()
pathlib.Path("/opt/there").touch()
pathlib.Path("/root/there").touch()
pathlib.Path("/srv/tree").mkdir()
released = pathlib.Path("/srv/extension/usr/lib/extension-release.d/extension-release.extension")
released.parent.mkdir(parents=True)
released.write_text("ID=_any\n")
pathlib.Path("/srv/extension/usr/extended").touch()
for name in ("bin", "lib", "lib64"):
    pathlib.Path(f"/srv/tree/{name}").symlink_to(f"usr/{name}")
pathlib.Path("/run/ipc").write_text(run("readlink", "/proc/self/ns/ipc").stdout)
pathlib.Path("/run/hostname").write_text(run("hostname").stdout)
run("systemctl", "daemon-reload")
found = {}
for title, files in units.items():
    by = next((kind for kind in files if kind != "service"), "service")
    started = run("systemctl", "start", f"{names[title]}.{by}")
    if by == "socket":
        run("python3", "-c", "import socket; socket.socket(socket.AF_UNIX).connect('/run/probe.sock')")
    if by != "service":
        started = run("timeout", "20", "sh", "-c", f"until systemctl -q is-active {names[title]}.service; do :; done")
    said = run("journalctl", "--no-pager", "-o", "cat", "-u", names[title]).stdout[-600:]
    found[title] = said or "failed" if started.returncode else ""
print(json.dumps(found))
"""
