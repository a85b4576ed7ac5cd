//! The inputs of a generator that only asks.

use brink_data::Split;
use brink_random::Stream;
use brink_verify::SecretKey;

/// The inputs of a generator that needs answers only: no weights, no gradient. The black box may be a server.
pub struct Asked<'a, O> {
    /// The model to protect, an [`Oracle`](brink_verify::Oracle).
    pub oracle: O,
    /// Images to start from. Their labels are not used.
    pub images: &'a Split,
    /// Its name in the sensitive set.
    pub model_id: &'a str,
    /// The owner's secret, for labels of the keyed head.
    pub key: Option<&'a SecretKey>,
    /// The only source of randomness.
    pub stream: Stream,
}
