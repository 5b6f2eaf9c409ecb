//! A binary that forgot to install the guard's allocator is told so: a guard that counts nothing proves nothing.

use antiphon_testkit::alloc_guard::count;

#[test]
#[should_panic(expected = "global_allocator")]
fn counting_without_the_allocator_is_refused() {
    let _ = count(|| ());
}
