//! The reports of an epoch as a Parquet file, zstd 1: the same rows give the same bytes. What providers said of the vouchers settled
//! in it stands in the file's footer, so that the hash a verifier anchors covers that too. Reads what strangers wrote: bounded, and a
//! file that makes the decoder panic is a file that cannot be read.

use super::OrderMeters;
use crate::collector::Sealed;
use crate::limits::{ARCHIVE_FILE_BYTES_MAX, SEALED_METERS_BYTES_MAX};
use bytes::Bytes;
use cairn_types::envelope::ENVELOPE_BYTES_MAX;
use cairn_types::{DeviceNumber, Hash, ReportId, TimeMs, codec, hash};
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const SCHEMA: &str = "message reports {
    required fixed_len_byte_array(32) id;
    required int32 device (integer(32, false));
    required int64 time (integer(64, false));
    required int64 received (integer(64, false));
    required int64 sequence (integer(64, false));
    required binary envelope;
}";

/// Rows of one group: what is held in memory at once beside the rows themselves.
const GROUP_ROWS: usize = 65_536;

/// Bytes of all pages of a file, unpacked.
const UNPACKED_BYTES_MAX: i64 = 4 * ARCHIVE_FILE_BYTES_MAX as i64;

/// Under which the footer has the meters, as hexadecimal digits of their CBOR.
const METERS: &str = "cairn/meters";

/// The file of these rows, in their order, with what was said of the epoch's vouchers: those of which something was said.
pub fn write(rows: &[Sealed], meters: &[OrderMeters]) -> Vec<u8> {
    written(rows, meters).expect("rows of one schema, written into memory")
}

/// The hash of the file of no reports and no meters: everybody has it.
pub fn empty_hash() -> Hash {
    hash::sha256(&write(&[], &[]))
}

/// The footer's entry; the meters that would make it too long are left out, from the last on.
fn footer(meters: &[OrderMeters]) -> Option<Vec<KeyValue>> {
    let mut said: Vec<&OrderMeters> = meters.iter().filter(|order| !order.entries.is_empty()).collect();
    loop {
        if said.is_empty() {
            return None;
        }
        let bytes = codec::encode(&said);
        if bytes.len() <= SEALED_METERS_BYTES_MAX {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            return Some(vec![KeyValue::new(METERS.to_owned(), digits)]);
        }
        said.pop();
    }
}

fn written(rows: &[Sealed], meters: &[OrderMeters]) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder()
        .set_created_by("cairn".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_enabled(false)
        .set_key_value_metadata(footer(meters))
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for group in rows.chunks(GROUP_ROWS) {
        let mut writer = file.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = writer.next_column()? {
            match column.untyped() {
                ColumnWriter::FixedLenByteArrayColumnWriter(typed) => {
                    let ids: Vec<FixedLenByteArray> = group
                        .iter()
                        .map(|row| ByteArray::from(row.id.0.to_vec()).into())
                        .collect();
                    typed.write_batch(&ids, None, None)?;
                }
                ColumnWriter::Int32ColumnWriter(typed) => {
                    let devices: Vec<i32> = group.iter().map(|row| row.device.0.cast_signed()).collect();
                    typed.write_batch(&devices, None, None)?;
                }
                ColumnWriter::Int64ColumnWriter(typed) => {
                    let numbers: Vec<i64> = group.iter().map(|row| number(row, at).cast_signed()).collect();
                    typed.write_batch(&numbers, None, None)?;
                }
                ColumnWriter::ByteArrayColumnWriter(typed) => {
                    let envelopes: Vec<ByteArray> = group.iter().map(|row| row.envelope.clone().into()).collect();
                    typed.write_batch(&envelopes, None, None)?;
                }
                _ => return Err(ParquetError::General("a column of another type".to_owned())),
            }
            column.close()?;
            at += 1;
        }
        writer.close()?;
    }
    file.into_inner()
}

/// The number of a row in one of the three columns of 64 bits.
fn number(row: &Sealed, column: usize) -> u64 {
    match column {
        2 => row.time.0,
        3 => row.received.0,
        _ => row.sequence,
    }
}

/// The rows of a file.
pub fn read(bytes: Vec<u8>) -> Result<Vec<Sealed>, String> {
    Ok(read_all(bytes)?.0)
}

/// The rows of a file, and what its footer says of vouchers.
pub fn read_all(bytes: Vec<u8>) -> Result<(Vec<Sealed>, Vec<OrderMeters>), String> {
    let rows = catch_unwind(AssertUnwindSafe(|| rows(bytes)));
    rows.map_err(|_| "not a Parquet file that can be read".to_owned())?
        .map_err(|error| error.to_string())
}

fn said(entries: Option<&Vec<KeyValue>>) -> Result<Vec<OrderMeters>, ParquetError> {
    let wrong = || ParquetError::General("the meters in the footer cannot be read".to_owned());
    let mut entries = entries.into_iter().flatten().filter(|entry| entry.key == METERS);
    let Some(entry) = entries.next() else {
        return Ok(Vec::new());
    };
    let digits = entry.value.as_deref().unwrap_or_default().as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 2 * SEALED_METERS_BYTES_MAX {
        return Err(wrong());
    }
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let bytes: Option<Vec<u8>> = digits.chunks_exact(2).map(byte).collect();
    codec::decode_canonical(&bytes.ok_or_else(wrong)?).map_err(|_| wrong())
}

fn rows(bytes: Vec<u8>) -> Result<(Vec<Sealed>, Vec<OrderMeters>), ParquetError> {
    let file = SerializedFileReader::new(Bytes::from(bytes))?;
    let metadata = file.metadata();
    let unpacked = metadata
        .row_groups()
        .iter()
        .try_fold(0i64, |sum, group| sum.checked_add(group.total_byte_size()));
    if unpacked.is_none_or(|sum| sum > UNPACKED_BYTES_MAX) {
        return Err(ParquetError::General("unpacked it would be too long".to_owned()));
    }
    let schema = parse_message_type(SCHEMA)?;
    if *metadata.file_metadata().schema() != schema {
        return Err(ParquetError::General("not the columns of reports".to_owned()));
    }
    let meters = said(metadata.file_metadata().key_value_metadata())?;
    let mut all = Vec::new();
    for at in 0..file.num_row_groups() {
        all.extend(group(&file, at)?);
    }
    Ok((all, meters))
}

fn group(file: &SerializedFileReader<Bytes>, at: usize) -> Result<Vec<Sealed>, ParquetError> {
    let reader = file.get_row_group(at)?;
    let count = usize::try_from(reader.metadata().num_rows()).unwrap_or(usize::MAX);
    if count > GROUP_ROWS {
        return Err(ParquetError::General(format!("{count} rows in a group")));
    }
    let mut ids: Vec<FixedLenByteArray> = Vec::new();
    let mut devices: Vec<i32> = Vec::new();
    let mut numbers: [Vec<i64>; 3] = Default::default();
    let mut envelopes: Vec<ByteArray> = Vec::new();
    for column in 0..6usize {
        let read = match reader.get_column_reader(column)? {
            ColumnReader::FixedLenByteArrayColumnReader(mut typed) => {
                typed.read_records(count, None, None, &mut ids)?.0
            }
            ColumnReader::Int32ColumnReader(mut typed) => typed.read_records(count, None, None, &mut devices)?.0,
            ColumnReader::Int64ColumnReader(mut typed) => {
                let numbers = numbers.get_mut(column.wrapping_sub(2));
                let numbers = numbers.ok_or_else(|| ParquetError::General("a column out of place".to_owned()))?;
                typed.read_records(count, None, None, numbers)?.0
            }
            ColumnReader::ByteArrayColumnReader(mut typed) => typed.read_records(count, None, None, &mut envelopes)?.0,
            _ => 0,
        };
        if read != count {
            return Err(ParquetError::General(format!(
                "column {column} has {read} of {count} rows"
            )));
        }
    }
    let [times, received, sequences] = numbers;
    let rows = ids
        .into_iter()
        .zip(devices)
        .zip(times)
        .zip(received)
        .zip(sequences)
        .zip(envelopes);
    rows.map(|(((((id, device), time), received), sequence), envelope)| {
        let id = id
            .data()
            .try_into()
            .map_err(|_| ParquetError::General("an id of another length".to_owned()))?;
        if envelope.len() > ENVELOPE_BYTES_MAX {
            return Err(ParquetError::General("an envelope too long".to_owned()));
        }
        Ok(Sealed {
            id: ReportId(id),
            device: DeviceNumber(device.cast_unsigned()),
            time: TimeMs(time.cast_unsigned()),
            received: TimeMs(received.cast_unsigned()),
            sequence: sequence.cast_unsigned(),
            envelope: envelope.data().to_vec(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::SettledOrder;
    use crate::meters::MeterEntry;
    use cairn_types::{Credit, OrderId};

    fn made(count: u32) -> Vec<Sealed> {
        let row = |at: u32| Sealed {
            id: ReportId([at as u8; 32]),
            device: DeviceNumber(u32::MAX - at),
            time: TimeMs(u64::MAX - u64::from(at)),
            received: TimeMs(u64::from(at)),
            sequence: u64::MAX,
            envelope: vec![at as u8; at as usize % 300],
        };
        (0..count).map(row).collect()
    }

    fn meters(orders: u8) -> Vec<OrderMeters> {
        let order = |at: u8| OrderMeters {
            settled: SettledOrder {
                order: OrderId([at; 32]),
                paid: Credit(7),
                meters: Hash([at; 32]),
            },
            entries: vec![MeterEntry {
                device: DeviceNumber(at.into()),
                credits: Credit(7),
            }],
        };
        (0..orders).map(order).collect()
    }

    #[test]
    fn rows_and_meters_read_back_and_the_same_rows_are_the_same_bytes() {
        for (count, orders) in [(0, 0), (1, 0), (500, 3), (0, 2)] {
            let bytes = write(&made(count), &meters(orders));
            assert_eq!(bytes, write(&made(count), &meters(orders)));
            assert_eq!(read_all(bytes), Ok((made(count), meters(orders))));
        }
    }

    #[test]
    fn a_voucher_of_which_nothing_was_said_does_not_change_the_file() {
        let mut silent = meters(1);
        silent[0].entries.clear();
        assert_eq!(write(&made(3), &silent), write(&made(3), &[]));
    }

    #[test]
    fn broken_files_are_refused_and_never_panic_the_reader() {
        let bytes = write(&made(20), &meters(2));
        for end in 0..bytes.len() {
            assert!(read(bytes[..end].to_vec()).is_err(), "{end} bytes");
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            // Some bytes carry no meaning; the manifest's hash covers those.
            let _ = read(broken);
        }
    }
}
