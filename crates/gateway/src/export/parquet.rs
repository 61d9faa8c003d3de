//! Parquet (zstd): columns time, device, cell, and the value under its quantity's name and unit, an integer with decimals
//! (DECIMAL). Written in groups, so that no more than one is held in memory.

use crate::limits::GROUP_ROWS;
use crate::rows::{Answer, Quantity, Row};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{PrimitiveTypeBuilder, Type};
use std::io::{self, Write};
use std::sync::Arc;

/// Digits of a value in the file's schema: what 64 bits surely hold.
const PRECISION: i32 = 18;

pub fn write(answer: &Answer, out: &mut (dyn Write + Send)) -> io::Result<()> {
    written(answer, out).map_err(|error| match error {
        ParquetError::External(why) => io::Error::other(why),
        other => io::Error::other(other),
    })
}

fn written(answer: &Answer, out: &mut (dyn Write + Send)) -> Result<(), ParquetError> {
    let compression = Compression::ZSTD(ZstdLevel::try_new(1)?);
    let properties = WriterProperties::builder()
        .set_created_by("cairn".to_owned())
        .set_compression(compression)
        .build();
    let schema = Arc::new(schema(&answer.quantity)?);
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let mut rows = answer.rows();
    loop {
        let group: Vec<Row> = rows.by_ref().take(GROUP_ROWS).collect();
        if group.is_empty() {
            break;
        }
        let mut writer = file.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = writer.next_column()? {
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(typed) => typed.write_batch(&numbers(&group, at), None, None)?,
                ColumnWriter::ByteArrayColumnWriter(typed) => typed.write_batch(&texts(&group, at), None, None)?,
                _ => return Err(ParquetError::General("a column of another type".to_owned())),
            };
            column.close()?;
            at += 1;
        }
        writer.close()?;
    }
    file.close().map(|_| ())
}

fn numbers(rows: &[Row], column: usize) -> Vec<i64> {
    let number = |row: &Row| match column {
        0 => i64::try_from(row.time.0).unwrap_or(i64::MAX),
        _ => row.value,
    };
    rows.iter().map(number).collect()
}

fn texts(rows: &[Row], column: usize) -> Vec<ByteArray> {
    let text = |row: &Row| match column {
        1 => row.device.to_string(),
        _ => row.cell.to_string(),
    };
    rows.iter().map(|row| text(row).into_bytes().into()).collect()
}

fn schema(quantity: &Quantity) -> Result<Type, ParquetError> {
    let value = format!("{}_{}", quantity.name, quantity.unit);
    let decimals = i32::from(quantity.decimals);
    let fields = vec![
        column(
            "time_utc",
            Physical::INT64,
            LogicalType::timestamp(true, TimeUnit::MILLIS),
        )
        .build()?,
        column("device", Physical::BYTE_ARRAY, LogicalType::String).build()?,
        column("cell", Physical::BYTE_ARRAY, LogicalType::String).build()?,
        column(&value, Physical::INT64, LogicalType::decimal(decimals, PRECISION))
            .with_precision(PRECISION)
            .with_scale(decimals)
            .build()?,
    ];
    Type::group_type_builder("readings")
        .with_fields(fields.into_iter().map(Arc::new).collect())
        .build()
}

fn column(name: &str, physical: Physical, logical: LogicalType) -> PrimitiveTypeBuilder<'_> {
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(logical))
}

#[cfg(test)]
mod tests {
    use crate::export::tests::{answer, written};
    use crate::limits::GROUP_ROWS;
    use cairn_types::TimeMs;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    #[test]
    fn what_was_written_is_read() {
        let bytes = bytes::Bytes::from(written(super::write, &answer()));
        let reader = SerializedFileReader::new(bytes).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        let read: Vec<Vec<(String, Field)>> = rows.map(|row| row.unwrap().into_columns()).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(
            read[1][0],
            ("time_utc".to_owned(), Field::TimestampMillis(1_500_077_100_000))
        );
        assert_eq!(read[1][2].1, Field::Str("881969c9b7fffff".to_owned()));
        let Field::Decimal(value) = &read[1][3].1 else {
            panic!("{:?}", read[1][3])
        };
        assert_eq!((value.scale(), value.data()), (3, &101i64.to_be_bytes()[..]));
    }

    #[test]
    fn many_rows_are_several_groups() {
        let mut answer = answer();
        let place = crate::export::tests::place();
        for at in 0..GROUP_ROWS as u64 {
            answer.push(TimeMs(at), place, at as i64);
        }
        let reader = SerializedFileReader::new(bytes::Bytes::from(written(super::write, &answer))).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        assert_eq!(reader.metadata().file_metadata().num_rows(), GROUP_ROWS as i64 + 3);
    }
}
