use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn the_system_is_told_by_its_release_its_id_and_its_zone() {
    let debian = [
        ("etc/os-release", "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"),
        ("etc/debian_version", "12.5\n"),
        ("etc/machine-id", "0123\n"),
        ("etc/timezone", "Europe/Berlin\n"),
    ];
    assert_eq!(told(&debian, "os"), ["debian|Debian GNU/Linux|12.5|bookworm|-|0123|Europe/Berlin"]);
    let tree = Tree::new(&[("usr/lib/os-release", "ID=arch\nNAME=Arch\n"), ("etc/debian_version", "trixie/sid\n")]);
    symlink("../usr/share/zoneinfo/America/New_York", tree.path("etc/localtime")).unwrap();
    assert_eq!(shown(&scene(&tree), "os"), ["arch|Arch|-|-|-|-|America/New_York"]);
    assert_eq!(told(&[], "os"), ["-|-|-|-|-|-|-"]);
}

#[test]
fn the_kernel_is_told_without_secrets_and_its_start_does_not_waver() {
    let tree = Tree::new(&[
        ("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
        ("proc/sys/kernel/version", "#1 SMP Debian 6.1.76-1\n"),
        ("proc/cmdline", "root=/dev/vda quiet luks.password=hunter2 x=1\n"),
        ("proc/stat", "cpu 1 2 3\nbtime 1700000000\n"),
    ]);
    let scene = scene(&tree);
    let expect = "6.1.0-18-amd64|#1 SMP Debian 6.1.76-1|root=/dev/vda quiet luks.password=<redacted> x=1|1700000000";
    assert_eq!(shown(&scene, "kernel"), [expect]);
    tree.write("proc/stat", "btime 1700000003\n");
    assert_eq!(shown(&scene, "kernel"), [expect]);
    tree.write("proc/stat", "btime 1700009000\n");
    assert!(shown(&scene, "kernel")[0].ends_with("|1700009000"));
    assert!(
        rows(&super::scene(&Tree::new(&[])), "kernel").unwrap_err().to_string().starts_with("/proc/stat: is not there")
    );
}

#[test]
fn hardware_is_told_as_firmware_and_kernel_name_it() {
    let files = [
        ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"),
        ("sys/class/dmi/id/product_name", "PowerEdge R640\n"),
        ("sys/class/dmi/id/product_serial", "To Be Filled By O.E.M.\n"),
        ("sys/class/dmi/id/bios_version", "2.1\n"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Xeon\n\nprocessor\t: 1\nmodel name\t: Xeon\n"),
        ("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n"),
    ];
    assert_eq!(told(&files, "hardware"), ["Dell Inc.|PowerEdge R640|-|-|2.1|-|Xeon|2|2097152"]);
    let virtual_machine = [("sys/class/dmi/id/sys_vendor", "QEMU\n"), ("run/systemd/container", "lxc\n")];
    assert_eq!(told(&virtual_machine, "virtualisation"), ["qemu|lxc"]);
    assert_eq!(told(&[], "virtualisation"), ["none|-"]);
}

#[test]
fn disks_are_told_and_loops_are_not() {
    let files = [
        ("sys/block/sda/size", "2048\n"),
        ("sys/block/sda/queue/rotational", "1\n"),
        ("sys/block/sda/device/model", "Samsung SSD   \n"),
        ("sys/block/sda/dev", "8:0\n"),
        ("run/udev/data/b8:0", "E:ID_SERIAL=long\nE:ID_SERIAL_SHORT=S1\n"),
        ("sys/block/dm-0/size", "8\n"),
        ("sys/block/dm-0/dm/uuid", "CRYPT-LUKS2-x\n"),
        ("sys/block/dm-0/dm/name", "root\n"),
        ("sys/block/md127/size", "8\n"),
        ("sys/block/loop0/size", "8\n"),
        ("sys/block/zram0/size", "8\n"),
        ("sys/block/nbd0/size", "0\n"),
    ];
    assert_eq!(
        told(&files, "block_devices"),
        ["dm-0|root|-|4096|-|crypt", "md127|-|-|4096|-|raid", "sda|Samsung SSD|S1|1048576|1|disk"]
    );
}

#[test]
fn packages_of_every_manager_are_told() {
    let status = "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.2-1\nDescription: x\n Version: 9\n\n\
        Package: libssl3\nStatus: hold ok installed\nSource: openssl (3.0.1)\nArchitecture: amd64\nVersion: 3.0.2-1\n\n\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n\
        Package: never\nStatus: unknown ok not-installed\n\nPackage: last\nStatus: install ok half-configured\nVersion: 2";
    let tree = Tree::new(&[
        ("var/lib/dpkg/status", status),
        ("var/lib/dpkg/status.d/base", "Package: base-files\nArchitecture: amd64\nVersion: 12\n"),
        ("lib/apk/db/installed", "C:Q1=\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\nP:busybox\nV:1.36\nA:x86_64\n"),
        ("var/lib/pacman/local/bash-5.2-1/desc", "%NAME%\nbash\n\n%VERSION%\n5.2-1\n\n%ARCH%\nx86_64\n"),
    ]);
    let scene = scene(&tree);
    let expect = [
        "apk|busybox|x86_64|1.36|busybox|installed",
        "apk|musl|x86_64|1.2.4-r2|musl|installed",
        "dpkg|base-files|amd64|12|base-files|installed",
        "dpkg|gone|all|1|gone|config-files",
        "dpkg|last|-|2|last|half-configured",
        "dpkg|libssl3|amd64|3.0.2-1|openssl|hold ok installed",
        "dpkg|openssl|amd64|3.0.2-1|openssl|installed",
        "pacman|bash|x86_64|5.2-1|bash|installed",
    ];
    assert_eq!(shown(&scene, "packages"), expect);
    // Not read again while its files are as they were, and read again when they are not.
    assert_eq!(shown(&scene, "packages"), expect);
    tree.write("var/lib/dpkg/status", "Package: only\nStatus: install ok installed\nVersion: 1\n");
    assert!(shown(&scene, "packages").contains(&"dpkg|only|-|1|only|installed".to_owned()));
}

#[test]
fn rpm_is_asked_where_its_database_is() {
    let tree = Tree::new(&[
        ("var/lib/rpm/rpmdb.sqlite", "x"),
        ("usr/bin/rpm", "#!/bin/sh\nprintf 'bash\\tx86_64\\t5.1-2\\tbash-5.1-2.src.rpm\\n'\n"),
    ]);
    let mut scene = scene(&tree);
    assert!(rows(&scene, "packages").unwrap_err().to_string().contains("install rpm"));
    scene.rpm = tree.path("usr/bin/rpm");
    std::fs::set_permissions(&scene.rpm, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(shown(&scene, "packages"), ["rpm|bash|x86_64|5.1-2|bash|installed"]);
    tree.write("var/lib/rpm/rpmdb.sqlite", "another");
    tree.write("usr/bin/rpm", "#!/bin/sh\necho 'rpmdb: damaged' >&2\nexit 3\n");
    let problem = rows(&scene, "packages").unwrap_err().to_string();
    assert!(problem.starts_with("rpm -qa: failed") && problem.ends_with("rpmdb: damaged"), "{problem}");
}

#[test]
fn units_and_timers_are_told_by_their_files() {
    let tree = Tree::new(&[
        ("lib/systemd/system/nginx.service", "[Unit]\nDescription=Web server\n[Install]\nWantedBy=multi-user.target\n"),
        ("usr/lib/systemd/system/cron.service", "[Unit]\n# Description=no\nDescription = Regular jobs\n"),
        ("etc/systemd/system/cron.service", "[Unit]\nDescription=Own\n[Install]\nWantedBy=x.target\n"),
        ("usr/lib/systemd/system/user@.service", "[Unit]\n"),
        ("usr/lib/systemd/system/x.slice", "[Unit]\n"),
        ("usr/lib/systemd/system/backup.timer", "[Timer]\nOnCalendar=daily\nRandomizedDelaySec=1h\n"),
        (
            "etc/systemd/system/backup.timer.d/own.conf",
            "[Timer]\nOnCalendar=\nOnCalendar=\\\n Mon *-*-* 03:00\nUnit=other.service\n",
        ),
        ("usr/lib/systemd/system/clean.timer", "[Timer]\nOnBootSec=15min\nOnUnitActiveSec=1d\n"),
        ("etc/systemd/system/multi-user.target.wants/nginx.service", ""),
    ]);
    symlink("/dev/null", tree.path("etc/systemd/system/masked.service")).unwrap();
    let scene = scene(&tree);
    assert_eq!(
        shown(&scene, "units"),
        [
            "backup.timer|-|-|-|-|static|/usr/lib/systemd/system/backup.timer",
            "clean.timer|-|-|-|-|static|/usr/lib/systemd/system/clean.timer",
            "cron.service|Own|-|-|-|disabled|/etc/systemd/system/cron.service",
            "masked.service|-|-|-|-|masked|/etc/systemd/system/masked.service",
            "nginx.service|Web server|-|-|-|enabled|/lib/systemd/system/nginx.service",
        ]
    );
    assert_eq!(
        shown(&scene, "timers"),
        [
            "backup.timer|other.service|OnCalendar=Mon *-*-* 03:00",
            "clean.timer|clean.service|OnBootSec=15min; OnUnitActiveSec=1d",
        ]
    );
    // What changes is read again: a text, a name that comes, one that goes.
    tree.write("lib/systemd/system/nginx.service", "[Unit]\nDescription=Another server\n");
    tree.write("etc/systemd/system/new.service", "");
    tree.remove("etc/systemd/system/cron.service");
    let again = shown(&scene, "units");
    assert!(again.contains(&"nginx.service|Another server|-|-|-|enabled|/lib/systemd/system/nginx.service".to_owned()));
    assert!(again.contains(&"new.service|-|-|-|-|static|/etc/systemd/system/new.service".to_owned()));
    assert!(again.contains(&"cron.service|Regular jobs|-|-|-|static|/usr/lib/systemd/system/cron.service".to_owned()));
    for number in 0..8 {
        tree.write(&format!("etc/systemd/system/many{number}.service"), "");
        shown(&scene, "units");
        tree.remove(&format!("etc/systemd/system/many{number}.service"));
    }
    assert!(scene.memory.borrow().unit_heads.len() <= 12);
}

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0\n\
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 101 1 0 100 0 0 10 0\n\
   2: 00000000:0050 00000000:0001 01 00000000:00000000 00:00000000 00000000    33        0 102 1 0 100 0 0 10 0\n\
   3: 00000000:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 103 1 0 100 0 0 10 0\n";
const UDP: &str = "head\n   1: 00000000:0035 00000000:0000 07 0:0 00:0 0 0 0 200 2 x 0\n\
   2: 00000000:C350 00000000:0000 07 0:0 00:0 0 0 0 201 2 x 0\n   3: 00000000:C351 00000000:0000 07 0:0 00:0 0 0 0 0 2 x 0\n\
   4: 00000000:0044 00000000:0043 01 0:0 00:0 0 0 0 202 2 x 0\n";

#[test]
fn listeners_are_told_with_whom_they_are_of() {
    let tree = Tree::new(&[
        ("etc/passwd", "root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n"),
        ("proc/net/tcp", TCP),
        ("proc/net/udp", UDP),
        ("proc/net/tcp6", "head\n 0: 00000000000000000000000000000000:0016 0:0 0A 0:0 00:0 0 0 0 104 1\n"),
        ("proc/77/comm", "nginx\n"),
        ("proc/77/cgroup", "0::/system.slice/nginx.service\n"),
        ("proc/78/comm", "worker\n"),
        ("proc/9/comm", "sshd\n"),
        ("proc/9/cgroup", "3:cpu:/x\n1:name=systemd:/system.slice/ssh.service\n"),
    ]);
    let open = |pid: u32, number: u32, inode: u64| {
        std::fs::create_dir_all(tree.path(&format!("proc/{pid}/fd"))).unwrap();
        symlink(format!("socket:[{inode}]"), tree.path(&format!("proc/{pid}/fd/{number}"))).unwrap();
    };
    open(78, 3, 101);
    open(77, 3, 101);
    open(9, 3, 100);
    open(9, 4, 104);
    let scene = scene(&tree);
    let expect = [
        "tcp|0.0.0.0|22|sshd|ssh.service|root",
        "tcp|0.0.0.0|80|nginx|nginx.service|www-data",
        "tcp|::|22|sshd|ssh.service|root",
        "udp|0.0.0.0|53|-|-|root",
        "udp|0.0.0.0|50001|-|-|root",
    ];
    assert_eq!(shown(&scene, "listening_ports"), expect);
    // Looked for once in a socket's life: not even when it has gone from there.
    tree.remove("proc/77/fd");
    assert_eq!(shown(&scene, "listening_ports"), expect);
    assert_eq!(scene.memory.borrow().sockets.len(), 4);
    tree.write("proc/net/tcp", "head\n");
    tree.remove("proc/net/udp");
    assert_eq!(shown(&scene, "listening_ports"), ["tcp|::|22|sshd|ssh.service|root"]);
    assert_eq!(scene.memory.borrow().sockets.len(), 1);
}

#[test]
fn users_and_groups_are_told_without_what_they_log_in_with() {
    let files = [
        ("etc/passwd", "root:$6$hash:0:0:root:/root:/bin/bash\n# x\n+::::::\nbroken:x\nbad:x:y:1:::\nroot:x:5:5:::\n"),
        ("etc/group", "root:x:0:\nadm:$1$hash:4:syslog,ann\nshort\n"),
    ];
    let users = told(&files, "users");
    assert_eq!(users, ["bad|-|1|-|-|-", "root|0|0|root|/root|/bin/bash"]);
    let groups = told(&files, "groups");
    assert_eq!(groups, ["adm|4|syslog,ann", "root|0|-"]);
    assert!(!users.concat().contains("hash") && !groups.concat().contains("hash"));
    assert!(rows(&scene(&Tree::new(&[])), "users").unwrap_err().to_string().contains("/etc/passwd"));
}

#[test]
fn networks_are_told_without_what_comes_and_goes() {
    let tree = Tree::new(&[
        ("sys/class/net/eth0/address", "02:fc:00:00:00:01\n"),
        ("sys/class/net/eth0/type", "1\n"),
        ("sys/class/net/eth0/device/vendor", "0x1af4\n"),
        ("sys/class/net/eth0/mtu", "1500\n"),
        ("sys/class/net/eth0/operstate", "up\n"),
        ("sys/class/net/br0/uevent", "DEVTYPE=bridge\nINTERFACE=br0\n"),
        ("sys/class/net/lo/type", "772\n"),
        ("sys/class/net/lo/address", "00:00:00:00:00:00\n"),
        ("sys/class/net/veth12/type", "1\n"),
        ("sys/class/net/bonding_masters", "\n"),
        (
            "proc/net/if_inet6",
            "fe80000000000000000000fffe000001 02 40 20 80     eth0\n20010db8000000000000000000000001 02 40 00 01     eth0\n\
             00000000000000000000000000000001 01 80 10 80       lo\nbroken\n",
        ),
        (
            "proc/net/route",
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t010000C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\nveth12\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
        ),
        (
            "proc/net/ipv6_route",
            "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
             ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
             00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000001 00000000 80200001       lo\n",
        ),
        ("etc/resolv.conf", "# x\nsearch example.org lan\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions edns0\n"),
    ]);
    let mut scene = scene(&tree);
    scene.ipv4 =
        || Ok(vec![("eth0".to_owned(), [192, 0, 2, 5].into(), 24), ("veth12".to_owned(), [10, 0, 0, 1].into(), 8)]);
    assert_eq!(
        shown(&scene, "interfaces"),
        ["br0|-|bridge|-|-", "eth0|02:fc:00:00:00:01|ethernet|1500|up", "lo|-|loopback|-|-"]
    );
    assert_eq!(shown(&scene, "addresses"), ["eth0|192.0.2.5|24", "eth0|fe80::ff:fe00:1|64", "lo|::1|128"]);
    if cfg!(target_endian = "little") {
        assert_eq!(shown(&scene, "routes"), ["0.0.0.0|0|192.0.0.1|eth0|100", "2001:db8::|64|-|eth0|256"]);
    }
    assert_eq!(shown(&scene, "resolvers"), ["192.0.2.1|example.org lan", "192.0.2.2|example.org lan"]);
    scene.ipv4 = || Err(std::io::Error::other("no netlink"));
    assert!(rows(&scene, "addresses").unwrap_err().to_string().contains("AF_NETLINK"));
}

#[test]
fn mounts_modules_and_parameters_are_told() {
    let files = [
        (
            "proc/1/mountinfo",
            "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n23 22 0:5 / /sys rw - sysfs sysfs rw\n\
             24 22 0:6 / /run/user/1000 rw - tmpfs tmpfs rw\n25 22 0:7 / /x rw - overlay overlay rw\n26 22 8:1 / /data ro - xfs /dev/a rw\n\
             27 26 8:2 / /data rw - xfs /dev/b rw\n",
        ),
        ("proc/modules", "nf_nat 49152 2 xt_nat,nft_chain_nat, Live 0x0\next4 1 1 - Live 0x0\nshort\n"),
        ("proc/sys/vm/swappiness", "60\n"),
        ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
        ("proc/sys/vm/other", "1\n"),
    ];
    assert_eq!(told(&files, "mounts"), ["/|/dev/vda|ext4|rw,relatime", "/data|/dev/b|xfs|rw"]);
    assert_eq!(told(&files, "modules"), ["ext4|1|-", "nf_nat|49152|nft_chain_nat,xt_nat", "short|-|-"]);
    assert_eq!(told(&files, "sysctl"), ["net.ipv4.tcp_rmem|4096 131072 6291456", "vm.swappiness|60"]);
    assert_eq!(told(&[("proc/self/mountinfo", files[0].1)], "mounts").len(), 2);
}

#[test]
fn configuration_files_are_told_by_hash_and_owner_and_hashed_again_only_when_they_changed() {
    let tree = Tree::new(&[
        ("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
        ("etc/hosts", "abc"),
        ("etc/nginx/conf.d/a.conf", ""),
        ("etc/shadow", "secret"),
        ("etc/fstab", &"x".repeat((1 << 20) + 1)),
    ]);
    std::fs::set_permissions(tree.path("etc/hosts"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let scene = scene(&tree);
    let shown = super::shown(&scene, "files");
    let named = |path: &str| shown.iter().find(|line| line.starts_with(path)).unwrap().clone();
    assert!(named("/etc/hosts").contains("|ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|3|0640|"));
    assert!(named("/etc/fstab").starts_with("/etc/fstab|-|1048577|"));
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert_eq!(scene.memory.borrow().sums.len(), 3);
    tree.write("etc/hosts", "abcd");
    let again = super::shown(&scene, "files");
    assert_eq!(shown.iter().zip(&again).filter(|(one, other)| one != other).count(), 1);
    tree.remove("etc/hosts");
    assert_eq!(super::shown(&scene, "files").len(), 3);
}

#[test]
fn certificates_of_daemons_are_told_and_bundles_and_keys_are_not() {
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params.self_signed(&key).unwrap(), key)
    };
    let (one, key) = made("www.example.org");
    let many: String = (0..17).map(|number| made(&format!("ca{number}")).0.pem()).collect();
    let tree = Tree::new(&[
        ("etc/nginx/ssl/www.pem", &(one.pem() + &key.serialize_pem())),
        ("etc/nginx/ssl/bundle.pem", &many),
        ("etc/nginx/ssl/damaged.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("etc/nginx/ssl/no.crt", "hello"),
        ("srv/tls/own.der", ""),
    ]);
    std::fs::write(tree.path("srv/tls/own.der"), one.der()).unwrap();
    let mut config = InventoryConfig::default();
    config.certificates.push(crate::logs::glob::Glob::new("/srv/tls/*").unwrap());
    let scene = Scene::below(&tree.path(""), &config);
    let shown = shown(&scene, "certificates");
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].starts_with("/etc/nginx/ssl/www.pem|") && shown[1].starts_with("/srv/tls/own.der|"));
    assert!(shown[0].contains("CN=www.example.org") && shown[0].contains("|www.example.org|"), "{shown:?}");
    assert!(!shown.concat().contains("PRIVATE"));
    let notes = scene.take_notes();
    assert!(notes.len() == 1 && notes[0].starts_with("/etc/nginx/ssl/damaged.crt: "), "{notes:?}");
}

#[test]
fn containers_are_told_by_their_groups_where_no_manager_answers() {
    let id = "ab".repeat(32);
    let pod = format!("sys/fs/cgroup/kubepods.slice/a.slice/cri-containerd-{id}.scope/x");
    let docker = format!("sys/fs/cgroup/system.slice/docker-{}.scope/cgroup.procs", "cd".repeat(32));
    let files = [("sys/fs/cgroup/cgroup.controllers", ""), (pod.as_str(), ""), (docker.as_str(), "")];
    assert_eq!(
        told(&files, "containers"),
        [format!("{id}|-|containerd|-|running|-"), format!("{}|-|docker|-|running|-", "cd".repeat(32))]
    );
    assert_eq!(told(&[], "containers"), [""; 0]);
}
