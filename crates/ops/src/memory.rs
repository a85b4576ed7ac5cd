//! Memory for the maps of a network: hundreds of megabytes that each iteration allocates and frees.

use libmimalloc_sys::{mi_option_set_default, mi_option_use_numa_nodes};

/// The allocator for programs that work with these operations: `#[global_allocator] static ALLOCATOR: Allocator = Allocator;`.
pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's number of the option for how many milliseconds freed pages stay with the process, which its bindings do not name: the one before
/// this.
const PURGE_DELAY: i32 = mi_option_use_numa_nodes - 1;

/// Lets the process keep the pages that it frees: fresh ones cost a page fault for every 4 KiB, a tenth of an iteration of stage 1.
/// To be called once, by programs that use [`Allocator`]; elsewhere it does nothing. A delay that is set in the environment
/// (`MIMALLOC_PURGE_DELAY`) stays.
pub fn keep_pages() {
    // SAFETY: it writes one word of mimalloc's table of options, of which this is one, unless the environment has.
    unsafe { mi_option_set_default(PURGE_DELAY, -1) };
}

#[cfg(test)]
mod tests {
    use super::{PURGE_DELAY, keep_pages};
    use libmimalloc_sys::mi_option_get;
    use std::{env, process::Command};

    const VARIABLE: &str = "MIMALLOC_PURGE_DELAY";

    fn delay() -> std::ffi::c_long {
        // SAFETY: reads one word of mimalloc's table of options.
        unsafe { mi_option_get(PURGE_DELAY) }
    }

    /// mimalloc tells which option it is: the one that its variable sets. So the test runs again as a process that has the variable.
    #[test]
    fn the_delay_is_set_unless_the_environment_has_set_it() {
        keep_pages();
        if let Ok(set) = env::var(VARIABLE) {
            assert_eq!(delay().to_string(), set);
            return;
        }
        assert_eq!(delay(), -1);
        let this = env::current_exe().unwrap();
        // The defaults of its versions are among them.
        for set in ["1234", "10", "1000"] {
            let mut again = Command::new(&this);
            let again = again.env(VARIABLE, set).arg("the_delay_is_set");
            assert!(again.status().unwrap().success(), "{set}");
        }
    }
}
