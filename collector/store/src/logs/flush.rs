//! From a sealed head to level-0 log segments; the catalog commit that names them is the flush's own (rule 22).

use std::path::PathBuf;

use super::catalog::LogRow;
use super::record::LogClass;
use super::write::LogSegmentWriter;
use crate::catalog::SegmentRow;
use crate::engine::Maintenance;
use crate::error::FileError;
use crate::flush::empty_header;
use crate::head::Head;

/// A row for each class that has lines.
pub(crate) type Flushed = Vec<(LogClass, u64, LogRow)>;

impl Maintenance<'_> {
    /// Writes the lines of a sealed head, a segment a class, and makes files and names durable. What is begun goes to `written`.
    pub(crate) fn write_logs(&mut self, head: &Head, written: &mut Vec<(u64, PathBuf)>) -> Result<Flushed, FileError> {
        let mut flushed = Vec::new();
        for class in LogClass::ALL {
            if head.logs.class(class).entries() == 0 {
                continue;
            }
            let number = self.catalog.take_number();
            let header = empty_header(self.catalog.state().store_id, head.generation, head.generation, None);
            let shared = self.shared();
            let folder = &shared.log_folders[class as usize];
            let path = folder.join(SegmentRow::of(&header).file_name(number));
            written.push((number, path.clone()));
            let mut writer = LogSegmentWriter::new(&*shared.disk, &path, class, header)?;
            let mut streams = head.logs.class(class).find(&[], head.logs.arrived());
            streams.sort_by(|a, b| a.labels.cmp(&b.labels));
            for stream in &streams {
                write_stream(&mut writer, stream)?;
            }
            let header = writer.finish()?;
            shared.disk.sync_dir(folder).map_err(FileError::disk("sync folder", folder))?;
            flushed.push((class, number, LogRow { row: SegmentRow::of(&header), cleaned: 0 }));
        }
        Ok(flushed)
    }
}

fn write_stream(writer: &mut LogSegmentWriter, stream: &super::head::HeadStream) -> Result<(), FileError> {
    let (mut order, mut ends, mut text) = (Vec::new(), Vec::new(), Vec::new());
    stream.each(i64::MIN, i64::MAX, &mut |(at_ns, line, fields)| {
        order.push((at_ns, order.len()));
        let start = text.len();
        text.extend_from_slice(line);
        text.extend_from_slice(fields);
        ends.push((start, start + line.len(), text.len()));
        true
    });
    if order.is_empty() {
        return Ok(());
    }
    // By time, then by arrival.
    order.sort_unstable();
    writer.stream(&stream.labels)?;
    for (at_ns, place) in order {
        let (start, line_end, end) = ends[place];
        writer.entry(at_ns, &text[start..line_end], &text[line_end..end])?;
    }
    Ok(())
}
