//! Asks a served model pair by pair whether it is still the protected one.

use brink_endpoint::Endpoint;
use brink_mark::Signed;
use brink_random::Stream;
use brink_verify::{Known, interview};

use crate::error::Error;
use crate::said::Said;
use crate::shown::Shown;

/// What was asked and said.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What was said.
    pub said: Said,
    /// The pairs asked, in their order.
    pub pairs: Vec<usize>,
    /// Where the model is.
    pub place: String,
}

/// Asks until the risks of the mark allow a finding, and remembers what was shown. The order of the pairs comes from `stream`, those first
/// that nobody has seen, or `fresh_only`.
///
/// # Errors
/// If a setting or the journal of shown pairs cannot be used. A model that does not answer is no error.
pub fn ask(
    signed: &Signed,
    shown: &mut Shown,
    fresh_only: bool,
    stream: &mut Stream,
    endpoint: &Endpoint,
) -> Result<Asked, Error> {
    let (set, about) = (&signed.mark.set, &signed.mark.about);
    let risks = about.risks()?;
    let false_alarm = about.promise.false_alarm;
    let cannot_tell = |why: String, pairs: Vec<usize>| Asked {
        said: Said::no_answer(why, false_alarm),
        pairs,
        place: endpoint.place(),
    };
    let order = shown.order(set.samples(), fresh_only, stream);
    let (least, left) = (risks.least_pairs(), order.len());
    if (left as u64) < least {
        let or = match fresh_only {
            true => ", or allow pairs that were shown",
            false => "",
        };
        let few = format!(
            "{left} pairs are left to ask, and \"intact\" takes {least}; protect the model again{or}"
        );
        return Ok(cannot_tell(few, Vec::new()));
    }
    let head = signed.mark.head();
    let known = Known {
        set,
        head: head.as_ref(),
        anchors: &signed.mark.anchors,
        profiles: &about.measured.profiles,
    };
    let asked = interview(endpoint, known, &order, risks);
    match asked.map_err(Error::from) {
        Ok(interview) => {
            shown.add(&interview.asked)?;
            Ok(Asked {
                said: Said::of(&interview, risks, false_alarm, left),
                pairs: interview.asked,
                place: endpoint.place(),
            })
        }
        Err(error) if error.is_no_answer() => {
            // It may have seen the first pairs before it failed.
            let first = order[..least as usize].to_vec();
            shown.add(&first)?;
            Ok(cannot_tell(error.in_full(), first))
        }
        Err(error) => Err(error),
    }
}
