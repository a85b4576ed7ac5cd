//! The images of one target: those it is trained on and those it is tested with.

use std::rc::Rc;

use data::{Dataset, Split};
use models::Network;
use spec::Stream;
use verify::Rate;

use crate::grid::Target;

/// The images of one target.
pub struct Images {
    dataset: Rc<Dataset>,
    /// The training images used, unless all.
    trained: Option<Split>,
    /// Those of them that were held out to choose settings by.
    validation: Option<Split>,
    /// The test images used, unless all.
    tested: Option<Split>,
}

impl Images {
    /// As many as `target` wants of `dataset`, chosen by `stream`.
    ///
    /// # Errors
    /// If a validation set cannot be held out, or leaves fewer images than are asked for.
    pub fn new(
        target: &Target,
        dataset: Rc<Dataset>,
        stream: &Stream,
    ) -> Result<Self, data::Error> {
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

    /// What the images of the whole data set are.
    pub fn content(&self) -> store::Content {
        let data::Content {
            sha256,
            verified,
            images,
            blank,
            repeated,
        } = self.dataset.content.clone();
        store::Content {
            sha256,
            verified,
            images: images as u64,
            blank: blank as u64,
            repeated: repeated as u64,
        }
    }

    /// Those it is trained on.
    pub fn train(&self) -> &Split {
        self.trained.as_ref().unwrap_or(&self.dataset.train)
    }

    /// Those it has not seen.
    pub fn held_out(&self) -> &Split {
        &self.dataset.test
    }

    /// Those that accuracy is measured on.
    pub fn tested(&self) -> &Split {
        self.tested.as_ref().unwrap_or(&self.dataset.test)
    }

    /// Those that settings may be chosen by, if any were held out.
    pub fn validation(&self) -> Option<&Split> {
        self.validation.as_ref()
    }
}

/// Top-1 accuracy of `network` on all of `images`.
///
/// # Errors
/// If they do not fit the network.
pub fn accuracy(network: &Network, images: &Split) -> models::Result<Rate> {
    let all: Vec<usize> = (0..images.len()).collect();
    let count = models::accuracy(network, images, &all)?;
    Ok(Rate::new(count.hits as u64, count.of as u64))
}
