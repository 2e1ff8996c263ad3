//! The drawing as pixels.

use jiff::tz::TimeZone;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::data::{PlotData, Theme};
use super::svg::{HEIGHT, WIDTH, svg};

/// Largest picture in a mail.
pub const PNG_BYTES: usize = 60_000;

/// Why there is no picture; the mail goes without.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    #[error("the plot's SVG was not understood: {0}")]
    Svg(String),
    #[error("the plot's PNG was not written: {0}")]
    Png(String),
    #[error("the plot has {0} bytes as PNG, more than the {PNG_BYTES} of a mail")]
    Large(usize),
}

/// The plot as PNG: two pixels a unit, so that it is sharp on phones, or one where that would be more than [`PNG_BYTES`].
///
/// # Errors
/// [`PlotError`] where the drawing is not accepted by the renderer, or too large at any size.
pub fn png(data: &PlotData, zone: &TimeZone, theme: Theme) -> Result<Vec<u8>, PlotError> {
    let tree = Tree::from_str(&svg(data, zone, theme), &Options::default())
        .map_err(|error| PlotError::Svg(error.to_string()))?;
    let mut size = 0;
    for scale in [2_u8, 1] {
        let (width, height) = (WIDTH * u32::from(scale), HEIGHT * u32::from(scale));
        let mut pixels = Pixmap::new(width, height).ok_or_else(|| PlotError::Png("no memory for it".to_owned()))?;
        resvg::render(&tree, Transform::from_scale(f32::from(scale), f32::from(scale)), &mut pixels.as_mut());
        let bytes = pixels.encode_png().map_err(|error| PlotError::Png(error.to_string()))?;
        if bytes.len() <= PNG_BYTES {
            return Ok(bytes);
        }
        size = bytes.len();
    }
    Err(PlotError::Large(size))
}
