//! What the host is, told in hello: read once at start, through sysinfo where it knows, else from small files.

use std::path::Path;

use muster_common::wire::message::HostFacts;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Reads the facts of this host. What cannot be read stays empty: no fact is worth not starting for.
pub fn read_host_facts() -> HostFacts {
    // Never all: sysinfo would walk every process.
    let wanted =
        RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram()).with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(wanted).ok();
    HostFacts {
        host_name: System::host_name().unwrap_or_default(),
        machine_id: machine_id(Path::new("/")),
        os: System::long_os_version().unwrap_or_default(),
        kernel: System::kernel_version().unwrap_or_default(),
        architecture: System::cpu_arch(),
        processors: system.as_ref().map_or(0, |system| u32::try_from(system.cpus().len()).unwrap_or(u32::MAX)),
        memory_bytes: system.as_ref().map_or(0, System::total_memory),
        virtualisation: virtualisation(Path::new("/")),
    }
}

/// This boot's id, which tells a restart of the host from one of the agent; zeros where the kernel gives none.
pub fn boot_id(proc: &Path) -> [u8; 16] {
    let text = read(&proc.join("sys/kernel/random/boot_id"));
    uuid::Uuid::try_parse(text.trim()).map_or([0; 16], uuid::Uuid::into_bytes)
}

/// The id that the installation was given: the same after a reboot, another on every properly cloned machine.
pub(crate) fn machine_id(root: &Path) -> String {
    let read_id = |file: &str| read(&root.join(file)).trim().to_owned();
    let id = read_id("etc/machine-id");
    // systemd writes `uninitialized` while the image is being made.
    if id.is_empty() || id == "uninitialized" { read_id("var/lib/dbus/machine-id") } else { id }
}

/// What the host runs in or on, as far as files tell: a container's kind, a hypervisor's, or `none`.
fn virtualisation(root: &Path) -> String {
    container(root).unwrap_or_else(|| hypervisor(root))
}

/// The kind of the container that this is, if it is one.
pub(crate) fn container(root: &Path) -> Option<String> {
    // A container manager says so itself (systemd's convention), or leaves its mark.
    let container = read(&root.join("run/systemd/container"));
    if !container.trim().is_empty() {
        return Some(container.trim().to_owned());
    }
    for (file, name) in [(".dockerenv", "docker"), ("run/.containerenv", "podman"), ("proc/vz/version", "openvz")] {
        if root.join(file).exists() {
            return Some(name.to_owned());
        }
    }
    None
}

/// The hypervisor's kind, or `none`.
pub(crate) fn hypervisor(root: &Path) -> String {
    let firmware = ["sys_vendor", "product_name", "bios_vendor", "board_vendor"]
        .map(|file| read(&root.join("sys/class/dmi/id").join(file)))
        .join(" ")
        .to_lowercase();
    for (mark, name) in [
        ("amazon ec2", "amazon"),
        ("google compute engine", "google"),
        ("vmware", "vmware"),
        ("virtualbox", "oracle"),
        ("innotek", "oracle"),
        ("xen", "xen"),
        ("parallels", "parallels"),
        ("bhyve", "bhyve"),
        ("openstack", "kvm"),
        ("kvm", "kvm"),
        ("qemu", "qemu"),
        ("microsoft corporation virtual", "microsoft"),
    ] {
        if firmware.contains(mark) {
            return name.to_owned();
        }
    }
    let hypervisor = read(&root.join("sys/hypervisor/type"));
    if !hypervisor.trim().is_empty() {
        return hypervisor.trim().to_owned();
    }
    // A machine without firmware tables (a small virtual machine monitor) still shows the processor's own flag.
    let processor = read(&root.join("proc/cpuinfo"));
    let flags = processor.lines().find(|line| line.starts_with("flags"));
    let is_guest = flags.is_some_and(|line| line.split_ascii_whitespace().any(|flag| flag == "hypervisor"));
    if is_guest { "vm-other" } else { "none" }.to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn this_host_tells_what_it_is() {
        let facts = read_host_facts();
        assert!(facts.processors > 0 && facts.memory_bytes > 1 << 20, "{facts:?}");
        assert!(!facts.kernel.is_empty() && !facts.architecture.is_empty() && !facts.virtualisation.is_empty());
        assert_ne!(boot_id(Path::new("/proc")), [0; 16]);
    }

    #[test]
    fn the_machine_id_has_two_places() {
        let tree = Tree::new(&[("etc/machine-id", "uninitialized\n"), ("var/lib/dbus/machine-id", "0123abcd\n")]);
        assert_eq!(machine_id(&tree.path("")), "0123abcd");
        tree.write("etc/machine-id", "4567\n");
        assert_eq!(machine_id(&tree.path("")), "4567");
        assert_eq!(machine_id(&tree.path("none")), "");
        assert_eq!(boot_id(&tree.path("none")), [0; 16]);
    }

    #[test]
    fn virtualisation_is_guessed_from_what_is_there() {
        for (file, text, expect) in [
            ("run/systemd/container", "lxc\n", "lxc"),
            (".dockerenv", "", "docker"),
            ("sys/class/dmi/id/sys_vendor", "QEMU\n", "qemu"),
            ("sys/class/dmi/id/product_name", "VMware Virtual Platform\n", "vmware"),
            ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n", "none"),
            ("sys/hypervisor/type", "xen\n", "xen"),
            ("proc/cpuinfo", "processor: 0\nflags\t\t: fpu hypervisor lahf_lm\n", "vm-other"),
            ("proc/cpuinfo", "flags: fpu vme\n", "none"),
        ] {
            assert_eq!(virtualisation(&Tree::new(&[(file, text)]).path("")), expect, "{file}: {text}");
        }
    }
}
