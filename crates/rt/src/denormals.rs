//! [`FlushDenormals`]: makes the processor treat subnormal floats as zero while it lives.
//!
//! In the flow: held by the runner around its whole loop; benches and tests of float code hold one too.
//! Why: a decaying filter or codec state reaches subnormals, and each operation on one can cost 100 cycles.
//! Invariants: per thread, restored on drop; rounding and exception masks are left alone.
//! On processors other than x86-64 and AArch64 it does nothing and says so. (Intel SDM vol. 1 §10.2.3;
//! Arm ARM, FPCR.FZ.)
#![expect(unsafe_code, reason = "the control register has no safe interface")]

use std::marker::PhantomData;

/// Flush-to-zero and denormals-are-zero for the current thread, until dropped.
#[derive(Debug)]
#[must_use = "dropping it restores the old mode at once"]
pub struct FlushDenormals {
    before: u64,
    /// Tied to the thread whose register it changed.
    not_send: PhantomData<*const ()>,
}

impl FlushDenormals {
    /// Switches the mode on for this thread.
    ///
    /// # Real-time
    /// Two register moves; no system call.
    pub fn new() -> Self {
        let before = register::read();
        register::write(before | register::FLUSH);
        Self { before, not_send: PhantomData }
    }

    /// Whether this processor has the mode.
    #[must_use]
    pub const fn available() -> bool {
        register::FLUSH != 0
    }
}

impl Default for FlushDenormals {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        register::write(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
mod register {
    use std::arch::asm;

    /// MXCSR bit 15 (flush to zero) and bit 6 (denormals are zero).
    pub(super) const FLUSH: u64 = 1 << 15 | 1 << 6;

    pub(super) fn read() -> u64 {
        let mut mxcsr = 0_u32;
        // SAFETY: `stmxcsr` stores 32 bits to the given address, which is a live `u32` of ours. Every x86-64
        // processor has it.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        u64::from(mxcsr)
    }

    pub(super) fn write(value: u64) {
        let mxcsr = u32::try_from(value).expect("invariant: the value was read from a 32-bit register");
        // SAFETY: `ldmxcsr` loads 32 bits from the given address, a live `u32` of ours. The value is what
        // `read` returned, at most with FZ and DAZ added: no reserved bit is set (that would fault) and the
        // exception masks and rounding mode, which compiled code relies on, are unchanged. Code moved by the
        // compiler across this line can differ only in results that are subnormal, which nobody here relies on.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod register {
    use std::arch::asm;

    /// FPCR bit 24: flush to zero, inputs and outputs.
    pub(super) const FLUSH: u64 = 1 << 24;

    pub(super) fn read() -> u64 {
        let fpcr: u64;
        // SAFETY: reads a register that user code may read; nothing else changes.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        fpcr
    }

    pub(super) fn write(value: u64) {
        // SAFETY: user code may write FPCR. The value is what `read` returned, at most with FZ added: rounding
        // and traps, which compiled code relies on, are unchanged.
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod register {
    pub(super) const FLUSH: u64 = 0;

    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn write(_value: u64) {}
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn half_of_the_smallest_normal() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn subnormals_are_zero_while_the_guard_lives_and_only_then() {
        assert!(half_of_the_smallest_normal() > 0.0);
        {
            let _guard = FlushDenormals::new();
            let flushed = half_of_the_smallest_normal() == 0.0;
            assert_eq!(flushed, FlushDenormals::available());
        }
        assert!(half_of_the_smallest_normal() > 0.0);
    }
}
