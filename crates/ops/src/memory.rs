//! Memory for the maps of a network: hundreds of megabytes that each iteration allocates and frees.

use libmimalloc_sys::{mi_option_get, mi_option_set};

/// The allocator for programs that work with these operations: `#[global_allocator] static ALLOCATOR: Allocator = Allocator;`.
pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's number of the option for how many milliseconds freed pages stay with the process, and its default.
const PURGE_DELAY: i32 = 15;
const DEFAULT: std::ffi::c_long = 10;

/// Lets the process keep the pages that it frees: fresh ones cost a page fault for every 4 KiB, a tenth of an iteration of stage 1.
/// To be called once, by programs that use [`Allocator`]; elsewhere it does nothing. A delay that is set in the environment
/// (`MIMALLOC_PURGE_DELAY`) stays.
pub fn keep_pages() {
    // SAFETY: both read or write one word of mimalloc's table of options, which has this index in every release with the
    // default above; in another the option is left alone.
    unsafe {
        if mi_option_get(PURGE_DELAY) == DEFAULT {
            mi_option_set(PURGE_DELAY, -1);
        }
    }
}
