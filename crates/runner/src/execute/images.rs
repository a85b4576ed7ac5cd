//! The images of one target: for training, validation and testing.

use std::rc::Rc;

use brink_data::{Dataset, Split};
use brink_models::Network;
use brink_random::Stream;
use brink_verify::Rate;

use crate::grid::Target;

/// The images of one target.
pub struct Images {
    dataset: Rc<Dataset>,
    /// The training images in use. `None` for all.
    trained: Option<Split>,
    /// The validation images, held out of the training images.
    validation: Option<Split>,
    /// The test images in use. `None` for all.
    tested: Option<Split>,
}

impl Images {
    /// The images of `dataset` that `target` uses. `stream` chooses them.
    ///
    /// # Errors
    /// If a validation set cannot be held out, or too few training images are left.
    pub fn new(
        target: &Target,
        dataset: Rc<Dataset>,
        stream: &Stream,
    ) -> Result<Self, brink_data::Error> {
        let (trained, validation) = match &target.train {
            Some(training) => training.choose(&dataset.train, stream)?,
            None => (None, None),
        };
        let tested = target
            .test_images
            .filter(|limit| limit.get() < dataset.test.len())
            .map(|limit| dataset.test.subset(limit.get(), &mut stream.split("test")))
            .transpose()?;
        Ok(Self {
            dataset,
            trained,
            validation,
            tested,
        })
    }

    /// The checksum and counts of the whole data set.
    pub fn content(&self) -> brink_store::Content {
        let brink_data::Content {
            sha256,
            verified,
            images,
            blank,
            repeated,
        } = self.dataset.content.clone();
        brink_store::Content {
            sha256,
            verified,
            images: images as u64,
            blank: blank as u64,
            repeated: repeated as u64,
        }
    }

    /// The training images in use.
    pub fn train(&self) -> &Split {
        self.trained.as_ref().unwrap_or(&self.dataset.train)
    }

    /// All test images of the data set.
    pub fn held_out(&self) -> &Split {
        &self.dataset.test
    }

    /// The test images that accuracy is measured on.
    pub fn tested(&self) -> &Split {
        self.tested.as_ref().unwrap_or(&self.dataset.test)
    }

    /// The validation images, if any were held out.
    pub fn validation(&self) -> Option<&Split> {
        self.validation.as_ref()
    }
}

/// The top-1 accuracy of `network` on all of `images`.
///
/// # Errors
/// If the images do not fit the network, or it gives no finite logits.
pub fn accuracy(network: &Network, images: &Split) -> brink_models::Result<Rate> {
    let all: Vec<usize> = (0..images.len()).collect();
    let count = brink_models::accuracy(network, images, &all)?;
    Ok(Rate::new(count.hits as u64, count.of as u64))
}
