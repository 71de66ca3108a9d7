//! A WAV file that can be read at every instant while it grows.
//!
//! ```text
//!  0  "RIFF" size  "WAVE"        | "RF64" 0xFFFFFFFF "WAVE"
//! 12  "JUNK" 28    (28 zeros)    | "ds64" 28  RIFF size, data size, samples (u64 each), 0 (u32)
//! 48  "fmt " 16    PCM, one voice, rate, 16 bits
//! 72  "data" size                | "data" 0xFFFFFFFF
//! 80  samples, little-endian …
//! ```
//!
//! The `JUNK` chunk keeps the place of `ds64`, so that a file which outgrows 32 bits becomes RF64
//! in place (EBU Tech 3306 §3). The whole header is one pure value of 80 bytes, written in one call
//! and always after the data that it counts: whenever the process dies, the header on disk is the
//! one from before or the one from after.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use model::TapRate;

/// Length of the header; the samples follow it [bytes].
const HEADER_BYTES: usize = 80;
/// What the RIFF size counts besides the samples: all of the header but `RIFF` and the size.
const RIFF_OVERHEAD_BYTES: u64 = HEADER_BYTES as u64 - 8;
const SAMPLE_BYTES: u64 = 2;
/// Stands in the 32-bit size fields of an RF64 file.
const SIZE_IS_IN_DS64: u32 = u32::MAX;

/// A recording's file, being written. PCM of 16 bits, mono.
#[derive(Debug)]
pub(crate) struct WavFile {
    file: File,
    rate: TapRate,
    riff_bytes_max: u64,
    /// Samples in the file, silence among them.
    samples: u64,
    /// Samples that the header on disk counts.
    samples_counted: u64,
}

impl WavFile {
    /// Creates the file, valid and without a sample. Fails if something has that name already.
    pub(crate) fn create(path: &Path, rate: TapRate, riff_bytes_max: u64) -> io::Result<WavFile> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut wav = WavFile { file, rate, riff_bytes_max, samples: 0, samples_counted: 0 };
        wav.count()?;
        Ok(wav)
    }

    /// Appends samples behind `silence` samples of silence. The header does not count them before
    /// [`WavFile::count`].
    ///
    /// Silence is a hole in the file: it reads as zeros and costs neither time nor disk.
    pub(crate) fn append(&mut self, silence: u64, samples_le: &[u8]) -> io::Result<()> {
        debug_assert!(samples_le.len().is_multiple_of(2), "whole samples");
        if samples_le.is_empty() {
            return Ok(());
        }
        let begin = self.samples + silence;
        let (bytes, result) = write_at(&self.file, samples_le, data_end(begin));
        // A disk that becomes full takes a part.
        if bytes as u64 >= SAMPLE_BYTES {
            self.samples = begin + bytes as u64 / SAMPLE_BYTES;
        }
        result
    }

    /// Writes the header so that it counts all samples.
    pub(crate) fn count(&mut self) -> io::Result<()> {
        self.file.write_all_at(&header(self.rate, self.samples, self.riff_bytes_max), 0)?;
        self.samples_counted = self.samples;
        Ok(())
    }

    /// Whether no sample is in the file.
    pub(crate) fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// Samples in the file that its header does not count yet.
    pub(crate) fn samples_uncounted(&self) -> u64 {
        self.samples - self.samples_counted
    }

    /// How long the recording is [ms].
    pub(crate) fn duration_ms(&self) -> u64 {
        duration_ms(self.samples, self.rate)
    }

    /// Forces what is written to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Makes the header of a file that was left open count all that the file holds. Returns how long
/// the recording is [ms].
pub(crate) fn repair(path: &Path, rate: TapRate, riff_bytes_max: u64) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).open(path)?;
    let data_bytes = file.metadata()?.len().saturating_sub(HEADER_BYTES as u64);
    let samples = data_bytes / SAMPLE_BYTES;
    file.write_all_at(&header(rate, samples, riff_bytes_max), 0)?;
    // Half a sample may have been written last; readers would take it for the next chunk.
    file.set_len(data_end(samples))?;
    file.sync_data()?;
    Ok(duration_ms(samples, rate))
}

/// Like `write_all_at`, and tells how many bytes were written before an error.
fn write_at(file: &File, bytes: &[u8], offset: u64) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

fn data_end(samples: u64) -> u64 {
    HEADER_BYTES as u64 + samples * SAMPLE_BYTES
}

fn duration_ms(samples: u64, rate: TapRate) -> u64 {
    samples * 1_000 / u64::from(rate.hz())
}

fn header(rate: TapRate, samples: u64, riff_bytes_max: u64) -> [u8; HEADER_BYTES] {
    let data_bytes = samples * SAMPLE_BYTES;
    let riff_bytes = RIFF_OVERHEAD_BYTES + data_bytes;
    let small = if riff_bytes <= riff_bytes_max {
        u32::try_from(riff_bytes).ok().zip(u32::try_from(data_bytes).ok())
    } else {
        None
    };
    let mut header = [0; HEADER_BYTES];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    match small {
        Some((riff_bytes, _)) => {
            put(b"RIFF");
            put(&riff_bytes.to_le_bytes());
            put(b"WAVEJUNK");
            put(&28u32.to_le_bytes());
            put(&[0; 28]);
        }
        None => {
            put(b"RF64");
            put(&SIZE_IS_IN_DS64.to_le_bytes());
            put(b"WAVEds64");
            put(&28u32.to_le_bytes());
            put(&riff_bytes.to_le_bytes());
            put(&data_bytes.to_le_bytes());
            put(&samples.to_le_bytes());
            put(&0u32.to_le_bytes());
        }
    }
    put(b"fmt ");
    put(&16u32.to_le_bytes());
    put(&1u16.to_le_bytes()); // PCM
    put(&1u16.to_le_bytes()); // mono
    put(&rate.hz().to_le_bytes());
    put(&(rate.hz() * 2).to_le_bytes()); // bytes a second
    put(&2u16.to_le_bytes()); // bytes a sample
    put(&16u16.to_le_bytes()); // bits a sample
    put(b"data");
    put(&small.map_or(SIZE_IS_IN_DS64, |(_, data_bytes)| data_bytes).to_le_bytes());
    debug_assert_eq!(at, HEADER_BYTES);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RIFF_BYTES_MAX;

    fn ramp(from: u64, samples: u64) -> Vec<u8> {
        (from..from + samples).flat_map(|n| (n as i16).to_le_bytes()).collect()
    }

    fn read(path: &Path) -> Vec<i16> {
        let mut reader = hound::WavReader::open(path).unwrap();
        assert_eq!(
            reader.spec(),
            hound::WavSpec {
                channels: 1,
                sample_rate: 8_000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int
            }
        );
        reader.samples::<i16>().map(Result::unwrap).collect()
    }

    #[test]
    fn the_file_reads_back_at_every_moment_while_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing.wav");
        let mut wav = WavFile::create(&path, TapRate::Hz8000, RIFF_BYTES_MAX).unwrap();
        assert!(read(&path).is_empty());
        let mut written = 0;
        for step in 1..50 {
            let counted = read(&path);
            wav.append(0, &ramp(written, step * 7)).unwrap();
            assert_eq!(read(&path), counted, "what is not counted is not seen");
            written += step * 7;
            assert_eq!(wav.samples_uncounted(), step * 7);
            wav.count().unwrap();
            assert_eq!(read(&path), (0..written).map(|n| n as i16).collect::<Vec<_>>());
        }
        assert_eq!(wav.duration_ms(), written / 8);
    }

    #[test]
    fn silence_that_is_left_out_reads_as_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gap.wav");
        let mut wav = WavFile::create(&path, TapRate::Hz8000, RIFF_BYTES_MAX).unwrap();
        wav.append(0, &ramp(1, 2)).unwrap();
        wav.append(3, &ramp(7, 1)).unwrap();
        wav.count().unwrap();
        assert_eq!(read(&path), [1, 2, 0, 0, 0, 7]);
    }

    #[test]
    fn a_file_that_outgrows_riff_becomes_rf64_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.wav");
        // 72 bytes of header and 14 samples fill 100 bytes exactly.
        let mut wav = WavFile::create(&path, TapRate::Hz8000, 100).unwrap();
        wav.append(0, &ramp(0, 14)).unwrap();
        wav.count().unwrap();
        assert_eq!(read(&path).len(), 14);
        wav.append(0, &ramp(14, 1)).unwrap();
        wav.count().unwrap();

        let bytes = std::fs::read(&path).unwrap();
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(&bytes[0..16], b"RF64\xff\xff\xff\xffWAVEds64");
        assert_eq!((u64_at(20), u64_at(28), u64_at(36)), (102, 30, 15));
        assert_eq!(&bytes[72..80], b"data\xff\xff\xff\xff");
        assert_eq!(bytes.len() as u64, 8 + u64_at(20));
        assert_eq!(bytes[80..], ramp(0, 15));
    }

    #[test]
    fn sizes_beyond_32_bits_are_written_as_rf64() {
        let samples = 3_000_000_000;
        let header = header(TapRate::Hz48000, samples, RIFF_BYTES_MAX);
        assert_eq!(&header[0..4], b"RF64");
        assert_eq!(header[28..36], (samples * 2).to_le_bytes());
    }

    #[test]
    fn repair_counts_what_the_file_holds_and_cuts_half_a_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crashed.wav");
        let mut wav = WavFile::create(&path, TapRate::Hz8000, RIFF_BYTES_MAX).unwrap();
        wav.append(0, &ramp(0, 800)).unwrap();
        wav.file.write_all_at(&[9], data_end(800)).unwrap();
        drop(wav);
        assert_eq!(read(&path).len(), 0);
        assert_eq!(repair(&path, TapRate::Hz8000, RIFF_BYTES_MAX).unwrap(), 100);
        assert_eq!(read(&path).len(), 800);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), data_end(800));
    }

    #[test]
    fn repair_makes_a_file_whose_header_was_not_finished_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        std::fs::write(&path, b"RIFF").unwrap();
        assert_eq!(repair(&path, TapRate::Hz8000, RIFF_BYTES_MAX).unwrap(), 0);
        assert!(read(&path).is_empty());
    }

    #[test]
    fn a_full_disk_is_an_error_and_not_a_panic() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut wav = WavFile {
            file: full,
            rate: TapRate::Hz8000,
            riff_bytes_max: RIFF_BYTES_MAX,
            samples: 0,
            samples_counted: 0,
        };
        let error = wav.append(0, &ramp(0, 1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(wav.samples_uncounted(), 0);
    }

    #[test]
    fn a_name_that_exists_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.wav");
        std::fs::write(&path, b"kept").unwrap();
        let error = WavFile::create(&path, TapRate::Hz8000, RIFF_BYTES_MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
    }
}
