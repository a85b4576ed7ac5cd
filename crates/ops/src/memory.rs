//! Memory for the maps of a network: hundreds of megabytes that each iteration allocates and frees.

use libmimalloc_sys::{mi_option_get, mi_option_set};

/// The allocator for programs that work with these operations: `#[global_allocator] static ALLOCATOR: Allocator = Allocator;`.
pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's number of the option for how many milliseconds freed pages stay with the process, and its defaults: in version 2 and 3.
const PURGE_DELAY: i32 = 15;
const DEFAULTS: [std::ffi::c_long; 2] = [10, 1000];

/// Lets the process keep the pages that it frees: fresh ones cost a page fault for every 4 KiB, a tenth of an iteration of stage 1.
/// To be called once, by programs that use [`Allocator`]; elsewhere it does nothing. A delay that is set in the environment
/// (`MIMALLOC_PURGE_DELAY`) stays.
pub fn keep_pages() {
    // SAFETY: both read or write one word of mimalloc's table of options, which has this index in every release with one of the
    // defaults above; in another the option is left alone.
    unsafe {
        if DEFAULTS.contains(&mi_option_get(PURGE_DELAY)) {
            mi_option_set(PURGE_DELAY, -1);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_option_is_where_this_file_says() {
        super::keep_pages();
        // SAFETY: reads one word of mimalloc's table of options.
        assert_eq!(unsafe { super::mi_option_get(super::PURGE_DELAY) }, -1);
    }
}
