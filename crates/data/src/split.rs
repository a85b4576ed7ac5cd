//! Images with labels in memory: one byte per pixel and channel, in the set's own order.

use std::collections::BTreeSet;
use std::fmt;

use brink_random::Stream;

use crate::{Content, Error, Facts};

/// A data set: its description and its two splits.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name, its title and its counts.
    pub facts: Facts,
    /// The training images.
    pub train: Split,
    /// The test images.
    pub test: Split,
    /// A summary of the content, and whether it is verified to be the official one.
    pub content: Content,
}

/// Images, their labels and, if the set has groups, their groups.
#[derive(Clone, PartialEq, Eq)]
pub struct Split {
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<u16>,
    /// One group per image, or empty.
    groups: Vec<u32>,
}

impl Split {
    /// A split of images of shape `shape`, `(c, h, w)`. `pixels` is `(n, c, h, w)`, where `n` is the number of labels.
    ///
    /// # Panics
    /// If the number of pixels is not the number of labels times the product of `shape`.
    pub fn new(shape: [usize; 3], pixels: Vec<u8>, labels: Vec<u16>) -> Self {
        assert_eq!(
            pixels.len(),
            labels.len() * shape.iter().product::<usize>(),
            "pixels do not match labels and shape"
        );
        Self {
            shape,
            pixels,
            labels,
            groups: Vec::new(),
        }
    }

    /// The same images with groups of near-duplicates, such as the frames of a film. `groups` has one number per image, equal
    /// within a group. An empty list removes the groups.
    ///
    /// # Panics
    /// If `groups` is not empty and its length is not the number of images.
    #[must_use]
    pub fn with_groups(mut self, groups: Vec<u32>) -> Self {
        assert!(
            groups.is_empty() || groups.len() == self.len(),
            "groups do not match labels"
        );
        self.groups = groups;
        self
    }

    /// An empty split with room for `images` images.
    pub(crate) fn with_capacity(shape: [usize; 3], images: usize) -> Self {
        let pixels = Vec::with_capacity(images * shape.iter().product::<usize>());
        Self {
            shape,
            pixels,
            labels: Vec::with_capacity(images),
            groups: Vec::new(),
        }
    }

    /// Appends the images of a split of the same shape.
    pub(crate) fn append(&mut self, other: &Self) {
        self.pixels.extend_from_slice(&other.pixels);
        self.labels.extend_from_slice(&other.labels);
        self.groups.extend_from_slice(&other.groups);
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the split has no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of an image, `(c, h, w)`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All pixels, `(n, c, h, w)`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels of one image, `(c, h, w)`.
    ///
    /// # Panics
    /// If there is no image `index`. All methods below that take indices panic in the same way.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.iter().product::<usize>();
        &self.pixels[index * size..][..size]
    }

    /// The label of one image.
    pub fn label(&self, index: usize) -> u32 {
        self.labels[index].into()
    }

    /// The labels that occur.
    pub fn classes(&self) -> BTreeSet<u32> {
        self.labels.iter().map(|&label| label.into()).collect()
    }

    /// The group of one image; `None` if the set has no groups.
    pub fn group(&self, index: usize) -> Option<u32> {
        self.groups.get(index).copied()
    }

    /// The pixels of the first `n` images, or of all if there are fewer.
    pub(crate) fn first_pixels(&self, n: usize) -> &[u8] {
        &self.pixels[..n.min(self.len()) * self.shape.iter().product::<usize>()]
    }

    /// All groups, four bytes each (little-endian), for checksums.
    pub(crate) fn group_bytes(&self) -> Vec<u8> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.to_le_bytes()).collect()
    }

    /// All labels, for checksums: one byte each, or two (little-endian) if there is a label above 255. No registered set has such a
    /// label; a test of the registry checks this.
    pub(crate) fn label_bytes(&self) -> Vec<u8> {
        let labels = self.labels.iter();
        match labels.clone().all(|&label| label < 256) {
            true => labels.map(|&label| label as u8).collect(),
            false => labels.flat_map(|label| label.to_le_bytes()).collect(),
        }
    }

    /// The images `indices`: `(n, c, h, w)`, values in `[0, 1]` (`pixel / 255`).
    pub fn images(&self, indices: &[usize]) -> Vec<f32> {
        let mut out = Vec::with_capacity(indices.len() * self.shape.iter().product::<usize>());
        for &index in indices {
            out.extend(self.image(index).iter().map(|&pixel| unit(pixel)));
        }
        out
    }

    /// The labels of the images `indices`.
    pub fn labels(&self, indices: &[usize]) -> Vec<u32> {
        indices.iter().map(|&index| self.label(index)).collect()
    }

    /// A split of the images `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut selected = Self::with_capacity(self.shape, indices.len());
        for &index in indices {
            selected.pixels.extend_from_slice(self.image(index));
            selected.labels.push(self.labels[index]);
            selected.groups.extend(self.groups.get(index));
        }
        selected
    }

    /// The first `n` images, or all if there are fewer.
    #[must_use]
    pub fn take(&self, n: usize) -> Self {
        let n = n.min(self.len());
        Self {
            shape: self.shape,
            pixels: self.pixels[..n * self.shape.iter().product::<usize>()].to_vec(),
            labels: self.labels[..n].to_vec(),
            groups: self.groups.iter().take(n).copied().collect(),
        }
    }

    /// A random class-balanced subset of `n` images, in their old order.
    ///
    /// # Errors
    /// If there are fewer than `n` images.
    pub fn subset(&self, n: usize, stream: &mut Stream) -> Result<Self, Error> {
        Ok(self.select(&self.balanced(n, stream)?))
    }

    /// The indices of [`Split::subset`], ascending. The classes take turns in a random order. Each gives one of its images at
    /// random, until there are `n`. So class counts differ by at most one, unless a class runs out of images.
    ///
    /// # Errors
    /// If there are fewer than `n` images.
    pub fn balanced(&self, n: usize, stream: &mut Stream) -> Result<Vec<usize>, Error> {
        if n > self.len() {
            return Err(Error::Subset {
                asked: n,
                have: self.len(),
            });
        }
        let classes = self
            .labels
            .iter()
            .max()
            .map_or(0, |&last| usize::from(last) + 1);
        let mut of_class = vec![Vec::new(); classes];
        for (index, &label) in self.labels.iter().enumerate() {
            of_class[usize::from(label)].push(index);
        }
        for indices in &mut of_class {
            stream.shuffle(indices);
        }
        stream.shuffle(&mut of_class);
        let mut chosen = Vec::with_capacity(n);
        for turn in 0.. {
            if chosen.len() == n {
                break;
            }
            let round = of_class.iter().filter_map(|indices| indices.get(turn));
            chosen.extend(round.take(n - chosen.len()));
        }
        chosen.sort_unstable();
        Ok(chosen)
    }
}

impl fmt::Debug for Split {
    /// Leaves out the pixels: there are millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("shape", &self.shape)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A pixel as a number in `[0, 1]`.
pub(crate) fn unit(pixel: u8) -> f32 {
    f32::from(pixel) / 255.0
}
