//! An allocator that refuses what no input can need.
//!
//! Inputs have some kilobytes. Who asks for megabytes at once for one of them has believed a length field, and must not.
//! (A sanitizer would see it too, but takes half of the speed, and looks for faults that safe Rust does not have.)

use std::alloc::{GlobalAlloc, Layout, System};
use std::process;

/// The most that is allocated at once.
const BYTES_MAX: usize = 16 << 20;

#[global_allocator]
static LIMITED: Limited = Limited;

struct Limited;

// SAFETY: every call goes to the system's allocator unchanged, or ends the process.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        check(bytes);
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

fn check(bytes: usize) {
    if bytes > BYTES_MAX {
        eprintln!("{bytes} bytes at once, for an input of some kilobytes");
        process::abort();
    }
}
