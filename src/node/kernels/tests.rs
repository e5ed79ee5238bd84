use super::*;
use crate::{
    block::{Memory, Source},
    fs::{Opened, memory::Tree},
    node::assemble,
    volume::{Partition, Volume},
};

/// A bzImage of a release.
fn image(release: &str) -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20f] = 1;
    bytes[0x300..0x300 + release.len()].copy_from_slice(release.as_bytes());
    bytes
}

fn volume(id: &str, partition: Partition, tree: Tree) -> NodeVolume {
    let source: Source = Arc::new(Memory::default());
    let (names, parts) = (Vec::new(), Vec::new());
    let volume =
        Volume { id: id.to_owned(), disk: 0, start: 0, source, partition: Some(partition), names, parts };
    let opened = Opened {
        fs: tree.build(),
        kind: "memory",
        uuid: Some(id.to_owned()),
        label: None,
        notes: Vec::new(),
    };
    NodeVolume { volume, opened }
}

fn system() -> Tree {
    let mut tree = Tree::default();
    tree.file("etc/os-release", "ID=debian\n");
    tree
}

/// Releases with how many images, whether there are modules, `default` and `booted`.
type Row = (Option<String>, usize, bool, Option<bool>, Option<bool>);

fn rows(volumes: &[NodeVolume]) -> Vec<Row> {
    let machine = assemble(volumes, &[]);
    let (kernels, damage) = kernels(&machine, volumes);
    assert!(damage.is_empty(), "{damage:?}");
    let row = |kernel: Kernel| {
        (kernel.release, kernel.images.len(), kernel.modules.is_some(), kernel.default, kernel.booted)
    };
    kernels.into_iter().map(row).collect()
}

fn alone(tree: Tree) -> Vec<Row> {
    rows(&[volume("r", Partition::default(), tree)])
}

fn row(release: &str, images: usize, modules: bool, default: Option<bool>, booted: Option<bool>) -> Row {
    (Some(release.to_owned()), images, modules, default, booted)
}

#[test]
fn kernels_are_listed_with_the_one_that_boots() {
    let tree = |menu: &str| {
        let mut tree = system();
        tree.file("boot/vmlinuz-6.1.0-9-amd64", image("6.1.0-9-amd64 (x)"));
        tree.file("boot/vmlinuz-6.1.0-10-amd64", image("6.1.0-10-amd64 (x)"));
        tree.file("boot/.vmlinuz-6.1.0-10-amd64.hmac", "x");
        tree.file("boot/vmlinuz-6.1.0-10-amd64.sig", "x");
        tree.file("usr/lib/modules/6.1.0-10-amd64/modules.builtin", "");
        tree.file("usr/lib/modules/6.1.0-10-amd64/vmlinuz", image("6.1.0-10-amd64 (x)"));
        tree.file("usr/lib/modules/6.1.0-8-amd64/kernel/fs/ext4/ext4.ko", "");
        tree.file("usr/lib/modules/6.1.0-7-amd64/updates/dkms/nvidia.ko", "");
        tree.link("lib", "usr/lib");
        tree.link("vmlinuz", "boot/vmlinuz-6.1.0-10-amd64");
        tree.file(
            "var/log/kern.log",
            "Nov 28 05:08:28 n kernel: [    0.000000] Linux version 6.1.0-9-amd64 (x)\n",
        );
        if !menu.is_empty() {
            tree.file("boot/grub/grub.cfg", menu);
        }
        tree
    };
    for (menu, new, old, gone) in [
        ("", Some(true), Some(false), Some(false)),
        ("menuentry a {\n linux /boot/vmlinuz-6.1.0-9-amd64 ro\n}", Some(false), Some(true), Some(false)),
        (
            "menuentry a {\n linux ($root)/@/boot/vmlinuz-6.1.0-9-amd64 ro\n}",
            Some(false),
            Some(true),
            Some(false),
        ),
        ("menuentry a {\n linux /boot/other ro\n}", None, None, None),
        ("menuentry a {\n linux /boot/vmlinuz-6.1.0-9-amd64 ro\n", None, None, None),
    ] {
        let expected = [
            row("6.1.0-8-amd64", 0, true, gone, Some(false)),
            row("6.1.0-9-amd64", 1, false, old, Some(true)),
            row("6.1.0-10-amd64", 2, true, new, Some(false)),
        ];
        assert_eq!(alone(tree(menu)), expected, "{menu}");
    }
}

#[test]
fn entries_of_the_specification_are_sorted() {
    let tree = |files: &[(&str, &str)]| {
        let mut tree = system();
        for release in ["5.14.0-70", "5.14.0-427"] {
            tree.file(&format!("boot/vmlinuz-{release}"), image(release));
            let entry = format!("title Linux {release}\nversion {release}\nlinux /boot/vmlinuz-{release}\n");
            tree.file(&format!("boot/loader/entries/m-{release}.conf"), entry);
        }
        files.iter().for_each(|(path, text)| tree.file(path, *text));
        tree
    };
    let grub = ("boot/grub2/grub.cfg", "load_env\nset default=\"${saved_entry}\"\nblscfg\n");
    let saved = ("boot/grub2/grubenv", "# GRUB Environment Block\nsaved_entry=m-5.14.0-70\n####");
    let extlinux = ("boot/extlinux/extlinux.conf", "default a\nlabel a\nlinux ../vmlinuz-5.14.0-70\n");
    let own = (
        "boot/grub2/grub.cfg",
        "load_env\nset default=\"${saved_entry}\"\nblscfg\nif [ -f $prefix/custom.cfg ]; then source $prefix/custom.cfg; fi",
    );
    let chosen = ("boot/grub2/grubenv", "saved_entry=a\n");
    let custom = |text| ("boot/grub2/custom.cfg", text);
    for (files, new) in [
        (&[][..], Some(true)),
        (&[grub], Some(true)),
        (&[grub, saved], Some(false)),
        (&[grub, saved, extlinux], Some(false)),
        (&[grub, extlinux], None),
        (&[("boot/loader/loader.conf", "timeout 3\ndefault m-5.14.0-7*\n")], Some(false)),
        (&[("boot/loader/loader.conf", "default m-5.14.0-70.conf\n")], Some(false)),
        (&[("boot/loader/loader.conf", "default @saved\n")], None),
        (&[("boot/loader/loader.conf", "default m-5.14.0-427\ndefault m-5.14.0-70\n")], Some(false)),
        // Its menu is on the EFI system partition.
        (&[saved], None),
        (&[own, custom("set default=m-5.14.0-70")], None),
        (&[own, custom("menuentry a { linux /boot/vmlinuz-5.14.0-70 }")], Some(true)),
        (&[own, chosen, custom("menuentry a { linux /boot/vmlinuz-5.14.0-70 }")], Some(false)),
        (&[("boot/loader/loader.conf", ""), ("boot/EFI/Linux/a.efi", "x")], None),
    ] {
        let expected =
            [row("5.14.0-70", 1, false, new.map(|new| !new), None), row("5.14.0-427", 1, false, new, None)];
        assert_eq!(alone(tree(files)), expected, "{files:?}");
    }
}

#[test]
fn a_copy_of_the_system_boots_its_own_kernel() {
    let mut boot = Tree::default();
    boot.file("flatcar/vmlinuz-a", image("6.1.1-flatcar"));
    boot.file("flatcar/vmlinuz-b", image("6.6.2-flatcar"));
    boot.file("Image.txt", "x");
    let named = |name: &str, attributes: u64| Partition {
        name: Some(name.to_owned()),
        kind: "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6".to_owned(),
        attributes: attributes << 48,
        ..Partition::default()
    };
    let volumes = [
        volume("r", Partition::default(), system()),
        volume("esp", Partition::default(), boot),
        volume("a", named("USR-A", 0x101), Tree::default()),
        volume("b", named("USR-B", 0x102), Tree::default()),
    ];
    let expected =
        [row("6.1.1-flatcar", 1, false, Some(false), None), row("6.6.2-flatcar", 1, false, Some(true), None)];
    assert_eq!(rows(&volumes), expected);
    let (kernels, _) = kernels(&assemble(&volumes, &[]), &volumes);
    let image = KernelImage { volume: Some("esp".to_owned()), path: GuestPath::new("flatcar/vmlinuz-a") };
    assert_eq!(kernels[0].images, [image]);
}

#[test]
fn what_no_image_tells_is_in_its_path() {
    let mut tree = system();
    tree.file("boot/vmlinuz-6.1.0-10-amd64", "");
    tree.file("boot/vmlinuz-6.1.0-9-amd64", "");
    tree.file("boot/vmlinuz", image(""));
    tree.file("lib/modules/6.1.0-10-amd64/modules.builtin", "");
    let (kernels, _) = kernels(&assemble(&[volume("r", Partition::default(), tree)], &[]), &[]);
    let told: Vec<_> = kernels.iter().map(|kernel| (kernel.release.as_deref(), kernel.told_by)).collect();
    assert_eq!(told, [(None, Teller::Path), (Some("6.1.0-10-amd64"), Teller::Path)]);
}

#[test]
fn kernels_without_end_are_told_once() {
    let mut tree = system();
    for number in 0..2 * limits::KERNELS {
        tree.file(&format!("usr/lib/modules/{number}/vmlinuz"), image(&number.to_string()));
    }
    let (kernels, damage) = kernels(&assemble(&[volume("r", Partition::default(), tree)], &[]), &[]);
    let told: Vec<_> = damage.iter().map(|(_, error)| error.detail()).collect();
    assert_eq!((kernels.len(), told), (limits::KERNELS, vec!["more than 256 kernels".to_owned()]));
}
