//! Sets whose pixels are arrays of bytes, all of one size.

use brink_config::checked::Edge;

use super::fits;
use crate::{Fault, Split, resize};

/// The order of the axes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axes {
    /// `(channel, row, column)`.
    ChannelsFirst,
    /// `(row, column, channel)`.
    ChannelsLast,
}

/// A split of images of `channels` channels, 1 or 3, and `from` rows and columns, resized to `size`. Grey is repeated to three channels.
/// `pixels` has the images one after the other.
pub(super) fn split(
    pixels: &[u8],
    labels: Vec<u16>,
    channels: usize,
    from: [usize; 2],
    axes: Axes,
    size: Option<Edge>,
) -> Result<Split, Fault> {
    let to = size.map_or(from, |side| [side.get(); 2]);
    let shape = [3, to[0], to[1]];
    fits(labels.len(), shape)?;
    let area = from[0] * from[1];
    let mut out = Vec::with_capacity(labels.len() * 3 * to[0] * to[1]);
    for image in pixels.chunks_exact(channels * area) {
        for channel in 0..3 {
            let channel = channel.min(channels - 1);
            let plane: Vec<u8> = match axes {
                Axes::ChannelsFirst => image[channel * area..][..area].to_vec(),
                Axes::ChannelsLast => image[channel..].iter().step_by(channels).copied().collect(),
            };
            match from == to {
                true => out.extend(plane),
                false => out.extend(resize::bilinear(&plane, from, to)),
            }
        }
    }
    Ok(Split::new(shape, out, labels))
}
