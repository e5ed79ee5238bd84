//! Reads that fail, and bits that flip: what is shown is true, and what is missing is told.

use std::{collections::BTreeMap, sync::Arc};

use icecore::{
    FormatError,
    block::{
        Memory, Source,
        fault::{Fault, Faulty, When},
    },
    gap::Code,
};

use super::{Tree, open, small, walk};

/// The tree of an image, and how many reads showing all of it takes.
fn counted(source: &Source) -> (Tree, u64) {
    let counted = Arc::new(Faulty::new(Arc::clone(source), Fault::Error, When::Nth(u64::MAX)));
    let whole = walk(&*open(Arc::clone(&counted) as Source).unwrap().fs, usize::MAX);
    (whole, counted.reads())
}

/// Every read fails once, in turn: what is shown is true, and what is missing is told.
pub(crate) fn check_failed_reads(folder: &str) {
    for (name, bytes, _) in &*small(folder) {
        let source: Source = Arc::new(Memory::new(bytes.clone()));
        let (whole, reads) = counted(&source);
        assert!(reads > 10, "{name}: {reads}");
        let (mut refused, mut lost) = (0, Vec::new());
        let mut unreplayed: Vec<(u64, Tree, String)> = Vec::new();
        for (n, fault) in (0..reads).flat_map(|n| [(n, Fault::Error), (n, Fault::Short)]) {
            let faulty = Faulty::new(Arc::clone(&source), fault, When::Nth(n));
            let Ok(opened) = open(Arc::new(faulty)) else {
                refused += 1;
                continue;
            };
            let tree = walk(&*opened.fs, usize::MAX);
            let notes = opened.notes.iter().filter(|note| note.code() == Code::JournalNotReplayed);
            let notes: Vec<String> = notes.map(FormatError::detail).collect();
            if !notes.is_empty() {
                unreplayed.push((n, tree, notes.join(", ")));
                continue;
            }
            for (path, line) in &tree.lines {
                assert_eq!(whole.lines.get(path), Some(line), "{name}: read {n}");
            }
            let told = !tree.errors.is_empty() || !opened.notes.is_empty();
            assert!(told || tree.lines.len() == whole.lines.len(), "{name}: read {n} is silently lost");
            lost.push((whole.lines.len() - tree.lines.len(), n));
        }
        check_unreplayed(name, &whole, &unreplayed);
        // Only what all hangs on costs all, and hardly anything costs more than one file.
        assert!(refused <= 12, "{name}: {refused} failed reads cost all");
        lost.sort_unstable();
        let (most, nine_of_ten) = (lost[lost.len() - 1], lost[lost.len() * 9 / 10]);
        assert!(nine_of_ten.0 <= 1, "{name}: read {} costs {} files", nine_of_ten.1, nine_of_ten.0);
        assert!(most.0 <= 14, "{name}: read {} costs {} files", most.1, most.0);
    }
}

/// Where a journal was not replayed, because of read `n`, each file is as it was before or as it is after it, and what is there
/// both before and after is not missing. Where the replay stopped at a transaction, it is the tree of that moment, whichever read
/// failed.
fn check_unreplayed(name: &str, whole: &Tree, unreplayed: &[(u64, Tree, String)]) {
    // Where nothing of it was replayed; a log of btrfs or NTFS is replayed as a whole or not at all.
    let before = unreplayed.iter().find(|(.., note)| note.starts_with("all of")).or(unreplayed.first());
    let Some((_, before, _)) = before else { return };
    let kind = |line: &String| line.split('\t').nth(1).map(str::to_owned);
    let mut moments: BTreeMap<&str, &Tree> = BTreeMap::new();
    for (n, tree, note) in unreplayed {
        if note.starts_with("transaction ") {
            let moment = moments.entry(note.split(':').next().unwrap()).or_insert(tree);
            assert!(moment.lines == tree.lines, "{name}: read {n}: another tree than before; {note}");
            continue;
        }
        // Each fast commit is a moment of its own.
        if note.starts_with("fast commits ") {
            continue;
        }
        // Without a block of a transaction, or an item of a log, files are as they were between two transactions, or are not there.
        let partly = note.starts_with("block ") || note.starts_with("an item of the log ");
        for (path, line) in &tree.lines {
            let mut known = [whole, before].into_iter().filter_map(|tree| tree.lines.get(path));
            let same = known.any(|known| known == line || (partly && kind(known) == kind(line)));
            assert!(same, "{name}: read {n}: {line}; {note}");
        }
        let mut both = before.lines.keys().filter(|path| whole.lines.contains_key(*path));
        let missing = both.find(|path| !tree.lines.contains_key(*path));
        assert!(partly || missing.is_none(), "{name}: read {n} costs {missing:?}; {note}");
    }
}

/// A bit flips in every read, in turn: no attribute that is shown is wrong, and what is missing is told.
pub(crate) fn check_flipped_bits(name: &str, bytes: Vec<u8>) {
    let attributes = |line: &str| line.rsplit_once('\t').unwrap().0.to_owned();
    let source: Source = Arc::new(Memory::new(bytes));
    let (whole, reads) = counted(&source);
    for n in 0..reads {
        let faulty = Faulty::new(Arc::clone(&source), Fault::Flip, When::Nth(n));
        let Ok(opened) = open(Arc::new(faulty)) else { continue };
        let tree = walk(&*opened.fs, usize::MAX);
        for (path, line) in &tree.lines {
            let truth = whole.lines.get(path).map(|line| attributes(line));
            assert_eq!(truth, Some(attributes(line)), "{name}: read {n}");
        }
        let told = !tree.errors.is_empty() || !opened.notes.is_empty();
        assert!(told || tree.lines.len() == whole.lines.len(), "{name}: read {n} is silently lost");
    }
}
