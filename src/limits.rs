//! Every bound on hostile input, one documented constant each. What exceeds one is reported as
//! `limit-reached` and named; nothing is cut silently.

/// Symbolic links followed while one path is resolved, as Linux does (`path_resolution(7)`).
pub const SYMLINKS: usize = 40;
/// Bytes of a symbolic link's target.
pub const SYMLINK_BYTES: u64 = 64 * 1024;
/// Components of one path: hostile trees nest deeper than any real one.
pub const PATH_DEPTH: usize = 4096;
/// Bytes of one path of a tree that is walked: Linux's own `PATH_MAX`, so that no name costs more.
pub const PATH_BYTES: usize = 4096;
/// Entries of one directory.
pub const DIRECTORY_ENTRIES: usize = 10_000_000;
/// Bytes of one directory's data that are read.
pub const DIRECTORY_BYTES: u64 = 1 << 30;
/// Bytes of one extended attribute's value.
pub const XATTR_BYTES: u64 = 1 << 20;
/// Bytes of a configuration or metadata file that is read whole (os-release, fstab, manifests, …).
pub const TEXT_FILE_BYTES: u64 = 16 << 20;
/// Disks given as one node.
pub const DISKS: usize = 64;
/// Bytes of a remote disk that are kept in memory.
pub const HTTP_CACHE_BYTES: usize = 64 << 20;
/// Bytes of a document about a remote disk.
pub const HTTP_DOCUMENT_BYTES: u64 = 16 << 20;
/// Documents that list the ranges of a remote disk: Azure's have 10,000 each.
pub const HTTP_DOCUMENTS: usize = 1024;
/// Bytes of all of these documents: 80 for each of the ranges below.
pub const HTTP_LIST_BYTES: u64 = 80 << 20;
/// The longest time for which a server may ask to wait before another try.
pub const HTTP_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);
/// Ranges of a remote disk that were written: 1 TiB with a gap in each MiB. Of a disk with more all is read.
pub const HTTP_RANGES: usize = 1 << 20;
/// Partitions of one disk.
pub const PARTITIONS: usize = 1024;
/// Mounts of one node: what a machine's fstab names is a few dozen at most.
pub const MOUNTS: usize = 1024;
/// Subvolumes of a file system that are looked at for an operating system, or for a runtime's state.
pub const ROOT_SUBVOLUMES: usize = 4096;
/// Entries of a boot loader, or deployments of ostree, of one node.
pub const BOOT_ENTRIES: usize = 256;
/// Rounds in which directories are shown at second places, each of which may need those of the round before.
pub const BIND_ROUNDS: usize = 8;
/// Bytes of a boot loader's entry.
pub const BOOT_ENTRY_BYTES: u64 = 64 << 10;
/// Images of kernels of one node.
pub const KERNELS: usize = 256;
/// Bytes of all kernels of one node that are searched for their banners: an image for arm64 has 60 MiB unpacked.
pub const KERNEL_SEARCH_BYTES: u64 = 1 << 30;
/// Kibibytes of memory for a kernel that xz packed: the kernel's own build has a window of 32 MiB.
pub const KERNEL_XZ_KIB: u32 = 64 << 10;
/// Bytes of a boot loader's menu: one of Debian's with ten kernels has 20 KiB.
pub const BOOT_MENU_BYTES: u64 = 1 << 20;
/// Menus of a boot loader in each other; real ones have two.
pub const BOOT_MENU_DEPTH: usize = 16;
/// Bytes at the end of a log that are searched for the last boot.
pub const BOOT_LOG_BYTES: u64 = 4 << 20;
/// Nesting of imports in a runtime's configuration.
pub const CONFIG_IMPORTS: usize = 16;
/// Files of a runtime's configuration with all that they import, and imports that it names.
pub const CONFIG_FILES: usize = 1024;
/// Bytes of one file of a runtime's configuration; real ones have some KiB.
pub const CONFIG_BYTES: u64 = 1 << 20;
/// Files that are listed for all patterns of a node's configuration; one that has more in a directory is read still.
pub const CONFIG_LISTED: usize = 1 << 16;
/// Bytes of the units of a node, with their drop-ins, that are read.
pub const UNIT_BYTES: usize = 32 << 20;
/// Bytes of the variables of one service, and of its command lines with what its variables stand for: a hundred times real ones.
pub const SERVICE_BYTES: usize = 1 << 20;
/// Bytes of a GPT's partition entries: real ones have 16 KiB.
pub const GPT_ENTRIES_BYTES: usize = 1 << 20;
/// Bytes of the text that describes an LVM2 volume group; areas for it have 1 MiB by default.
pub const LVM_METADATA_BYTES: u64 = 16 << 20;
/// Physical or logical volumes of an LVM2 volume group.
pub const LVM_VOLUMES: usize = 4096;
/// Parts of all logical volumes of an LVM2 volume group.
pub const LVM_PARTS: usize = 1 << 17;
/// Sections inside sections of that text; real ones have four.
pub const LVM_TEXT_DEPTH: usize = 16;
/// Values and sections of that text.
pub const LVM_TEXT_VALUES: usize = 1 << 20;
/// Logical volumes that are made of logical volumes: a thin volume with an origin, of a pool that is cached, of mirrors.
pub const LVM_DEPTH: usize = 8;
/// Reads that one read of an LVM2 logical volume may become: the product of the legs of RAIDs of RAIDs, with the members of the
/// arrays below them; LVM2 itself makes mirrors of RAIDs at most.
pub const LVM_READS: u64 = 4096;
/// Bytes of the map of the regions of an LVM2 RAID that are being written: a bit for each, of at least 64 KiB.
pub const LVM_BITMAP_BYTES: u64 = 16 << 20;
/// Bytes of the metadata of all thin pools and caches that are kept: the maps of 1 TiB in chunks of 64 KiB have 270 MiB.
pub const DM_METADATA_CACHE_BYTES: usize = 16 << 20;
/// Levels of a B-tree of the device mapper: with the fewest keys that a node may have, ten hold 64 bits of them.
pub const DM_TREE_DEPTH: usize = 16;
/// Blocks of a cache: lvm makes caches of at most a million, write caches of 16 GiB in blocks of 4 KiB.
pub const DM_CACHE_BLOCKS: u64 = 4 << 20;
/// Chunks that a snapshot's store holds: 16 GiB in chunks of 4 KiB, lvm's default.
pub const DM_EXCEPTIONS: u64 = 4 << 20;
/// Blocks of all caches and snapshots together that lie elsewhere than in their volumes; each takes 16 bytes.
pub const DM_MOVED_BLOCKS: u64 = 4 << 20;
/// Entries of the tables of all caches and snapshots together that are looked at.
pub const DM_ENTRIES: u64 = 32 << 20;
/// Members of one MD array: mdadm makes arrays of at most 1920, real ones have dozens.
pub const MD_MEMBERS: u32 = 1024;
/// MD arrays of one node; with more, those whose identifiers are last are not put together.
pub const MD_ARRAYS: usize = 1024;
/// Partitions of all MD arrays of one node.
pub const MD_PARTITIONS: usize = 1 << 16;
/// MD arrays and volume groups, one on another; RAID 0 over RAID 1 is two. Physical volumes may lie on what is deepest.
pub const MD_DEPTH: usize = 4;
/// Reads that one read of an array of arrays may become: the product of their members.
pub const MD_READS: u64 = 4096;
/// Sectors of an MD member's list of bad blocks; mdadm leaves room for 8.
pub const MD_BAD_BLOCK_SECTORS: u16 = 1024;
/// Files in a chain of backing files.
pub const BACKING_CHAIN: usize = 64;
/// Entries of a qcow2 L1 table: qemu's own bound of 32 MiB.
pub const QCOW2_L1_ENTRIES: u64 = 4 << 20;
/// Bytes of a qcow2 table of snapshots.
pub const QCOW2_SNAPSHOT_BYTES: u64 = 16 << 20;
/// Bytes of tables (qcow2's L2, block and grain tables, sector bitmaps) that a chain of disk images keeps.
pub const DISK_TABLE_CACHE_BYTES: usize = 16 << 20;
/// Bytes of decompressed clusters or grains that a chain of disk images keeps.
pub const DISK_BLOCK_CACHE_BYTES: usize = 32 << 20;
/// Runs of blocks of a disk image, or chunks of a striped volume, that one hint of a coming read is passed on for.
pub const HINTED_RUNS: usize = 1024;
/// Bytes of a VMDK descriptor.
pub const VMDK_DESCRIPTOR_BYTES: u64 = 1 << 20;
/// Extents of one VMDK: 2 TiB in parts of 2 GiB.
pub const VMDK_EXTENTS: usize = 1024;
/// Bytes of the grain directories of a chain of VMDKs: 256 TiB in grains of 64 KiB.
pub const VMDK_DIRECTORY_BYTES: u64 = 32 << 20;
/// Bytes of a compressed grain of a VMDK; real ones have 64 KiB.
pub const VMDK_GRAIN_BYTES: u64 = 2 << 20;
/// Bytes of a name that a VHD gives its parent: more than any path of Windows.
pub const VHD_NAME_BYTES: u32 = 64 << 10;
/// Bytes of a VHDX log that is replayed; Hyper-V's have 1 MiB.
pub const VHDX_LOG_BYTES: u64 = 256 << 20;
/// Descriptors of the logs of a chain of VHDXs that are replayed.
pub const VHDX_LOG_DESCRIPTORS: usize = 512 << 10;
/// Entries of the log of a VHDX that are followed in search of a whole sequence, several times those of the largest.
pub const VHDX_LOG_STEPS: usize = 1 << 20;
/// Entries of the log of a VHDX that are not valid may be checked for so many times the log's bytes.
pub const VHDX_LOG_WASTED: u64 = 8;
/// Bytes of what a VHDX says of its parent.
pub const VHDX_LOCATOR_BYTES: u32 = 1 << 20;
/// Bytes of a disk image that one hint of a coming read is passed on for.
pub const HINTED_BYTES: u64 = 1 << 30;
/// Bytes of a bolt database; containerd's are 1 to 20 MiB.
pub const BOLT_BYTES: u64 = 256 << 20;
/// Nesting of pages and buckets in a bolt database; real ones stay below 12.
pub const BOLT_DEPTH: usize = 64;
/// Storage drivers that left state in one Docker root: it has known ten.
pub const DOCKER_DRIVERS: usize = 32;
/// Data roots in one of Docker's, one for each user whose ids its containers had.
pub const DOCKER_REMAPPED: usize = 64;
/// Images of one Docker root.
pub const DOCKER_IMAGES: usize = 100_000;
/// Containers of one Docker root.
pub const DOCKER_CONTAINERS: usize = 100_000;
/// Bytes of a file that holds one word: a digest, an id, a number.
pub const DOCKER_WORD_BYTES: u64 = 4096;
/// Bytes of one of the JSON documents about a container of Docker's.
pub const DOCKER_RECORD_BYTES: u64 = 4 << 20;
/// Bytes of all of these documents of one Docker root.
pub const DOCKER_CONTAINER_BYTES: u64 = 512 << 20;
/// Layers that a container has over its image: Docker makes one, and the container writes another.
pub const CONTAINER_LAYERS: usize = 16;
/// Ranges of ids of one user in `/etc/subuid` or `/etc/subgid`: the kernel takes 340.
pub const ID_RANGES: usize = 340;
/// Users of a machine whose home directories are searched for runtimes' state.
pub const USERS: usize = 4096;
/// Layers of one image; overlayfs stacks at most 500.
pub const IMAGE_LAYERS: usize = 1024;
/// Copies of one layer, known to other images or stores, that are tried until one is whole.
pub const LAYER_COPIES: usize = 16;
/// Bytes of all image indexes, manifests and configurations of one store; a thousand real images have 50 MiB.
pub const IMAGE_DOCUMENT_BYTES: u64 = 512 << 20;
/// Bytes of a list of layers, images or containers of containers/storage: a record has a few hundred.
pub const STORAGE_LIST_BYTES: u64 = 64 << 20;
/// Records of one such list.
pub const STORAGE_RECORDS: usize = 1 << 16;
/// Additional image stores of a store of containers/storage.
pub const IMAGE_STORES: usize = 64;
/// Bytes of what a store keeps beside its containers: their specifications and states; real ones have some 50 KiB.
pub const CONTAINER_DOCUMENT_BYTES: u64 = 512 << 20;
/// Nesting of image indexes.
pub const INDEX_DEPTH: usize = 8;
/// Manifests that one reference leads to.
pub const INDEX_MANIFESTS: usize = 4096;
/// Directories that are read at once, in the order of the disk.
pub const DIRECTORY_BATCH: usize = 4096;
/// Entries of one layer or root file system.
pub const TREE_ENTRIES: u64 = 50_000_000;
/// Gaps of one layer that are listed one by one.
pub const GAPS_PER_LAYER: usize = 1000;
/// Bytes of a pax or GNU extension header in a tar.
pub const TAR_EXTENSION_BYTES: u64 = 1 << 20;
/// Bytes of a layer blob's files that are kept in memory while its packages are read.
pub const TAR_KEPT_BYTES: u64 = 256 << 20;
/// Bytes of one other file of a blob that is kept while it is not read from front to back.
pub const TAR_AGAIN_BYTES: u64 = 128 << 20;
/// Members of one layer blob.
pub const TAR_MEMBERS: u64 = 10_000_000;
/// Bytes of a line of what a runtime keeps of a layer's tar: a header's extensions in base64, or padding of 1 MiB at its end.
pub const TAR_SPLIT_LINE_BYTES: u64 = 16 << 20;
/// Lines of it: two for each member, and one for an extension.
pub const TAR_SPLIT_ENTRIES: u64 = 3 * TAR_MEMBERS;
/// A layer unpacks to at most this many times its compressed size, …
pub const LAYER_RATIO: u64 = 200;
/// … plus this many bytes: a small blob may be all zeros.
pub const LAYER_SLACK: u64 = 1 << 30;
/// The largest zstd window, as a power of two: what `zstd --long` needs by default.
pub const ZSTD_WINDOW_LOG: u32 = 27;
/// Bytes of one entry of the layer cache, unpacked.
pub const CACHE_ENTRY_BYTES: u64 = 1 << 30;
/// Packages of one file: more than all that the largest distribution has.
pub const PACKAGES: usize = 100_000;
/// Files that one database, or the databases of one layer, list as installed by packages: a large distribution has a tenth.
pub const OWNED_FILES: usize = 8_000_000;
/// Bytes of dpkg's list of diversions: a hundred for each, of which a system has some dozens.
pub const DIVERSIONS_BYTES: u64 = 4 << 20;
/// Damaged records of one file that are named one by one; the rest is told in one sentence.
pub const DAMAGED_RECORDS: usize = 100;
/// What the packages of one file need of others: the largest distribution's needs a third of it.
pub const REQUIREMENTS: usize = 1_000_000;
/// Bytes that the names take which the packages of one file need and provide: a million names.
pub const CAPABILITY_BYTES: usize = 128 << 20;
/// Tokens of a Python requirement's environment marker.
pub const MARKER_TOKENS: usize = 1024;
/// How deep the parentheses of such a marker go.
pub const MARKER_DEPTH: usize = 16;
/// Packages that provide the same thing: of more it is not said who needs them.
pub const PROVIDERS: usize = 64;
/// Bytes of a package's name or version.
pub const PACKAGE_NAME_BYTES: usize = 1024;
/// Packages that the files of one layer show.
pub const LAYER_PACKAGES: usize = 200_000;
/// Bytes of text that the packages of one layer have together; that of a large node has a tenth.
pub const LAYER_TEXT_BYTES: usize = 128 << 20;
/// Packages of all layers of a scan, and rows of them in all its images: a large node has a hundredth of it.
pub const SCAN_PACKAGES: u64 = 2_000_000;
/// What packages need of others that counts as one row of these.
pub const REQUIREMENTS_OF_A_ROW: usize = 16;
/// Entries of all layers of a scan: a large node has a hundredth of it.
pub const SCAN_ENTRIES: u64 = 200_000_000;
/// Bytes that are decompressed again to reach the files of one layer blob.
pub const LAYER_AGAIN_BYTES: u64 = 64 << 30;
/// Bytes of a line that are kept; only what nobody asks for is longer in real databases.
pub const LINE_BYTES: usize = 64 * 1024;
/// Bytes of a text database (dpkg, apk) that are read.
pub const TEXT_DATABASE_BYTES: u64 = 512 << 20;
/// Bytes of the list of packages that the build of COS or Bottlerocket writes: real ones have 200 KiB.
pub const PACKAGE_LIST_BYTES: u64 = 4 << 20;
/// Bytes of a property list of xbps: 2 KiB for each package, or 200 bytes for each file of one.
pub const PROPERTY_LIST_BYTES: u64 = 64 << 20;
/// Bytes of an unpacked manifest of Chisel's: 200 for each file of an image.
pub const CHISEL_MANIFEST_BYTES: u64 = 64 << 20;
/// Bytes of the description of a snap.
pub const SNAP_YAML_BYTES: u64 = 1 << 20;
/// Bytes of what Flatpak notes of a deployment, with names and summaries in all languages.
pub const FLATPAK_DEPLOY_BYTES: u64 = 1 << 20;
/// Bytes of the receipt of a package of Homebrew's: those with many dependencies have 20 KiB.
pub const BREW_RECEIPT_BYTES: u64 = 1 << 20;
/// Bytes of the headers of a Python package's metadata.
pub const METADATA_HEADER_BYTES: u64 = 1 << 20;
/// Bytes of the header of an Electron archive: 300,000 files; the largest have a tenth.
pub const ASAR_HEADER_BYTES: u64 = 32 << 20;
/// Bytes of what conda notes of a package, which lists its files: those of the largest have 10 MiB.
pub const CONDA_RECORD_BYTES: u64 = 64 << 20;
/// Bytes of a `package.json`.
pub const PACKAGE_JSON_BYTES: u64 = 4 << 20;
/// Bytes of what Composer notes of a vendor directory: 2 KiB for each package, of which large shops have 800.
pub const COMPOSER_INSTALLED_BYTES: u64 = 16 << 20;
/// Bytes of the program that a phar archive begins with: some load each of a thousand files.
pub const PHAR_STUB_BYTES: u64 = 1 << 20;
/// Bytes of the list of a phar archive's files, a hundred for each.
pub const PHAR_MANIFEST_BYTES: u64 = 16 << 20;
/// Bytes of what PEAR keeps of a package: it lists all files.
pub const PEAR_RECORD_BYTES: u64 = 8 << 20;
/// Arrays in each other in a serialized value of PHP's.
pub const SERIALIZED_DEPTH: usize = 64;
/// Bytes of the specification of an installed gem: older ones list all its files.
pub const GEMSPEC_BYTES: u64 = 4 << 20;
/// Bytes of what describes a rock of LuaRocks'; real ones have some KiB.
pub const ROCKSPEC_BYTES: u64 = 1 << 20;
/// Bytes of the name of a user of LuaRocks.
pub const ROCK_NAMESPACE_BYTES: u64 = 4096;
/// Bytes of what opam keeps of a switch: a line for each package.
pub const OPAM_STATE_BYTES: u64 = 4 << 20;
/// Bytes of what Hex says of a package: it lists all files.
pub const HEX_METADATA_BYTES: u64 = 1 << 20;
/// Bytes of what describes an application of Erlang's: it lists all modules.
pub const OTP_APPLICATION_BYTES: u64 = 1 << 20;
/// Bytes of what a .NET application was published with: those of large ones have 500 KiB.
pub const DEPS_JSON_BYTES: u64 = 4 << 20;
/// Bytes of a bill of materials in an image: those of large applications have 10 MiB.
pub const SBOM_BYTES: u64 = 64 << 20;
/// Bytes of what an installer notes of a distribution of CPAN, and of what that says of itself: it lists all modules.
pub const CPAN_META_BYTES: u64 = 4 << 20;
/// Bytes of a model's metadata in GGUF: a vocabulary of 256,000 words with the rules that merge them has 12 MiB.
pub const GGUF_METADATA_BYTES: u64 = 128 << 20;
/// Arrays in each other in this metadata; real ones have none.
pub const GGUF_ARRAY_DEPTH: usize = 4;
/// Bytes of the header of a model in safetensors: its own bound is 100 MB, the largest models have 1 MiB in each of their parts.
pub const SAFETENSORS_HEADER_BYTES: u64 = 32 << 20;
/// Bytes of the file that holds the commit of a cached model.
pub const MODEL_REFERENCE_BYTES: u64 = 4096;
/// Bytes of a file in which WordPress looks for headers: its own bound.
pub const WORDPRESS_HEADER_BYTES: u64 = 8 << 10;
/// Bytes of the description of an R package.
pub const R_DESCRIPTION_BYTES: u64 = 1 << 20;
/// Bytes of a lock file or manifest that names packages: those of the largest repositories have 5 MiB.
pub const LOCK_FILE_BYTES: u64 = 16 << 20;
/// Values of a lock file in YAML: a package has twenty, and large repositories have some ten thousand packages.
pub const LOCK_YAML_VALUES: usize = 2 << 20;
/// Bytes of one table of a lock file in TOML: one with all digests of a package that has many files has 50 KiB.
pub const LOCK_TABLE_BYTES: usize = 1 << 20;
/// Bytes of a project file that is held in memory while it is read: the largest of Maven's have 300 KiB.
pub const PROJECT_FILE_BYTES: u64 = 2 << 20;
/// Properties that the version of one dependency refers to, one after another.
pub const PROPERTY_STEPS: usize = 32;
/// Archives of Java's in each other: a shaded jar in an application in an enterprise archive has four.
pub const JAR_DEPTH: usize = 8;
/// Bytes of the directory of one archive: 300,000 members; the largest jars have a tenth.
pub const ZIP_DIRECTORY_BYTES: u64 = 32 << 20;
/// Bytes of the directories of all archives in one file, with what is read to find them.
pub const ZIP_DIRECTORIES_BYTES: u64 = 256 << 20;
/// Places at the end of an archive that look like the record which ends one.
pub const ZIP_END_RECORDS: u64 = 64;
/// Members of one archive that are archives, or that name artifacts: applications have some hundred.
pub const ZIP_MEMBERS: usize = 1 << 16;
/// Bytes that the members of one file unpack to of which more than the beginning is read.
pub const ZIP_UNPACKED_BYTES: u64 = 1 << 30;
/// Bytes of archives that lie compressed in each other, while they are unpacked in memory; of a file like this there is one
/// for each thread.
pub const ZIP_HELD_BYTES: u64 = 128 << 20;
/// Bytes of a `pom.properties`: real ones have some hundred.
pub const JAR_PROPERTIES_BYTES: u64 = 64 << 10;
/// Entries of a file of properties or of a manifest that are read.
pub const JAR_PROPERTIES: usize = 1024;
/// Bytes of what a manifest says of its jar; bundles list all that they import and export.
pub const JAR_MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of the file by which a Java runtime is known: real ones have less than 2 KiB.
pub const JAVA_RELEASE_BYTES: u64 = 64 << 10;
/// Bytes that a program has at least to be opened: one of Go has a million, a Rust crate's 300,000; what is smaller is C, and
/// belongs to a distribution's package.
pub const PROGRAM_LEAST_BYTES: u64 = 64 << 10;
/// Sections, segments or load commands of a program: real ones have fifty.
pub const PROGRAM_PARTS: u64 = 4096;
/// Bytes of the names of a program's sections, or of the load commands of one for macOS.
pub const SECTION_NAMES_BYTES: u64 = 256 << 10;
/// Bytes of a program's data that are searched for Go's build information if no section tells where it is.
pub const GO_SEARCH_BYTES: u64 = 16 << 20;
/// Bytes of Go's build information; the largest programs have 100 KiB.
pub const GO_BUILDINFO_BYTES: u64 = 4 << 20;
/// Bytes of the list of a Rust program's crates, packed and unpacked.
pub const CRATE_LIST_BYTES: u64 = 8 << 20;
/// Bytes of a program's data that are searched for the place of a .NET bundle; no host has as much data.
pub const BUNDLE_HOST_BYTES: u64 = 4 << 20;
/// Bytes of the list of a .NET bundle's files: that of one with 300 has 20 KiB.
pub const BUNDLE_LIST_BYTES: u64 = 4 << 20;
/// Bytes of a program's symbols, and of their names: those of the largest native images have 10 MiB.
pub const SYMBOLS_BYTES: u64 = 32 << 20;
/// Bytes of the note of a program that names its package; real ones have a few hundred.
pub const PACKAGE_NOTE_BYTES: u64 = 64 << 10;
/// Bytes of a program's constants that are searched for its version, if its name is a known one.
pub const SIGNATURE_BYTES: u64 = 64 << 20;
/// Block groups of an ext4 file system: 128 TiB of blocks of 4 KiB.
pub const EXT4_GROUPS: usize = 1 << 20;
/// Bytes of metadata blocks that an ext4 reader keeps.
pub const EXT4_CACHE_BYTES: usize = 16 << 20;
/// Bytes of all extended attributes of one ext4 inode.
pub const EXT4_XATTR_BYTES: u64 = 16 << 20;
/// Damaged ext4 group descriptors for which backup copies are read.
pub const EXT4_BACKUP_DESCRIPTORS: u64 = 16_384;
/// Blocks of an ext4 journal, and blocks that it revokes: 4 GiB in blocks of 4 KiB.
pub const EXT4_JOURNAL_BLOCKS: usize = 1 << 20;
/// Blocks for fast commits in an ext4 journal; the default is 256.
pub const EXT4_FAST_COMMIT_BLOCKS: u32 = 8192;
/// Ranges of one file that fast commits of ext4 change.
pub const EXT4_FAST_COMMIT_RANGES: usize = 4096;
/// Bytes of metadata blocks that an XFS reader keeps.
pub const XFS_CACHE_BYTES: usize = 16 << 20;
/// Bytes of all extended attributes of one XFS inode, with the blocks that hold them.
pub const XFS_XATTR_BYTES: u64 = 16 << 20;
/// Bytes of an XFS log: the format's own bound is 2 GiB less a block.
pub const XFS_LOG_BYTES: u64 = 2 << 30;
/// Bytes of transactions of an XFS log that began and have not ended: the kernel ends one of 64 MiB.
pub const XFS_LOG_OPEN_BYTES: usize = 256 << 20;
/// Bytes of changed sectors that the recovery of an XFS log keeps in memory: 63 MiB of log that made 216,000 files took
/// 150 MiB, and a disk of 1 TiB has a log of 512 MiB.
pub const XFS_LOG_CHANGED_BYTES: usize = 2 << 30;
/// Regions of one item of an XFS log: the kernel's own bound, a buffer of 64 KiB with every other chunk changed, and its
/// description.
pub const XFS_LOG_REGIONS: usize = 512;
/// Buffers that an XFS log frees.
pub const XFS_LOG_CANCELLED: usize = 1 << 20;
/// Intents of an XFS log that were not carried out: a few for each thread that was at work.
pub const XFS_LOG_INTENTS: usize = 4096;
/// Chunks of a btrfs file system: of 1 GiB each, 1 PiB.
pub const BTRFS_CHUNKS: usize = 1 << 20;
/// Subvolumes of a btrfs file system: what the numbers of inodes leave room for.
pub const BTRFS_SUBVOLUMES: usize = (1 << 19) - 1;
/// Bytes of nodes that a btrfs reader keeps.
pub const BTRFS_CACHE_BYTES: usize = 16 << 20;
/// Bytes of a compressed btrfs extent when unpacked: the kernel's own bound.
pub const BTRFS_UNPACKED_BYTES: u64 = 128 << 10;
/// Bytes of unpacked extents that a btrfs reader keeps.
pub const BTRFS_UNPACKED_CACHE_BYTES: usize = 16 << 20;
/// Extents that one read of a btrfs file meets.
pub const BTRFS_READ_EXTENTS: usize = 1 << 20;
/// Extended attributes of one btrfs inode, …
pub const BTRFS_XATTRS: usize = 65_536;
/// … and their bytes with their names.
pub const BTRFS_XATTR_BYTES: u64 = 16 << 20;
/// Bytes of items that a btrfs log has, and that replaying it changes.
pub const BTRFS_LOG_BYTES: usize = 256 << 20;
/// Names, references or attributes of one inode that are looked through at once when a btrfs log is replayed.
pub const BTRFS_REPLAY_ITEMS: usize = 1 << 20;
/// Bytes of metadata that an EROFS reader keeps.
pub const EROFS_CACHE_BYTES: usize = 16 << 20;
/// Bytes of a compressed EROFS extent when unpacked: the kernel's own bound.
pub const EROFS_UNPACKED_BYTES: u64 = 12 << 20;
/// Bytes of a compressed EROFS extent: the kernel's own bound.
pub const EROFS_PACKED_BYTES: u64 = 1 << 20;
/// Bytes of unpacked extents that an EROFS reader keeps.
pub const EROFS_UNPACKED_CACHE_BYTES: usize = 32 << 20;
/// Further devices of an EROFS volume; layers as devices of one are 500 at most, as overlayfs stacks them.
pub const EROFS_DEVICES: u16 = 1024;
/// Bytes of all extended attributes of one EROFS inode.
pub const EROFS_XATTR_BYTES: usize = 16 << 20;
/// Bytes of packed metadata that a squashfs reader keeps, …
pub const SQUASHFS_CACHE_BYTES: usize = 4 << 20;
/// … of metadata when unpacked, …
pub const SQUASHFS_METADATA_CACHE_BYTES: usize = 16 << 20;
/// … and of blocks of data and fragments when unpacked.
pub const SQUASHFS_DATA_CACHE_BYTES: usize = 32 << 20;
/// Blocks of a squashfs file: 512 GiB in blocks of the usual 128 KiB.
pub const SQUASHFS_FILE_BLOCKS: u64 = 4 << 20;
/// Bytes of all extended attributes of one squashfs inode.
pub const SQUASHFS_XATTR_BYTES: usize = 16 << 20;
/// The largest window of an LZMA or xz stream of a file system: the kernel's bound for EROFS is 8 MiB.
pub const LZMA_WINDOW_BYTES: u64 = 16 << 20;
/// Bytes of metadata that an NTFS reader keeps.
pub const NTFS_CACHE_BYTES: usize = 16 << 20;
/// Bytes of a file record or index block of NTFS; real ones have 1 or 4 KiB.
pub const NTFS_RECORD_BYTES: u64 = 64 << 10;
/// Bytes of an NTFS attribute list: Windows' own bound.
pub const NTFS_ATTRIBUTE_LIST_BYTES: u64 = 256 << 10;
/// Records that the map of the NTFS master file table is spread over.
pub const NTFS_TABLE_PARTS: usize = 512;
/// Bytes of all named streams of one NTFS file that are shown as attributes.
pub const NTFS_XATTR_BYTES: usize = 16 << 20;
/// Runs of clusters of one NTFS attribute.
pub const NTFS_RUNS: usize = 1 << 20;
/// Bytes of clusters that NTFS compresses together: Windows compresses 16 clusters of up to 4 KiB.
pub const NTFS_UNIT_BYTES: u64 = 1 << 20;
/// Bytes of tables and directories that a reader of FAT or exFAT keeps.
pub const FAT_CACHE_BYTES: usize = 8 << 20;
/// Bytes of a directory of FAT: the specification's bound, 65,536 entries.
pub const FAT_DIRECTORY_BYTES: u64 = 2 << 20;
/// Bytes of a directory of exFAT: the specification's bound.
pub const EXFAT_DIRECTORY_BYTES: u64 = 256 << 20;
/// Pieces of one file on FAT or exFAT that do not lie side by side.
pub const FAT_RUNS: usize = 1 << 20;
/// Damaged places that are told of one directory or file; of more, the first are enough.
pub const DAMAGE_NOTES: usize = 1000;
/// Bytes of a registry hive that its reader keeps.
pub const REGISTRY_CACHE_BYTES: usize = 4 << 20;
/// Bytes of one cell of a registry hive: the longest list of keys has half of it.
pub const REGISTRY_CELL_BYTES: u64 = 1 << 20;
/// Keys directly below one key of a registry hive.
pub const REGISTRY_CHILDREN: u32 = 1 << 20;
/// Bytes of the name of a key of a registry hive: Windows' own bound is 256 units.
pub const REGISTRY_KEY_NAME_BYTES: usize = 512;
/// Bytes of the name of a value of a registry hive: Windows' own bound of 16,383 units.
pub const REGISTRY_VALUE_NAME_BYTES: usize = 32_766;
/// Bytes of all keys directly below one key of a registry hive, or of all its values, that are listed at once.
pub const REGISTRY_LIST_BYTES: usize = 64 << 20;
/// Bytes of one value of a registry hive.
pub const REGISTRY_VALUE_BYTES: u64 = 1 << 20;
/// Bytes of a SQLite write-ahead log.
pub const SQLITE_WAL_BYTES: u64 = 1 << 30;
/// Pages of one SQLite table.
pub const SQLITE_PAGES: usize = 4 << 20;
/// Depth of a SQLite b-tree: the library's own bound.
pub const SQLITE_DEPTH: usize = 20;
/// Bytes of one SQLite row: the largest rpm headers have a few MiB.
pub const SQLITE_ROW_BYTES: u64 = 64 << 20;
/// Bytes of one rpm header in a Berkeley DB or ndb database, as for [`SQLITE_ROW_BYTES`].
pub const RPM_HEADER_BYTES: u64 = 64 << 20;
/// Entries of one rpm header: rpm's own bound.
pub const RPM_HEADER_ENTRIES: u32 = 65_535;
/// Bytes of a string of an rpm header that is reported.
pub const RPM_STRING_BYTES: usize = 64 * 1024;
/// Bytes of text that the packages of one file have together.
pub const PACKAGE_TEXT_BYTES: usize = 128 << 20;
/// Bytes of one advisory, or of one catalogue that is a single file: those of NVD for a year have 150 MiB.
pub const FEED_FILE_BYTES: u64 = 256 << 20;
/// Bytes of one file of a feed that is downloaded, packed as it is.
pub const FEED_DOWNLOAD_BYTES: u64 = 4 << 30;
/// Bytes of a document about a feed: a checksum, or the name of the newest file.
pub const FEED_DOCUMENT_BYTES: u64 = 64 << 10;
/// Bytes of one unpacked feed: SUSE's VEX are 450 MB, which say the same so often that they are packed to a fiftieth.
pub const FEED_BYTES: u64 = 64 << 30;
/// Files of one feed.
pub const FEED_FILES: u64 = 4_000_000;
/// Elements of a feed's XML that lie in each other.
pub const XML_DEPTH: usize = 64;
/// Ways in which the criteria of one OVAL definition may hold: Oracle's largest have some ten thousand.
pub const OVAL_WAYS: usize = 100_000;
/// Products of a CSAF document that are components of each other: a package, its module, the platform.
pub const NESTED_PRODUCTS: usize = 4;
/// Events of one range of versions.
pub const RANGE_EVENTS: usize = 10_000;
/// Alternatives (`||`) of one of npm's ranges; real ones have ten.
pub const NPM_ALTERNATIVES: usize = 256;
/// Bytes of the description of one vulnerability that are kept.
pub const DESCRIPTION_BYTES: usize = 2000;
/// References of one vulnerability that are kept.
pub const REFERENCES: usize = 12;
/// Bytes of the database's header.
pub const DATABASE_HEADER_BYTES: u64 = 1 << 20;
/// Bytes of an unpacked index or of the description of a database.
pub const DATABASE_INDEX_BYTES: u64 = 64 << 20;
/// Bytes of an unpacked block of a database: the largest single answer.
pub const DATABASE_BLOCK_BYTES: u64 = 256 << 20;
/// Bytes of unpacked blocks of a database that are kept in memory, and as much again of decoded entries.
pub const DATABASE_CACHE_BYTES: u64 = 64 << 20;
/// Bytes of a bill of materials that is matched.
pub const BILL_BYTES: u64 = 256 << 20;
/// Components nested in each other in a software bill of materials that is matched.
pub const COMPONENT_DEPTH: usize = 32;
/// Paths that a container changed and that a report lists; `diff` lists all.
pub const CHANGED_PATHS: usize = 1000;
/// Snapshots of the runtime's own between two layers of an image: Docker makes one.
pub const BETWEEN_LAYERS: usize = 4;
/// Layers of a store that are looked for below containers whose images are lost.
pub const LOST_LAYERS: usize = 1 << 16;
/// Quadlets, units and manifests of a node that are read for what they tell to run.
pub const DECLARED_FILES: usize = 4096;
/// DiffIDs noted beside blobs that are tried for layers of lost images; some thousand blobs for some hundred layers.
pub const LAYER_GUESSES: usize = 1 << 20;
/// Layers without an image that a report names; the others are counted.
pub const LOOSE_LAYERS: usize = 1000;
/// Directories of pods that the kubelet keeps, and of containers of one of them.
pub const KUBELET_PODS: usize = 100_000;
/// Members of an archive of images; real ones have a few for each layer.
pub const ARCHIVE_MEMBERS: usize = 1 << 20;
/// Containers of LXC and its like, or archives of images, that a directory of a node names.
pub const OTHER_CONTAINERS: usize = 4096;
