//! Transactions, put together from the operations of records (XFS Algorithms & Data Structures, "Log Operations"): an
//! operation is a region of an item; a region that does not fit in a record is continued in the next.

use std::collections::HashMap;

use super::{record::Record, ring::Ring};
use crate::{
    bytes::{be32, le16},
    error::FormatError,
    limits, num,
};

const HEADER: usize = 12;
const TRANSACTION: u8 = 0x69;
const START: u8 = 0x01;
const COMMIT: u8 = 0x02;
const CONTINUES: u8 = 0x04;
const WAS_CONTINUED: u8 = 0x08;
const END: u8 = 0x10;
const UNMOUNT: u8 = 0x20;
/// Bytes of what a transaction begins with, and its first four.
const TRANSACTION_HEADER: usize = 16;
const TRANSACTION_MAGIC: [u8; 4] = 0x5452_414eu32.to_le_bytes();
/// Bytes that an operation costs beside its content.
const OVERHEAD: usize = 128;

/// What a transaction changes: its first region says what it is and how many follow.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) regions: Vec<Vec<u8>>,
    /// The number of regions that it should have.
    total: usize,
}

impl Item {
    /// The item's type, a number of `enum xfs_li_type`; `None` if it is not whole.
    pub(super) fn kind(&self) -> Option<u16> {
        let whole = self.regions.len() == self.total;
        le16(self.regions.first().filter(|_| whole)?, 0)
    }

    /// One of its regions, empty if it has not so many.
    pub(super) fn region(&self, index: usize) -> &[u8] {
        self.regions.get(index).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A transaction that was committed.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// The record in which it began: blocks that say that they are newer have its changes.
    pub(super) lsn: u64,
    pub(super) items: Vec<Item>,
    header: Vec<u8>,
    bytes: usize,
}

/// Transactions that began and have not ended, by their number.
#[derive(Default)]
pub(super) struct Transactions {
    open: HashMap<u32, Transaction>,
    bytes: usize,
}

impl Transactions {
    /// Adds the operations of a record; each transaction that they commit is handed over.
    pub(super) fn add(
        &mut self,
        payload: &[u8],
        record: &Record,
        ring: &Ring,
        each: &mut impl FnMut(Transaction) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let corrupt = |problem: String| ring.corrupt(record.block, problem);
        let mut rest = payload;
        for _ in 0..record.operations {
            if rest.is_empty() {
                break;
            }
            let operation = rest.split_at_checked(HEADER).and_then(|(header, after)| {
                let data = after.split_at_checked(num::index(be32(header, 4)?))?;
                Some((be32(header, 0)?, *header.get(8)?, *header.get(9)?, data))
            });
            let Some((id, client, flags, (data, after))) = operation else {
                return Err(corrupt("an operation passes the record's end".to_owned()));
            };
            rest = after;
            if client != TRANSACTION {
                // The unmount record of a file system that was mounted again.
                continue;
            }
            if let Some(done) = self.operation(id, flags, data, record.lsn).map_err(corrupt)? {
                each(done)?;
            }
            if self.bytes > limits::XFS_LOG_OPEN_BYTES {
                let bytes = self.bytes;
                return Err(FormatError::limit(format!("XFS log with open transactions of {bytes} bytes")));
            }
        }
        Ok(())
    }

    fn operation(
        &mut self,
        id: u32,
        flags: u8,
        data: &[u8],
        lsn: u64,
    ) -> Result<Option<Transaction>, String> {
        let flags = flags & !END;
        if flags & START != 0 {
            self.bytes = self.bytes.saturating_add(OVERHEAD);
            // A number that is used again ends what had it before, as the kernel does not recover from that.
            return match self.open.insert(id, Transaction { lsn, bytes: OVERHEAD, ..Transaction::default() })
            {
                None => Ok(None),
                Some(_) => Err(format!("transaction {id:#x} begins twice")),
            };
        }
        // Without its beginning, which is before the tail: all of it is at home.
        let Some(transaction) = self.open.get_mut(&id) else { return Ok(None) };
        match flags {
            COMMIT | UNMOUNT => {
                let done = self.open.remove(&id).unwrap_or_default();
                self.bytes = self.bytes.saturating_sub(done.bytes);
                return Ok((flags == COMMIT).then_some(done));
            }
            0 | CONTINUES => transaction.region(data)?,
            _ if flags & WAS_CONTINUED != 0 && flags & !(WAS_CONTINUED | CONTINUES) == 0 => {
                transaction.continuation(data)?;
            }
            _ => return Err(format!("operation with flags {flags:#x}")),
        }
        let cost = data.len().saturating_add(OVERHEAD);
        transaction.bytes = transaction.bytes.saturating_add(cost);
        self.bytes = self.bytes.saturating_add(cost);
        Ok(None)
    }
}

impl Transaction {
    fn region(&mut self, data: &[u8]) -> Result<(), String> {
        if data.is_empty() {
            return Ok(());
        }
        if self.header.is_empty() {
            return self.header(data);
        }
        match self.items.last_mut() {
            Some(item) if item.regions.len() < item.total => item.regions.push(data.to_vec()),
            _ => {
                let total = usize::from(le16(data, 2).unwrap_or(0));
                if total == 0 || total > limits::XFS_LOG_REGIONS {
                    return Err(format!("item of {total} regions"));
                }
                self.items.push(Item { regions: vec![data.to_vec()], total });
            }
        }
        Ok(())
    }

    fn continuation(&mut self, data: &[u8]) -> Result<(), String> {
        if self.header.len() < TRANSACTION_HEADER && self.items.is_empty() {
            return self.header(data);
        }
        match self.items.last_mut().and_then(|item| item.regions.last_mut()) {
            Some(region) => {
                region.extend_from_slice(data);
                Ok(())
            }
            None => Err("a region continues that did not begin".to_owned()),
        }
    }

    fn header(&mut self, data: &[u8]) -> Result<(), String> {
        self.header.extend_from_slice(data);
        let magic = self.header.iter().zip(TRANSACTION_MAGIC).all(|(seen, magic)| *seen == magic);
        match magic && self.header.len() <= TRANSACTION_HEADER {
            true => Ok(()),
            false => Err("a transaction does not begin with its header".to_owned()),
        }
    }
}
