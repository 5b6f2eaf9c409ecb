//! The only file that calls libopus: owned encoder and decoder state behind safe methods.
//!
//! Invariants: a `Raw*` owns its pointer alone from create to destroy; lengths handed to
//! libopus are those of the slices they describe, checked here. libopus keeps no pointer into
//! its arguments and its states hold no pointer into themselves, which is what makes the state
//! copy a plain `memcpy` (a test proves it bit-exact). Spec: RFC 6716.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::NonNull;

use opusic_sys as opus;

use crate::calls::{count, counted};
use crate::{Channels, CodecError, CodecRate};

fn check(code: c_int) -> Result<usize, CodecError> {
    usize::try_from(code).map_err(|_| CodecError::from_code(code))
}

fn c_len(len: usize) -> Result<c_int, CodecError> {
    c_int::try_from(len).map_err(|_| CodecError::BadArgument)
}

/// Owned libopus encoder state.
pub(crate) struct RawEncoder {
    state: NonNull<opus::OpusEncoder>,
    bytes: usize,
    rate: CodecRate,
    channels: Channels,
}

// SAFETY: the state is plain memory owned by this value alone; libopus has no thread affinity.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(crate) fn new(rate: CodecRate, channels: Channels, application: c_int) -> Result<Self, CodecError> {
        let count = c_len(channels.count())?;
        let hz = c_len(rate.hz() as usize)?;
        let mut error = opus::OPUS_OK;
        // SAFETY: `error` outlives the call; the arguments are plain numbers.
        let state = unsafe { opus::opus_encoder_create(hz, count, application, &raw mut error) };
        let Some(state) = NonNull::new(state) else {
            return Err(CodecError::from_code(error));
        };
        // SAFETY: takes a plain number.
        let bytes = unsafe { opus::opus_encoder_get_size(count) };
        let bytes = usize::try_from(bytes).expect("invariant: a created encoder has a size");
        Ok(Self { state, bytes, rate, channels })
    }

    pub(crate) fn rate(&self) -> CodecRate {
        self.rate
    }

    pub(crate) fn channels(&self) -> Channels {
        self.channels
    }

    pub(crate) fn encode(&mut self, pcm: &[f32], out: &mut [u8]) -> Result<usize, CodecError> {
        let channels = self.channels.count();
        if !pcm.len().is_multiple_of(channels) {
            return Err(CodecError::BadArgument);
        }
        let frame = c_len(pcm.len() / channels)?;
        let room = c_len(out.len())?;
        let written = counted(
            |calls| calls.encodes += 1,
            // SAFETY: the state is live and exclusively borrowed; `pcm` holds frame × channels
            // samples and `out` holds `room` bytes, as computed above.
            || unsafe { opus::opus_encode_float(self.state.as_ptr(), pcm.as_ptr(), frame, out.as_mut_ptr(), room) },
        );
        check(written)
    }

    /// Sets one integer setting. `request` must be an `OPUS_SET_*` request taking an `opus_int32`.
    pub(crate) fn set(&mut self, request: c_int, value: i32) -> Result<(), CodecError> {
        // SAFETY: the state is live; each `OPUS_SET_*` request of libopus reads one `opus_int32`.
        let code = unsafe { opus::opus_encoder_ctl(self.state.as_ptr(), request, value) };
        check(code).map(|_| ())
    }

    /// Reads one integer setting. `request` must be an `OPUS_GET_*` request giving an `opus_int32`.
    pub(crate) fn get(&self, request: c_int) -> Result<i32, CodecError> {
        let mut value: i32 = 0;
        // SAFETY: the state is live; each `OPUS_GET_*` request writes one `opus_int32` to the
        // pointer and changes nothing else.
        let code = unsafe { opus::opus_encoder_ctl(self.state.as_ptr(), request, &raw mut value) };
        check(code).map(|_| value)
    }

    pub(crate) fn reset(&mut self) -> Result<(), CodecError> {
        // SAFETY: the state is live; the request takes no argument.
        let code = unsafe { opus::opus_encoder_ctl(self.state.as_ptr(), opus::OPUS_RESET_STATE) };
        check(code).map(|_| ())
    }

    pub(crate) fn copy_from(&mut self, source: &Self) -> Result<(), CodecError> {
        if self.rate != source.rate || self.channels != source.channels || self.bytes != source.bytes {
            return Err(CodecError::StateMismatch);
        }
        // SAFETY: both states are live allocations of `bytes` bytes (libopus reported that size
        // for this channel count), distinct because one is borrowed exclusively; an encoder
        // state holds offsets and pointers to static tables only, none into itself.
        unsafe {
            std::ptr::copy_nonoverlapping(
                source.state.as_ptr().cast::<u8>(),
                self.state.as_ptr().cast::<u8>(),
                self.bytes,
            );
        }
        count(|calls| calls.state_copies += 1);
        Ok(())
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: created by `opus_encoder_create`, destroyed exactly once, here.
        unsafe { opus::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

/// Owned libopus decoder state.
pub(crate) struct RawDecoder {
    state: NonNull<opus::OpusDecoder>,
    rate: CodecRate,
    channels: Channels,
}

// SAFETY: as for `RawEncoder`.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(crate) fn new(rate: CodecRate, channels: Channels) -> Result<Self, CodecError> {
        let mut error = opus::OPUS_OK;
        let (hz, count) = (c_len(rate.hz() as usize)?, c_len(channels.count())?);
        // SAFETY: `error` outlives the call; the arguments are plain numbers.
        let state = unsafe { opus::opus_decoder_create(hz, count, &raw mut error) };
        NonNull::new(state).map(|state| Self { state, rate, channels }).ok_or_else(|| CodecError::from_code(error))
    }

    pub(crate) fn rate(&self) -> CodecRate {
        self.rate
    }

    pub(crate) fn channels(&self) -> Channels {
        self.channels
    }

    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        if packet.is_empty() {
            return Err(CodecError::InvalidPacket); // an empty slice would mean concealment
        }
        let length = c_len(packet.len())?;
        let room = c_len(out.len() / self.channels.count())?;
        let samples = counted(
            |calls| calls.decodes += 1,
            // SAFETY: the state is live and exclusively borrowed; `packet` holds `length` bytes
            // and `out` at least room × channels samples.
            || unsafe {
                opus::opus_decode_float(self.state.as_ptr(), packet.as_ptr(), length, out.as_mut_ptr(), room, 0)
            },
        );
        check(samples)
    }

    pub(crate) fn decode_fec(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        if packet.is_empty() {
            return Err(CodecError::InvalidPacket);
        }
        let length = c_len(packet.len())?;
        let room = c_len(out.len() / self.channels.count())?;
        let samples = counted(
            |calls| calls.recoveries += 1,
            // SAFETY: as in `decode`.
            || unsafe {
                opus::opus_decode_float(self.state.as_ptr(), packet.as_ptr(), length, out.as_mut_ptr(), room, 1)
            },
        );
        check(samples)
    }

    pub(crate) fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        let room = c_len(out.len() / self.channels.count())?;
        let samples = counted(
            |calls| calls.concealments += 1,
            // SAFETY: the state is live; a null packet of length 0 asks for concealment; `out`
            // holds at least room × channels samples.
            || unsafe { opus::opus_decode_float(self.state.as_ptr(), std::ptr::null(), 0, out.as_mut_ptr(), room, 0) },
        );
        check(samples)
    }

    pub(crate) fn set(&mut self, request: c_int, value: i32) -> Result<(), CodecError> {
        // SAFETY: the state is live; each `OPUS_SET_*` request reads one `opus_int32`.
        let code = unsafe { opus::opus_decoder_ctl(self.state.as_ptr(), request, value) };
        check(code).map(|_| ())
    }

    pub(crate) fn reset(&mut self) -> Result<(), CodecError> {
        // SAFETY: the state is live; the request takes no argument.
        let code = unsafe { opus::opus_decoder_ctl(self.state.as_ptr(), opus::OPUS_RESET_STATE) };
        check(code).map(|_| ())
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: created by `opus_decoder_create`, destroyed exactly once, here.
        unsafe { opus::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

pub(crate) fn packet_has_lbrr(packet: &[u8]) -> bool {
    let Ok(length) = c_len(packet.len()) else {
        return false;
    };
    // SAFETY: `packet` holds `length` bytes and the caller checked it is not empty; libopus
    // parses it with bounds checks.
    unsafe { opus::opus_packet_has_lbrr(packet.as_ptr(), length) == 1 }
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn cycles() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 processor and touches no memory.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn cycles() -> u64 {
    0
}
