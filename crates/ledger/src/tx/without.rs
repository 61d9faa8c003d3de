//! Keeps the lists of what results leave out, page by page.

use crate::context::{Context, Step};
use crate::records::{PLACES_PER_PAGE, Whose, WithoutPage};
use cairn_types::{EpochNumber, EpochResult, NetworkId};

type At = (NetworkId, EpochNumber);

fn ids(at: At, whose: Whose, count: u16) -> Vec<(NetworkId, EpochNumber, u8)> {
    let pages = WithoutPage::pages(whose, count);
    pages.map(|page| (at.0, at.1, page)).collect()
}

/// How many anchors a checked result leaves out.
pub(super) fn count(result: &EpochResult) -> u16 {
    u16::try_from(result.without.len()).expect("a checked result leaves out at most WITHOUT_MAX anchors")
}

/// A list of so many places.
pub(super) fn load(at: At, whose: Whose, count: u16, context: &mut Context<'_>) -> Step<Vec<u32>> {
    let pages = context.load_many::<WithoutPage>(&ids(at, whose, count))?;
    let places = pages.into_iter().flatten().flat_map(|page| page.into_value().places);
    Ok(places.map(u32::from).collect())
}

/// Writes what a checked result leaves out.
pub(super) fn write(at: At, whose: Whose, result: &EpochResult, context: &mut Context<'_>) {
    let places: Vec<u16> = result
        .without
        .iter()
        .map(|place| u16::try_from(*place).expect("a place in a book that counts in 16 bits"))
        .collect();
    let ids = ids(at, whose, count(result));
    for (id, places) in ids.iter().zip(places.chunks(PLACES_PER_PAGE)) {
        let places = places.to_vec();
        context.insert(id, &WithoutPage { places });
    }
}

/// Deletes a list of so many places.
pub(super) fn delete(at: At, whose: Whose, count: u16, context: &mut Context<'_>) {
    for id in ids(at, whose, count) {
        context.delete::<WithoutPage>(&id);
    }
}
