//! Memory for the maps of a network. Each iteration allocates and frees hundreds of megabytes.

use libmimalloc_sys::{mi_option_set_default, mi_option_use_numa_nodes};

/// The allocator for programs that use these operations: `#[global_allocator] static ALLOCATOR: Allocator = Allocator;`.
pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's option number of the delay in milliseconds before freed pages are returned. Its bindings do not name the option; it is the
/// one before this.
const PURGE_DELAY: i32 = mi_option_use_numa_nodes - 1;

/// Lets the process keep freed pages. A fresh page costs a page fault per 4 KiB, which adds up to a tenth of an iteration of stage 1.
/// Programs with [`Allocator`] call it once; in others it has no effect. `MIMALLOC_PURGE_DELAY` in the environment has precedence.
pub fn keep_pages() {
    // SAFETY: the call writes one word of mimalloc's table of options, and the option exists.
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

    /// The environment variable sets the right option. So the test runs itself again with the variable.
    #[test]
    fn the_delay_is_set_unless_the_environment_has_set_it() {
        keep_pages();
        if let Ok(set) = env::var(VARIABLE) {
            assert_eq!(delay().to_string(), set);
            return;
        }
        assert_eq!(delay(), -1);
        let this = env::current_exe().unwrap();
        // Among them are the defaults of mimalloc's versions.
        for set in ["1234", "10", "1000"] {
            let mut again = Command::new(&this);
            let again = again.env(VARIABLE, set).arg("the_delay_is_set");
            assert!(again.status().unwrap().success(), "{set}");
        }
    }
}
