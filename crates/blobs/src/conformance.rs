//! What every adapter promises, as checks that run against any of them.

use purlin_ports::{BlobError, BlobTag, Blobs, Put};

type Check = Result<(), String>;

/// Runs all checks below a key under which nothing is kept yet, and leaves nothing there. The error
/// names the broken promise.
pub async fn check_blobs(blobs: &dyn Blobs, below: &str) -> Result<(), String> {
    puts(blobs, &format!("{below}/puts")).await?;
    conditions(blobs, &format!("{below}/conditions")).await?;
    deletes(blobs, &format!("{below}/deletes")).await?;
    lists(blobs, &format!("{below}/lists")).await
}

fn ensure(holds: bool, promise: &str) -> Check {
    if holds { Ok(()) } else { Err(promise.to_owned()) }
}

fn fine<T>(result: Result<T, BlobError>, what: &str) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error} ({error:?})"))
}

async fn puts(blobs: &dyn Blobs, below: &str) -> Check {
    let key = format!("{below}/some-file.json.bak");
    ensure(blobs.get(&key).await == Err(BlobError::NotFound), "what was never put is not found")?;
    fine(blobs.delete(&key).await, "what isn't there can be deleted")?;
    // Every byte, and nothing at all.
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for bytes in [all, Vec::new(), b"{}".to_vec()] {
        let tag = fine(blobs.put(&key, bytes.clone(), &Put::Always).await, "bytes are put")?;
        let blob = fine(blobs.get(&key).await, "what was put is read")?;
        ensure(blob.bytes == bytes, "bytes come back as they were put")?;
        ensure(blob.tag == tag, "the tag of a put is that of the next get")?;
    }
    fine(blobs.delete(&key).await, "what is there is deleted")?;
    ensure(blobs.get(&key).await == Err(BlobError::NotFound), "what was deleted is not found")
}

async fn conditions(blobs: &dyn Blobs, below: &str) -> Check {
    let key = format!("{below}/one");
    let put = |text: &'static str, condition: Put| {
        let key = key.clone();
        async move { blobs.put(&key, text.into(), &condition).await }
    };
    let first = fine(put("1", Put::IfAbsent).await, "bytes are put where nothing is")?;
    let refused = put("2", Put::IfAbsent).await;
    ensure(refused == Err(BlobError::AlreadyExists), "bytes are put if absent only where nothing is")?;
    let second = fine(put("3", Put::IfMatch(first.clone())).await, "bytes replace a version")?;
    ensure(first != second, "other bytes have another tag")?;
    let refused = put("4", Put::IfMatch(first.clone())).await;
    ensure(refused == Err(BlobError::PreconditionFailed), "an older version can't be replaced")?;
    let found = fine(blobs.get(&key).await, "what was put is read")?;
    ensure(found.bytes == b"3" && found.tag == second, "what was refused changed nothing")?;
    fine(blobs.delete(&key).await, "what is there is deleted")?;
    let refused = put("5", Put::IfMatch(second.clone())).await;
    ensure(refused == Err(BlobError::PreconditionFailed), "what is gone can't be replaced")?;
    ensure(blobs.get(&key).await == Err(BlobError::NotFound), "and stays gone")?;
    fine(put("6", Put::IfAbsent).await, "what was deleted is absent")?;
    let unknown = BlobTag("\"0123456789abcdef0123456789abcdef\"".to_owned());
    let refused = put("7", Put::IfMatch(unknown)).await;
    ensure(refused.is_err(), "a version that never was can't be replaced")?;
    fine(blobs.delete(&key).await, "what is there is deleted")
}

async fn deletes(blobs: &dyn Blobs, below: &str) -> Check {
    ensure(blobs.deletes_at_once() > 0, "at least one key is deleted at once")?;
    let key = |name: &str| format!("{below}/{name}");
    let names = ["one.json", "a/two & <three>", "a/two", "b%20c", "stays"];
    for name in names {
        fine(blobs.put(&key(name), name.into(), &Put::Always).await, "bytes are put")?;
    }
    fine(blobs.delete_all(&[]).await, "nothing is deleted")?;
    let mut keys: Vec<String> = names[..4].iter().map(|name| key(name)).collect();
    keys.insert(2, key("never was"));
    fine(blobs.delete_all(&keys).await, "several keys are deleted, one of which isn't there")?;
    let left = fine(blobs.list(&key("")).await, "keys are listed")?;
    let left: Vec<&str> = left.iter().map(|info| info.key.as_str()).collect();
    ensure(left == [key("stays")], &format!("what is deleted together is gone, and only that: {left:?}"))?;
    fine(blobs.delete_all(&keys).await, "what is gone can be deleted together")?;
    fine(blobs.delete_all(&[key("stays")]).await, "one key is deleted like several")?;
    ensure(blobs.get(&key("stays")).await == Err(BlobError::NotFound), "and is gone")
}

async fn lists(blobs: &dyn Blobs, below: &str) -> Check {
    ensure(fine(blobs.list(below).await, "nothing is listed")?.is_empty(), "what isn't there isn't listed")?;
    // No key is also a folder: some services keep objects as files.
    let names = ["a.json", "a.json.bak", "a/b", "a/c.d/e-f_g", "b", "c/1", "d@x"];
    for name in names {
        fine(blobs.put(&format!("{below}/{name}"), name.into(), &Put::Always).await, "bytes are put")?;
    }
    let cases: [(&str, &[&str]); 5] =
        [("/", &names), ("/a", &names[..4]), ("/a/", &names[2..4]), ("/a.json", &names[..2]), ("/x", &[])];
    for (prefix, expected) in cases {
        let found = fine(blobs.list(&format!("{below}{prefix}")).await, "keys are listed")?;
        let keys: Vec<&str> =
            found.iter().filter_map(|info| info.key.strip_prefix(below)?.strip_prefix('/')).collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        ensure(keys == expected, &format!("what begins with '{prefix}' is listed, sorted; found {keys:?}"))?;
        let sizes = found.iter().zip(&expected).all(|(info, name)| info.size == name.len() as u64);
        ensure(sizes, "lists tell sizes")?;
    }
    let key = format!("{below}/b");
    let old = fine(blobs.get(&key).await, "what is there is read")?.tag;
    fine(blobs.put(&key, b"other".to_vec(), &Put::Always).await, "bytes are put")?;
    let found = fine(blobs.list(&key).await, "keys are listed")?;
    ensure(found.iter().all(|info| info.tag.as_ref() != Some(&old)), "lists tell versions as they are")?;
    for name in names {
        fine(blobs.delete(&format!("{below}/{name}")).await, "what is there is deleted")?;
    }
    Ok(())
}
