//! The example of the README, and what the package refuses, asked through Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A Python with NumPy: `BRINK_PYTHON`, else `python3`. Without one, the tests say that they are skipped.
fn python() -> Option<String> {
    let named = std::env::var("BRINK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_numpy = Command::new(&named).args(["-c", "import numpy"]).output();
    let usable = has_numpy.is_ok_and(|output| output.status.success());
    if !usable {
        eprintln!("skipped: {named} has no NumPy; name one that has in BRINK_PYTHON");
    }
    usable.then_some(named)
}

/// The library that Cargo built for this test. Python wants it under the module's name.
fn run(python: &str, program: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let built = std::env::current_exe().unwrap();
    let name = format!(
        "{}brink{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let library: PathBuf = built.with_file_name(&name);
    std::fs::copy(library, folder.path().join("brink.so")).unwrap();
    Command::new(python)
        .args(["-c", program])
        .current_dir(folder.path())
        .env("PYTHONPATH", folder.path())
        .env_remove("BRINK_KEY")
        .output()
        .unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn the_example_of_the_readme_works() {
    let Some(python) = python() else { return };
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, example) = readme.split_once("```python\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let output = run(&python, example);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("intact\n  0 of 20 pairs flipped"));
}

#[test]
fn exceptions_say_what_to_correct_and_nonsense_is_never_intact() {
    let Some(python) = python() else { return };
    let program = r#"
import brink
import numpy as np

weights = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)
predict = lambda x: np.tanh(x.reshape(len(x), -1) - 0.5) @ weights
images = np.random.default_rng(1).integers(0, 256, size=(200, 3, 4, 4), dtype=np.uint8)
key = brink.new_key()
signer = brink.public_key(key)
assert len(key) == 64 and key not in signer


def raises(kind, text, call):
    try:
        call()
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)


def protect(predict=predict, images=images, **settings):
    return brink.protect(predict, images, **{"key": key, **settings})


made = protect()
assert made.pairs == 150 and made.images_if_intact == 40, made
raises(FileExistsError, "force=True", protect)
raises(ValueError, "scale pixels to [0, 1]", lambda: protect(images=images.astype(np.float32), force=True))
raises(ValueError, "(n, channels, height, width)", lambda: protect(images=images[0], force=True))
raises(ValueError, "pairs need at least two", lambda: protect(images=images[:1], force=True))
raises(ValueError, "false-alarm risk is 2", lambda: protect(false_alarms=2, force=True))
raises(ValueError, "64 hexadecimal digits", lambda: protect(key="zz", force=True))
raises(ValueError, "no key", lambda: protect(key=None, force=True))
raises(ValueError, "how many classes", lambda: protect(lambda x: predict(x).argmax(1), force=True))
raises(ValueError, "signed it, not", lambda: brink.verify(predict, signer=brink.public_key(brink.new_key())))


def fails(images):
    raise KeyError("of my own")


raises(KeyError, "of my own", lambda: brink.verify(fails, signer=signer))
raises(KeyError, "of my own", lambda: protect(fails, force=True))
for nonsense in (
    lambda x: np.zeros((2, 2)),
    lambda x: np.full((len(x), 5), np.nan),
    lambda x: np.full(len(x), "cat"),
    lambda x: np.zeros((len(x), 5)),
    lambda x: np.random.default_rng().normal(size=(len(x), 5)),
    lambda x: None,
):
    found = brink.verify(nonsense, signer=signer)
    assert found.verdict == "cannot tell", found
    assert found.reason
"#;
    let output = run(&python, program);
    assert!(output.status.success(), "{}", text(&output.stderr));
}
