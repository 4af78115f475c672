//! Loops compiled once for each instruction set. They contain no intrinsics: the compiler vectorises them, and because
//! every operation is an IEEE 754 one, all give the same bits.

use super::kernel::InstructionSet;

/// A loop. `run` must be `#[inline(always)]`, so that it takes the instruction set of the function that it is inlined into.
pub(super) trait Job {
    fn run(self);
}

/// Runs `job` with the instructions of `set`, which this processor must have.
pub(super) fn dispatch<J: Job>(set: InstructionSet, job: J) {
    match set {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the engine refuses instruction sets that the processor does not have.
        InstructionSet::Avx512 => unsafe { avx512(job) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        InstructionSet::Avx2 => unsafe { avx2(job) },
        _ => job.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512<J: Job>(job: J) {
    job.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<J: Job>(job: J) {
    job.run();
}
