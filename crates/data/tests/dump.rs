#[test]
fn dump() {
    for id in [data::Id::FashionMnist, data::Id::GtsrbThinned] {
    println!("{:?}", data::open(id, Some(std::path::Path::new("/work/shared/datasets"))).map(|s| s.content));
    }
}
