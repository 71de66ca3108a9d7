//! The buffers that the kernel receives into, of its own choice.
#![expect(unsafe_code, reason = "memory that is shared with the kernel")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::address::NAME_BYTES;
use crate::limits::{BUFFERS, DATAGRAM_BYTES_MAX};
use crate::stamp::CONTROL_BYTES;

/// What the kernel knows them by.
pub(crate) const GROUP: u16 = 0;

/// A datagram, who sent it, when it came, and how long each of these is.
const BUFFER_BYTES: usize = 16 + NAME_BYTES + CONTROL_BYTES + DATAGRAM_BYTES_MAX;

/// As the kernel wants it: a page.
const ALIGNMENT: usize = 4_096;

const ENTRIES_BYTES: usize = BUFFERS * size_of::<BufRingEntry>();

const LAYOUT: Layout =
    match Layout::from_size_align(ENTRIES_BYTES + BUFFERS * BUFFER_BYTES, ALIGNMENT) {
        Ok(layout) => layout,
        Err(_) => panic!("the buffers fit into memory"),
    };

const _: () = assert!(BUFFERS.is_power_of_two() && BUFFERS <= 1 << 15, "what the kernel allows");

/// A ring of entries, each naming a buffer that the kernel may write to, and the buffers.
pub(crate) struct Buffers {
    memory: NonNull<u8>,
    /// How many entries were ever filled, as far as it fits.
    tail: u16,
}

impl Buffers {
    /// Makes them, and gives them all to the kernel.
    ///
    /// # Errors
    /// If the kernel does not take them.
    pub(crate) fn register(ring: &IoUring) -> io::Result<Buffers> {
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(LAYOUT) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(LAYOUT));
        let mut buffers = Buffers { memory, tail: 0 };
        for buffer in 0..BUFFERS {
            buffers.give_back(buffer as u16);
        }
        buffers.publish();
        let entries = buffers.entries() as u64;
        // SAFETY: the entries live until the ring is closed: who has both drops the ring first.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(entries, BUFFERS as u16, GROUP, 0)?;
        }
        Ok(buffers)
    }

    /// What the kernel wrote into a buffer that it has handed over, and what was there before.
    pub(crate) fn bytes(&self, buffer: u16) -> &[u8] {
        // SAFETY: the memory is initialised, the buffer lies in it, and the kernel does not write
        // to it until it is given back, for which this borrow must be over.
        unsafe { std::slice::from_raw_parts(self.start(buffer), BUFFER_BYTES) }
    }

    /// The kernel may have a buffer again, from the next [`Buffers::publish`] on.
    pub(crate) fn give_back(&mut self, buffer: u16) {
        let at = usize::from(self.tail) % BUFFERS;
        // SAFETY: the entry lies in the ring, is aligned, and the kernel does not read it before
        // the tail has passed it.
        let entry = unsafe { &mut *self.entries().add(at) };
        entry.set_addr(self.start(buffer) as u64);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was given back.
    pub(crate) fn publish(&mut self) {
        // SAFETY: the tail is a field of the first entry that nothing else here touches.
        let tail = unsafe {
            let tail = BufRingEntry::tail(self.entries()).cast_mut();
            AtomicU16::from_ptr(tail)
        };
        tail.store(self.tail, Ordering::Release);
    }

    fn entries(&self) -> *mut BufRingEntry {
        self.memory.as_ptr().cast()
    }

    fn start(&self, buffer: u16) -> *mut u8 {
        let index = usize::from(buffer) % BUFFERS;
        // SAFETY: the index is below the number of buffers, for which there is room.
        unsafe { self.memory.as_ptr().add(ENTRIES_BYTES + index * BUFFER_BYTES) }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: it came from there with this layout, and the ring has been closed.
        unsafe { dealloc(self.memory.as_ptr(), LAYOUT) };
    }
}
